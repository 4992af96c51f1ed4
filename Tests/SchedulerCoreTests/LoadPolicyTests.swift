/// Load policies: what a load is, and how engines are ordered (ipyparallel's add_job).

import PlainModel
import Testing

@testable import SchedulerCore

@Suite("Load policies")
struct LoadPolicyTests {
  @Test("outstanding bytes: the engine with the least data in flight is taken") func bytes() {
    let policy = OutstandingBytes(bytesPerUnit: 1000)
    withCore(hwm: 0, policy: policy, engines: ["a", "b"]) { core in
      core.submit(bytes: 9_001)
      core.expect(.assign(0, "a"))
      for task in 1...9 {
        core.submit(bytes: 1000)
        core.expect(.assign(task, "b"))
      }
      core.submit(bytes: 1001)
      core.expect(.assign(10, "b"))
      core.submit(bytes: 0)
      core.expect(.assign(11, "a"))
      core.succeed(0, on: "a")
      core.expect(.deliver(0, "a"))
      core.submit(bytes: 1)
      core.expect(.assign(12, "a"))
    }
  }

  @Test("outstanding bytes: hwm limits the load, not the count") func bytesLimited() {
    withCore(hwm: 3, policy: OutstandingBytes(bytesPerUnit: 100), engines: ["a"]) { core in
      core.submit(bytes: 200)
      core.expect(.assign(0, "a"))
      core.submit(bytes: 900)
      core.expect(.assign(1, "a"))
      core.submit(bytes: 1)
      core.succeed(0, on: "a")
      core.expect(.deliver(0, "a"))
      core.succeed(1, on: "a")
      core.expect(.deliver(1, "a"), .assign(2, "a"))
    }
  }

  @Test("outstanding bytes: units round up, at least one, at most 2^24") func units() {
    func cost(_ bytes: UInt64, per unit: UInt64) -> UInt32 {
      OutstandingBytes(bytesPerUnit: unit).cost(
        of: TaskFacts(task: TaskID(0), bytes: bytes, retries: 0))
    }
    #expect(cost(0, per: 1000) == 1)
    #expect(cost(1000, per: 1000) == 1)
    #expect(cost(1001, per: 1000) == 2)
    #expect(cost(.max, per: 1) == 1 << 24)
    #expect(cost(5, per: 0) == 5)
  }

  @Test("a load that passes what the vector can hold comes back to nothing") func saturation() {
    struct Huge: LoadPolicy {
      func cost(of facts: TaskFacts) -> UInt32 { .max }
      func orderAfterAssignment(of facts: TaskFacts) -> OrderMove { .back }
    }
    withCore(hwm: 0, policy: Huge(), engines: ["a"]) { core in
      for task in 0..<4 {
        core.submit()
        core.expect(.assign(task, "a"))
      }
      for task in 0..<4 {
        core.succeed(task, on: "a")
        core.expect(.deliver(task, "a"))
      }
      #expect(core.core.loads[0] == 0)
    }
  }

  @Test("a cost of nothing counts as one: the engine fills up") func nothing() {
    struct Free: LoadPolicy {
      func cost(of facts: TaskFacts) -> UInt32 { 0 }
      func orderAfterAssignment(of facts: TaskFacts) -> OrderMove { .back }
    }
    withCore(hwm: 1, policy: Free(), engines: ["a"]) { core in
      core.submit()
      core.expect(.assign(0, "a"))
      core.submit()
      core.expect()
    }
  }

  @Test("front: the engine used last stays first") func front() {
    withCore(hwm: 2, scheme: .lru, policy: Sticky(move: .front), engines: ["a", "b"]) { core in
      for (task, engine) in ["a", "a", "b", "b"].enumerated() {
        core.submit()
        core.expect(.assign(task, engine))
      }
      core.succeed(2, on: "b")
      core.expect(.deliver(2, "b"))
      core.succeed(0, on: "a")
      core.expect(.deliver(0, "a"))
      core.submit()
      core.expect(.assign(4, "b"))
    }
  }

  @Test("stay: the order of registration stays") func stay() {
    withCore(hwm: 2, scheme: .lru, policy: Sticky(move: .stay), engines: ["a", "b"]) { core in
      for (task, engine) in ["a", "a", "b", "b"].enumerated() {
        core.submit()
        core.expect(.assign(task, engine))
      }
      core.succeed(2, on: "b")
      core.expect(.deliver(2, "b"))
      core.succeed(0, on: "a")
      core.expect(.deliver(0, "a"))
      core.submit()
      core.expect(.assign(4, "a"))
    }
  }

  @Test("the default is OutstandingTasks") func standard() {
    let plain = CoreHarness(CoreSettings(hwm: 3))
    let named = CoreHarness(CoreSettings(hwm: 3, policy: OutstandingTasks()))
    var dice = Dice(seed: 5)
    for core in [plain, named] { for engine in ["a", "b", "c"] { core.register(engine) } }
    for _ in 0..<100 {
      let happening: Happening =
        dice.chance(50)
        ? .submit(Submission())
        : .result(dice.below(plain.taskCount + 1), dice.pick(["a", "b", "c"]), .completed)
      plain.step([happening])
      named.step([happening])
      #expect(plain.takeSeen() == named.takeSeen())
    }
  }
}

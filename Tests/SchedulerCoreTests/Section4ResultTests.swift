/// SEMANTICS section 4: results, retries and unmet dependencies.

import PlainModel
import Testing

@testable import SchedulerCore

@Suite("SEMANTICS 4: results")
struct Section4ResultTests {
  @Test("4 a result frees the engine's place, whatever it says", arguments: [0, 1, 3] as [UInt32])
  func load(_ hwm: UInt32) {
    withCore(hwm: hwm, engines: ["a"]) { core in
      for outcome in [Outcome.completed, .failed, .completed] {
        let task = core.submit()
        core.expect(.assign(task, "a"))
        core.step([.result(task, "a", outcome)])
        core.expect(.deliver(task, "a"))
      }
      #expect(core.core.loads[0] == 0)
    }
  }

  @Test("4 a failure without retries is final, and its place is recorded") func failureIsFinal() {
    withCore(hwm: 1, engines: ["a", "b"]) { core in
      core.submit()
      core.expect(.assign(0, "a"))
      core.fail(0, on: "a")
      core.expect(.deliver(0, "a"))
      core.submit(follow: .all(0).onFailure)
      core.expect(.assign(1, "a"))
    }
  }

  @Test("4 retries: each failure blacklists its engine, the last is relayed") func retries() {
    withCore(hwm: 1, engines: ["a", "b", "c"]) { core in
      core.submit(retries: 2)
      core.expect(.assign(0, "a"))
      core.fail(0, on: "a")
      core.expect(.retire(0, "a"), .assign(0, "b"))
      core.fail(0, on: "b")
      core.expect(.retire(0, "b"), .assign(0, "c"))
      core.fail(0, on: "c")
      core.expect(.deliver(0, "c"))
    }
  }

  @Test("4 blacklisted on every engine: it waits for a new one (reference)")
  func waitsForANewOne() {
    withCore(hwm: 1, engines: ["a"]) { core in
      core.submit(retries: 9)
      core.expect(.assign(0, "a"))
      core.fail(0, on: "a")
      core.expect(.retire(0, "a"))
      core.submit()
      core.expect(.assign(1, "a"))
      core.succeed(1, on: "a")
      core.expect(.deliver(1, "a"))
      core.register("b")
      core.expect(.assign(0, "b"))
    }
  }

  @Test("4 the uuid that comes back is still blacklisted (reference)") func blacklistIsByName() {
    withCore(hwm: 1, engines: ["a"]) { core in
      core.submit(retries: 9)
      core.expect(.assign(0, "a"))
      core.fail(0, on: "a")
      core.expect(.retire(0, "a"))
      core.unregister("a")
      core.register("a")
      core.register("b")
      core.expect(.assign(0, "b"))
    }
  }

  @Test("4 unmet: elsewhere, without using up a retry") func unmet() {
    withCore(hwm: 1, engines: ["a", "b", "c"]) { core in
      core.submit(retries: 1)
      core.expect(.assign(0, "a"))
      core.unmet(0, on: "a")
      core.expect(.retire(0, "a"), .assign(0, "b"))
      core.fail(0, on: "b")
      core.expect(.retire(0, "b"), .assign(0, "c"))
      core.fail(0, on: "c")
      core.expect(.deliver(0, "c"))
    }
  }

  @Test("4 a blacklist that covers the targets: ImpossibleDependency") func targetsCovered() {
    withCore(hwm: 1, engines: ["a", "b", "c"]) { core in
      core.submit(targets: ["a", "b"], retries: 5)
      core.expect(.assign(0, "a"))
      core.unmet(0, on: "a")
      core.expect(.retire(0, "a"), .assign(0, "b"))
      core.submit(after: .all(0).onFailure)
      core.fail(0, on: "b")
      core.expect(
        .retire(0, "b"), .impossible(0, .targetsAllBlacklisted), .assign(1, "c"))
    }
  }

  @Test("4 a blacklisted target leaves the others: the task waits for them") func targetsLeft() {
    withCore(hwm: 1, engines: ["a", "b"]) { core in
      core.submit()
      core.expect(.assign(0, "a"))
      core.submit(targets: ["a", "b"], retries: 1)
      core.expect(.assign(1, "b"))
      core.fail(1, on: "b")
      core.expect(.retire(1, "b"))
      core.submit()
      core.expect(.assign(2, "b"))
      core.succeed(2, on: "b")
      core.expect(.deliver(2, "b"))
      // Losing a leaves only the blacklisted b.
      core.unregister("a")
      core.expect(.impossible(1, .targetsNotRegistered))
    }
  }

  @Test("4 tasks with different blacklists wait apart and run in order") func blacklists() {
    withCore(hwm: 1, engines: ["a", "b"]) { core in
      core.submit(retries: 3)
      core.expect(.assign(0, "a"))
      core.submit(retries: 3)
      core.expect(.assign(1, "b"))
      core.submit()
      core.submit()
      core.fail(0, on: "a")
      core.expect(.retire(0, "a"), .assign(2, "a"))
      core.fail(1, on: "b")
      core.expect(.retire(1, "b"), .assign(0, "b"))
      core.fail(2, on: "a")
      core.expect(.deliver(2, "a"), .assign(1, "a"))
      core.fail(1, on: "a")
      core.expect(.retire(1, "a"), .assign(3, "a"))
      core.fail(0, on: "b")
      core.expect(.retire(0, "b"))
      core.register("c")
      core.expect(.assign(0, "c"))
      core.register("d")
      core.expect(.assign(1, "d"))
    }
  }

  @Test("4 --retry-anywhere: it starts over on engines that merely failed it")
  func retryAnywhere() {
    withCore(hwm: 1, retryAnywhere: true, engines: ["a", "b"]) { core in
      core.submit(retries: 3)
      core.expect(.assign(0, "a"))
      core.unmet(0, on: "a")
      core.expect(.retire(0, "a"), .assign(0, "b"))
      for _ in 0..<3 {
        core.fail(0, on: "b")
        core.expect(.retire(0, "b"), .assign(0, "b"))
      }
      core.fail(0, on: "b")
      core.expect(.deliver(0, "b"))
    }
  }

  @Test("4 --retry-anywhere: older tasks that wait for the engine go first") func retryInTurn() {
    withCore(hwm: 1, retryAnywhere: true, engines: ["a"]) { core in
      core.submit()
      core.expect(.assign(0, "a"))
      core.submit()
      core.submit(targets: ["a"], retries: 1)
      core.succeed(0, on: "a")
      core.expect(.deliver(0, "a"), .assign(1, "a"))
      core.register("b")
      core.submit()
      core.expect(.assign(3, "b"))
      core.submit(after: .all(3), retries: 1)
      core.succeed(1, on: "a")
      core.expect(.deliver(1, "a"), .assign(2, "a"))
      core.fail(2, on: "a")
      core.expect(.retire(2, "a"), .assign(2, "a"))
      core.succeed(3, on: "b")
      core.expect(.deliver(3, "b"), .assign(4, "b"))
      core.submit()
      core.unregister("a")
      core.advance(5)
      core.expect(.engineDied(2, "a"))
      core.fail(4, on: "b")
      core.expect(.retire(4, "b"), .assign(4, "b"))
      core.fail(4, on: "b")
      core.expect(.deliver(4, "b"), .assign(5, "b"))
    }
  }

  @Test("4 --retry-anywhere: losing the others lets it start over") func retryAfterLoss() {
    withCore(hwm: 1, retryAnywhere: true, engines: ["a", "b"]) { core in
      core.submit(retries: 2)
      core.expect(.assign(0, "a"))
      core.submit()
      core.expect(.assign(1, "b"))
      core.fail(0, on: "a")
      core.expect(.retire(0, "a"))
      core.unregister("b")
      core.expect(.assign(0, "a"))
      core.advance(5)
      core.expect(.engineDied(1, "b"))
    }
  }

  @Test("4 --retry-anywhere: the only engine dies under it and comes back")
  func retryAfterReturn() {
    withCore(hwm: 1, retryAnywhere: true, engines: ["a"]) { core in
      core.submit(retries: 1)
      core.expect(.assign(0, "a"))
      core.unregister("a")
      core.advance(5)
      core.expect()
      core.register("a")
      core.expect(.assign(0, "a"))
    }
  }

  @Test("4 --retry-anywhere does not help when every target is unmet") func retryUnmet() {
    withCore(hwm: 1, retryAnywhere: true, engines: ["a", "b"]) { core in
      core.submit(targets: ["a"], retries: 2)
      core.expect(.assign(0, "a"))
      core.fail(0, on: "a")
      core.expect(.retire(0, "a"), .assign(0, "a"))
      core.unmet(0, on: "a")
      core.expect(.retire(0, "a"), .impossible(0, .targetsAllBlacklisted))
    }
  }

  @Test("4 results nobody waits for are dropped, each with its reason") func discards() {
    withCore(hwm: 1, engines: ["a", "b"]) { core in
      core.succeed(Wanted.neverSeen, on: "a")
      core.expect(.discard(Wanted.neverSeen, "a", .unknownTask))
      core.succeed(0, on: "a")
      core.expect(.discard(0, "a", .unknownTask))
      core.submit()
      core.expect(.assign(0, "a"))
      core.succeed(0, on: "b")
      core.expect(.discard(0, "b", .otherEngine))
      core.fail(0, on: "nobody")
      core.expect(.discard(0, "nobody", .otherEngine))
      core.submit(after: .all(0))
      core.unmet(1, on: "a")
      core.expect(.discard(1, "a", .notRunning))
      core.succeed(0, on: "a")
      core.expect(.deliver(0, "a"), .assign(1, "b"))
      core.succeed(0, on: "a")
      core.expect(.discard(0, "a", .alreadyFinished))
    }
  }

  @Test("4 a task from the graph runs once, hwm 0 and a new engine (deliberate difference)")
  func onceOnly() {
    withCore(hwm: 0, engines: ["a"]) { core in
      core.submit()
      core.expect(.assign(0, "a"))
      core.submit(after: .all(0))
      core.succeed(0, on: "a")
      core.expect(.deliver(0, "a"), .assign(1, "a"))
      core.register("b")
      core.expect()
      core.succeed(1, on: "a")
      core.expect(.deliver(1, "a"))
    }
  }
}

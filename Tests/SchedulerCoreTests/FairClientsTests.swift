/// Clients in turn (`fairClients`): who starts next, and what does not buy a better place.

import PlainModel
import Testing

@testable import SchedulerCore

@Suite("fair clients: whose task starts next")
struct FairClientsTests {
  @Test("without the option age alone decides") func off() {
    withCore(engines: ["a"]) { core in
      core.submit(client: 1)
      core.expect(.assign(0, "a"))
      for client in [1, 1, 2] { core.submit(client: client) }
      core.succeed(0, on: "a")
      core.expect(.deliver(0, "a"), .assign(1, "a"))
      core.succeed(1, on: "a")
      core.expect(.deliver(1, "a"), .assign(2, "a"))
    }
  }

  @Test("two clients alternate, each oldest first") func alternate() {
    withCore(fairClients: true, engines: ["a"]) { core in
      core.submit(client: 1)
      core.expect(.assign(0, "a"))
      for client in [1, 1, 1, 2, 2] { core.submit(client: client) }
      for (done, next) in [(0, 4), (4, 1), (1, 5), (5, 2), (2, 3)] {
        core.succeed(done, on: "a")
        core.expect(.deliver(done, "a"), .assign(next, "a"))
      }
    }
  }

  @Test("an older task that becomes ready late goes before its client's younger ones")
  func oldestFirst() {
    withCore(fairClients: true, engines: ["a"]) { core in
      core.submit(client: 1)
      core.expect(.assign(0, "a"))
      core.submit(after: .all(0), client: 1)
      core.submit(client: 1)
      core.succeed(0, on: "a")
      core.expect(.deliver(0, "a"), .assign(1, "a"))
    }
  }

  @Test("who was away comes back to the present round, with nothing saved up") func noCredit() {
    withCore(fairClients: true, engines: ["a"]) { core in
      core.submit(client: 2)
      core.expect(.assign(0, "a"))
      for _ in 0..<10 { core.submit(client: 1) }
      for task in 0..<6 {
        core.succeed(task, on: "a")
        core.expect(.deliver(task, "a"), .assign(task + 1, "a"))
      }
      // Client 2 was away for six starts: it gets every second one now, not the next six.
      for _ in 0..<3 { core.submit(client: 2) }  // 11, 12, 13
      for (done, next) in [(6, 11), (11, 7), (7, 12), (12, 8), (8, 13), (13, 9)] {
        core.succeed(done, on: "a")
        core.expect(.deliver(done, "a"), .assign(next, "a"))
      }
    }
  }

  @Test("tasks that end without a start cost their client nothing") func failedTasksCostNothing() {
    withCore(fairClients: true, engines: ["a"]) { core in
      core.submit(client: 1)
      core.expect(.assign(0, "a"))
      for _ in 0..<20 { core.submit(after: .all(0), client: 1) }
      let mine = core.submit(client: 1)
      let others = core.submit(client: 2)
      core.fail(0, on: "a")
      var seen = core.takeSeen()
      #expect(seen.removeFirst() == .deliver(0, "a"))
      #expect(seen.removeLast() == .assign(others, "a") && seen.count == 20)
      core.succeed(others, on: "a")
      core.expect(.deliver(others, "a"), .assign(mine, "a"))
    }
  }

  @Test("targets, follow and blacklists stand in line as well") func constrained() {
    withCore(fairClients: true, engines: ["a"]) { core in
      core.submit(client: 1)
      core.expect(.assign(0, "a"))
      for _ in 0..<3 { core.submit(targets: ["a"], client: 1) }
      core.submit(follow: .all(0), client: 2)
      core.submit(client: 3)
      for (done, next) in [(0, 4), (4, 5), (5, 1), (1, 2)] {
        core.succeed(done, on: "a")
        core.expect(.deliver(done, "a"), .assign(next, "a"))
      }
    }
  }

  @Test("a retry is a start: failing over and over buys nothing") func retries() {
    withCore(hwm: 1, fairClients: true, engines: ["a", "b"]) { core in
      core.submit(retries: 3, client: 1)
      core.expect(.assign(0, "a"))
      core.submit(client: 2)
      core.expect(.assign(1, "b"))
      core.submit(client: 1)
      core.submit(client: 2)
      core.fail(0, on: "a")
      core.expect(.retire(0, "a"), .assign(2, "a"))
      // Age alone would begin the retry now.
      core.succeed(1, on: "b")
      core.expect(.deliver(1, "b"), .assign(3, "b"))
      core.succeed(3, on: "b")
      core.expect(.deliver(3, "b"), .assign(0, "b"))
      core.submit(client: 1)
      core.submit(client: 2)
      core.succeed(2, on: "a")
      core.expect(.deliver(2, "a"), .assign(5, "a"))
    }
  }

  @Test("a client with 100,000 tasks delays another's by a place in turn, and memory is given back")
  func flood() {
    var bulk = BulkDriver(CoreSettings(hwm: 1, fairClients: true), engines: 4)
    for _ in 0..<100_000 { bulk.submit(client: 1) }
    bulk.step()
    #expect(bulk.count(.assign) == 4)
    var running = (0..<4).map { bulk.commands[$0] }
    var waits: [Int] = []
    for _ in 0..<200 {
      let mine = TaskID(bulk.taskCount)
      bulk.submit(client: 2)
      bulk.step()
      // One freed engine after the other, until it has started.
      for wait in 0..<4 {
        let done = running.removeFirst()
        bulk.finish(done.task.value, on: done.engine.value)
        bulk.step()
        let started = bulk.commands[bulk.commands.count - 1]
        #expect(started.kind == .assign)
        running.append(started)
        if started.task == mine {
          waits.append(wait)
          break
        }
      }
    }
    #expect(waits.count == 200 && waits.allSatisfy { $0 <= 1 }, "\(waits)")
    #expect(bulk.core.checkInvariants() == nil)
    while let done = running.popLast() {
      bulk.finish(done.task.value, on: done.engine.value)
      bulk.step()
      for index in 0..<bulk.commands.count where bulk.commands[index].kind == .assign {
        running.append(bulk.commands[index])
      }
    }
    #expect(bulk.core.report().live == 0 && bulk.core.plainInTurn.all.count <= 64)
  }

  @Test("FairLines gives the oldest task of the client with the smallest turn") func lines() {
    let seed = StructureTests.seed &+ 7
    print(
      "FairLines: YARDMASTER_TEST_SEED=\(StructureTests.seed) swift test --filter FairClientsTests")
    var dice = Dice(seed: seed)
    var turns = PlainArray<UInt64>()
    turns.extend(to: 8, with: 0)
    let lines = FairLines()
    var plain: [(client: UInt32, task: UInt32)] = []
    for _ in 0..<6000 {
      switch dice.below(10) {
      case 0..<5:
        // A task is one client's: of two clients with the same turn only one can have the oldest.
        let task = UInt32(dice.below(1000))
        let one = (client: task % 8, task: task)
        lines.push(TaskID(one.task), of: ClientName(one.client), turn: turns[one.client])
        plain.append(one)
      case 5..<7:
        turns[dice.below(8)] += UInt64(dice.below(3))
      case 7..<9:
        guard let top = lines.top(turns) else { break }
        lines.pop()
        let least = plain.min { turns[$0.client] < turns[$1.client] }.map { turns[$0.client] }
        let index = plain.firstIndex { turns[$0.client] == least && $0.task == top.value }
        #expect(index != nil)
        if let index { plain.remove(at: index) }
      default:
        guard dice.chance(5) else { break }
        lines.compact { $0.value % 3 != 0 }
        var kept: [(client: UInt32, task: UInt32)] = []
        for one in plain where one.task % 3 != 0 && !kept.contains(where: { $0 == one }) {
          kept.append(one)
        }
        plain = kept
      }
      let first = plain.min { (turns[$0.client], $0.task) < (turns[$1.client], $1.task) }
      #expect(lines.top(turns)?.value == first?.task)
      #expect(lines.count == plain.count && lines.all.count == plain.count)
      let isSound = lines.check(turns)
      #expect(isSound)
    }
  }
}

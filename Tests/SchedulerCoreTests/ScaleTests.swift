/// What must hold for a million tasks: no recursion, nothing lost, memory as promised. None of
/// these measures time.

import PlainModel
import Testing

@testable import SchedulerCore

@Suite("SEMANTICS 4 and 7: a million tasks")
struct ScaleTests {
  @Test("4 a chain of 1,000,000 tasks that fails does not recurse") func chainFails() {
    let count: UInt32 = 1_000_000
    var bulk = BulkDriver(CoreSettings(hwm: 1))
    bulk.submit()
    for task in 1..<count { bulk.submit(after: [task - 1]) }
    bulk.step()
    #expect(bulk.count(.assign) == 1)
    bulk.finish(0, .failed)
    bulk.step()
    #expect(bulk.count(.deliver) == 1 && bulk.count(.fail) == Int(count) - 1)
    #expect(bulk.core.report().live == 0 && bulk.core.edgeCount == 0)
    #expect(bulk.core.checkInvariants() == nil)
  }

  @Test("4 a fan of 100,000 fails, and another is set free, oldest first") func fan() {
    let count: UInt32 = 100_000
    var bulk = BulkDriver(CoreSettings(hwm: 0))
    for root in 0...1 as ClosedRange<UInt32> {
      let first = bulk.taskCount
      bulk.submit()
      for _ in 0..<count { bulk.submit(after: [first]) }
      bulk.step()
      bulk.finish(first, root == 0 ? .failed : .completed)
      bulk.step()
      #expect(bulk.count(root == 0 ? .fail : .assign) == Int(count))
      var inOrder = true
      for index in 1..<bulk.commands.count {
        inOrder = inOrder && bulk.commands[index].task.value == first + UInt32(index)
      }
      #expect(inOrder)
    }
    #expect(bulk.core.report().live == Int(count))
    #expect(bulk.core.checkInvariants() == nil)
  }

  @Test("7 a finished task leaves 4 bytes behind, and one bit if it waited") func memory() {
    let count: UInt32 = 1 << 20
    let batch: UInt32 = 1024
    var bulk = BulkDriver(CoreSettings(hwm: 1))
    for first in stride(from: 0, to: count, by: Int(batch)) {
      for _ in 0..<batch { bulk.submit() }
      for task in first..<first + batch { bulk.finish(task) }
      bulk.step()
    }
    let report = bulk.core.report()
    #expect(report.tasks == Int(count) && report.live == 0 && report.running == 0)
    // A large table grows by a quarter at a time: at most 5 bytes a task are held for the 4.
    let perTask = Double(report.memory) / Double(count)
    #expect(perTask < 5.5, "\(perTask) bytes a finished task")
    #expect(MemoryLayout<Fate>.size == 4)
  }

  @Test("7 slots, edges and list nodes are used again: memory follows what is live") func reuse() {
    var bulk = BulkDriver(CoreSettings(hwm: 1))
    var memory = 0
    for round in 0..<50 {
      let first = bulk.taskCount
      bulk.submit()
      for task in 1..<200 as Range<UInt32> { bulk.submit(after: [first, first + task - 1]) }
      for task in 0..<200 as Range<UInt32> { bulk.finish(first + task) }
      bulk.step()
      let report = bulk.core.report()
      #expect(report.live == 0)
      let growing = bulk.core.fates.memory + bulk.core.plain.memory
      if round == 0 { memory = report.memory - growing }
      #expect(report.memory - growing == memory)
    }
  }
}

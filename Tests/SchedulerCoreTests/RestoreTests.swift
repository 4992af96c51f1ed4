/// A fresh core that is told what a journal knows (Core+Restore.swift).

import Testing

@testable import SchedulerCore

/// A core under restore: tasks by number, engines by name; commands in the order they came.
private struct Revived: ~Copyable {
  var core: SchedulerCore
  var buffer = CommandBuffer()
  var now_ns: UInt64 = 1_000_000_000

  init(hwm: UInt32 = 1, engines: [UInt32] = []) {
    var options = CoreOptions()
    options.hwm = hwm
    core = SchedulerCore(options)
    for engine in engines { happens(.engineRegistered, engine: engine) }
  }

  /// `ranOn` 0: it waited.
  mutating func restore(
    _ task: UInt32, ranOn: UInt32 = 0, retries: UInt32 = 0, after: [UInt32] = [],
    targets: [UInt32] = [], failedOn: [UInt32] = []
  ) {
    var event = Event(.submitted)
    event.task = TaskID(task)
    event.message = MessageHandle(task + 1)
    event.retries = retries
    event.after = Dependency(tasks: ListRange(first: 0, count: UInt32(after.count)))
    event.targets = ListRange(first: UInt32(after.count), count: UInt32(targets.count))
    var restored = RestoredTask(submitted: event, engine: EngineName(ranOn))
    restored.failedOn = ListRange(
      first: UInt32(after.count + targets.count), count: UInt32(failedOn.count))
    let lists = after + targets + failedOn
    core.restore(restored, now_ns: now_ns, lists: lists.span, commands: &buffer)
  }

  mutating func finishRestore() { core.finishRestore(commands: &buffer) }

  mutating func happens(
    _ kind: Event.Kind, task: UInt32 = .max, engine: UInt32 = 0, outcome: Outcome = .completed
  ) {
    var event = Event(kind)
    event.task = TaskID(task)
    event.engine = EngineName(engine)
    event.outcome = outcome
    event.message = MessageHandle(1000)
    step([event])
  }

  mutating func passes(seconds: UInt64) {
    now_ns += seconds * 1_000_000_000
    step([])
  }

  mutating func step(_ events: [Event]) {
    let lists: [UInt32] = []
    core.step(now_ns: now_ns, events: events.span, lists: lists.span, commands: &buffer)
  }

  /// What was commanded since the last call, `assign 3 to 1` and the like, and what is broken.
  mutating func told() -> [String] {
    var lines: [String] = []
    for index in 0..<buffer.count {
      let command = buffer[index]
      if command.kind == .releaseName { continue }
      lines.append("\(command.kind) \(command.task.value) \(command.engine.value)")
    }
    buffer.removeAll()
    if let problem = core.checkInvariants() { lines.append(problem) }
    return lines
  }
}

@Suite("Restore: what a journal says, in a fresh core") struct RestoreTests {
  @Test("waiting tasks are placed in order, once all are there")
  func waitingTasksArePlaced() {
    var core = Revived(engines: [1])
    core.restore(0)
    core.restore(1)
    #expect(core.buffer.count == 0)
    core.finishRestore()
    #expect(core.told() == ["assign 0 1"])
    core.happens(.finished, task: 0, engine: 1)
    #expect(core.told() == ["deliver 0 1", "assign 1 1"])
  }

  @Test("what ran counts as its engine's load, whatever waits before it")
  func whatRanIsLoad() {
    var core = Revived(engines: [1])
    core.restore(0)
    core.restore(1, ranOn: 1)
    core.finishRestore()
    #expect(core.told() == [])
    core.happens(.finished, task: 1, engine: 1)
    #expect(core.told() == ["deliver 1 1", "assign 0 1"])
  }

  @Test("dependencies on finished, failed and running tasks")
  func dependencies() {
    var core = Revived(hwm: 0, engines: [1])
    core.core.restoreFinished(TaskID(0), isCompleted: true, engine: EngineName(1))
    core.core.restoreFinished(TaskID(1), isCompleted: false, engine: .none)
    core.restore(2, after: [0])
    core.restore(3, after: [1])
    core.restore(4, ranOn: 1)
    core.restore(5, after: [4])
    core.finishRestore()
    #expect(core.told() == ["fail 3 0", "assign 2 1"])
    core.happens(.finished, task: 4, engine: 1)
    #expect(core.told() == ["deliver 4 1", "assign 5 1"])
  }

  @Test("a fence places what its engine has forgotten, without a retry")
  func aFence() {
    var core = Revived(engines: [1])
    core.core.restoreEngine(EngineName(1), answersFences: true)
    core.restore(0, ranOn: 1)
    core.finishRestore()
    core.passes(seconds: 3600)
    #expect(core.told() == [])
    core.happens(.fenced, engine: 1)
    #expect(core.told() == ["assign 0 1"])
    // It runs in this life now: a second fence says nothing about it.
    core.happens(.fenced, engine: 1)
    #expect(core.told() == [])
  }

  @Test("a fence and the news that a run was lost are one loss")
  func aFenceAndALostRun() {
    var core = Revived(engines: [1])
    core.core.restoreEngine(EngineName(1), answersFences: true)
    core.restore(0, ranOn: 1)
    core.finishRestore()
    // The engine was connected anew, too: an earlier fence speaks for what was restored, a later
    // one for all that it had.
    var fenced = Event(.fenced)
    fenced.engine = EngineName(1)
    var lost = Event(.undeliverable)
    lost.task = TaskID(0)
    lost.engine = EngineName(1)
    core.step([fenced, lost, fenced])
    #expect(core.told() == ["assign 0 1"])
  }

  @Test("an engine that answers no fence has its time")
  func noFence() {
    var core = Revived(hwm: 2, engines: [1])
    core.restore(0, ranOn: 1)
    core.restore(1)
    core.finishRestore()
    #expect(core.told() == ["assign 1 1"])
    core.passes(seconds: 4)
    #expect(core.told() == [])
    core.passes(seconds: 2)
    // Only what was restored is placed again: task 1 was given to it in this life.
    #expect(core.told() == ["assign 0 1"])
  }

  @Test("an engine whose time is over is free for what waits for it")
  func freedByTime() {
    var core = Revived(engines: [1, 2])
    core.restore(0, ranOn: 1, failedOn: [1])
    core.restore(1, targets: [1])
    core.finishRestore()
    #expect(core.told() == [])
    core.passes(seconds: 6)
    #expect(core.told() == ["assign 0 2", "assign 1 1"])
  }

  @Test("an engine that comes late is the one that was meant")
  func aLateEngine() {
    var core = Revived(engines: [1])
    core.core.restoreEngine(EngineName(2), answersFences: true)
    core.restore(0, ranOn: 2)
    core.restore(1)
    core.finishRestore()
    #expect(core.told() == ["assign 1 1"])
    core.passes(seconds: 4)
    core.happens(.engineRegistered, engine: 2)
    core.passes(seconds: 60)
    #expect(core.told() == [])
    core.happens(.finished, task: 0, engine: 2)
    #expect(core.told() == ["deliver 0 2"])
  }

  @Test("an engine that does not come passes its tasks on, without a retry")
  func aLostEngine() {
    var core = Revived(engines: [1])
    core.restore(0, ranOn: 2, retries: 0)
    core.finishRestore()
    #expect(core.told() == [])
    core.passes(seconds: 6)
    #expect(core.told() == ["assign 0 1"])
    core.happens(.finished, task: 0, engine: 2)
    #expect(core.told() == ["discard 0 2"])
  }

  @Test("what left an engine before it came is not in its load")
  func aLateEnginesLoad() {
    var core = Revived()
    core.restore(0, ranOn: 1)
    core.restore(1, ranOn: 2)
    core.restore(2, targets: [1])
    core.restore(3, targets: [2])
    core.finishRestore()
    core.happens(.finished, task: 0, engine: 1)
    #expect(core.told() == ["deliver 0 1"])
    core.passes(seconds: 6)
    #expect(core.told() == [])
    for (engine, task) in [(1, 1), (2, 3)] as [(UInt32, UInt32)] {
      core.happens(.engineRegistered, engine: engine)
      #expect(core.told() == ["assign \(task) \(engine)"])
      core.happens(.finished, task: task, engine: engine)
      // Free again: with a load that nobody takes back, nothing would run here any more.
      let next = engine == 1 ? ["assign 2 1"] : []
      #expect(core.told() == ["deliver \(task) \(engine)"] + next)
    }
    core.happens(.finished, task: 2, engine: 1)
    #expect(core.told() == ["deliver 2 1"])
  }

  @Test("an engine that the hub loses afterwards has run what it had")
  func unregistered() {
    var core = Revived(engines: [1, 2])
    core.restore(0, ranOn: 1)
    core.finishRestore()
    core.happens(.engineUnregistered, engine: 1)
    #expect(core.told() == [])
    core.passes(seconds: 6)
    #expect(core.told() == ["assign 0 2"])
  }

  @Test("a blacklist and the retries that are left outlive the restart")
  func blacklist() {
    var core = Revived(engines: [1, 2])
    core.restore(0, retries: 0, targets: [1, 2], failedOn: [1])
    core.finishRestore()
    #expect(core.told() == ["assign 0 2"])
    core.happens(.finished, task: 0, engine: 2, outcome: .failed)
    #expect(core.told() == ["deliver 0 2"])
  }
}

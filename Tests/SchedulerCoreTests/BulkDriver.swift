/// BulkDriver: a core with many tasks, without the harness's accounting. It builds one large step
/// at a time and counts the commands.
///
/// Invariant: task ids are dense in order of `submit`.

import PlainModel

@testable import SchedulerCore

struct BulkDriver: ~Copyable {
  var core: SchedulerCore
  var events: [Event] = []
  var lists: [UInt32] = []
  var commands = CommandBuffer()
  var taskCount: UInt32 = 0
  var now_ns: UInt64 = 1

  init(_ settings: CoreSettings, engines: UInt32 = 1) {
    core = SchedulerCore(settings.options)
    for engine in 0..<engines {
      var event = Event(.engineRegistered)
      event.engine = EngineName(1 + engine)
      events.append(event)
    }
    step()
  }

  mutating func submit(
    after: [UInt32] = [], rule: DependencyRule = .standard, client: UInt32 = 0
  ) {
    var event = Event(.submitted)
    event.task = TaskID(taskCount)
    event.message = MessageHandle(taskCount + 1)
    event.client = ClientName(client)
    event.after = Dependency(
      tasks: ListRange(first: UInt32(lists.count), count: UInt32(after.count)), rule: rule)
    lists += after
    events.append(event)
    taskCount += 1
  }

  mutating func finish(_ task: UInt32, on engine: UInt32 = 1, _ outcome: Outcome = .completed) {
    var event = Event(.finished)
    event.task = TaskID(task)
    event.engine = EngineName(engine)
    event.message = MessageHandle(.max)
    event.outcome = outcome
    events.append(event)
  }

  mutating func step() {
    commands.removeAll()
    // Taken out for the step: spans of our own fields would overlap with changing the core.
    var events: [Event] = []
    var lists: [UInt32] = []
    swap(&events, &self.events)
    swap(&lists, &self.lists)
    core.step(now_ns: now_ns, events: events.span, lists: lists.span, commands: &commands)
    events.removeAll(keepingCapacity: true)
    lists.removeAll(keepingCapacity: true)
    swap(&events, &self.events)
    swap(&lists, &self.lists)
  }

  /// How many commands of the last step are of this kind.
  func count(_ kind: Command.Kind) -> Int {
    var count = 0
    for index in 0..<commands.count where commands[index].kind == kind { count += 1 }
    return count
  }
}

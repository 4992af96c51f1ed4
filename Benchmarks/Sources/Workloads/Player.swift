/// Player: a core and the engines and clients around it, as arrays of events. Core.swift plays.
///
/// Building an event and reading a command are part of every figure: a driver pays them too.

import SchedulerCore

final class Player {
  struct Run {
    var task: TaskID
    var engine: EngineName
  }

  private var core: SchedulerCore
  private var commands = CommandBuffer()
  private var next: UInt32 = 0
  var events: [Event] = []
  var lists: [UInt32] = []

  /// The id that `submit` gives next.
  var nextTask: UInt32 { next }
  var liveCount: Int { core.report().live }

  init(engines: Int, hwm: UInt32, scheme: Scheme = .leastload) {
    var options = CoreOptions()
    options.hwm = hwm
    options.scheme = scheme
    options.seed = 42
    core = SchedulerCore(options)
    for name in 1...UInt32(engines) {
      var event = Event(.engineRegistered)
      event.engine = EngineName(name)
      events.append(event)
    }
    step()
  }

  @inline(__always)
  func submit(retries: UInt32 = 0, after: ListRange = ListRange(), targets: ListRange = ListRange())
  {
    var event = Event(.submitted)
    event.task = TaskID(next)
    event.message = MessageHandle(1)
    event.retries = retries
    event.after = Dependency(tasks: after)
    event.targets = targets
    events.append(event)
    next += 1
  }

  @inline(__always)
  func finish(_ run: Run, _ outcome: Outcome = .completed) {
    var event = Event(.finished)
    event.task = run.task
    event.engine = run.engine
    event.message = MessageHandle(2)
    event.outcome = outcome
    events.append(event)
  }

  /// Hands the core the events gathered so far.
  func step() {
    // Spans of local arrays: those of a class could be changed under the span.
    var turnEvents: [Event] = []
    var turnLists: [UInt32] = []
    swap(&turnEvents, &events)
    swap(&turnLists, &lists)
    commands.removeAll()
    core.step(now_ns: 1, events: turnEvents.span, lists: turnLists.span, commands: &commands)
    turnEvents.removeAll(keepingCapacity: true)
    turnLists.removeAll(keepingCapacity: true)
    swap(&turnEvents, &events)
    swap(&turnLists, &lists)
  }

  /// What the last step assigned, in order.
  @inline(__always)
  func forEachAssigned(_ body: (Run) -> Void) {
    for index in 0..<commands.count {
      let command = commands[index]
      if command.kind == .assign { body(Run(task: command.task, engine: command.engine)) }
    }
  }
}

/// Two ways to use Yardmaster from a Swift program:
///
///     1. a whole scheduler on a thread of its own (what ipyparallel calls `in_thread`);
///     2. the core alone, without sockets: events in, commands out.
///
/// Run it with `swift run embedded-scheduler`. It needs no cluster: nobody connects.

import Glibc
import SchedulerCore
import Yardmaster

@main
struct EmbeddedScheduler {
  static func main() throws {
    try driveTheCore()
    try runOnAThread()
  }

  /// A diamond: `left` and `right` run after `top`, `bottom` after both, on two engines.
  static func driveTheCore() throws {
    var options = CoreOptions()
    options.hwm = 1
    options.seed = 42
    var core = SchedulerCore(options)
    var commands = CommandBuffer()
    // Names are whatever the caller says they are: here 1 and 2 are engines, 0 to 3 tasks.
    var first = Event(.engineRegistered)
    first.engine = EngineName(1)
    var second = Event(.engineRegistered)
    second.engine = EngineName(2)

    func task(_ id: UInt32, after: ListRange = ListRange()) -> Event {
      var event = Event(.submitted)
      event.task = TaskID(id)
      event.message = MessageHandle(100 + id)
      event.after = Dependency(tasks: after)
      return event
    }
    // `after` points into this list: task 0, then tasks 1 and 2.
    let lists: [UInt32] = [0, 1, 2]
    let graph = [
      first, second, task(0), task(1, after: ListRange(first: 0, count: 1)),
      task(2, after: ListRange(first: 0, count: 1)),
      task(3, after: ListRange(first: 1, count: 2)),
    ]
    var now_ns: UInt64 = 0
    core.step(now_ns: now_ns, events: graph.span, lists: lists.span, commands: &commands)

    // Play the engines: whatever is assigned finishes at once.
    var handled = 0
    while handled < commands.count {
      let command = commands[handled]
      handled += 1
      guard command.kind == .assign else { continue }
      print("task \(command.task.value) runs on engine \(command.engine.value)")
      var finished = Event(.finished)
      finished.task = command.task
      finished.engine = command.engine
      finished.outcome = .completed
      now_ns += 1_000_000
      core.step(
        now_ns: now_ns, events: [finished].span, lists: lists.span, commands: &commands)
    }
    let report = core.report()
    print("\(report.tasks) tasks seen, \(report.live) left, \(report.engines) engines")
  }

  /// A scheduler on loopback ports of its own, stopped after a moment.
  static func runOnAThread() throws {
    var options = SchedulerOptions()
    options.links.clientURL = "tcp://127.0.0.1:*"
    options.links.engineURL = "tcp://127.0.0.1:*"
    options.session.key = Array("a key that clients and engines share".utf8)
    let scheduler = try Scheduler(options)
    let thread = try scheduler.runInThread()
    usleep(200_000)
    scheduler.stop()
    try thread.join()
    print("the scheduler on its thread has ended")
  }
}

/// Engines that lost their connection and are connected anew, while the hub keeps them
/// (SEMANTICS 5).
///
/// What was on its way when a connection broke may be lost, in either direction, and only the
/// engine knows. So it is asked for something that it answers in its turn, a *fence*: what it had
/// and has not answered when the fence is, it never got, or its result is gone. Those tasks are
/// placed again. Engines that answer no fence keep theirs until the hub says that they are gone.

import CBase
import CScan
import CTransport
import SchedulerCore

/// The fence with this number stands behind these runs of tasks.
struct Inquiry {
  var engine: atom
  var number: UInt64
  var tasks: [TaskID]
}

extension Exchange {
  mutating func ingestRejoined(_ event: transport_event) {
    let engine = unsafe event.peer
    guard Int(engine) < isEngineName.count, isEngineName[Int(engine)], !hasLeft[Int(engine)]
    else { return }
    var tasks: [TaskID] = []
    core.forEachRunning(on: EngineName(engine)) { tasks.append($0) }
    // The answer to an earlier fence says nothing about what was given to it since.
    inquiries.removeAll { $0.engine == engine }
    guard !tasks.isEmpty else { return }
    log.notice(
      .info,
      "engine \(tables.text(of: engine)) is connected anew: it is asked about the \(tasks.count) "
        + "tasks it had")
    sendFence(to: engine)
    inquiries.append(Inquiry(engine: engine, number: composer.latestNumber, tasks: tasks))
  }

  /// The answer to an engine's fence has come.
  mutating func takeAnswer(of engine: atom, _ number: UInt64) {
    guard let index = inquiries.firstIndex(where: { $0.engine == engine && $0.number == number })
    else { return }
    let asked = inquiries.remove(at: index).tasks
    // The core knows which of them have ended, or run elsewhere, or were given to this engine again
    // in this very turn.
    for task in asked {
      var lost = Event(.undeliverable)
      lost.task = task
      lost.engine = EngineName(engine)
      events.append(lost)
    }
  }

  /// The task runs anew: what a fence says of an earlier run of it says nothing of this one.
  @inline(__always)
  mutating func noteRun(_ task: TaskID) {
    if !inquiries.isEmpty { forgetEarlierRuns(task) }
  }

  @inline(never)
  private mutating func forgetEarlierRuns(_ task: TaskID) {
    for index in inquiries.indices { inquiries[index].tasks.removeAll { $0 == task } }
  }
}

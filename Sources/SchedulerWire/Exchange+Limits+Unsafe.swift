/// What the exchange does at the limits on tasks: who is not read, what is refused.

import CBase
import CScan
import CTransport
import SchedulerCore

extension Exchange {
  /// A task was accepted: its client is not read while it has too many.
  @inline(__always)
  mutating func countAccepted(_ client: atom, bytes: UInt64) {
    if backlog.add(client, bytes: bytes) { rest(client) }
  }

  /// A task that was accepted has ended; its message is still there.
  @inline(__always)
  mutating func countEnded(_ message: message_handle) {
    let task = unsafe message_get(tables.messages, message)!
    unsafe backlog.remove(task.pointee.origin, bytes: task.pointee.bytes)
  }

  @inline(never)
  private mutating func rest(_ client: atom) {
    guard !state.isLeaving else { return }
    guard unsafe transport_pause_peer(transport.handle, TRANSPORT_CLIENT, client, true) else {
      // Nothing to be done about this one alone: all rest once there are as many as allowed.
      guard !state.clientsFull && backlog.isFull(false) else { return }
      state.clientsFull = true
      readOrRestClients()
      return tellFull("clients are")
    }
    guard backlog.rest(client) else { return }
    // While it stands in the list its name must not become another's.
    unsafe atoms_retain(tables.atoms, client)
    tellFull("client \(tables.text(of: client)) is")
  }

  private mutating func tellFull(_ who: String) {
    guard let untold = limitNotices.drop(now_ns: now_ns), log.noticeLevel <= .warning else {
      return
    }
    let more = untold > 0 ? " (and \(untold) others since it was last said)" : ""
    log.notice(
      .warning,
      "\(backlog.tasks) tasks of \(backlog.bytes >> 20) MiB wait or run: \(who) not read until "
        + "there is room again (--max-waiting-tasks, --max-waiting-bytes)\(more)")
  }

  /// After a turn in which tasks may have ended.
  mutating func readRested() {
    if state.clientsFull && !backlog.isFull(true) {
      state.clientsFull = false
      readOrRestClients()
    }
    guard !backlog.resting.isEmpty else { return }
    while let client = backlog.nextToRead() {
      _ = unsafe transport_pause_peer(transport.handle, TRANSPORT_CLIENT, client, false)
      unsafe atoms_release(tables.atoms, client)
    }
  }

  /// At the end: the names are given back.
  mutating func forgetRested() {
    for client in backlog.resting { unsafe atoms_release(tables.atoms, client) }
  }

  func readOrRestClients() {
    transport.pause(
      TRANSPORT_CLIENT, state.clientsPaused || state.isRestoring || state.clientsFull)
  }

  /// Why the task names more than one may, or nil.
  @inline(__always)
  func excess(_ task: scan_submission) -> String? {
    let most = unsafe max(task.after.ids.count, task.follow.ids.count, task.targets.count)
    return UInt64(most) > dependenciesMax ? unsafe describeExcess(task) : nil
  }

  @inline(never)
  private func describeExcess(_ task: scan_submission) -> String? {
    let lists = unsafe [
      ("after", task.after.ids.count), ("follow", task.follow.ids.count),
      ("targets", task.targets.count),
    ]
    for (name, count) in lists where UInt64(count) > dependenciesMax {
      return "\(name) names \(count), more than the \(dependenciesMax) that this scheduler takes "
        + "(--max-dependencies); name fewer, or a task in between that waits for some of them"
    }
    return nil
  }
}

/// Tasks from clients: checked, told to the monitor, interned, turned into core events
/// (SEMANTICS 2).

import CBase
import CIntake
import CScan
import CTransport
import SchedulerCore

extension Exchange {
  mutating func ingestTask(_ event: transport_event) {
    guard let message = unsafe check(INTAKE_TASK, event) else { return }
    let task = unsafe message.task
    let status = unsafe scan_status(task.status)
    if status == SCAN_BAD_HEADER || status == SCAN_NO_MSG_ID {
      unsafe drop(
        status == SCAN_BAD_HEADER ? .badHeader : .noMessageID, event.message, from: event.peer)
      return
    }
    unsafe tables.note(
      event.message,
      MessageNote(
        idOffset: message.id_at, idSize: message.id_size, delimiter: message.delimiter))
    if status == SCAN_LONG_MSG_ID {
      unsafe refuse(event, detail(task), tellsMonitor: false)
      return
    }
    var isNew = false
    let id = unsafe task_ids_intern(
      tables.taskIDs, task.msg_id.data, Int(task.msg_id.size), &isNew)
    guard id != TASK_ID_NONE else {
      unsafe drop(.noTaskIndex, event.message, from: event.peer)
      return
    }
    guard isNew else {
      // The hub has a record of the first task with this id: it must not hear of this one.
      unsafe refuse(
        event, "the task id is known already; the first task with it is untouched",
        tellsMonitor: false)
      return
    }
    unsafe outbox.append(
      transport_send(
        TRANSPORT_MONITOR, to: ATOM_NONE, event.message, prefix: (intask, event.peer, 0),
        prefixCount: 2))
    let excess = unsafe excess(task)
    let isRefused = status != SCAN_OK || excess != nil
    if journal.isOn {
      unsafe recordTask(event, task.msg_id, id, isRefused: isRefused)
    }
    guard !isRefused else {
      var refused = Event(.refused)
      refused.task = TaskID(id)
      events.append(refused)
      unsafe refuse(event, status == SCAN_OK ? excess ?? "" : detail(task), tellsMonitor: true)
      return
    }
    tally.submitted += 1
    unsafe submit(event, message, TaskID(id))
  }

  mutating func submit(_ event: transport_event, _ found: intake_message, _ id: TaskID) {
    let task = unsafe found.task
    var submitted = Event(.submitted)
    submitted.task = id
    unsafe submitted.message = MessageHandle(event.message)
    unsafe submitted.bytes = event.bytes
    unsafe submitted.client = ClientName(event.peer)
    unsafe submitted.retries = task.retries
    unsafe submitted.timeout_ns = nanoseconds(task.timeout_s)
    unsafe submitted.after = dependency(task.after, found.spans)
    unsafe submitted.follow = dependency(task.follow, found.spans)
    if unsafe task.targets.count > 0 {
      submitted.targets = unsafe ListRange(
        first: UInt32(eventLists.count), count: task.targets.count)
      for index in unsafe task.targets.first..<task.targets.first + task.targets.count {
        let span = unsafe found.spans[Int(index)]
        // The core gives the reference back with `releaseName`.
        let name = unsafe atoms_intern(tables.atoms, span.data, Int(span.size))
        // No routing id can be empty or this long: a name that nobody will ever have.
        eventLists.append(name == ATOM_NONE ? tables.intern("\0not a routing id") : name)
      }
    }
    events.append(submitted)
    unsafe countAccepted(event.peer, bytes: event.bytes)
    if log.noticeLevel <= .debug {
      unsafe log.notice(
        .debug, "task \(text(task.msg_id)) submitted by \(tables.text(of: event.peer))")
    }
  }

  private mutating func dependency(
    _ scanned: scan_dependency, _ spans: UnsafePointer<scan_span>?
  ) -> Dependency {
    var rule = DependencyRule()
    if scanned.all != 0 { rule.insert(.all) }
    if scanned.success != 0 { rule.insert(.success) }
    if scanned.failure != 0 { rule.insert(.failure) }
    guard scanned.ids.count > 0 else { return Dependency(rule: rule) }
    let range = ListRange(first: UInt32(eventLists.count), count: scanned.ids.count)
    for index in scanned.ids.first..<scanned.ids.first + scanned.ids.count {
      let span = unsafe spans![Int(index)]
      // TASK_ID_NONE is TaskID.unknown.
      unsafe eventLists.append(task_ids_find(tables.taskIDs, span.data, Int(span.size)))
    }
    return Dependency(tasks: range, rule: rule)
  }

  /// The reply to a submission that cannot become a task.
  private mutating func refuse(_ event: transport_event, _ why: String, tellsMonitor: Bool) {
    tally.refused += 1
    if let untold = refusalNotices.drop(now_ns: now_ns), log.noticeLevel <= .warning {
      let more = untold > 0 ? " (and \(untold) more were refused since it was last said)" : ""
      unsafe log.notice(
        .warning, "refused a task from \(tables.text(of: event.peer)): \(why)\(more)")
    }
    let reply = ErrorReply(
      ename: "InvalidDependency", evalue: why,
      explanation: ["The scheduler did not accept this task: \(why)."])
    unsafe sendError(reply, about: event.message, tellsMonitor: tellsMonitor)
    unsafe spent.append(event.message)
  }

  private func detail(_ task: scan_submission) -> String {
    unsafe task.detail.map { unsafe String(cString: $0) } ?? "malformed metadata"
  }

  private func nanoseconds(_ seconds: Double) -> UInt64 {
    // A wait of centuries is no limit; below a nanosecond is one.
    let value = seconds * 1e9
    if value >= 9e18 { return 0 }
    return seconds > 0 ? max(1, UInt64(value)) : 0
  }

  func text(_ span: scan_span) -> String {
    unsafe String(
      decoding: UnsafeBufferPointer(start: span.data, count: Int(span.size)), as: UTF8.self)
  }
}

/// Replies from engines: checked, matched with their task, turned into core events (SEMANTICS 4).

import CBase
import CIntake
import CScan
import CTransport
import SchedulerCore

extension Exchange {
  mutating func ingestReply(_ event: transport_event) {
    guard let message = unsafe check(INTAKE_REPLY, event) else { return }
    // The first frame is the client's routing id, put there by the engine; the task's own record
    // says who asked, so its value is not used.
    guard unsafe message.delimiter >= 1 else {
      unsafe drop(.badReply, event.message, from: event.peer)
      return
    }
    let result = unsafe message.reply
    guard unsafe result.status == SCAN_OK.rawValue else {
      unsafe drop(.badReply, event.message, from: event.peer)
      return
    }
    let task = unsafe task_ids_find(
      tables.taskIDs, result.msg_id.data, Int(result.msg_id.size))
    guard task != TASK_ID_NONE else {
      if unsafe takeFence(event, result.msg_id) { return }
      unsafe drop(.unknownTask, event.message, from: event.peer)
      return
    }
    var finished = Event(.finished)
    finished.task = TaskID(task)
    unsafe finished.message = MessageHandle(event.message)
    unsafe finished.engine = EngineName(event.peer)
    if unsafe result.dependencies_met == 0 {
      finished.outcome = .unmet
    } else {
      finished.outcome = unsafe result.ok != 0 ? .completed : .failed
    }
    events.append(finished)
    if log.noticeLevel <= .debug {
      unsafe log.notice(
        .debug,
        "reply about task \(text(result.msg_id)) from \(tables.text(of: event.peer)): "
          + "\(finished.outcome)")
    }
  }

  /// Frames held for an engine that never connected, or does not read, came back: the task is
  /// placed again.
  mutating func ingestUndeliverable(_ event: transport_event) {
    guard unsafe event.tag != TASK_ID_NONE else {
      return unsafe takeBackFence(of: event.peer)
    }
    unsafe log.notice(
      .warning,
      "engine \(tables.text(of: event.peer)) has not connected, or does not read: "
        + "its task is placed again")
    var back = Event(.undeliverable)
    unsafe back.task = TaskID(event.tag)
    unsafe back.engine = EngineName(event.peer)
    events.append(back)
  }
}

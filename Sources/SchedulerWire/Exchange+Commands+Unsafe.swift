/// What the core decided, carried out: assignments, final replies, failures.

import CBase
import CIntake
import CTransport
import SchedulerCore

extension Exchange {
  mutating func carryOut() {
    for index in 0..<commands.count {
      let command = commands[index]
      switch command.kind {
      case .assign: assign(command)
      case .deliver: deliver(command)
      case .fail: fail(command)
      case .retire:
        if journal.isOn { recordReturn(command) }
        if !retriesAnywhere { tables.noteAnswer(command.message.value) }
        spent.append(command.reply.value)
      case .lose: if journal.isOn { recordReturn(command) }
      case .discard: discard(command)
      case .releaseName: unsafe atoms_release(tables.atoms, command.engine.value)
      }
    }
    commands.removeAll()
  }

  private mutating func assign(_ command: Command) {
    if state.isLeaving {
      // Nobody would hear its result: the next life finds it waiting.
      state.unassignedCount += 1
      return
    }
    tally.assigned += 1
    noteRun(command.task)
    let message = unsafe message_get(tables.messages, command.message.value)!
    unsafe outbox.append(
      transport_send(
        TRANSPORT_ENGINE, to: command.engine.value, messageToGive(command.message.value),
        prefix: (message.pointee.origin, 0, 0), prefixCount: 1, tag: command.task.value))

    if journal.isOn { recordAssignment(command) }
    tellAssignment(command.message.value, command.engine)
  }

  /// A task's message for an engine: as it came, or, because engines refuse a signature that they
  /// have seen, without a word, signed anew if it may be one that had it before.
  private mutating func messageToGive(_ message: message_handle) -> message_handle {
    guard tables.noteGift(message),
      let again = composer.signedAnew(message, Int(tables.note(of: message).delimiter), tables)
    else { return message }
    spent.append(again)
    return again
  }

  mutating func tellAssignment(_ message: message_handle, _ engineName: EngineName) {
    var size = 0
    let engine = unsafe atoms_bytes(tables.atoms, engineName.value, &size)
    let id = unsafe taskID(of: message)
    let destination = unsafe composer.taskDestination(
      id, UnsafeRawBufferPointer(start: engine, count: size), tables)
    outbox.append(
      transport_send(
        TRANSPORT_MONITOR, to: ATOM_NONE, destination, prefix: (tracktask, 0, 0),
        prefixCount: 1))
    spent.append(destination)
    if log.noticeLevel <= .debug {
      unsafe log.notice(
        .debug,
        "task \(String(decoding: id, as: UTF8.self)) goes to engine "
          + tables.text(of: engineName))
    }
  }

  private mutating func deliver(_ command: Command) {
    tally.delivered += 1
    countEnded(command.message.value)
    let client = unsafe message_get(tables.messages, command.message.value)!.pointee.origin
    let engine = command.engine.value
    // The reply's first frame is the client's routing id: it is replaced by our own record.
    let address =
      journal.isOn
      ? recordFinal(command, command.reply.value, firstFrame: 1, engine: engine) : client
    if address != ATOM_NONE {
      outbox.append(
        transport_send(
          TRANSPORT_CLIENT, to: address, command.reply.value, firstFrame: 1,
          prefix: (engine, 0, 0), prefixCount: 1))
    }
    outbox.append(
      transport_send(
        TRANSPORT_MONITOR, to: ATOM_NONE, command.reply.value, firstFrame: 1,
        prefix: (outtask, client, engine), prefixCount: 3))
    spent.append(command.reply.value)
    spent.append(command.message.value)
  }

  private mutating func fail(_ command: Command) {
    tally.failed += 1
    countEnded(command.message.value)
    let id = unsafe String(decoding: taskID(of: command.message.value), as: UTF8.self)
    let reply = errorReply(command, id)
    // A graph that fails is the client's business; engines and timeouts are the operator's, too.
    let isOperational = command.reason == .engineError || command.reason == .taskTimeout
    let level = isOperational ? NoticeLevel.info : .debug
    if log.noticeLevel <= level,
      let untold = isOperational ? failureNotices.drop(now_ns: now_ns) : 0
    {
      let more = untold > 0 ? " (and \(untold) others failed since it was last said)" : ""
      log.notice(level, "task \(id) failed: \(reply.ename): \(reply.explanation[0])\(more)")
    }
    sendError(reply, about: command.message.value, ending: command)
    spent.append(command.message.value)
  }

  private mutating func discard(_ command: Command) {
    let reason: DropReason =
      switch command.discard {
      case .unknownTask: .unknownTask
      case .alreadyFinished: .alreadyFinished
      case .notRunning: .notRunning
      case .otherEngine: .otherEngine
      }
    drop(reason, command.reply.value, from: command.engine.value)
  }

  /// Sends an error reply to the client of `message` and, mostly, to the monitor. `ending`: it is
  /// the final reply to an accepted task.
  mutating func sendError(
    _ reply: ErrorReply, about message: message_handle, tellsMonitor: Bool = true,
    ending: Command? = nil
  ) {
    let task = unsafe message_get(tables.messages, message)!
    let delimiter = Int(tables.note(of: message).delimiter)
    let header = unsafe task.pointee.frames[delimiter + 2]
    let composed = unsafe composer.errorReply(
      reply, parent: UnsafeRawBufferPointer(start: header.data, count: Int(header.size)),
      leading: UnsafeBufferPointer(start: task.pointee.frames, count: delimiter), tables)
    let client = unsafe task.pointee.origin
    let engine = reply.engine
    let engineCount: UInt8 = engine == ATOM_NONE ? 0 : 1
    var address = client
    if let ending, journal.isOn {
      address = recordFinal(ending, composed, firstFrame: 0, engine: engine)
    }
    if address != ATOM_NONE {
      outbox.append(
        transport_send(
          TRANSPORT_CLIENT, to: address, composed, prefix: (engine, 0, 0),
          prefixCount: engineCount))
    }
    if tellsMonitor {
      outbox.append(
        transport_send(
          TRANSPORT_MONITOR, to: ATOM_NONE, composed, prefix: (outtask, client, engine),
          prefixCount: 2 + engineCount))
    }
    spent.append(composed)
  }

  /// The id of a held task: its bytes inside the header frame, else (escaped there) scanned again.
  private func taskID(of message: message_handle) -> UnsafeRawBufferPointer {
    let note = tables.note(of: message)
    let task = unsafe message_get(tables.messages, message)!
    let header = unsafe task.pointee.frames[Int(note.delimiter) + 2]
    if note.idSize > 0 {
      return unsafe UnsafeRawBufferPointer(
        start: header.data + Int(note.idOffset), count: Int(note.idSize))
    }
    var frame = unsafe header
    let id = unsafe intake_task_id(intake.handle, &frame)
    return unsafe UnsafeRawBufferPointer(start: id.data, count: Int(id.size))
  }

  private func errorReply(_ command: Command, _ id: String) -> ErrorReply {
    let why = explanation(command.detail)
    switch command.reason {
    case .invalidDependency:
      return ErrorReply(ename: "InvalidDependency", evalue: why, explanation: [why])
    case .impossibleDependency:
      return ErrorReply(ename: "ImpossibleDependency", evalue: why, explanation: [why])
    case .taskTimeout:
      return ErrorReply(ename: "TaskTimeout", evalue: why, explanation: [why])
    case .engineError:
      // The reference's own words: people grep for them.
      let text = "Engine b'\(tables.text(of: command.engine))' died while running task '\(id)'"
      return ErrorReply(
        ename: "EngineError", evalue: text, explanation: [text],
        engine: command.engine.value)
    }
  }

  private func explanation(_ detail: FailureDetail) -> String {
    switch detail {
    case .dependencyOnItself: "the task depends on itself"
    case .dependencyNeverSeen: "a task id in after or follow was never seen by this scheduler"
    case .afterCannotBeMet: "what the task waits for (after) can no longer happen"
    case .followCannotBeMet: "what the task must follow can no longer happen"
    case .followRanOnSeveralEngines:
      "the tasks to follow ran on more than one engine: no engine has run them all"
    case .followRanNowhere: "a task to follow was failed by the scheduler: it ran on no engine"
    case .followEngineGone: "the engine that ran the task to follow is gone"
    case .targetsAllBlacklisted:
      "every engine in targets has failed the task or does not meet its dependencies"
    case .targetsNotRegistered: "no engine in targets is registered"
    case .timedOutWaitingForDependencies:
      "the timeout expired while the task waited for its dependencies"
    case .timedOutWaitingForAnEngine: "the timeout expired while the task waited for an engine"
    case .engineDied: "the engine died while it ran the task"
    }
  }
}

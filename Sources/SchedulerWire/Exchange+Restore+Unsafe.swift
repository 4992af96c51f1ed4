/// What the journal of a former life says, given to the core and, where it had not left yet, to the
/// hub and to clients.
///
/// Nobody is heard before: clients and engines are paused until the hub has named the engines, so
/// that a task whose engine is there is not taken for one that can never run.

import CBase
import CIntake
import CJournal
import CTransport
import SchedulerCore

extension Exchange {
  /// Starts the journal and waits for the hub; before the first turn.
  mutating func beginRestore(now_ns: UInt64, hasHub: Bool) throws(JournalFailure) {
    self.now_ns = now_ns
    state.isRestoring = true
    state.hubAnswered = !hasHub
    state.restoreAt_ns = now_ns + JournalState.hubWait_ns
    transport.pause(TRANSPORT_CLIENT, true)
    transport.pause(TRANSPORT_ENGINE, true)
    if let note = journal.cutNote {
      log.notice(.warning, "the journal in \(journal.folder): \(note)")
    }
    try journal.start(waking: transport)
  }

  /// When to look again.
  mutating func restoreIfDue() throws -> UInt64 {
    if state.clientsPaused { return .max }
    if !state.hubAnswered {
      guard now_ns >= state.restoreAt_ns else { return state.restoreAt_ns }
      log.notice(
        .warning, "the hub has not said which engines there are: recovered tasks wait for them")
    }
    state.isRestoring = false
    intake.reset()
    try restore()
    core.finishRestore(commands: &commands)
    state.refence_ns = now_ns + state.refencePause_ns
    watcher?.restored(now_ns, commands, core)
    carryOut()
    flushThroughJournal()
    readOrRestClients()
    transport.pause(TRANSPORT_ENGINE, false)
    return now_ns
  }

  private mutating func restore() throws(JournalFailure) {
    state.departures.begin(sent: journal.found.sent_sequence)
    let ledger = unsafe journal.ledger
    let engines = unsafe restoreEngines(ledger)
    var next: UInt32 = 0
    var task = unsafe journal_task()
    while unsafe journal_ledger_next(ledger, &next, &task) {
      var isNew = false
      let id = unsafe task_ids_intern(
        tables.taskIDs, task.id.data, Int(task.id.size), &isNew)
      guard isNew, unsafe id == task.number else {
        throw unsafe refused(task, "its id is there twice")
      }
      try unsafe restore(task, engines)
    }
    let live = unsafe journal_ledger_live_count(ledger)
    let replies = unsafe journal_ledger_reply_count(ledger)
    log.notice(
      .info,
      "the journal in \(journal.folder) knows \(next) tasks: \(live) wait or ran, "
        + "\(replies) replies may not have arrived")
    journal.forgetRecovered()
  }

  private func refused(_ task: journal_task, _ why: String) -> JournalFailure {
    let id = unsafe String(
      decoding: UnsafeBufferPointer(start: task.id.data, count: Int(task.id.size)), as: UTF8.self)
    return JournalFailure(
      text: "the journal in \(journal.folder): task \(id) cannot be taken over: \(why); give the "
        + "session key and packer it was submitted with, or move the folder away to start without "
        + "its tasks")
  }

  /// The names of the ledger's engines, kept for ever like all engines' names.
  private mutating func restoreEngines(_ ledger: OpaquePointer?) -> [EngineName] {
    var names: [EngineName] = []
    for index in unsafe 0..<journal_ledger_engine_count(ledger) {
      let name = unsafe tables.intern(journal_ledger_engine(ledger, index))
      keepEngineName(name)
      names.append(EngineName(name))
      if unsafe journal_ledger_engine_fences(ledger, index) {
        core.restoreEngine(EngineName(name), answersFences: true)
        watcher?.restored(EngineName(name))
        noteFences(name, isNew: false)
      }
    }
    return names
  }

  private mutating func restore(
    _ task: journal_task, _ engines: [EngineName]
  ) throws(JournalFailure) {
    let isLive =
      unsafe task.state == JOURNAL_WAITING.rawValue
      || task.state == JOURNAL_RUNNING.rawValue
    let engine = unsafe task.engine == JOURNAL_ENGINE_NONE ? .none : engines[Int(task.engine)]
    if unsafe task.accepted.size > 0 {
      try unsafe restoreMessage(task, isLive ? engine : nil, engines)
    }
    guard !isLive else { return }
    core.restoreFinished(
      unsafe TaskID(task.number), isCompleted: unsafe task.state == JOURNAL_COMPLETED.rawValue,
      engine: engine)
    unsafe watcher?.restoredFinished(
      TaskID(task.number), isCompleted: task.state == JOURNAL_COMPLETED.rawValue, engine)
    if unsafe task.reply.size > 0 { unsafe restoreReply(task, engine) }
  }

  /// The task's message: for the core when it waits or ran (`engine` is not nil then), for the hub
  /// when that may not have it.
  private mutating func restoreMessage(
    _ task: journal_task, _ engine: EngineName?, _ engines: [EngineName]
  ) throws(JournalFailure) {
    var recorded = unsafe journal_message()
    guard unsafe journal_message_read(task.accepted, &recorded) else { return }
    let handle = unsafe tables.compose(recorded)
    guard handle != MESSAGE_NONE else {
      throw unsafe refused(task, "there is not enough memory")
    }
    let message = unsafe message_get(tables.messages, handle)!
    unsafe message.pointee.origin = tables.intern(recorded.name)
    let event = unsafe transport_event(
      kind: UInt8(TRANSPORT_MESSAGE.rawValue), role: UInt8(TRANSPORT_CLIENT.rawValue),
      frame_count: message.pointee.frame_count, message: handle, peer: message.pointee.origin,
      tag: 0, frames: message.pointee.frames, bytes: message.pointee.bytes, checked: nil)
    let found = unsafe intake.check(INTAKE_TASK, event)
    guard unsafe found.status == INTAKE_OK.rawValue, unsafe found.task.status == 0 else {
      throw unsafe refused(task, "its message is not signed with this session's key")
    }
    unsafe tables.note(
      handle,
      MessageNote(
        idOffset: found.id_at, idSize: found.id_size, delimiter: found.delimiter, mayBeKnown: true,
        recovered: state.clients.client(recorded.name, id: recorded.id, tables)))
    if unsafe task.accepted_sequence > journal.found.sent_sequence {
      unsafe outbox.append(
        transport_send(
          TRANSPORT_MONITOR, to: ATOM_NONE, handle, prefix: (intask, event.peer, 0),
          prefixCount: 2))
    }
    guard let engine else {
      spent.append(handle)
      return
    }
    unsafe submit(event, found, TaskID(task.number))
    unsafe restoreTask(task, engine, engines)
    if engine != .none, unsafe task.assigned_sequence > journal.found.sent_sequence {
      tellAssignment(handle, engine)
    }
    intake.reset()
  }

  /// Takes the event that `submit` has just made, and gives it to the core with what happened
  /// since.
  private mutating func restoreTask(
    _ task: journal_task, _ engine: EngineName, _ engines: [EngineName]
  ) {
    var restored = RestoredTask(submitted: events.removeLast(), engine: engine)
    func gather(_ flag: journal_flags) -> ListRange {
      let first = UInt32(eventLists.count)
      for index in unsafe 0..<Int(task.attempt_count) {
        let attempt = unsafe task.attempts[index]
        guard attempt.flags & flag.rawValue != 0 else { continue }
        eventLists.append(engines[Int(attempt.engine)].value)
      }
      return ListRange(first: first, count: UInt32(eventLists.count) - first)
    }
    restored.failedOn = gather(JOURNAL_FLAG_FAILED)
    restored.unmetOn = gather(JOURNAL_FLAG_UNMET)
    let used = restored.failedOn.count
    restored.submitted.retries -= min(restored.submitted.retries, used)
    watcher?.restored(restored, eventLists)
    var lists: [UInt32] = []
    swap(&lists, &eventLists)
    core.restore(restored, now_ns: now_ns, lists: lists.span, commands: &commands)
    lists.removeAll(keepingCapacity: true)
    swap(&lists, &eventLists)
  }

  /// A final reply that its client, or the hub, may not have.
  private mutating func restoreReply(_ task: journal_task, _ engine: EngineName) {
    var recorded = unsafe journal_message()
    guard unsafe journal_message_read(task.reply, &recorded) else { return }
    let handle = unsafe tables.compose(recorded)
    guard handle != MESSAGE_NONE else { return }
    let found = journal.found
    let client = unsafe state.clients.client(recorded.id, id: task.id, tables)
    if unsafe task.reply_sequence > found.sent_sequence {
      let engineCount: UInt8 = engine == .none ? 0 : 1
      outbox.append(
        transport_send(
          TRANSPORT_MONITOR, to: ATOM_NONE, handle,
          prefix: (outtask, state.clients[client].origin, engine.value),
          prefixCount: 2 + engineCount))
    }
    if unsafe task.parked != 0 || task.reply_sequence > found.sending_sequence {
      let reply = unsafe ParkedReply(
        task: task.number, message: handle, firstFrame: 0, engine: engine.value)
      if unsafe task.parked == 0 {
        // It was to leave at once: from now on the journal keeps it until it is delivered.
        let message = unsafe message_get(tables.messages, handle)!
        unsafe journal.append(
          JOURNAL_FINISHED, flags: JOURNAL_FLAG_PARKED.rawValue, task.number, name: recorded.name,
          id: recorded.id, frames: message.pointee.frames, count: Int(recorded.frame_count))
      }
      park(reply, for: client)
    } else {
      spent.append(handle)
    }
  }
}

/// The journal's part in a turn: what happens is recorded, what follows from it is sent only once
/// the record is written.

import CBase
import CJournal
import CScan
import CTransport
import Glibc
import SchedulerCore

/// What an exchange with a journal keeps beside it.
struct JournalState: ~Copyable {
  /// How long what was given to the hub's link is counted as not there yet. Longer: more of it is
  /// told twice after a restart, which the hub does not mind. libzmq does not say how far it is.
  static let leave_ns: UInt64 = 500_000_000
  static let leaveLibzmq_ns: UInt64 = 5_000_000_000
  /// How long a start waits for the hub to say which engines there are.
  static let hubWait_ns: UInt64 = 5_000_000_000
  /// How long an engine that could not be asked is let alone.
  static let askAgainAfter_ns: UInt64 = 1_000_000_000
  /// How long an engine may take to answer a fence before it is asked again; doubled each time,
  /// because it may just be busy.
  static let refenceMin_ns: UInt64 = 1_000_000_000
  static let refenceMax_ns: UInt64 = 64_000_000_000

  var held = HeldTurns()
  var unheard = UnheardRecords()
  var departures: Departures
  var clients = RecoveredClients()
  /// What was recovered has not been given to the core yet.
  var isRestoring = false
  var hubAnswered = false
  var restoreAt_ns: UInt64 = 0
  var clientsPaused = false
  /// No client is read: there are too many tasks, and this transport knows them together only.
  var clientsFull = false
  /// Engines that were announced, have not connected, and are asked again.
  var unasked: [atom] = []
  var askAgain_ns = UInt64.max
  /// When engines that have not answered for what was restored there are asked once more.
  var refence_ns = UInt64.max
  var refencePause_ns = JournalState.refenceMin_ns
  /// An orderly end has begun: nothing is assigned any more, what would have been is counted.
  var isLeaving = false
  var unassignedCount = 0
  /// Clients have been told that no more comes: replies wait for the next life.
  var parksReplies = false
  /// Engines that are known to answer a fence, by atom.
  var answersFences: [Bool] = []

  init(isLibzmq: Bool = false) {
    departures = Departures(
      pause_ns: isLibzmq ? Self.leaveLibzmq_ns : Self.leave_ns, isExact: !isLibzmq)
  }
}

extension Exchange {
  // MARK: records

  /// A new task, or (`refused`) an id that is known from now on.
  mutating func recordTask(
    _ event: transport_event, _ id: scan_span, _ task: UInt32, isRefused: Bool
  ) {
    let id = unsafe journal_bytes(data: id.data, size: id.size)
    unsafe journal.append(
      isRefused ? JOURNAL_REFUSED : JOURNAL_ACCEPTED, task, name: tables.bytes(of: event.peer),
      id: id, frames: isRefused ? nil : event.frames,
      count: isRefused ? 0 : Int(event.frame_count))
    guard state.clients.isLooking, let client = unsafe state.clients.lost(event.peer, id: id)
    else { return }
    unsafe clientIsBack(client, at: event.peer)
  }

  func recordAssignment(_ command: Command) {
    unsafe journal.append(
      JOURNAL_ASSIGNED, command.task.value, name: tables.bytes(of: command.engine.value))
  }

  /// A run that ended without a final reply.
  func recordReturn(_ command: Command) {
    unsafe journal.append(
      JOURNAL_RETURNED,
      flags: command.outcome == .unmet ? JOURNAL_FLAG_UNMET.rawValue : JOURNAL_FLAG_FAILED.rawValue,
      command.task.value, name: tables.bytes(of: command.engine.value))
  }

  /// The final reply: the frames of `reply` from `firstFrame` on. Where it can be sent now, or
  /// ATOM_NONE: it is parked.
  mutating func recordFinal(
    _ command: Command, _ reply: message_handle, firstFrame: Int, engine: atom
  ) -> atom {
    let client = unsafe message_get(tables.messages, command.message.value)!.pointee.origin
    let recovered = tables.note(of: command.message.value).recovered
    let known = recovered == 0 ? client : state.clients[recovered].address
    let address = state.parksReplies ? ATOM_NONE : known
    let isCompleted = command.kind == .deliver && command.outcome == .completed
    var flags = isCompleted ? JOURNAL_FLAG_COMPLETED.rawValue : 0
    if address == ATOM_NONE { flags |= JOURNAL_FLAG_PARKED.rawValue }
    let message = unsafe message_get(tables.messages, reply)!
    unsafe journal.append(
      JOURNAL_FINISHED, flags: flags, command.task.value, name: tables.bytes(of: engine),
      id: tables.bytes(of: client), frames: message.pointee.frames + firstFrame,
      count: Int(message.pointee.frame_count) - firstFrame)
    if address == ATOM_NONE && !state.parksReplies {
      unsafe message_retain(tables.messages, reply)
      park(
        ParkedReply(
          task: command.task.value, message: reply, firstFrame: firstFrame, engine: engine),
        for: recovered)
    }
    return address
  }

  mutating func park(_ reply: ParkedReply, for client: UInt32) {
    if state.clients.park(reply, for: client) { return }
    log.notice(
      .warning,
      "a reply is given up: \(RecoveredClients.parkedMax) wait already for clients of a former "
        + "life (the hub has its record)")
    journal.appendDelivered(reply.task)
    spent.append(reply.message)
  }

  // MARK: clients of a former life

  mutating func clientIsBack(_ client: UInt32, at address: atom) {
    let parked = state.clients.found(client, at: address, tables)
    for reply in parked {
      outbox.append(
        transport_send(
          TRANSPORT_CLIENT, to: address, reply.message, firstFrame: reply.firstFrame,
          prefix: (reply.engine, 0, 0), prefixCount: reply.engine == ATOM_NONE ? 0 : 1))
      spent.append(reply.message)
      journal.appendDelivered(reply.task)
    }
    if !parked.isEmpty {
      log.notice(
        .info, "client \(tables.text(of: address)) is back: \(parked.count) replies waited for it")
    }
  }

  /// Clients with a name of their own need not submit anything to be found: the transport knows
  /// whether they are there. Where it does not, a send that arrives shows it: of the first reply
  /// alone, outside the turn, because whether it was dropped is known at once then. Killed before
  /// that is on record, the next life sends it once more.
  mutating func tryNamedClients() {
    guard now_ns >= state.clients.retryAt_ns else { return }
    var isWaiting = false
    for index in 1..<max(1, state.clients.list.count) {
      let client = state.clients.list[index]
      guard client.isNamed, client.address == ATOM_NONE else { continue }
      isWaiting = true
      let isThere = unsafe transport_is_connected(
        transport.handle, TRANSPORT_CLIENT, client.origin)
      if isThere == 1 { clientIsBack(UInt32(index), at: client.origin) }
      guard isThere < 0 else { continue }
      guard let first = client.parked.first else { continue }
      let dropped = transport.counters.dropped_client
      var send = transport_send(
        TRANSPORT_CLIENT, to: client.origin, first.message, firstFrame: first.firstFrame,
        prefix: (first.engine, 0, 0), prefixCount: first.engine == ATOM_NONE ? 0 : 1)
      unsafe transport_send_all(transport.handle, &send, 1)
      guard transport.counters.dropped_client == dropped else { continue }
      journal.appendDelivered(first.task)
      spent.append(first.message)
      state.clients.dropFirst(of: index)
      clientIsBack(UInt32(index), at: client.origin)
    }
    state.clients.retryAt_ns = isWaiting ? now_ns + RecoveredClients.retry_ns : .max
  }

  // MARK: leaving

  mutating func flushThroughJournal() {
    composer.signAll()
    state.held.append(journal.commit(), &outbox, &spent)
    releaseHeld()
  }

  /// Hands over what rests on records that are written.
  mutating func releaseHeld() {
    guard let mark = state.held.ready(journal.released) else { return }
    // Before: a reply is told once at most; should we die in between, the hub alone gets it.
    journal.noteSending(mark.sequence)
    if unsafe state.unheard.isEmpty && transport_is_heard(transport.handle) {
      state.held.release(mark, transport, tables)
    } else {
      releaseUnheard(mark)
    }
    state.departures.release(mark.sequence)
  }

  /// The same while the hub does not listen: its records are kept for it.
  private mutating func releaseUnheard(_ mark: HeldTurns.Mark) {
    var lost = 0
    for index in state.held.indices(upTo: mark) {
      var send = state.held[index]
      if send.role != UInt8(TRANSPORT_MONITOR.rawValue) {
        unsafe transport_send_all(transport.handle, &send, 1)
      } else if !state.unheard.keep(send, tables) {
        lost += 1
      }
    }
    state.held.forget(mark, tables)
    guard lost > 0 else { return }
    state.departures.freeze()
    log.notice(
      .warning,
      "the hub does not listen, and too much waits for it: the rest of its records is told after "
        + "the next start from the journal")
  }

  /// The hub listens (again).
  mutating func tellUnheard() {
    guard !state.unheard.isEmpty else { return }
    state.unheard.tell(transport, tables)
    log.notice(.info, "the hub listens: it is told what happened meanwhile")
  }

  private mutating func lookAtDepartures() {
    guard now_ns >= state.departures.deadline_ns else { return }
    let link = transport.departures
    if state.departures.look(now_ns: now_ns, link, isKept: !state.unheard.isEmpty) {
      journal.noteSent(state.departures.sent)
    }
  }

  /// Between two turns. Returns when the next turn must come at the latest.
  mutating func serveJournal() throws -> UInt64 {
    try journal.check()
    if let notice = journal.nextNotice() { log.notice(.warning, notice) }
    releaseHeld()
    if state.isRestoring { return try restoreIfDue() }
    lookAtDepartures()
    tryNamedClients()
    askAgain()
    if outbox.count > 0 || !spent.isEmpty { flushThroughJournal() }
    return min(
      state.departures.deadline_ns, state.clients.retryAt_ns, state.askAgain_ns,
      state.refence_ns)
  }

  /// Everything is written, and what rests on it is handed over; the journal is closed.
  mutating func endJournal() {
    let last = journal.commit()
    // A disk that does not answer must not keep the process for ever.
    for _ in 0..<2000 where journal.released < last && (try? journal.check()) != nil {
      usleep(500)
    }
    flushThroughJournal()
    if state.departures.end(transport.departures, isKept: !state.unheard.isEmpty) {
      journal.noteSent(state.departures.sent)
    }
    journal.close()
    state.held.abandon(tables)
    state.unheard.removeAll(tables)
    state.clients.removeAll(tables)
  }
}

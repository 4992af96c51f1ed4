/// Fences: messages that an engine answers in its turn, so that it is known what it has forgotten
/// (README.md, "Journal"; Exchange+Rejoining).

import CBase
import CJournal
import CScan
import CTransport
import SchedulerCore

extension Exchange {
  /// Asks an engine to answer once it has answered everything before.
  mutating func sendFence(to engine: atom) {
    let message = composer.fence(tables)
    outbox.append(
      transport_send(
        TRANSPORT_ENGINE, to: engine, message, prefix: (fenceName, 0, 0), prefixCount: 1,
        tag: TASK_ID_NONE))
    spent.append(message)
  }

  /// A fence could not be handed to its engine.
  mutating func takeBackFence(of engine: atom) {
    // Without a journal only who is connected is asked; it is asked again when it reconnects.
    guard journal.isOn else { return }
    state.unasked.append(engine)
    state.askAgain_ns = now_ns + JournalState.askAgainAfter_ns
  }

  /// Engines that could not be asked, and those whose answer is long in coming: a fence goes down
  /// with its connection, and nobody would answer for what was restored there.
  mutating func askAgain() {
    if now_ns >= state.refence_ns {
      let unanswered = core.unansweredEngines()
      for engine in unanswered { sendFence(to: engine.value) }
      state.refencePause_ns = min(state.refencePause_ns * 2, JournalState.refenceMax_ns)
      state.refence_ns = unanswered.isEmpty ? .max : now_ns + state.refencePause_ns
    }
    guard now_ns >= state.askAgain_ns else { return }
    for engine in state.unasked where !hasLeft[Int(engine)] { sendFence(to: engine) }
    state.unasked.removeAll()
    state.askAgain_ns = .max
  }

  /// A reply about no task of ours: is it the answer to a fence? Then it is taken care of.
  mutating func takeFence(_ event: transport_event, _ id: scan_span) -> Bool {
    let bytes = unsafe UnsafeRawBufferPointer(start: id.data, count: Int(id.size))
    guard unsafe composer.isOurs(bytes) else { return false }
    let engine = unsafe event.peer
    guard Int(engine) < isEngineName.count, isEngineName[Int(engine)] else { return false }
    unsafe spent.append(event.message)
    if let number = unsafe composer.number(ofOurs: bytes) { takeAnswer(of: engine, number) }
    if journal.isOn { noteFenced(engine) }
    return true
  }

  /// An engine has answered everything it was given before: what was restored there is lost.
  private mutating func noteFenced(_ engine: atom) {
    var fenced = Event(.fenced)
    fenced.engine = EngineName(engine)
    events.append(fenced)
    noteFences(engine, isNew: true)
  }

  mutating func noteFences(_ engine: atom, isNew: Bool) {
    let missing = Int(engine) + 1 - state.answersFences.count
    if missing > 0 { state.answersFences += Array(repeating: false, count: max(64, missing)) }
    if isNew && !state.answersFences[Int(engine)] {
      unsafe journal.append(JOURNAL_FENCES, JOURNAL_TASK_NONE, name: tables.bytes(of: engine))
    }
    state.answersFences[Int(engine)] = true
  }
}

/// The hub's messages: which engines there are, which came, which went (SEMANTICS 1 and 5).

import CBase
import CIntake
import CScan
import CTransport
import SchedulerCore

extension Exchange {
  mutating func ingestHubMessage(_ event: transport_event) {
    defer { unsafe spent.append(event.message) }
    let message = unsafe intake.check(INTAKE_HUB, event)
    guard unsafe message.status == INTAKE_OK.rawValue else {
      unsafe dropHubMessage(DropReason(message))
      return
    }
    let hub = unsafe message.hub
    guard unsafe hub.status == SCAN_OK.rawValue else {
      dropHubMessage(.badHubMessage)
      return
    }
    switch unsafe text(hub.msg_type) {
    case "registration_notification": unsafe announce(.engineRegistered, hub.uuid)
    case "unregistration_notification": unsafe announce(.engineUnregistered, hub.uuid)
    case "connection_reply": unsafe takeConnectionReply(hub, message.spans)
    case let other:
      if log.noticeLevel <= .debug { log.notice(.debug, "ignored a \(other) from the hub") }
    }
  }

  private mutating func dropHubMessage(_ reason: DropReason) {
    guard countDrop(reason) != nil else { return }
    log.notice(.warning, "dropped a message from the hub: \(reason.rawValue)")
  }

  private mutating func takeConnectionReply(_ hub: scan_hub, _ spans: UnsafePointer<scan_span>?) {
    state.hubAnswered = true
    let status = unsafe text(hub.status_text)
    guard status == "ok" else {
      log.notice(
        .error,
        "the hub answered the connection request with status \"\(status)\": engines that "
          + "registered before now stay unknown; restart the scheduler")
      return
    }
    guard unsafe hub.engines.count > 0 else { return }
    for index in unsafe 0..<Int(hub.engines.count) {
      let uuid = unsafe spans![Int(hub.engines.first) + index]
      // The reply comes by another socket than notifications: it may be older than what they said.
      guard unsafe !isKnownToHaveLeft(uuid) else { continue }
      unsafe announce(.engineRegistered, uuid)
    }
    unsafe log.notice(.info, "the hub knows \(hub.engines.count) engines")
  }

  private mutating func announce(_ kind: Event.Kind, _ uuid: scan_span) {
    var change = Event(kind)
    // Gone or here, engines' names are kept for ever: blacklists and finished tasks may speak of
    // them, and so may a connection_reply that is late.
    let isKnown = unsafe atoms_find(tables.atoms, uuid.data, Int(uuid.size)) != ATOM_NONE
    let name = unsafe atoms_intern(tables.atoms, uuid.data, Int(uuid.size))
    guard name != ATOM_NONE else {
      dropHubMessage(.badHubMessage)
      return
    }
    keepEngineName(name)
    hasLeft[Int(name)] = kind == .engineUnregistered
    if !isKnown && kind == .engineUnregistered {
      unsafe log.notice(.warning, "the hub unregistered \(text(uuid)), which is not known here")
      return
    }
    change.engine = EngineName(name)
    events.append(change)
    if journal.isOn && kind == .engineRegistered { sendFence(to: change.engine.value) }
    let what = kind == .engineRegistered ? "registered" : "unregistered"
    log.notice(.info, "engine \(tables.text(of: change.engine)) \(what)")
  }

  private func isKnownToHaveLeft(_ uuid: scan_span) -> Bool {
    let name = unsafe Int(atoms_find(tables.atoms, uuid.data, Int(uuid.size)))
    return name < hasLeft.count && hasLeft[name]
  }

  mutating func keepEngineName(_ name: atom) {
    if Int(name) >= isEngineName.count {
      let missing = Int(name) + 1 - isEngineName.count
      isEngineName += Array(repeating: false, count: max(64, missing))
      hasLeft += Array(repeating: false, count: isEngineName.count - hasLeft.count)
    }
    if isEngineName[Int(name)] { unsafe atoms_release(tables.atoms, name) }
    isEngineName[Int(name)] = true
  }
}

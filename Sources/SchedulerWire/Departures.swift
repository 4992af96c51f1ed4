/// Departures: which records need not be told again, because what followed from them has left.
///
///     released >= sequence     handed to the transport
///     leaving                  the same, as it was when last looked, and what the hub's link had
///                              been given by then
///     sent                     of that, everything is on the hub's machine: told to the journal
///
/// A record too little is lost when the process is killed, one too many is told twice, which the
/// hub does not mind. Pure: the clock and the link's state are arguments.

import CTransport

struct Departures {
  /// Between two looks.
  let pause_ns: UInt64
  /// Whether the link says what is unconfirmed.
  let isExact: Bool
  /// Records up to it are told no more.
  private(set) var sent: UInt64 = 0
  private(set) var released: UInt64 = 0
  private var leaving: UInt64 = 0
  private var leavingHanded: UInt64 = 0
  private var look_ns: UInt64 = 0
  /// Something could not be kept for the hub: only the next life can tell it.
  private var isFrozen = false

  init(pause_ns: UInt64, isExact: Bool = true) {
    self.pause_ns = pause_ns
    self.isExact = isExact
  }

  /// A start: what a former life has sent.
  mutating func begin(sent: UInt64) {
    self.sent = sent
    released = sent
    leaving = sent
  }

  mutating func release(_ sequence: UInt64) { released = max(released, sequence) }

  /// From now on nothing counts as sent.
  mutating func freeze() { isFrozen = true }

  /// When to look again; `.max`: not by itself.
  var deadline_ns: UInt64 { isFrozen || sent == released ? .max : look_ns }

  /// True when `sent` has changed. `isKept`: something waits for a hub that does not listen.
  mutating func look(now_ns: UInt64, _ link: transport_departures, isKept: Bool) -> Bool {
    guard now_ns >= deadline_ns else { return false }
    look_ns = now_ns + pause_ns
    // Added, not subtracted: what is unconfirmed may be the link's own commands, never counted as
    // handed over.
    let hasLeft = leaving != sent && link.handed >= leavingHanded + link.unconfirmed
    if hasLeft { sent = leaving }
    if leaving == sent && !isKept {
      leaving = released
      leavingHanded = link.handed
    }
    return hasLeft
  }

  /// The end: everything has been released. True when all of it has left.
  mutating func end(_ link: transport_departures, isKept: Bool) -> Bool {
    guard isExact && !isFrozen && !isKept && link.unconfirmed == 0 else { return false }
    sent = released
    return true
  }
}

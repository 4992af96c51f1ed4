/// RecoveredClients: who asked for the tasks of a former life, and where they are now.
///
/// A ROUTER gives a client that reconnects a new routing id, so an old one says nothing. A client
/// is known again by its session (its ids begin with `<session>_<pid>_`) once it submits anything,
/// or by a routing id of its own choosing, which is tried now and then. Until then its replies are
/// parked. Owned by the exchange.

import CBase
import CJournal

/// A final reply that waits for its client.
struct ParkedReply: BitwiseCopyable {
  var task: UInt32
  /// One reference.
  var message: message_handle
  var firstFrame: Int
  var engine: atom
}

struct RecoveredClient {
  /// The routing id it had; a counted reference.
  var origin: atom
  /// Where it is; ATOM_NONE: not known yet. A counted reference.
  var address = ATOM_NONE
  /// Its routing id is of its own choosing and means the same client after a restart.
  var isNamed: Bool
  var parked: [ParkedReply] = []
}

@safe
struct RecoveredClients {
  /// Replies parked over all; more are given up, oldest clients' ones stay. The hub has them all.
  /// Raising it costs memory for clients that never come back.
  static let parkedMax = 200_000
  /// How often clients that are known by name are tried.
  static let retry_ns: UInt64 = 200_000_000

  /// [0] is nobody: a task's note says 0 when its client is simply where it came from.
  private(set) var list = [RecoveredClient(origin: ATOM_NONE, isNamed: false)]
  private var bySession: [[UInt8]: UInt32] = [:]
  private var byName: [atom: UInt32] = [:]
  /// The session that was found last, and whose it is: tasks come in runs.
  private var lastSession: [UInt8] = []
  private var lastClient: UInt32 = 0
  private(set) var lostCount = 0
  private(set) var parkedCount = 0
  var retryAt_ns = UInt64.max

  /// Whether somebody is still to be found.
  var isLooking: Bool { lostCount > 0 }

  subscript(index: UInt32) -> RecoveredClient { list[Int(index)] }

  /// `<session>_<pid>` of an id, where it lies; nil when the id is not of that kind.
  private static func sessionBytes(of id: journal_bytes) -> UnsafeBufferPointer<UInt8>? {
    let bytes = unsafe UnsafeBufferPointer(start: id.data, count: Int(id.size))
    guard let end = unsafe bytes.lastIndex(of: UInt8(ascii: "_")), end > 0 else { return nil }
    return unsafe UnsafeBufferPointer(rebasing: bytes[..<end])
  }

  static func session(of id: journal_bytes) -> [UInt8]? {
    unsafe sessionBytes(of: id).map { unsafe Array($0) }
  }

  /// The client of a task of a former life, made when it is new.
  mutating func client(
    _ origin: journal_bytes, id: journal_bytes, _ tables: borrowing Tables
  ) -> UInt32 {
    let bytes = unsafe Self.sessionBytes(of: id)
    if let bytes = unsafe bytes, unsafe bytes.elementsEqual(lastSession) { return lastClient }
    let session = unsafe bytes.map { unsafe Array($0) }
    if let session, let known = bySession[session] {
      (lastSession, lastClient) = (session, known)
      return known
    }
    let name = unsafe tables.intern(origin)
    if session == nil, let known = byName[name] {
      unsafe atoms_release(tables.atoms, name)
      return known
    }
    let index = UInt32(list.count)
    let isNamed = unsafe origin.size > 0 && origin.data[0] != 0
    list.append(RecoveredClient(origin: name, isNamed: isNamed))
    if let session { bySession[session] = index }
    if isNamed && byName[name] == nil { byName[name] = index }
    lostCount += 1
    if isNamed { retryAt_ns = 0 }
    return index
  }

  /// Who submits a task with this id from `peer`, if it is somebody who was looked for.
  func lost(_ peer: atom, id: journal_bytes) -> UInt32? {
    guard
      let index = unsafe Self.session(of: id).flatMap({ bySession[$0] }) ?? byName[peer],
      list[Int(index)].address == ATOM_NONE
    else { return nil }
    return index
  }

  /// The client is there: what was parked for it is the caller's.
  mutating func found(_ index: UInt32, at address: atom, _ tables: borrowing Tables)
    -> [ParkedReply]
  {
    unsafe atoms_retain(tables.atoms, address)
    list[Int(index)].address = address
    lostCount -= 1
    let parked = list[Int(index)].parked
    list[Int(index)].parked = []
    parkedCount -= parked.count
    return parked
  }

  /// False when there is no room: the reply is given up.
  mutating func park(_ reply: ParkedReply, for index: UInt32) -> Bool {
    guard parkedCount < Self.parkedMax else { return false }
    list[Int(index)].parked.append(reply)
    parkedCount += 1
    return true
  }

  /// The first parked reply has been sent.
  mutating func dropFirst(of index: Int) {
    list[index].parked.removeFirst()
    parkedCount -= 1
  }

  /// At the end: every reference is given back.
  mutating func removeAll(_ tables: borrowing Tables) {
    for client in list {
      for reply in client.parked { unsafe message_release(tables.messages, reply.message) }
      if client.origin != ATOM_NONE { unsafe atoms_release(tables.atoms, client.origin) }
      if client.address != ATOM_NONE { unsafe atoms_release(tables.atoms, client.address) }
    }
    list.removeAll()
  }
}

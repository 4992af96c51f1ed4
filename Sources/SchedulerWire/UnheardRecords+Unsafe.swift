/// UnheardRecords: what the hub is to be told and nobody listens to, in order.
///
/// A PUB drops what nobody has subscribed to. With a journal the hub's records are promised: they
/// wait here until it listens (again). Owned by the exchange.
///
/// Invariant: every send kept owns a reference of its message and of its prefix atoms.

import CBase
import CTransport

@safe
struct UnheardRecords: ~Copyable {
  /// What is kept for a hub that is away; the rest is told by the next life. Raising it costs as
  /// much memory.
  static let bytesMax: UInt64 = 256 << 20

  /// About what a message costs besides its bytes.
  private static let overhead: UInt64 = 256

  private var sends = SendBuffer()
  private var bytes: UInt64 = 0

  var isEmpty: Bool { sends.count == 0 }

  /// False when there is no room.
  mutating func keep(_ send: transport_send, _ tables: borrowing Tables) -> Bool {
    let message = unsafe message_get(tables.messages, send.message)!
    let size = unsafe message.pointee.bytes + Self.overhead
    guard size <= Self.bytesMax - bytes else { return false }
    bytes += size
    unsafe message_retain(tables.messages, send.message)
    forEachName(of: send) { unsafe atoms_retain(tables.atoms, $0) }
    sends.append(send)
    return true
  }

  /// Somebody listens: hands everything over.
  mutating func tell(_ transport: borrowing Transport, _ tables: borrowing Tables) {
    unsafe transport_send_all(transport.handle, sends.base, UInt32(sends.count))
    removeAll(tables)
  }

  mutating func removeAll(_ tables: borrowing Tables) {
    for index in 0..<sends.count {
      let send = unsafe sends.base[index]
      unsafe message_release(tables.messages, send.message)
      forEachName(of: send) { unsafe atoms_release(tables.atoms, $0) }
    }
    sends.removeAll()
    bytes = 0
  }

  private func forEachName(of send: transport_send, _ body: (atom) -> Void) {
    let names = [send.prefix.0, send.prefix.1, send.prefix.2]
    for name in names.prefix(Int(send.prefix_count)) { body(name) }
  }
}

/// Limits: what peers may make a scheduler hold. All of them, their defaults and what raising them
/// costs, in one place.
///
/// At a limit the scheduler stops reading from those who send too much, refuses with a reply, or
/// closes the connection, and says so once a second at most. Nothing else is disturbed.

import CScan
import CTransport

public struct Limits: Sendable, Equatable {
  /// Tasks that wait or run, over all clients: memory, 400 bytes and its message each. See
  /// `Backlog`: one client alone may have half of it.
  public var waitingTasks: UInt64 = 10_000_000
  /// Bytes of their messages: memory.
  public var waitingBytes: UInt64 = 8 << 30
  /// Ids in `after`, in `follow`, and names in `targets` of one task: an edge of 24 bytes each.
  /// More is refused.
  public var dependencies: UInt64 = UInt64(SCAN_LIST_MAX)
  /// Bytes of one message: as much memory for each peer that sends one. A larger one closes its
  /// connection. (libzmq: of one frame.)
  public var messageBytes: UInt64 = 4 << 30
  /// Connections of clients, and as many of engines: a descriptor and about 1 KiB each. At so many
  /// nobody is accepted.
  public var peers: UInt64 = 16384
  /// Connections that have not finished their handshake: at one more the oldest is closed.
  public var handshakes: UInt64 = 8192
  /// Bytes of replies that a client does not read: memory for each such client. At a sixteenth the
  /// client is not read until half of it is gone; above, it is closed. All clients together may
  /// have four times as much.
  public var clientBytes: UInt64 = 1 << 30
  /// Bytes of tasks that an engine does not read: above, its tasks are held and placed elsewhere.
  /// At four times as much for all engines together clients are not read.
  public var engineBytes: UInt64 = 256 << 20
  /// Bytes of records that the hub does not read: above, clients are not read; at twice as much nor
  /// are engines.
  public var hubBytes: UInt64 = 256 << 20

  public static let none = UInt64.max

  public init() {}

  /// What the native transport keeps to itself.
  var transport: transport_limits {
    func times(_ value: UInt64, _ factor: UInt64) -> UInt64 {
      value.multipliedReportingOverflow(by: factor).overflow ? .max : value * factor
    }
    var limits = transport_limits()
    limits.message_bytes_max = messageBytes
    // Two whole messages may be on their way before the largest one is given up.
    limits.unfinished_bytes_max = times(messageBytes, 2)
    limits.peers_max = UInt32(clamping: peers)
    limits.handshakes_max = UInt32(clamping: handshakes)
    limits.client_pause_bytes = max(1, clientBytes / 16)
    limits.client_bytes_max = clientBytes
    limits.clients_bytes_max = times(clientBytes, 4)
    limits.engine_bytes_max = engineBytes
    limits.engines_bytes_max = times(engineBytes, 4)
    limits.monitor_bytes_max = hubBytes
    return limits
  }
}

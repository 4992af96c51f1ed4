/// Transport: the Swift face of CTransport's sockets (see transport.h), and its configuration.

import CBase
import CTransport

/// `auto` is native.
public enum TransportBody: String, CaseIterable, Sendable { case auto, native, zmq }
public enum TransportIO: String, CaseIterable, Sendable { case auto, uring, epoll }

/// Endpoints and keys of the scheduler's sockets.
public struct TransportOptions: Sendable {
  public var body = TransportBody.auto
  public var io = TransportIO.auto
  public var clientURL = ""
  public var engineURL = ""
  /// Empty: the link is left out (a scheduler without a hub).
  public var monitorURL = ""
  public var notificationURL = ""
  public var registrationURL = ""
  public var logURL = ""
  /// Routing ids announced on the two bound sockets: NAME_in and NAME_out.
  public var identity = "task"
  /// Z85, 40 characters each; both or neither.
  public var curvePublicKey = ""
  public var curveSecretKey = ""
  /// How long frames for an engine that has not connected are held, and how many bytes at most.
  public var hold_ns: UInt64 = 5_000_000_000
  public var holdBytesMax: UInt64 = 1 << 30
  /// Of the jitter between attempts to connect again (native); 0: from the clock.
  public var seed: UInt64 = 0
  /// Threads that speak with clients and engines (native), 0 to `ioThreadsMax`; 0: the scheduling
  /// thread does.
  public var ioThreads = 0
  public static let ioThreadsMax = Int(TRANSPORT_IO_THREADS_MAX)
  /// What peers may make the scheduler hold.
  public var limits = Limits()
  /// How long a turn looks for messages before it sleeps; 0: not at all; nil: 0.1 ms, when that is
  /// likely to pay.
  public var busyPoll_ns: UInt64?
  public init() {}
}

/// What could not be opened, in one line for a person.
public struct TransportFailure: Error, Sendable {
  public enum Stage: Sendable { case argument, bind, system }
  public var stage: Stage
  public var text: String
}

@safe
struct Transport: ~Copyable {
  let handle: OpaquePointer
  private var isOpen = true

  /// `checker`: what I/O lanes do with the messages that they receive.
  init(
    _ options: TransportOptions, engineDealer: Bool, _ tables: borrowing Tables,
    _ checker: transport_checker
  ) throws(TransportFailure) {
    var config = unsafe transport_config()
    unsafe config.body = options.body == .zmq ? TRANSPORT_BODY_ZMQ : TRANSPORT_BODY_NATIVE
    unsafe config.busy_poll_ns = options.busyPoll_ns ?? TRANSPORT_BUSY_POLL_AUTO
    unsafe config.io =
      switch options.io {
      case .auto: TRANSPORT_IO_AUTO
      case .uring: TRANSPORT_IO_URING
      case .epoll: TRANSPORT_IO_EPOLL
      }
    unsafe config.limits = options.limits.transport
    unsafe config.frame_bytes_max = options.limits.messageBytes
    unsafe config.engine_dealer = engineDealer
    unsafe config.seed = options.seed
    unsafe config.io_threads = UInt32(options.ioThreads)
    unsafe config.checker = checker
    unsafe config.hold_ns = options.hold_ns
    unsafe config.hold_bytes_max = options.holdBytesMax
    unsafe config.names = tables.atoms
    unsafe config.messages = tables.messages

    // transport_open copies every string; they only have to live until it returns.
    var copies: [UnsafeMutablePointer<CChar>] = unsafe []
    defer { unsafe copies.forEach { unsafe $0.deallocate() } }
    func cString(_ text: String) -> UnsafePointer<CChar>? {
      guard !text.isEmpty else { return nil }
      let bytes = text.utf8CString
      let copy = UnsafeMutablePointer<CChar>.allocate(capacity: bytes.count)
      unsafe bytes.withUnsafeBufferPointer {
        unsafe copy.initialize(from: $0.baseAddress!, count: $0.count)
      }
      unsafe copies.append(copy)
      return unsafe UnsafePointer(copy)
    }
    unsafe config.url.0 = cString(options.clientURL)
    unsafe config.url.1 = cString(options.engineURL)
    unsafe config.url.2 = cString(options.monitorURL)
    unsafe config.url.3 = cString(options.notificationURL)
    unsafe config.url.4 = cString(options.registrationURL)
    unsafe config.url.5 = cString(options.logURL)
    unsafe config.identity.0 = cString(options.identity + "_in")
    unsafe config.identity.1 = cString(options.identity + "_out")
    unsafe config.curve_public_z85 = cString(options.curvePublicKey)
    unsafe config.curve_secret_z85 = cString(options.curveSecretKey)

    var error = transport_error()
    guard let opened = unsafe transport_open(&config, &error) else {
      let stage: TransportFailure.Stage =
        switch error.stage {
        case TRANSPORT_STAGE_ARGUMENT: .argument
        case TRANSPORT_STAGE_BIND: .bind
        default: .system
        }
      let text = unsafe withUnsafeBytes(of: error.text) { bytes in
        unsafe String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
      }
      throw TransportFailure(stage: stage, text: text)
    }
    unsafe handle = opened
  }

  /// Sends what is queued for at most this long, then closes. Nothing else may follow.
  mutating func close(linger_ns: UInt64) {
    precondition(isOpen, "closed twice")
    isOpen = false
    unsafe transport_close(handle, linger_ns)
  }

  deinit { if isOpen { unsafe transport_close(handle, 0) } }

  func pause(_ role: transport_role, _ paused: Bool) {
    unsafe transport_pause(handle, role, paused)
  }

  func endpoint(_ role: transport_role) -> String? {
    unsafe transport_endpoint(handle, role).map { unsafe String(cString: $0) }
  }

  var ioName: String { unsafe String(cString: transport_io_name(handle)) }
  var ioNote: String? { unsafe transport_io_note(handle).map { unsafe String(cString: $0) } }

  /// Tells what the transport has to say about its peers: of each kind a line a second, and ten at
  /// most, because peers can cause them as fast as they can connect.
  func relayNotices(to log: any NoticeReceiver, _ limit: inout DropCounter, now_ns: UInt64) {
    // On the stack: this is asked every turn, and nearly always there is nothing.
    unsafe withUnsafeTemporaryAllocation(of: CChar.self, capacity: 512) { text in
      while unsafe transport_next_notice(handle, text.baseAddress, text.count) {
        guard let untold = limit.drop(now_ns: now_ns), log.noticeLevel <= .warning else { continue }
        let line = unsafe String(cString: text.baseAddress!)
        log.notice(.warning, untold > 0 ? "\(line) (and \(untold) more)" : line)
      }
    }
  }

  /// Publishes lines on the log link, each as two frames: topic, text.
  func publish(_ lines: [LogLine], _ tables: borrowing Tables) {
    for line in lines {
      let message = tables.compose([line.topic, line.text])
      guard message != MESSAGE_NONE else { continue }
      var send = transport_send(TRANSPORT_LOG, to: ATOM_NONE, message)
      unsafe transport_send_all(handle, &send, 1)
      unsafe message_release(tables.messages, message)
    }
  }

  var departures: transport_departures {
    var departures = transport_departures()
    unsafe transport_read_departures(handle, &departures)
    return departures
  }

  var counters: transport_counters {
    var counters = transport_counters()
    unsafe transport_read_counters(handle, &counters)
    return counters
  }
}

/// A line for ipyparallel's log watcher.
public struct LogLine: Sendable {
  public var topic: String
  public var text: String
  public init(topic: String, text: String) {
    self.topic = topic
    self.text = text
  }
}

extension transport_send {
  /// `to` is a routing id on ROUTER roles, ATOM_NONE on the others; see transport.h.
  init(
    _ role: transport_role, to peer: atom, _ message: message_handle, firstFrame: Int = 0,
    prefix: (atom, atom, atom) = (0, 0, 0), prefixCount: UInt8 = 0, tag: UInt32 = 0
  ) {
    self.init(
      role: UInt8(truncatingIfNeeded: role.rawValue), prefix_count: prefixCount,
      first_frame: UInt16(truncatingIfNeeded: firstFrame), to: peer, prefix: prefix,
      message: message, tag: tag, padding: 0)
  }
}

/// A fixed inbox and a growing outbox of plain structs, shared with C.
@safe
struct SendBuffer: ~Copyable {
  private(set) var base: UnsafeMutablePointer<transport_send>
  private(set) var count = 0
  private var capacity = 1024

  init() { unsafe base = UnsafeMutablePointer<transport_send>.allocate(capacity: capacity) }
  deinit { unsafe base.deallocate() }

  mutating func removeAll() { count = 0 }

  mutating func removeFirst(_ gone: Int) {
    count -= gone
    unsafe base.update(from: base + gone, count: count)
  }

  @inline(__always)
  mutating func append(_ send: transport_send) {
    if count == capacity {
      let moved = UnsafeMutablePointer<transport_send>.allocate(capacity: capacity * 2)
      unsafe moved.update(from: base, count: count)
      unsafe base.deallocate()
      unsafe base = moved
      capacity *= 2
    }
    unsafe base[count] = send
    count += 1
  }
}

@safe
struct Inbox: ~Copyable {
  static let capacity = 1024
  let base: UnsafeMutablePointer<transport_event>
  var count = 0

  init() {
    unsafe base = UnsafeMutablePointer<transport_event>.allocate(capacity: Self.capacity)
  }
  deinit { unsafe base.deallocate() }

  /// Waits and gathers; the negative errno when the reactor itself failed.
  mutating func gather(_ transport: borrowing Transport, deadline_ns: UInt64) -> Int32 {
    let result = unsafe transport_turn(
      transport.handle, deadline_ns, base, UInt32(Self.capacity))
    count = Int(max(result, 0))
    return result
  }

  subscript(index: Int) -> transport_event {
    precondition(index < count, "index out of bounds")
    return unsafe base[index]
  }
}

// Station.swift: a transport with its tables, as the daemon would own them. Used by all tests here.
//
// Invariant: every message that a station was given is released when the station has closed;
// `close` checks that nothing is left over.

import CBase
import CTransport
import Glibc
import Testing

/// How long a test waits for what must come. Never reached when all is well.
let patienceNanoseconds: UInt64 = 20_000_000_000

struct Setup: Sendable, CustomTestStringConvertible {
  var io = TRANSPORT_IO_EPOLL
  var body = TRANSPORT_BODY_ZMQ
  /// I/O threads, and the records of the rings between them and the test's; 0: the default.
  var lanes: UInt32 = 0
  var ring: UInt32 = 0
  var url: @Sendable () -> String = { "tcp://127.0.0.1:*" }
  var keys: KeyPair?
  var label = "tcp"

  var testDescription: String {
    let carrier = body == TRANSPORT_BODY_NATIVE ? "native" : "zmq"
    let reactor = io == TRANSPORT_IO_URING ? "uring" : "epoll"
    let threads = lanes == 0 ? "" : " \(lanes) lanes\(ring == 0 ? "" : " ring \(ring)")"
    return "\(carrier)\(threads) \(reactor) \(label) \(keys == nil ? "NULL" : "CURVE")"
  }
}

struct OpenError: Error {
  let stage: transport_stage
  let text: String
}

/// What came in, copied out.
struct Received {
  let kind: transport_event_kind
  let role: transport_role
  let peer: [UInt8]
  let peerAtom: atom
  let tag: UInt32
  let message: message_handle
  let frames: Frames
  /// Where the checker's words about it are, until the next turn.
  let checked: UnsafeRawPointer?
}

final class Station {
  let names: OpaquePointer
  let messages: OpaquePointer
  private(set) var transport: OpaquePointer!
  /// Handles that this station still owns.
  private var held: [message_handle] = []
  private var interned: [atom] = []

  init(
    _ setup: Setup = Setup(), urls: [Int: String]? = nil, identities: [Int: String] = [:],
    holdNanoseconds: UInt64 = 10_000_000_000, holdBytes: UInt64 = 1 << 26, dealer: Bool = false,
    body: transport_body? = nil, frameBytesMax: UInt64 = 0,
    limits: transport_limits = transport_limits(),
    busyPoll: UInt64 = TRANSPORT_BUSY_POLL_AUTO,
    checker: transport_checker = transport_checker()
  ) throws {
    names = atoms_create(7)
    messages = message_table_create(names)
    var config = transport_config()
    config.body = body ?? setup.body
    config.io = setup.io
    config.io_threads = config.body == TRANSPORT_BODY_NATIVE ? setup.lanes : 0
    config.checker = checker
    config.io_ring_size = setup.ring
    config.hold_ns = holdNanoseconds
    config.hold_bytes_max = holdBytes
    config.engine_dealer = dealer
    config.busy_poll_ns = busyPoll
    config.frame_bytes_max = frameBytesMax
    config.limits = limits
    config.names = names
    config.messages = messages
    var copies: [UnsafeMutablePointer<CChar>] = []
    defer { copies.forEach { free($0) } }
    func copy(_ text: String?) -> UnsafePointer<CChar>? {
      guard let text else { return nil }
      copies.append(strdup(text))
      return UnsafePointer(copies.last!)
    }
    let both = urls ?? [client: setup.url(), engine: setup.url()]
    withUnsafeMutableBytes(of: &config.url) { raw in
      let slots = raw.bindMemory(to: UnsafePointer<CChar>?.self)
      for (role, url) in both { slots[role] = copy(url) }
    }
    withUnsafeMutableBytes(of: &config.identity) { raw in
      let slots = raw.bindMemory(to: UnsafePointer<CChar>?.self)
      for (role, identity) in identities { slots[role] = copy(identity) }
    }
    config.curve_public_z85 = copy(setup.keys?.publicKey)
    config.curve_secret_z85 = copy(setup.keys?.secretKey)
    var error = transport_error()
    transport = transport_open(&config, &error)
    guard transport != nil else {
      #expect(message_table_count(messages) == 0)
      #expect(atoms_count(names) == 0)
      message_table_destroy(messages)
      atoms_destroy(names)
      throw OpenError(stage: error.stage, text: Self.text(of: error))
    }
    #expect(
      transport_io_name(transport).map { String(cString: $0) }
        == (setup.io == TRANSPORT_IO_EPOLL
          ? "epoll" : setup.io == TRANSPORT_IO_URING ? "uring" : ioName))
  }

  private static func text(of error: transport_error) -> String {
    withUnsafeBytes(of: error.text) { raw in
      String(decoding: raw.prefix { $0 != 0 }, as: UTF8.self)
    }
  }

  var ioName: String { String(cString: transport_io_name(transport)) }
  var ioNote: String? { transport_io_note(transport).map { String(cString: $0) } }
  var counters: transport_counters {
    var out = transport_counters()
    transport_read_counters(transport, &out)
    return out
  }

  func endpoint(_ role: Int) -> String {
    String(cString: transport_endpoint(transport, transport_role(UInt32(role))))
  }

  /// One turn. `capacity` bounds the events.
  func turn(within nanoseconds: UInt64, capacity: Int = 64) -> [Received] {
    let deadline = nanoseconds == 0 ? 0 : transport_now_ns() + nanoseconds
    var events = [transport_event](repeating: transport_event(), count: capacity)
    let count = transport_turn(transport, deadline, &events, UInt32(capacity))
    #expect(count >= 0, "transport_turn: \(count)")
    return events.prefix(max(0, Int(count))).map(copyOut)
  }

  private func copyOut(_ event: transport_event) -> Received {
    let kind = transport_event_kind(UInt32(event.kind))
    if kind == TRANSPORT_MESSAGE { held.append(event.message) }
    let frames = (0..<Int(event.frame_count)).map { index -> [UInt8] in
      let frame = event.frames![index]
      return Array(UnsafeBufferPointer(start: frame.data, count: Int(frame.size)))
    }
    if kind == TRANSPORT_MESSAGE {
      #expect(event.bytes == UInt64(frames.reduce(0) { $0 + $1.count }))
    }
    return Received(
      kind: kind, role: transport_role(UInt32(event.role)), peer: text(event.peer),
      peerAtom: event.peer, tag: event.tag, message: event.message, frames: frames,
      checked: event.checked)
  }

  /// Turns until `count` events have come, all of them.
  func gather(_ count: Int, capacity: Int = 64) -> [Received] {
    let end = transport_now_ns() + patienceNanoseconds
    var all: [Received] = []
    while all.count < count && transport_now_ns() < end {
      all += turn(within: 1_000_000_000, capacity: min(capacity, count - all.count))
    }
    #expect(all.count == count, "\(all.count) events instead of \(count)")
    return all
  }

  func next() throws -> Received { try #require(gather(1).first) }

  func name(_ text: String) -> atom { name(bytes(text)) }
  func name(_ raw: [UInt8]) -> atom {
    let atom = atoms_intern(names, raw, raw.count)
    interned.append(atom)
    return atom
  }

  func text(_ atom: atom) -> [UInt8] {
    guard atom != 0 else { return [] }
    var size = 0
    let start = atoms_bytes(names, atom, &size)
    return Array(UnsafeBufferPointer(start: start, count: size))
  }

  func compose(_ frames: Frames) -> message_handle {
    var storage: [UInt8] = Array(frames.joined()) + [0]
    let handle = storage.withUnsafeMutableBufferPointer { buffer -> message_handle in
      var offset = 0
      let parts = frames.map { frame -> message_frame in
        defer { offset += frame.count }
        return message_frame(data: buffer.baseAddress! + offset, size: UInt64(frame.count))
      }
      return message_compose(messages, parts, UInt16(parts.count))
    }
    held.append(handle)
    return handle
  }

  func send(
    _ role: transport_role, to: atom = 0, prefix: [atom] = [], _ message: message_handle,
    from firstFrame: Int = 0, tag: UInt32 = 0
  ) {
    var send = transport_send()
    send.role = UInt8(role.rawValue)
    send.to = to
    send.prefix_count = UInt8(prefix.count)
    send.prefix.0 = prefix.count > 0 ? prefix[0] : 0
    send.prefix.1 = prefix.count > 1 ? prefix[1] : 0
    send.prefix.2 = prefix.count > 2 ? prefix[2] : 0
    send.message = message
    send.first_frame = UInt16(firstFrame)
    send.tag = tag
    transport_send_all(transport, &send, 1)
  }

  func releaseMessages() {
    held.forEach { message_release(messages, $0) }
    held = []
  }

  /// Closes and checks that nothing is left of what the transport took.
  func close(lingerNanoseconds: UInt64 = 0, releaseFirst: Bool = true) {
    if releaseFirst { releaseMessages() }
    transport_close(transport, lingerNanoseconds)
    transport = nil
    releaseMessages()
    interned.forEach { atoms_release(names, $0) }
    #expect(message_table_count(messages) == 0)
    #expect(atoms_count(names) == 0)
    message_table_destroy(messages)
    atoms_destroy(names)
  }
}

let client = Int(TRANSPORT_CLIENT.rawValue)
let engine = Int(TRANSPORT_ENGINE.rawValue)
let monitor = Int(TRANSPORT_MONITOR.rawValue)
let notification = Int(TRANSPORT_NOTIFICATION.rawValue)
let registration = Int(TRANSPORT_REGISTRATION.rawValue)
let log = Int(TRANSPORT_LOG.rawValue)

/// The reactors that this machine lets us have, each of which every test runs on.
let reactors: [transport_io] = {
  guard let probe = try? Station(Setup(io: TRANSPORT_IO_URING)) else { return [TRANSPORT_IO_EPOLL] }
  probe.close()
  return [TRANSPORT_IO_URING, TRANSPORT_IO_EPOLL]
}()
let bodies = [TRANSPORT_BODY_ZMQ, TRANSPORT_BODY_NATIVE]
let eachReactor: [Setup] =
  bodies.flatMap { body in reactors.map { Setup(io: $0, body: body) } } + eachLane
/// I/O lanes: each reactor, each number of lanes, and rings that are full now and then. (Smaller
/// ones are for tests that turn all the time: a full ring takes more than one turn.
/// LaneFloodTests.)
let eachLane: [Setup] =
  reactors.map { Setup(io: $0, body: TRANSPORT_BODY_NATIVE, lanes: 2) } + [
    Setup(io: reactors[0], body: TRANSPORT_BODY_NATIVE, lanes: 1),
    Setup(io: reactors.last!, body: TRANSPORT_BODY_NATIVE, lanes: 3, ring: 64),
  ]

let hasIPv6: Bool = {
  let fd = socket(AF_INET6, Int32(SOCK_STREAM.rawValue), 0)
  guard fd >= 0 else { return false }
  defer { Glibc.close(fd) }
  var address = sockaddr_in6()
  address.sin6_family = sa_family_t(AF_INET6)
  address.sin6_addr = in6addr_loopback
  return withUnsafePointer(to: &address) { pointer in
    pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
      bind(fd, $0, socklen_t(MemoryLayout<sockaddr_in6>.size)) == 0
    }
  }
}()

/// A path for a unix socket or a file, new each time, in a folder that this process made.
let scratchFolder: String = {
  var template = Array("/tmp/transport-tests-XXXXXX".utf8CString)
  return mkdtemp(&template).map { String(cString: $0) }!
}()
nonisolated(unsafe) private var scratchCount = 0
func scratchPath() -> String {
  scratchCount += 1
  return "\(scratchFolder)/\(scratchCount)"
}

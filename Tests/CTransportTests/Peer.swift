// Peer.swift: raw libzmq sockets: the other ends of the links. Used by all tests here.

import CZeroMQ
import Glibc

typealias Frames = [[UInt8]]

func bytes(_ text: String) -> [UInt8] { Array(text.utf8) }

/// A CURVE pair in Z85, 40 characters each.
struct KeyPair: Sendable {
  let publicKey: String
  let secretKey: String

  static func make() -> KeyPair {
    var publicKey = [CChar](repeating: 0, count: 41)
    var secretKey = publicKey
    precondition(zmq_curve_keypair(&publicKey, &secretKey) == 0)
    return KeyPair(publicKey: Self.text(publicKey), secretKey: Self.text(secretKey))
  }

  private static func text(_ characters: [CChar]) -> String {
    String(decoding: characters.prefix(40).map(UInt8.init(bitPattern:)), as: UTF8.self)
  }
}

/// One socket with a context of its own. Used from one thread.
final class Peer {
  private let context: UnsafeMutableRawPointer
  let socket: UnsafeMutableRawPointer
  private(set) var endpoint = ""

  init(_ type: Int32, identity: String? = nil) {
    context = zmq_ctx_new()
    socket = zmq_socket(context, type)
    for option in [ZMQ_SNDHWM, ZMQ_RCVHWM, ZMQ_LINGER] { set(option, 0) }
    set(ZMQ_RECONNECT_IVL, 10)
    if let identity { set(ZMQ_ROUTING_ID, identity) }
    if type == ZMQ_SUB { set(ZMQ_SUBSCRIBE, "") }
  }

  deinit { close() }

  private var open = true
  func close() {
    guard open else { return }
    open = false
    zmq_close(socket)
    zmq_ctx_term(context)
  }

  func set(_ option: Int32, _ value: Int32) {
    var value = value
    precondition(zmq_setsockopt(socket, option, &value, MemoryLayout<Int32>.size) == 0)
  }

  func set(_ option: Int32, _ value: String) {
    precondition(zmq_setsockopt(socket, option, value, value.utf8.count) == 0)
  }

  /// The hub's side: binds, as a CURVE server if there are keys.
  func bind(_ url: String, keys: KeyPair? = nil) -> String {
    if url.contains("[") { set(ZMQ_IPV6, 1) }
    if let keys {
      set(ZMQ_CURVE_SERVER, 1)
      set(ZMQ_CURVE_SECRETKEY, keys.secretKey)
    }
    precondition(zmq_bind(socket, url) == 0, "\(url): \(String(cString: zmq_strerror(errno)))")
    var text = [CChar](repeating: 0, count: 256)
    var size = text.count
    precondition(zmq_getsockopt(socket, ZMQ_LAST_ENDPOINT, &text, &size) == 0)
    endpoint = String(decoding: text.prefix(size - 1).map(UInt8.init(bitPattern:)), as: UTF8.self)
    return endpoint
  }

  /// A client's or an engine's side.
  func connect(_ url: String, keys: KeyPair? = nil) {
    if url.contains("[") { set(ZMQ_IPV6, 1) }
    if let keys {
      set(ZMQ_CURVE_SERVERKEY, keys.publicKey)
      set(ZMQ_CURVE_PUBLICKEY, keys.publicKey)
      set(ZMQ_CURVE_SECRETKEY, keys.secretKey)
    }
    precondition(zmq_connect(socket, url) == 0, "\(url): \(String(cString: zmq_strerror(errno)))")
  }

  func send(_ frames: Frames) {
    for (index, frame) in frames.enumerated() {
      let more = index + 1 < frames.count ? ZMQ_SNDMORE : 0
      precondition(zmq_send(socket, frame, frame.count, more) >= 0)
    }
  }

  /// The next message, or nil when none came within `milliseconds`.
  func receive(milliseconds: Int32 = 10_000) -> Frames? {
    set(ZMQ_RCVTIMEO, milliseconds)
    var frames: Frames = []
    var part = zmq_msg_t()
    zmq_msg_init(&part)
    defer { zmq_msg_close(&part) }
    repeat {
      guard zmq_msg_recv(&part, socket, 0) >= 0 else { return nil }
      frames.append(
        Array(UnsafeRawBufferPointer(start: zmq_msg_data(&part), count: zmq_msg_size(&part))))
    } while zmq_msg_more(&part) != 0
    return frames
  }
}

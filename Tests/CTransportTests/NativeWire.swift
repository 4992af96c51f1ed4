// NativeWire.swift: ZMTP bytes made by hand, and a raw socket to send them through. Used by the
// native transport's tests.

import CTransport
import CTransportSupport
import Foundation
import Glibc
import Testing

enum Wire {
  static func greeting(mechanism: String = "NULL", major: UInt8 = 3, minor: UInt8 = 1) -> [UInt8] {
    var out: [UInt8] = [0xff, 0, 0, 0, 0, 0, 0, 0, 1, 0x7f, major, minor]
    out += bytes(mechanism) + [UInt8](repeating: 0, count: 20 - mechanism.utf8.count)
    return out + [UInt8](repeating: 0, count: 32)
  }

  static func frame(_ body: [UInt8], more: Bool = false, command: Bool = false, long: Bool = false)
    -> [UInt8]
  {
    let flags: UInt8 = (more ? 1 : 0) | (command ? 4 : 0)
    if body.count <= 255 && !long { return [flags, UInt8(body.count)] + body }
    return [flags | 2] + size(UInt64(body.count)) + body
  }

  static func size(_ value: UInt64) -> [UInt8] {
    (0..<8).map { UInt8(truncatingIfNeeded: value >> (56 - 8 * UInt64($0))) }
  }

  static func property(_ name: String, _ value: [UInt8]) -> [UInt8] {
    let count = UInt32(value.count)
    let size = (0..<4).map { UInt8(truncatingIfNeeded: count >> (24 - 8 * UInt32($0))) }
    return [UInt8(name.utf8.count)] + bytes(name) + size + value
  }

  static func command(_ name: String, _ data: [UInt8] = []) -> [UInt8] {
    frame([UInt8(name.utf8.count)] + bytes(name) + data, command: true)
  }

  static func ready(_ type: String = "DEALER", identity: String? = nil) -> [UInt8] {
    command(
      "READY",
      property("Socket-Type", bytes(type))
        + (identity.map { property("Identity", bytes($0)) } ?? []))
  }

  static func message(_ frames: Frames, long: Bool = false) -> [UInt8] {
    frames.enumerated().flatMap { index, body in
      frame(body, more: index + 1 < frames.count, long: long)
    }
  }

  static func handshake(_ type: String = "DEALER", identity: String? = nil) -> [UInt8] {
    greeting() + ready(type, identity: identity)
  }
}

/// A blocking TCP socket to one of a station's endpoints.
final class RawPeer {
  private(set) var fd: Int32

  init(_ endpoint: String, receiveBuffer: Int32? = nil) {
    fd = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    if var receiveBuffer {
      setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &receiveBuffer, socklen_t(MemoryLayout<Int32>.size))
    }
    var patience = timeval(tv_sec: 10, tv_usec: 0)
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, socklen_t(MemoryLayout<timeval>.size))
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = in_port_t(UInt16(endpoint.split(separator: ":").last!)!).bigEndian
    address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
    let rc = withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        connect(fd, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
      }
    }
    precondition(rc == 0, "connect: \(errno)")
  }

  init(fd: Int32) { self.fd = fd }

  deinit { close() }
  func close() {
    if fd >= 0 { Glibc.close(fd) }
    fd = -1
  }

  func send(_ data: [UInt8]) {
    var sent = 0
    while sent < data.count {
      let count = data.withUnsafeBytes {
        Glibc.send(fd, $0.baseAddress! + sent, data.count - sent, Int32(MSG_NOSIGNAL))
      }
      if count <= 0 { return }
      sent += count
    }
  }

  /// What the kernel takes now: the rest of `data` stays in it.
  func sendSome(_ data: inout ArraySlice<UInt8>) {
    let count = data.withUnsafeBytes {
      Glibc.send(fd, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL | MSG_DONTWAIT))
    }
    if count > 0 { data.removeFirst(count) }
  }

  /// Exactly `count` bytes; fewer when the other side closed.
  func read(_ count: Int) -> [UInt8] {
    var out: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: min(count, 65_536))
    while out.count < count {
      let size = recv(fd, &chunk, min(chunk.count, count - out.count), 0)
      if size <= 0 { break }
      out += chunk.prefix(size)
    }
    return out
  }

  /// Whether the other side has closed (what it sent before is read and thrown away).
  func isClosed(_ station: Station) -> Bool {
    pump(station) { () -> Bool? in
      var chunk = [UInt8](repeating: 0, count: 4096)
      let size = recv(fd, &chunk, chunk.count, Int32(MSG_DONTWAIT))
      if size == 0 || (size < 0 && errno != EAGAIN) { return true }
      usleep(1_000)
      return nil
    } ?? false
  }
}

/// The hub's side of a link, by hand.
final class RawListener {
  let fd: Int32
  let endpoint: String

  init() {
    fd = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
    var size = socklen_t(MemoryLayout<sockaddr_in>.size)
    let fd = fd
    let rc = withUnsafeMutablePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        bind(fd, $0, size) + listen(fd, 16) + getsockname(fd, $0, &size)
      }
    }
    precondition(rc == 0, "listen: \(errno)")
    endpoint = "tcp://127.0.0.1:\(UInt16(bigEndian: address.sin_port))"
  }

  deinit { Glibc.close(fd) }

  func accept() -> RawPeer {
    let peer = Glibc.accept(fd, nil, nil)
    precondition(peer >= 0, "accept: \(errno)")
    return RawPeer(fd: peer)
  }
}

extension Station {
  /// Everything the transport has to say.
  func notices() -> [String] {
    var all: [String] = []
    var text = [CChar](repeating: 0, count: 512)
    while transport_next_notice(transport, &text, text.count) {
      all.append(
        String(decoding: text.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self))
    }
    return all
  }
}

/// Whether the station says `words` for `count` events, in however many lines. A line that was held
/// back is told within a second, or counted in the next one.
func noticed(_ station: Station, _ count: Int, _ words: String) -> Bool {
  var lines: [String] = []
  let said = pump(station) { () -> Bool? in
    lines += station.notices().filter { $0.contains(words) }
    let more = lines.compactMap { line -> Int? in
      guard let at = line.range(of: " (and ") else { return nil }
      return Int(line[at.upperBound...].prefix { $0.isNumber })
    }
    return lines.count + more.reduce(0, +) >= count ? true : nil
  }
  return said == true
}

let eachNative = eachReactor.filter { $0.body == TRANSPORT_BODY_NATIVE }
/// Without lanes: a lane says afterwards what it has counted, counts for itself, and hands over
/// when it gets to it, which tests that read between two turns do not wait for. See LaneTests.
let eachAlone = eachNative.filter { $0.lanes == 0 }

// NativeProtocolTests.swift: the native transport's protocol without sockets: every split of the
// byte stream, and everything that is refused, with its reason. Clauses: RFC 23 and 37.

import CTransport
import CTransportSupport
import Foundation
import TestSupport
import Testing

private struct Outcome: Equatable {
  var log: String
  var reason: String?
  var output: [UInt8]
}

private func outcome(
  _ pieces: [ArraySlice<UInt8>], socket: Int32 = 1, frameBytesMax: UInt64 = 1 << 31
) -> Outcome {
  let protocol_ = support_protocol_create(socket, frameBytesMax)!
  defer { support_protocol_destroy(protocol_) }
  var reason: String?
  for piece in pieces where reason == nil {
    reason = piece.withUnsafeBufferPointer {
      support_protocol_feed(protocol_, $0.baseAddress, $0.count).map { String(cString: $0) }
    }
  }
  var size = 0
  let output = support_protocol_output(protocol_, &size)
  return Outcome(
    log: String(cString: support_protocol_log(protocol_)), reason: reason,
    output: Array(UnsafeBufferPointer(start: output, count: size)))
}

private func outcome(_ stream: [UInt8], socket: Int32 = 1, frameBytesMax: UInt64 = 1 << 31)
  -> Outcome
{
  outcome([stream[...]], socket: socket, frameBytesMax: frameBytesMax)
}

private let router: Int32 = 1
private let dealer: Int32 = 2
private let pub: Int32 = 3
private let sub: Int32 = 4

/// Messages on both sides of every limit of the decoder, commands between and within them.
private let rich: [UInt8] = {
  var out = Wire.handshake(identity: "engine")
  out += Wire.message([bytes("one")])
  out += Wire.command("PING", [0, 10] + bytes("context"))
  out += Wire.message([bytes("<IDS|MSG>"), [], [UInt8](repeating: 1, count: 255)])
  out +=
    Wire.frame(bytes("first"), more: true) + Wire.command("PING", [0, 0])
    + Wire.frame(bytes("last"))
  out += Wire.message([bytes("a"), [UInt8](repeating: 2, count: 256)], long: true)
  out += Wire.command("PONG") + Wire.command("UNKNOWN", bytes("data"))
  out += Wire.message(Array(repeating: bytes("f"), count: 70))
  return out
}()

extension TransportTests {
  @Suite struct NativeProtocol {
    @Test func `a handshake and messages in one piece`() {
      let all = outcome(rich)
      #expect(all.reason == nil)
      let lines = all.log.split(separator: "\n").map(String.init)
      #expect(lines.first == "ready engine")
      #expect(lines.filter { $0.hasPrefix("message") }.count == 5)
      #expect(lines.filter { $0 == "command PONG 12" }.count == 1)
      #expect(lines.filter { $0 == "command PONG 5" }.count == 1)
      #expect(all.output.prefix(64).elementsEqual(Wire.greeting()))
      #expect(
        Array(all.output.dropFirst(64))
          == Wire.command(
            "READY", Wire.property("Socket-Type", bytes("ROUTER")) + Wire.property("Identity", [])))
    }

    @Test func `every split of the byte stream in two`() {
      let whole = outcome(rich)
      for cut in 0...rich.count {
        let split = outcome([rich[..<cut], rich[cut...]])
        #expect(split == whole, "cut at \(cut)")
      }
    }

    @Test func `byte by byte`() {
      #expect(outcome(rich.indices.map { rich[$0...$0] }) == outcome(rich))
    }

    @Test func `random splits, with large frames`() {
      let seed = SeededGenerator.announcedSeed("NativeProtocol")
      var random = SeededGenerator(seed: seed)
      var stream = rich
      for size in [65_535, 65_536, 65_537, 1_048_575, 1_048_576, 1_200_000, 6_000_000] {
        let body = (0..<size).map { UInt8(truncatingIfNeeded: $0 &* 7 &+ size) }
        stream += Wire.message([bytes("head"), body, [], body.prefix(100).map { $0 }])
      }
      let whole = outcome(stream)
      #expect(whole.reason == nil)
      for round in 0..<8 {
        var pieces: [ArraySlice<UInt8>] = []
        var at = 0
        while at < stream.count {
          let step = [1, 100, 4_096, 65_536, 131_072, 1_000_000].randomElement(using: &random)!
          let end = min(stream.count, at + Int.random(in: 1...step, using: &random))
          pieces.append(stream[at..<end])
          at = end
          if pieces.count > 20_000 {
            pieces.append(stream[at...])
            at = stream.count
          }
        }
        #expect(outcome(pieces) == whole, "seed \(seed), round \(round)")
      }
    }

    @Test(arguments: [
      ("GET / HTTP/1.1\r\n\r\n", "HTTP"), ("POST /api HTTP/1.1\r\n", "HTTP"),
      ("\u{16}\u{3}\u{1}", "TLS"), ("hello", "does not speak ZMTP"), ("\n", "does not speak"),
    ]) func `other protocols are named`(_ text: String, _ words: String) {
      #expect(outcome(bytes(text)).reason?.contains(words) == true)
      #expect(outcome([bytes(text)[..<1], bytes(text)[1...]]).reason != nil)
    }

    @Test func `older ZMTP is refused at its version byte`() {
      #expect(outcome([0xff, 0, 0, 0, 0, 0, 0, 0, 1, 0x7e]).reason?.contains("ZMTP 1") == true)
      let second: [UInt8] = [0xff, 0, 0, 0, 0, 0, 0, 0, 1, 0x7f]
      #expect(outcome(second).reason == nil)
      for major in [0, 1, 2] as [UInt8] {
        #expect(outcome(second + [major]).reason?.contains("ZMTP 2") == true)
      }
      #expect(outcome(Wire.greeting(minor: 0) + Wire.ready()).reason == nil)
      #expect(outcome(Wire.greeting(minor: 9) + Wire.ready()).reason == nil)
      #expect(outcome(Wire.greeting(major: 4) + Wire.ready()).reason == nil)
    }

    @Test(arguments: ["CURVE", "PLAIN", "NULLX", "null", ""])
    func `the mechanism must match exactly`(_ mechanism: String) {
      #expect(outcome(Wire.greeting(mechanism: mechanism)).reason?.contains("mechanism") == true)
    }

    /// RFC 37: the valid combinations, and no other.
    @Test(arguments: [
      (router, ["REQ", "DEALER", "ROUTER"]), (dealer, ["REP", "DEALER", "ROUTER"]),
      (pub, ["SUB", "XSUB"]), (sub, ["PUB", "XPUB"]),
    ]) func `socket types`(_ ours: Int32, _ allowed: [String]) {
      let all = [
        "REQ", "REP", "DEALER", "ROUTER", "PUB", "SUB", "XPUB", "XSUB", "PUSH", "PULL", "PAIR",
        "dealer", "", "DEALERS",
      ]
      for type in all {
        let reason = outcome(Wire.handshake(type), socket: ours).reason
        #expect((reason == nil) == allowed.contains(type), "\(ours) \(type)")
        if let reason { #expect(reason.contains("wrong type")) }
      }
    }

    @Test func `a handshake that is not one`() {
      let cases: [([UInt8], String)] = [
        (Wire.command("READY"), "socket type"),
        (Wire.command("READY", Wire.property("Identity", bytes("x"))), "socket type"),
        (Wire.command("READY", [5]), "cut short"),
        (
          Wire.command("READY", Wire.property("Socket-Type", bytes("DEALER")).dropLast()),
          "cut short"
        ),
        (Wire.command("READY", [0]), "cut short"),
        (Wire.command("HELLO"), "another command"), (Wire.command("ERROR", [0]), "ERROR"),
        (Wire.frame([], command: true), "without a name"),
        (Wire.frame([9, 82], command: true), "without a name"),
        (Wire.message([bytes("x")]), "before its handshake"),
        (Wire.frame([UInt8](repeating: 65, count: 3_000), command: true), "larger than allowed"),
        ([0x80, 0], "reserved flags"), ([5, 0], "MORE flag"),
        ([6] + Wire.size(1 << 63), "2^63"), ([6] + Wire.size(UInt64.max >> 1), "64 KiB"),
        (
          Wire.command(
            "READY",
            Wire.property("Socket-Type", bytes("DEALER"))
              + Wire.property("Identity", [UInt8](repeating: 65, count: 256))), "255 bytes"
        ),
        (
          Wire.command(
            "READY",
            Wire.property("Socket-Type", bytes("DEALER")) + Wire.property("Identity", [0, 1])),
          "reserved"
        ),
      ]
      for (data, words) in cases {
        let reason = outcome(Wire.greeting() + data).reason
        #expect(reason?.contains(words) == true, "\(reason ?? "accepted"), expected \(words)")
      }
    }

    @Test func `what is wrong after the handshake`() {
      let cases: [([UInt8], String)] = [
        ([8, 0], "reserved flags"), ([2] + Wire.size(1 << 63), "2^63"),
        ([0, 101] + [UInt8](repeating: 0, count: 101), "larger than allowed"),
        ([2] + Wire.size(1 << 40), "larger than allowed"),
        (Wire.command("PING"), "PING"),
        (Wire.command("PING", [UInt8](repeating: 0, count: 19)), "PING"),
        (Wire.command("ERROR", [2, 110, 111]), "ERROR"),
        (Wire.frame([], command: true), "without a name"),
      ]
      for (data, words) in cases {
        for cut in [0, 1, 2] {
          let stream = Wire.handshake() + data
          let middle = stream.count - data.count + cut
          let reason = outcome(
            [stream[..<middle], stream[middle...]], frameBytesMax: 100
          ).reason
          #expect(reason?.contains(words) == true, "\(reason ?? "accepted"), expected \(words)")
        }
      }
    }

    @Test func `a message has a size and a number of frames`() {
      let most = 100_000
      func fed(_ frames: Frames, splitAt cut: Int) -> (String?, UInt32, String) {
        let peer = support_protocol_create(router, UInt64(Int64.max))!
        defer { support_protocol_destroy(peer) }
        support_protocol_limit(peer, UInt64(most), 64)
        let stream = Wire.handshake() + Wire.message(frames)
        for piece in [stream[..<cut], stream[cut...]] {
          let reason = piece.withUnsafeBufferPointer {
            support_protocol_feed(peer, $0.baseAddress, $0.count).map { String(cString: $0) }
          }
          if let reason { return (reason, support_protocol_dropped(peer), "") }
        }
        return (nil, support_protocol_dropped(peer), String(cString: support_protocol_log(peer)))
      }
      let half = [UInt8](repeating: 1, count: most / 2 - 10)
      let start = Wire.handshake().count
      // In one piece, and gathered frame by frame.
      for cut in [start, start + 1] {
        #expect(fed([half, half], splitAt: cut).2.contains("message 2:"))
        #expect(fed([half, half, half], splitAt: cut).0?.contains("message larger") == true)
        #expect(fed([half + half + half], splitAt: cut).0?.contains("message larger") == true)
        let few = Array(repeating: bytes("f"), count: 64)
        #expect(fed(few, splitAt: cut).2.contains("message 64:"))
        let many = fed(few + [bytes("g")], splitAt: cut)
        #expect(many.0 == nil && many.1 == 1 && !many.2.contains("message"))
      }
      // Each message has its own.
      let peer = support_protocol_create(router, UInt64(Int64.max))!
      defer { support_protocol_destroy(peer) }
      support_protocol_limit(peer, UInt64(most), 64)
      for byte in [Wire.handshake()] + Array(repeating: Wire.message([half, half]), count: 5) {
        for piece in [byte[..<5], byte[5...]] {
          #expect(
            piece.withUnsafeBufferPointer {
              support_protocol_feed(peer, $0.baseAddress, $0.count)
            } == nil)
        }
      }
    }

    @Test func `a PING's time to live is a promise`() {
      for (ttl, tenths) in [([0, 0], 0), ([0, 7], 7), ([1, 2], 258)] as [([UInt8], UInt32)] {
        let peer = support_protocol_create(router, 1_000)!
        defer { support_protocol_destroy(peer) }
        let stream = Wire.handshake() + Wire.command("PING", ttl)
        #expect(
          stream.withUnsafeBufferPointer { support_protocol_feed(peer, $0.baseAddress, $0.count) }
            == nil)
        #expect(support_protocol_promised(peer) == tenths)
      }
    }

    @Test func `who is refused for good is told why`() {
      let cases: [([UInt8], String)] = [
        (Wire.ready("PUSH"), "wrong type"), (Wire.command("READY"), "socket type"),
        (Wire.ready(identity: "\u{0}x"), "zero byte"),
      ]
      for (ready, words) in cases {
        let refused = outcome(Wire.greeting() + ready)
        #expect(refused.reason?.contains(words) == true)
        let reason = bytes("it \(refused.reason ?? "")")
        let error = Wire.command("ERROR", [UInt8(reason.count)] + reason)
        #expect(refused.output.suffix(error.count).elementsEqual(error))
      }
      // What is no refusal of READY is answered by closing alone.
      let cut = outcome(Wire.greeting() + Wire.command("READY", [5]))
      #expect(cut.reason != nil && cut.output.count > 64)
      let strange = outcome(Wire.greeting() + Wire.command("HELLO"))
      #expect(strange.output == outcome(Wire.greeting()).output)
    }

    @Test func `an announced size costs no memory`() {
      // 1 TiB announced, 10 bytes sent, 10,000 times: were it reserved, this would not end well.
      let stream = Wire.handshake() + [2] + Wire.size(1 << 40) + [UInt8](repeating: 1, count: 10)
      let peers = (0..<1_000).map { _ in support_protocol_create(router, UInt64(Int64.max))! }
      defer { peers.forEach { support_protocol_destroy($0) } }
      for peer in peers {
        #expect(
          stream.withUnsafeBufferPointer { support_protocol_feed(peer, $0.baseAddress, $0.count) }
            == nil)
      }
    }

    @Test func `subscriptions in both forms`() {
      let three =
        Wire.handshake("SUB") + Wire.command("SUBSCRIBE") + Wire.command("SUBSCRIBE", bytes("in"))
        + Wire.command("CANCEL", bytes("in"))
      #expect(outcome(three, socket: pub).log.contains("subscribe \nsubscribe in\ncancel in\n"))
      let old = outcome(
        Wire.handshake("SUB") + Wire.message([[1]]) + Wire.message([[0, 65]]), socket: pub)
      #expect(old.log.split(separator: "\n").filter { $0.hasPrefix("message 1:") }.count == 2)
    }
  }
}

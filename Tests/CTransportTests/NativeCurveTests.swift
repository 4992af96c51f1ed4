// NativeCurveTests.swift: the mechanism CURVE without connections: clauses of RFC 26 (CurveZMQ) and
// 32 (Z85), everything that is refused, and its reason.

import CTransport
import CTransportSupport
import CZeroMQ
import Foundation
import TestSupport
import Testing

private let names = ["HELLO", "WELCOME", "INITIATE", "READY"]
private let metadata = CurveSide.metadata.count

extension TransportTests {
  @Suite struct NativeCurve {
    // MARK: Z85

    @Test func `Z85 of RFC 32's own example`() {
      var out = [UInt8](repeating: 0, count: 8)
      #expect(support_z85_decode("HelloWorld", 10, &out))
      #expect(out == [0x86, 0x4f, 0xd2, 0x6f, 0xb5, 0x59, 0xf7, 0x5b])
    }

    @Test func `Z85 reads what libzmq writes`() {
      var random = SeededGenerator(seed: 32)
      for round in 0..<200 {
        let data = (0..<32).map { _ in
          round == 0 ? 0 : round == 1 ? 255 : UInt8.random(in: 0...255, using: &random)
        }
        var text = [CChar](repeating: 0, count: 41)
        #expect(zmq_z85_encode(&text, data, 32) != nil)
        var out = [UInt8](repeating: 0, count: 32)
        #expect(support_z85_decode(text, 40, &out) && out == data)
      }
    }

    @Test(arguments: [
      "1234", "123456", "1234 ", "1234~", "1234\"", "1234\u{7f}", "#####", "%nSc1", "1234\0",
    ]) func `Z85 that is none`(_ text: String) {
      var out = [UInt8](repeating: 0, count: 8)
      #expect(!support_z85_decode(text, text.utf8.count, &out))
    }

    @Test func `Z85's largest value`() {
      var out = [UInt8](repeating: 0, count: 4)
      #expect(support_z85_decode("%nSc0", 5, &out) && out == [255, 255, 255, 255])
    }

    // MARK: the handshake

    @Test func `commands have RFC 26's sizes and heads`() {
      let all = CurveExchange.finished()
      #expect(all.commands.map(\.count) == [200, 168, 257 + metadata, 30 + metadata])
      for (command, name) in zip(all.commands, names) {
        #expect(command.starts(with: [UInt8(name.utf8.count)] + bytes(name)))
      }
      let hello = all.commands[0]
      #expect(hello[6..<80].elementsEqual([1, 0] + [UInt8](repeating: 0, count: 72)))
      #expect(hello[112..<120].elementsEqual([0, 0, 0, 0, 0, 0, 0, 1]))
      #expect(all.commands[2][105..<113].elementsEqual([0, 0, 0, 0, 0, 0, 0, 2]))
      #expect(all.commands[3][6..<14].elementsEqual([0, 0, 0, 0, 0, 0, 0, 1]))
    }

    @Test func `the same random bytes make the same handshake`() {
      #expect(CurveExchange(4).commands == CurveExchange(4).commands)
    }

    @Test(arguments: [0, 1, 26, 319, 900]) func `metadata arrive on both sides`(_ size: Int) {
      let ours = [UInt8](repeating: 1, count: size)
      let theirs = [UInt8](repeating: 2, count: size / 2)
      let all = CurveExchange(4, clientMetadata: ours, serverMetadata: theirs)
      #expect(all.clientMetadata == ours)
      let ready = all.client.take(all.commands[3])
      #expect(ready.done && ready.metadata == theirs)
    }

    /// The boxes, opened with libsodium's own function and the keys that the sources gave.
    @Test func `boxes are made for whom RFC 26 says`() throws {
      let all = CurveExchange.finished()
      let clientShort = (0..<32).map { UInt8(1 + $0) }  // c': the client's first 32 bytes
      let serverShort = (0..<32).map { UInt8(100 + $0) }  // s': the server's
      let longTerm = CurveSide.publicKey(CurveSide.longTermSecret)
      let hello = all.commands[0]
      #expect(Array(hello[80..<112]) == CurveSide.publicKey(clientShort))
      #expect(
        unbox(hello[120...], "CurveZMQHELLO---", hello[112..<120], clientShort, longTerm)
          == [UInt8](repeating: 0, count: 64))
      let welcome = try #require(
        unbox(all.commands[1][24...], "WELCOME-", all.commands[1][8..<24], clientShort, longTerm))
      #expect(Array(welcome.prefix(32)) == CurveSide.publicKey(serverShort))
      let initiate = all.commands[2]
      #expect(initiate[9..<105].elementsEqual(welcome[32...]))
      let inner = try #require(
        unbox(
          initiate[113...], "CurveZMQINITIATE", initiate[105..<113], serverShort,
          CurveSide.publicKey(clientShort)))
      #expect(Array(inner.prefix(32)) == longTerm && Array(inner[128...]) == CurveSide.metadata)
      #expect(
        unbox(inner[48..<128], "VOUCH---", inner[32..<48], serverShort, longTerm)
          == CurveSide.publicKey(clientShort) + longTerm)
      #expect(
        unbox(
          all.commands[3][14...], "CurveZMQREADY---", all.commands[3][6..<14], clientShort,
          CurveSide.publicKey(serverShort)) == CurveSide.metadata)
      for (side, prefix) in [(all.client, "CurveZMQMESSAGEC"), (all.server, "CurveZMQMESSAGES")] {
        for size in [0, 1, 31, 32, 63, 64, 200, 1_000, 70_000] {
          let plain = (0..<size).map { UInt8(truncatingIfNeeded: $0 &* 7) }
          let frame = side.seal(plain, flags: 4)
          #expect(
            unbox(
              frame[16...], prefix, frame[8..<16], clientShort, CurveSide.publicKey(serverShort))
              == [2] + plain)
        }
      }
    }

    private func unbox(
      _ box: ArraySlice<UInt8>, _ prefix: String, _ nonce: ArraySlice<UInt8>, _ secret: [UInt8],
      _ publicKey: [UInt8]
    ) -> [UInt8]? {
      var out = [UInt8](repeating: 0, count: box.count - 16)
      let opened = support_box_open(
        Array(box), box.count, bytes(prefix) + nonce, publicKey, secret, &out)
      return opened ? out : nil
    }

    // MARK: refusals

    @Test(arguments: 0..<4) func `every truncation is refused`(_ index: Int) {
      let command = CurveExchange(index + 1).commands[index]
      for size in 0..<command.count {
        let step = CurveExchange(index + 1).taker(index).take(Array(command.prefix(size)))
        #expect(step.reason != nil && !step.done && step.out.isEmpty, "\(size) of \(names[index])")
      }
      for more in [1, 16, 2_048] {
        let longer = command + [UInt8](repeating: 0, count: more)
        #expect(CurveExchange(index + 1).taker(index).take(longer).reason != nil, "+\(more)")
      }
    }

    @Test(arguments: 0..<4) func `every flipped bit is refused`(_ index: Int) {
      let command = CurveExchange(index + 1).commands[index]
      for at in command.indices {
        for bit in [0, at % 6 + 1, 7] {
          var flipped = command
          flipped[at] ^= 1 << bit
          let step = CurveExchange(index + 1).taker(index).take(flipped)
          #expect(step.reason != nil && !step.done, "bit \(bit) of byte \(at) of \(names[index])")
        }
      }
      #expect(CurveExchange(index + 1).taker(index).take(command).reason == nil)
    }

    @Test func `commands in another order are refused`() {
      let all = CurveExchange(4).commands + [[5] + bytes("OTHER"), [7] + bytes("MESSAGE")]
      for state in 0..<4 {
        for (index, command) in all.enumerated() where index != state {
          let reason = CurveExchange(state + 1).taker(state).take(command).reason
          #expect(reason == "sent another command than \(names[state])")
        }
      }
      #expect(CurveSide(server: false).take(all[1]).reason?.contains("before") == true)
      let finished = CurveExchange.finished()
      #expect(finished.server.take(all[0]).reason?.contains("after the handshake") == true)
      #expect(CurveSide(server: true).start() == [])
    }

    @Test func `a recorded INITIATE is refused by the next connection`() {
      let recorded = CurveExchange(3).commands[2]
      let server = CurveSide(server: true, seed: 7)
      #expect(server.take(CurveExchange(1).commands[0]).reason == nil)
      #expect(server.take(recorded).reason?.contains("cookie") == true)
    }

    @Test func `a client with another server's key`() {
      let client = CurveSide(server: false)
      client.setServer(CurveSide.publicKey([UInt8](repeating: 9, count: 32)))
      let reason = CurveSide(server: true).take(client.start()).reason
      #expect(reason?.contains("public key of another server") == true)
    }

    /// It knows S, but not the secret of the C that it names.
    @Test func `a vouch made with another secret`() {
      let impostor = CurveSide(server: false)
      let server = CurveSide(server: true, seed: 100)
      impostor.setSecret([UInt8](repeating: 3, count: 32))
      let initiate = impostor.take(server.take(impostor.start()).out)
      #expect(initiate.reason == nil && initiate.out.count == 257 + metadata)
      let step = server.take(initiate.out)
      #expect(step.reason?.contains("vouch that cannot be opened") == true && !step.done)
    }

    @Test func `keys of no use are refused`() {
      // Small order: what they make is zero, whatever the secret.
      var hello = CurveExchange(1).commands[0]
      for point in [[UInt8](repeating: 0, count: 32), [1] + [UInt8](repeating: 0, count: 31)] {
        hello.replaceSubrange(80..<112, with: point)
        #expect(CurveSide(server: true).take(hello).reason?.contains("a key that is none") == true)
      }
    }

    @Test func `ERROR is told as far as it can be printed`() {
      let waiting = { (index: Int) in CurveExchange(index + 1).client }
      let error = { (text: [UInt8]) in [5] + bytes("ERROR") + text }
      for index in [1, 3] {
        #expect(
          waiting(index).take(error([3] + bytes("400"))).reason == "refused us with ERROR: 400")
        #expect(waiting(index).take(error([0])).reason == "refused us with ERROR")
        #expect(
          waiting(index).take(error([2, 10, 0x41])).reason == "refused us with ERROR: ?A")
        #expect(
          waiting(index).take(error([255] + [UInt8](repeating: 0x42, count: 255))).reason?.count
            ?? 0 == 95)
        for bad in [[], [4] + bytes("400"), [2] + bytes("400")] as [[UInt8]] {
          #expect(waiting(index).take(error(bad)).reason == "sent a malformed ERROR")
        }
      }
      #expect(
        CurveSide(server: true).take(error([0])).reason == "sent ERROR, which only a server may")
    }

    // MARK: traffic

    @Test func `frames with all flags in both directions`() {
      let all = CurveExchange.finished()
      for (from, to) in [(all.client, all.server), (all.server, all.client)] {
        for flags in [0, 1, 4] as [UInt8] {
          for size in [0, 1, 222, 223, 255, 256, 100_000] {
            let plain = [UInt8](repeating: UInt8(truncatingIfNeeded: size), count: size)
            let opened = to.open(from.seal(plain, flags: flags))
            #expect(opened.frame == CurveFrame(plain: plain, flags: flags), "\(opened)")
          }
        }
      }
      #expect(all.serverMetadata == CurveSide.metadata && all.clientMetadata == CurveSide.metadata)
    }

    @Test func `nonces must increase`() {
      let all = CurveExchange.finished()
      let frames = (0..<4).map { all.client.seal([UInt8($0)]) }
      #expect(all.server.open(frames[1]).frame?.plain == [1])
      for old in [0, 1] {
        #expect(all.server.open(frames[old]).reason?.contains("nonce does not increase") == true)
      }
      #expect(all.server.open(frames[3]).frame?.plain == [3])
      #expect(all.server.open(frames[2]).reason?.contains("nonce does not increase") == true)
      // Not back to its sender either.
      #expect(CurveExchange.finished().client.open(frames[3]).reason != nil)
    }

    @Test func `every truncation and every flipped bit of a MESSAGE is refused`() {
      let frame = CurveExchange.finished().client.seal(bytes("a task"), flags: 1)
      let server = CurveExchange.finished().server
      for size in 0..<frame.count {
        let words = size < 8 ? "something else" : size < 33 ? "cut short" : "cannot be opened"
        #expect(server.open(Array(frame.prefix(size))).reason?.contains(words) == true, "\(size)")
      }
      for at in frame.indices {
        for bit in 0..<8 {
          var flipped = frame
          flipped[at] ^= 1 << bit
          #expect(server.open(flipped).reason != nil, "bit \(bit) of byte \(at)")
        }
      }
      #expect(server.open(frame).frame == CurveFrame(plain: bytes("a task"), flags: 1))
    }
  }
}

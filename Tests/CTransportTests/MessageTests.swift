// MessageTests.swift: what peers may send, however many frames, however large.

import CBase
import CTransport
import CZeroMQ
import Foundation
import TestSupport
import Testing

/// Fast without optimisation, as is comparing.
private func pattern(_ size: Int, _ number: Int) -> [UInt8] {
  [UInt8](unsafeUninitializedCapacity: size) { buffer, count in
    let period = 4099
    for index in 0..<min(size, period) {
      buffer[index] = UInt8(truncatingIfNeeded: index &* 31 &+ number)
    }
    count = min(size, period)
    while count < size {
      let more = min(count, size - count)
      memcpy(buffer.baseAddress! + count, buffer.baseAddress!, more)
      count += more
    }
  }
}

private func areEqual(_ a: [UInt8], _ b: [UInt8]) -> Bool {
  a.count == b.count && memcmp(a, b, a.count) == 0
}

extension TransportTests {
  @Suite struct Messages {
    @Test(arguments: eachReactor)
    func `65535 frames pass and 65536 are dropped`(_ setup: Setup) throws {
      let station = try Station(setup)
      let peer = Peer(ZMQ_DEALER, identity: "e")
      peer.connect(station.endpoint(client))
      peer.send(Array(repeating: bytes("f"), count: 65_536))
      peer.send(Array(repeating: bytes("f"), count: 100_000))
      peer.send(Array(repeating: bytes("f"), count: 65_535))
      peer.send([bytes("after")])
      let all = station.gather(2)
      #expect(all.map { $0.frames.count } == [65_535, 1])
      #expect(all.first.map { Set($0.frames) } == [bytes("f")])
      let back = try #require(all.first)
      station.send(TRANSPORT_CLIENT, to: back.peerAtom, back.message)
      #expect(pump(station) { peer.receive(milliseconds: 20) }?.count == 65_535)
      #expect(station.counters.received.0 == 2)
      station.close()
    }

    @Test(arguments: eachReactor)
    func `empty messages are dropped and hurt nobody`(_ setup: Setup) throws {
      let station = try Station(setup)
      let peer = Peer(ZMQ_DEALER)
      peer.set(ZMQ_PROBE_ROUTER, 1)
      peer.connect(station.endpoint(client))
      peer.send([[]])
      peer.send([[], []])
      peer.send([bytes("after")])
      let all = station.gather(2)
      #expect(all.map(\.frames) == [[[], []], [bytes("after")]])
      station.close()
    }

    /// Their memory is kept and used again: larger, smaller, two at a time, and cut off in between.
    @Test(arguments: eachReactor)
    func `large frames one after the other come through unchanged`(_ setup: Setup) throws {
      let station = try Station(setup)
      let peer = Peer(ZMQ_DEALER, identity: "e")
      peer.connect(station.endpoint(client))
      let sizes = [3 << 20, 1 << 20, 5 << 20, (1 << 20) + 5, 4 << 20, 70_000, 4 << 20]
      for (number, pair) in zip(sizes, sizes.dropFirst()).enumerated() {
        let body = [pattern(pair.0, number), pattern(pair.1, number + 100)]
        for frame in body { peer.send([frame, bytes("end")]) }
        var all = station.gather(2)
        // A fast machine, or libzmq in its thread, may have had all of what was to be cut off.
        while let whole = all.firstIndex(where: { $0.frames.count == 1 }) {
          all.remove(at: whole)
          all += station.gather(1)
        }
        try #require(all.map(\.frames.count) == [2, 2])
        for (received, sent) in zip(all, body) {
          #expect(areEqual(received.frames[0], sent) && received.frames[1] == bytes("end"))
        }
        station.send(TRANSPORT_CLIENT, to: all[1].peerAtom, all[1].message)
        let back = try #require(pump(station) { peer.receive(milliseconds: 20) })
        try #require(back.count == 2)
        #expect(areEqual(back[0], body[1]) && back[1] == bytes("end"))
        let cut = Peer(ZMQ_DEALER)
        cut.connect(station.endpoint(client))
        cut.send([[UInt8](repeating: 1, count: 30 << 20)])
        _ = station.turn(within: 1_000_000)
      }  // `cut` is closed: what it had begun is given back
      station.close()
    }

    /// Around every size at which a frame is read in another way.
    @Test(arguments: eachReactor)
    func `frames of any size from several peers come whole and in order`(_ setup: Setup) throws {
      let seed = SeededGenerator.announcedSeed("CTransportTests.TransportTests")
      var random = SeededGenerator(seed: seed)
      let edges = [1, 16 << 10, 32 << 10, 64 << 10, 128 << 10, 1 << 20, 4 << 20, 9 << 20]
      let station = try Station(setup)
      let peers = (0..<3).map { Peer(ZMQ_DEALER, identity: "\($0)") }
      for peer in peers { peer.connect(station.endpoint(client)) }
      func drawn(_ number: Int) -> Frames {
        (0..<Int.random(in: 1...4, using: &random)).map { frame in
          let edge = edges.prefix(frame == 0 ? 8 : 5).randomElement(using: &random)!
          return pattern(max(0, edge + .random(in: -4...4, using: &random)), number + frame)
        } + [bytes("\(number)")]
      }
      for round in 0..<6 {
        var sent = peers.map { _ in [Frames]() }
        for (index, peer) in peers.enumerated() {
          for number in 0..<3 {
            sent[index].append(drawn(round * 100 + index * 10 + number))
            peer.send(sent[index][number])
          }
        }
        for event in station.gather(9) {
          let peer = Int(String(decoding: event.peer, as: UTF8.self))!
          let wanted = sent[peer].removeFirst()
          let same =
            event.frames.count == wanted.count && zip(event.frames, wanted).allSatisfy(areEqual)
          try #require(same, "peer \(peer), round \(round), seed \(seed)")
        }
        #expect(sent.allSatisfy { $0.isEmpty }, "round \(round), seed \(seed)")
        station.releaseMessages()
      }
      station.close()
    }

    /// The kernel may still be receiving into it.
    @Test(arguments: eachNative)
    func `a large frame whose peer is dropped disturbs no other`(_ setup: Setup) throws {
      let station = try Station(setup)
      let whole = pattern(5 << 20, 1)
      for number in 0..<4 {
        let first = try rawJoined(station, client, "same").peer
        var cut = Wire.message([pattern(10 << 20, 7)]).prefix(3 << 20)
        let begun = pump(station) { () -> Bool? in
          first.sendSome(&cut)
          return station.counters.unfinished_bytes > 2 << 20 ? true : nil
        }
        try #require(begun == true)
        if number == 3 { break }  // the transport's end comes within the frame
        let second = RawPeer(station.endpoint(client))
        second.send(Wire.handshake(identity: "same"))
        #expect(first.isClosed(station))
        var message = Wire.message([whole, bytes("\(number)")])[...]
        let event = try #require(pumpEvent(station) { second.sendSome(&message) })
        #expect(areEqual(event.frames[0], whole) && event.frames[1] == bytes("\(number)"))
        #expect(pump(station) { station.counters.unfinished_bytes == 0 ? true : nil } == true)
        station.releaseMessages()
      }
      station.close()
    }

    /// What one wait may bring is all given to one of them, which brings nothing.
    @Test(arguments: eachNative)
    func `who stalls within a large frame keeps no other waiting`(_ setup: Setup) throws {
      let station = try Station(setup)
      let peers = try (0..<3).map { try rawJoined(station, client, "\($0)").peer }
      let body = pattern(700_000, 3)
      var left = peers.map { _ in Wire.message([body, bytes("end")])[...] }
      // All at once, and not all of it: each is given room.
      for round in 1...3 {
        for index in peers.indices {
          var part = left[index].prefix(100_000)
          let before = part.count
          peers[index].sendSome(&part)
          left[index].removeFirst(before - part.count)
        }
        let wanted = UInt64(round * 3 * 90_000)
        #expect(
          pump(station) { station.counters.unfinished_bytes >= wanted ? true : nil } == true,
          "\(station.counters.unfinished_bytes) of \(wanted) bytes")
      }
      for index in peers.indices.reversed() {  // the others stall, and the last was served first
        let event = try #require(pumpEvent(station) { peers[index].sendSome(&left[index]) })
        #expect(areEqual(event.frames[0], body) && event.frames[1] == bytes("end"))
      }
      station.close()
    }

    @Test func `a frame above the limit closes its connection and no other`() throws {
      let station = try Station(frameBytesMax: 1_000)
      let good = Peer(ZMQ_DEALER, identity: "good")
      let bad = Peer(ZMQ_DEALER, identity: "bad")
      good.connect(station.endpoint(client))
      bad.connect(station.endpoint(client))
      bad.send([[UInt8](repeating: 0, count: 1_001)])
      good.send([[UInt8](repeating: 0, count: 1_000)])
      #expect(try station.next().peer == bytes("good"))
      #expect(station.turn(within: 100_000_000).isEmpty)
      station.close()
    }

    @Test(arguments: eachReactor)
    func `messages outlive their transport`(_ setup: Setup) throws {
      let station = try Station(setup)
      let peer = Peer(ZMQ_DEALER)
      peer.connect(station.endpoint(client))
      for size in [1, 33, 34, 300, 100_000] { peer.send([[UInt8](repeating: 5, count: size)]) }
      #expect(station.gather(5).count == 5)
      station.close(releaseFirst: false)
    }

    @Test(arguments: eachReactor)
    func `closing flushes what was sent`(_ setup: Setup) throws {
      let station = try Station(setup)
      let peer = Peer(ZMQ_DEALER)
      peer.connect(station.endpoint(client))
      peer.send([bytes("task")])
      let task = try station.next()
      let big = station.compose([[UInt8](repeating: 3, count: 2 << 20)])
      for _ in 0..<4 { station.send(TRANSPORT_CLIENT, to: task.peerAtom, big) }
      station.close(lingerNanoseconds: patienceNanoseconds)
      for _ in 0..<4 { #expect(peer.receive()?.first?.count == 2 << 20) }
    }

    /// Random shapes through client, scheduler and engine and back, against what was sent.
    @Test(arguments: eachReactor) func `random messages come through unchanged`(_ setup: Setup)
      throws
    {
      let seed = SeededGenerator.announcedSeed("CTransportTests.TransportTests")
      var random = SeededGenerator(seed: seed)
      let station = try Station(setup)
      let clientPeer = Peer(ZMQ_DEALER)
      let enginePeer = Peer(ZMQ_DEALER, identity: "engine")
      clientPeer.connect(station.endpoint(client))
      enginePeer.connect(station.endpoint(engine))
      enginePeer.send([bytes("hello")])
      #expect(try station.next().peer == bytes("engine"))
      let engineName = station.name("engine")
      for round in 0..<20 {
        let batch = (0..<Int.random(in: 1...20, using: &random)).map { _ in
          [bytes("<IDS|MSG>")] + (0..<frameCount(&random)).map { _ in frame(&random) }
        }
        batch.forEach { clientPeer.send($0) }
        let capacity = Int.random(in: 1...30, using: &random)
        let tasks = station.gather(batch.count, capacity: capacity)
        #expect(tasks.map(\.frames) == batch, "seed \(seed), round \(round)")
        for task in tasks {
          let first = Int.random(in: 0...task.frames.count, using: &random)
          station.send(
            TRANSPORT_ENGINE, to: engineName, prefix: [task.peerAtom], task.message, from: first)
          #expect(
            pump(station) { enginePeer.receive(milliseconds: 5) } == [task.peer]
              + task.frames.dropFirst(first),
            "seed \(seed), round \(round)")
        }
        if round % 3 == 0 { station.releaseMessages() }  // the others are kept for a while
      }
      station.close()
    }

    private func frameCount(_ random: inout SeededGenerator) -> Int {
      [0, 3, 8, 9, 15, 16, 63, 64, 65, 130, 300].randomElement(using: &random)!
    }

    private func frame(_ random: inout SeededGenerator) -> [UInt8] {
      let size = [0, 1, 32, 33, 34, 255, 256, 1_000, 8_191, 8_192, 40_000].randomElement(
        using: &random)!
      let byte = UInt8.random(in: 0...255, using: &random)
      return [UInt8](repeating: byte, count: size)
    }
  }
}

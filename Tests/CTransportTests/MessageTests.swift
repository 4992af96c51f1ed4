// MessageTests.swift: what peers may send, however many frames, however large.

import CBase
import CTransport
import CZeroMQ
import Foundation
import TestSupport
import Testing

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

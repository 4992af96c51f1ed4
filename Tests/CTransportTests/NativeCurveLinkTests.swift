// NativeCurveLinkTests.swift: CURVE between the native transport and libzmq, in both directions.

import CBase
import CTransport
import CZeroMQ
import Foundation
import Glibc
import TestSupport
import Testing

private let eachCurve: [Setup] = eachReactor.filter { $0.body == TRANSPORT_BODY_NATIVE }.map {
  Setup(io: $0.io, body: $0.body, lanes: $0.lanes, ring: $0.ring, keys: pair)
}

/// The notices of a station until one contains `words`; nil when none came.
private func notice(_ station: Station, _ words: String) -> String? {
  let end = transport_now_ns() + patienceNanoseconds
  var others: [String] = []
  while transport_now_ns() < end {
    others += station.notices()
    if let found = others.first(where: { $0.contains(words) }) { return found }
    #expect(station.turn(within: 1_000_000).isEmpty)
  }
  Issue.record("no notice of '\(words)', but \(others)")
  return nil
}

extension TransportTests {
  @Suite struct NativeCurveLinks {
    @Test(arguments: eachCurve)
    func `a client with a wrong server key never gets in, and others do`(_ setup: Setup) throws {
      let station = try Station(setup)
      let wrong = Peer(ZMQ_DEALER, identity: "wrong")
      wrong.connect(station.endpoint(client), keys: KeyPair.make())
      wrong.send([bytes("task")])
      #expect(notice(station, "public key of another server") != nil)
      let right = Peer(ZMQ_DEALER, identity: "right")
      right.connect(station.endpoint(client), keys: pair)
      right.send([bytes("task")])
      #expect(try station.next().peer == bytes("right"))
      #expect(station.counters.received.0 == 1)
      station.close()
    }

    @Test(arguments: eachCurve)
    func `a client with a pair of its own gets in`(_ setup: Setup) throws {
      let station = try Station(setup)
      let peer = Peer(ZMQ_DEALER, identity: "own")
      let own = KeyPair.make()
      peer.set(ZMQ_CURVE_SERVERKEY, pair.publicKey)
      peer.set(ZMQ_CURVE_PUBLICKEY, own.publicKey)
      peer.set(ZMQ_CURVE_SECRETKEY, own.secretKey)
      peer.connect(station.endpoint(client))
      peer.send([bytes("task")])
      #expect(try station.next().peer == bytes("own"))
      station.close()
    }

    /// libzmq goes without a word once it has read our mechanism; a raw peer stays to hear it.
    @Test(arguments: eachCurve) func `a NULL client is refused`(_ setup: Setup) throws {
      let station = try Station(setup)
      let raw = RawPeer(station.endpoint(client))
      raw.send(Wire.handshake() + Wire.message([bytes("task")]))
      #expect(notice(station, "another security mechanism") != nil)
      try refuses(station, keys: nil, then: pair)
    }

    @Test(arguments: eachNative) func `a CURVE client of a NULL server is refused`(_ setup: Setup)
      throws
    {
      let station = try Station(setup)
      let raw = RawPeer(station.endpoint(client))
      raw.send(Wire.greeting(mechanism: "CURVE"))
      #expect(notice(station, "another security mechanism") != nil)
      try refuses(station, keys: pair, then: nil)
    }

    /// A libzmq peer with `keys` gets nothing in, and one with `others` does.
    private func refuses(_ station: Station, keys: KeyPair?, then others: KeyPair?) throws {
      let bad = Peer(ZMQ_DEALER, identity: "bad")
      bad.connect(station.endpoint(client), keys: keys)
      bad.send([bytes("task")])
      #expect(station.turn(within: 200_000_000).allSatisfy { $0.kind != TRANSPORT_MESSAGE })
      let good = Peer(ZMQ_DEALER, identity: "good")
      good.connect(station.endpoint(client), keys: others)
      good.send([bytes("task")])
      var all: [Received] = []
      let end = transport_now_ns() + patienceNanoseconds
      while all.isEmpty && transport_now_ns() < end { all = station.turn(within: 1_000_000) }
      #expect(all.map(\.peer) == [bytes("good")])
      #expect(station.counters.received.0 == 1)
      station.close()
    }

    /// We are the client, and the hub has other keys: nothing of ours may reach it.
    @Test(arguments: eachCurve) func `a server with another key gets nothing`(_ setup: Setup)
      throws
    {
      let hub = Peer(ZMQ_ROUTER)
      let url = hub.bind("tcp://127.0.0.1:*", keys: KeyPair.make())
      let station = try Station(
        setup, urls: [client: setup.url(), engine: setup.url(), registration: url])
      station.send(TRANSPORT_REGISTRATION, station.compose([bytes("request")]))
      #expect(notice(station, "registration") != nil)
      #expect(hub.receive(milliseconds: 200) == nil)
      station.close()
    }

    @Test(arguments: eachCurve) func `a NULL server is refused`(_ setup: Setup) throws {
      let hub = Peer(ZMQ_ROUTER)
      let url = hub.bind("tcp://127.0.0.1:*")
      let station = try Station(
        setup, urls: [client: setup.url(), engine: setup.url(), registration: url])
      station.send(TRANSPORT_REGISTRATION, station.compose([bytes("request")]))
      #expect(notice(station, "give both sides keys, or none") != nil)
      #expect(hub.receive(milliseconds: 200) == nil)
      station.close()
    }

    @Test(arguments: eachCurve) func `frames of 20 MB there and back`(_ setup: Setup) throws {
      let station = try Station(setup)
      var big = [UInt8](0..<251)
      while big.count < 20_000_000 { big += big }
      let clientPeer = Peer(ZMQ_DEALER)
      let enginePeer = Peer(ZMQ_DEALER, identity: "engine")
      clientPeer.connect(station.endpoint(client), keys: pair)
      enginePeer.connect(station.endpoint(engine), keys: pair)
      clientPeer.send([bytes("head"), big, [], big, bytes("tail")])
      let task = try station.next()
      #expect(task.frames == [bytes("head"), big, [], big, bytes("tail")])
      station.send(
        TRANSPORT_ENGINE, to: station.name("engine"), prefix: [task.peerAtom], task.message,
        from: 1)
      station.releaseMessages()
      #expect(
        pump(station) { enginePeer.receive(milliseconds: 50) }
          == [task.peer, big, [], big, bytes("tail")])
      station.close()
    }

    /// libzmq's PINGs and our PONGs are sealed commands, here between and within messages. Without
    /// answers it would give the connection up, and with it the messages.
    @Test(arguments: eachCurve) func `heartbeats are answered`(_ setup: Setup) throws {
      let station = try Station(setup)
      let peer = Peer(ZMQ_DEALER, identity: "beating")
      peer.set(ZMQ_HEARTBEAT_IVL, 20)
      peer.set(ZMQ_HEARTBEAT_TIMEOUT, 500)
      peer.set(ZMQ_RECONNECT_IVL, -1)
      peer.connect(station.endpoint(client), keys: pair)
      peer.send([bytes("first")])
      let first = try station.next()
      let end = transport_now_ns() + 1_200_000_000
      while transport_now_ns() < end { #expect(station.turn(within: 20_000_000).isEmpty) }
      for number in 0..<50 {
        peer.send([bytes("\(number)"), [UInt8](repeating: 1, count: 300_000), bytes("end")])
      }
      #expect(station.gather(50).map { $0.frames[0] } == (0..<50).map { bytes("\($0)") })
      station.send(TRANSPORT_CLIENT, to: first.peerAtom, first.message)
      #expect(pump(station) { peer.receive(milliseconds: 20) } == [bytes("first")])
      #expect(station.counters.dropped_client == 0 && station.notices() == [])
      station.close()
    }

    @Test(arguments: eachCurve)
    func `65535 sealed frames pass and 65536 are dropped`(_ setup: Setup) throws {
      let station = try Station(setup)
      let peer = Peer(ZMQ_DEALER, identity: "e")
      peer.connect(station.endpoint(client), keys: pair)
      let large = [UInt8](repeating: 9, count: 100_000)
      peer.send(Array(repeating: bytes("f"), count: 65_536))
      peer.send(Array(repeating: bytes("f"), count: 70_000) + [large, large, bytes("f")])
      peer.send(Array(repeating: bytes("f"), count: 65_535))
      peer.send([bytes("after")])
      let all = station.gather(2)
      #expect(all.map { $0.frames.count } == [65_535, 1])
      station.send(TRANSPORT_CLIENT, to: all[0].peerAtom, all[0].message)
      #expect(pump(station) { peer.receive(milliseconds: 50) }?.count == 65_535)
      #expect(noticed(station, 2, "65535 frames"))
      station.close()
    }

    @Test(arguments: eachCurve)
    func `a sealed frame above the limit closes its connection`(_ setup: Setup) throws {
      let station = try Station(setup, frameBytesMax: 1_000)
      let good = Peer(ZMQ_DEALER, identity: "good")
      let bad = Peer(ZMQ_DEALER, identity: "bad")
      bad.connect(station.endpoint(client), keys: pair)
      bad.send([[UInt8](repeating: 0, count: 1_001)])
      #expect(notice(station, "larger than allowed") != nil)
      good.connect(station.endpoint(client), keys: pair)
      good.send([[UInt8](repeating: 0, count: 1_000)])
      #expect(try station.next().peer == bytes("good"))
      station.close()
    }

    /// A raw peer that speaks CURVE until the handshake and then in the clear.
    @Test(arguments: eachCurve)
    func `what is not sealed, or not CURVE at all, closes its connection`(_ setup: Setup) throws {
      let station = try Station(setup)
      let greeting = Wire.greeting(mechanism: "CURVE")
      let cases: [([UInt8], String)] = [
        (Wire.command("READY", CurveSide.metadata), "another command than HELLO"),
        (Wire.command("HELLO"), "200 bytes"),
        (Wire.message([bytes("task")]), "before its handshake"),
        (Wire.command("ERROR", [0]), "only a server"),
      ]
      for (data, words) in cases {
        let raw = RawPeer(station.endpoint(client))
        raw.send(greeting + data)
        #expect(notice(station, words) != nil, "\(words)")
        #expect(raw.isClosed(station))
      }
      station.close()
    }

    /// Random shapes to an engine and back to a client, against what was sent.
    @Test(arguments: eachCurve) func `random sealed messages come through unchanged`(_ setup: Setup)
      throws
    {
      let seed = SeededGenerator.announcedSeed("NativeCurveLinks")
      var random = SeededGenerator(seed: seed)
      let station = try Station(setup)
      let peer = Peer(ZMQ_DEALER, identity: "engine")
      peer.connect(station.endpoint(engine), keys: pair)
      for round in 0..<40 {
        let frames =
          [bytes("<IDS|MSG>")]
          + (0..<Int.random(in: 1...40, using: &random)).map { _ in
            let size = [0, 1, 222, 223, 255, 4_063, 4_064, 65_502, 65_503, 65_504, 200_000]
              .randomElement(using: &random)!
            return [UInt8](repeating: UInt8.random(in: 0...255, using: &random), count: size)
          }
        peer.send(frames)
        let received = try station.next()
        #expect(received.frames == frames, "seed \(seed), round \(round)")
        station.send(TRANSPORT_ENGINE, to: received.peerAtom, received.message, from: round % 2)
        #expect(
          pump(station) { peer.receive(milliseconds: 20) } == Array(frames[(round % 2)...]),
          "seed \(seed), round \(round)")
        station.releaseMessages()
      }
      station.close()
    }
  }
}

// RejoinTests.swift: peers that are back under their routing id: who is told, and when. With I/O
// lanes the connections before and after are on different threads, without order between them.

import CBase
import CTransport
import CZeroMQ
import Glibc
import Testing

/// A connection that a lane (or the station) has, and that has not said who it is.
private func accepted(_ station: Station, _ role: Int) -> RawPeer {
  let peer = RawPeer(station.endpoint(role))
  let greeted = pump(station) { () -> Bool? in
    var greeting = [UInt8](repeating: 0, count: 64)
    return recv(peer.fd, &greeting, 64, Int32(MSG_PEEK | MSG_DONTWAIT)) == 64 ? true : nil
  }
  #expect(greeted == true)
  return peer
}

extension TransportTests {
  @Suite struct Rejoins {
    @Test(arguments: eachNative) func `an engine that is back is told, a client is not`(
      _ setup: Setup
    ) throws {
      let station = try Station(setup)
      for role in [client, engine] {
        for round in 0..<4 {
          let peer = RawPeer(station.endpoint(role))
          peer.send(Wire.handshake(identity: "name") + Wire.message([bytes("hello")]))
          let isTold = role == engine && round > 0
          let events = station.gather(isTold ? 2 : 1)
          #expect(events.contains { $0.frames == [bytes("hello")] })
          #expect(
            events.contains {
              $0.kind == TRANSPORT_REJOINED && $0.role == TRANSPORT_ENGINE
                && $0.peer == bytes("name")
            } == isTold)
          peer.close()
          // Sometimes it is known to have gone when it is back, sometimes not.
          for _ in 0..<(round % 2 * 10) { #expect(station.turn(within: 1_000_000).isEmpty) }
        }
      }
      station.close()
    }

    @Test(arguments: eachNative) func `engines without ids are nobody's successors`(
      _ setup: Setup
    ) throws {
      let station = try Station(setup, dealer: true)
      for _ in 0..<3 {
        let peer = RawPeer(station.endpoint(engine))
        peer.send(Wire.handshake(identity: "name") + Wire.message([bytes("hello")]))
        #expect(try station.next().frames == [bytes("hello")])
        peer.close()
        for _ in 0..<10 { #expect(station.turn(within: 1_000_000).isEmpty) }
      }
      station.close()
    }

    /// Were it told before, an engine could answer what it is asked then before its last results
    /// of the old connection are heard, and its tasks ran twice.
    @Test(arguments: eachLane) func `it is told when the connection before has said all`(
      _ setup: Setup
    ) throws {
      let station = try Station(setup)
      for round in 0..<10 {
        let first = RawPeer(station.endpoint(engine))
        first.send(Wire.handshake(identity: "engine") + Wire.message([bytes("hello")]))
        _ = station.gather(round > 0 ? 2 : 1)
        let second = accepted(station, engine)
        // From here on the lanes work, and nobody listens to them.
        first.send((0..<300).flatMap { Wire.message([bytes("\($0)")]) })
        usleep(10_000)
        second.send(Wire.handshake(identity: "engine") + Wire.message([bytes("I am back")]))
        usleep(10_000)
        var next = 0
        var isTold = false
        var isBack = false
        let end = transport_now_ns() + patienceNanoseconds
        while !(isTold && isBack) && transport_now_ns() < end {
          for event in station.turn(within: 1_000_000, capacity: 3) {
            if event.kind == TRANSPORT_REJOINED {
              #expect(!isTold)
              isTold = true
            } else if event.frames == [bytes("I am back")] {
              isBack = true
            } else {
              #expect(event.frames == [bytes("\(next)")] && !isTold)
              next += 1
            }
          }
          station.releaseMessages()
        }
        #expect(isTold && isBack)
        #expect(first.isClosed(station))
        second.close()
      }
      station.close()
    }

    /// Whichever the front hears of last has the name; the others have gone before it is told.
    @Test(arguments: eachLane) func `three at once are told when two have gone`(_ setup: Setup)
      throws
    {
      let station = try Station(setup)
      let first = RawPeer(station.endpoint(engine))
      first.send(Wire.handshake(identity: "engine") + Wire.message([bytes("hello")]))
      let name = try station.next().peerAtom
      var others = [accepted(station, engine), accepted(station, engine)]
      for peer in others { peer.send(Wire.handshake(identity: "engine")) }
      usleep(10_000)
      var told = 0
      let isTold = { (within: UInt64) in
        for event in station.turn(within: within) {
          #expect(event.kind == TRANSPORT_REJOINED && event.peerAtom == name)
          told += 1
        }
      }
      let end = transport_now_ns() + patienceNanoseconds
      while told == 0 && transport_now_ns() < end { isTold(1_000_000) }
      for _ in 0..<20 { isTold(1_000_000) }
      #expect(1...2 ~= told)
      station.send(TRANSPORT_ENGINE, to: name, station.compose([bytes("task")]))
      _ = station.turn(within: 1_000_000)
      let all = Wire.greeting() + Wire.ready("ROUTER", identity: "") + Wire.message([bytes("task")])
      others.removeAll { $0.read(all.count) != all }
      #expect(others.count == 1)
      #expect(first.isClosed(station))
      station.close()
    }

    @Test(arguments: eachReactor) func `who is connected is known`(_ setup: Setup) throws {
      let station = try Station(setup)
      let isNative = setup.body == TRANSPORT_BODY_NATIVE
      for role in [client, engine] {
        let name = station.name("name \(role)")
        let ask = {
          transport_is_connected(station.transport, transport_role(UInt32(role)), name)
        }
        #expect(ask() == (isNative ? 0 : -1))
        let peer = Peer(ZMQ_DEALER, identity: "name \(role)")
        peer.connect(station.endpoint(role))
        peer.send([bytes("hello")])
        _ = try station.next()
        #expect(ask() == (isNative ? 1 : -1))
        peer.close()
        if isNative {
          let gone = pump(station) { ask() == 0 ? true : nil }
          #expect(gone == true)
        }
      }
      station.close()
    }
  }
}

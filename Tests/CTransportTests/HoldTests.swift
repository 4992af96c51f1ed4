// HoldTests.swift: engines that have not connected, clients that have gone, peers that come back.

import CBase
import CTransport
import CZeroMQ
import Testing

extension TransportTests {
  @Suite struct Peers {
    @Test(arguments: eachReactor)
    func `what is held for an engine is delivered in order when it connects`(_ setup: Setup) throws
    {
      let station = try Station(setup)
      let name = station.name("late")
      let prefix = station.name("client")
      for number in 0..<100 {
        station.send(
          TRANSPORT_ENGINE, to: name, prefix: [prefix], station.compose([bytes("\(number)")]),
          tag: UInt32(number))
      }
      station.releaseMessages()  // the transport has references of its own
      #expect(station.counters.held == 100 && station.counters.sent.1 == 0)
      let peer = Peer(ZMQ_DEALER, identity: "late")
      peer.connect(station.endpoint(engine))
      for number in 0..<100 {
        let frames = pump(station) { peer.receive(milliseconds: number == 0 ? 20 : 1) }
        #expect(frames == [bytes("client"), bytes("\(number)")])
      }
      #expect(station.counters.held == 100 && station.counters.sent.1 == 100)
      #expect(station.counters.undeliverable == 0)
      station.close()
    }

    @Test(arguments: eachReactor)
    func `a received message is held and delivered without its sender`(_ setup: Setup) throws {
      let station = try Station(setup)
      let name = station.name("late")
      let big = [UInt8](repeating: 7, count: 2 << 20)
      let clientPeer = Peer(ZMQ_DEALER)
      clientPeer.connect(station.endpoint(client))
      clientPeer.send([bytes("head"), big])
      let task = try station.next()
      clientPeer.close()
      station.send(TRANSPORT_ENGINE, to: name, prefix: [task.peerAtom], task.message)
      station.releaseMessages()
      let peer = Peer(ZMQ_DEALER, identity: "late")
      peer.connect(station.endpoint(engine))
      #expect(pump(station) { peer.receive(milliseconds: 20) } == [task.peer, bytes("head"), big])
      station.close()
    }

    @Test(arguments: eachReactor)
    func `an engine that does not connect gives its sends back`(_ setup: Setup) throws {
      let station = try Station(setup, holdNanoseconds: 20_000_000)
      for number in 0..<5 {
        station.send(
          TRANSPORT_ENGINE, to: station.name("never-\(number % 2)"),
          station.compose([bytes("task")]), tag: UInt32(100 + number))
      }
      station.releaseMessages()
      let events = station.gather(5, capacity: 2)
      #expect(
        events.allSatisfy { $0.kind == TRANSPORT_UNDELIVERABLE && $0.role == TRANSPORT_ENGINE })
      #expect(Set(events.map(\.tag)) == [100, 101, 102, 103, 104])
      for event in events { #expect(event.peer == bytes("never-\(event.tag % 2)")) }
      let even = events.map(\.tag).filter { $0 % 2 == 0 }
      #expect(even == [100, 102, 104])
      #expect(message_table_count(station.messages) == 0)
      #expect(station.counters.held == 5 && station.counters.undeliverable == 5)
      #expect(station.turn(within: 0).isEmpty)
      station.close()
    }

    @Test func `the peer of an undeliverable send outlives the caller's books`() throws {
      let station = try Station(holdNanoseconds: 0)
      let raw = bytes("forgotten")
      let name = atoms_intern(station.names, raw, raw.count)
      station.send(TRANSPORT_ENGINE, to: name, station.compose([raw]), tag: 9)
      atoms_release(station.names, name)
      let event = try station.next()
      #expect(event.kind == TRANSPORT_UNDELIVERABLE && event.peer == raw && event.tag == 9)
      station.close()
    }

    @Test(arguments: eachReactor)
    func `no more is held than hold_bytes_max`(_ setup: Setup) throws {
      let station = try Station(setup, holdBytes: 10_000)
      let name = station.name("late")
      for number in 0..<3 {
        station.send(
          TRANSPORT_ENGINE, to: name, station.compose([[UInt8](repeating: 1, count: 4_000)]),
          tag: UInt32(number))
      }
      let event = try station.next()
      #expect(event.kind == TRANSPORT_UNDELIVERABLE && event.tag == 2)
      #expect(station.counters.held == 2 && station.counters.undeliverable == 1)
      let peer = Peer(ZMQ_DEALER, identity: "late")
      peer.connect(station.endpoint(engine))
      #expect(pump(station) { peer.receive(milliseconds: 20) } != nil)
      #expect(pump(station) { peer.receive(milliseconds: 20) } != nil)
      // What was held has made room again.
      station.send(
        TRANSPORT_ENGINE, to: station.name("other"),
        station.compose([[UInt8](repeating: 1, count: 9_000)]))
      #expect(station.counters.held == 3)
      station.close()
    }

    @Test(arguments: eachReactor)
    func `many engines are held for at once`(_ setup: Setup) throws {
      let station = try Station(setup, holdNanoseconds: 1_000_000)
      let body = station.compose([bytes("task")])
      for number in 0..<2_000 {
        station.send(
          TRANSPORT_ENGINE, to: station.name("engine-\(number)"), body, tag: UInt32(number))
      }
      let events = station.gather(2_000)
      #expect(Set(events.map(\.tag)).count == 2_000)
      station.close()
    }

    @Test(arguments: eachReactor)
    func `closing with held sends releases them`(_ setup: Setup) throws {
      let station = try Station(setup)
      station.send(
        TRANSPORT_ENGINE, to: station.name("late"), prefix: [station.name("c")],
        station.compose([bytes("x")]))
      station.close()
    }

    @Test(arguments: eachReactor)
    func `scheme pure holds for any engine`(_ setup: Setup) throws {
      let station = try Station(setup, dealer: true)
      station.send(
        TRANSPORT_ENGINE, prefix: [station.name("client")], station.compose([bytes("x")]))
      #expect(station.counters.held == 1)
      let peer = Peer(ZMQ_DEALER)
      peer.connect(station.endpoint(engine))
      #expect(pump(station) { peer.receive(milliseconds: 20) } == [bytes("client"), bytes("x")])
      peer.send([bytes("client"), bytes("result")])
      let reply = try station.next()
      #expect(reply.role == TRANSPORT_ENGINE && reply.peerAtom == 0)
      #expect(reply.frames == [bytes("client"), bytes("result")])
      station.close()
    }

    @Test(arguments: eachReactor)
    func `a reply for a client that is gone is dropped and counted`(_ setup: Setup) throws {
      let station = try Station(setup)
      let peer = Peer(ZMQ_DEALER)
      peer.connect(station.endpoint(client))
      peer.send([bytes("task")])
      let task = try station.next()
      peer.close()
      // The end of the connection is noticed by and by.
      let dropped: UInt64? = pump(station) {
        station.send(TRANSPORT_CLIENT, to: task.peerAtom, task.message)
        let count = station.counters.dropped_client
        return count > 0 ? count : nil
      }
      // A lane says afterwards what it could not send.
      #expect(dropped == 1 || (setup.lanes > 0 && dropped! > 1))
      station.close()
    }

    @Test(arguments: eachReactor)
    func `the second connection with a routing id takes over`(_ setup: Setup) throws {
      let station = try Station(setup)
      let name = station.name("engine-uuid")
      let first = Peer(ZMQ_DEALER, identity: "engine-uuid")
      first.set(ZMQ_RECONNECT_IVL, -1)  // it would take its name back
      first.connect(station.endpoint(engine))
      first.send([bytes("hello")])
      #expect(try station.next().peer == bytes("engine-uuid"))
      let second = Peer(ZMQ_DEALER, identity: "engine-uuid")
      second.connect(station.endpoint(engine))
      second.send([bytes("hello again")])
      // libzmq does not tell that somebody's connection is another one now.
      let isTold = setup.body == TRANSPORT_BODY_NATIVE
      let told = station.gather(isTold ? 2 : 1)
      let hello = try #require(told.first { $0.kind == TRANSPORT_MESSAGE })
      #expect(hello.peer == bytes("engine-uuid") && hello.frames == [bytes("hello again")])
      #expect(told.allSatisfy { $0.peer == bytes("engine-uuid") })
      #expect(told.contains { $0.kind == TRANSPORT_REJOINED } == isTold)
      station.send(TRANSPORT_ENGINE, to: name, station.compose([bytes("task")]))
      #expect(pump(station) { second.receive(milliseconds: 20) } == [bytes("task")])
      #expect(first.receive(milliseconds: 20) == nil)
      station.close()
    }
  }
}

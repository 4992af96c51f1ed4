// LaneTests.swift: what only I/O lanes can get wrong: peers that change lanes, rings that are full,
// messages that other threads still read, an end in the midst of it all. Everything else is tested
// by the other suites, which run over lanes too (eachLane).

import CBase
import CTransport
import CZeroMQ
import Foundation
import Glibc
import Testing

private let manyLanes = Setup(io: reactors[0], body: TRANSPORT_BODY_NATIVE, lanes: 3)

private func payload(_ count: Int) -> [UInt8] {
  (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ $0 >> 8) }
}

extension TransportTests {
  @Suite struct Lanes {
    @Test func `what cannot be is refused`() throws {
      func refusal(_ setup: Setup) -> OpenError? {
        do { try Station(setup).close() } catch { return error as? OpenError }
        return nil
      }
      var many = manyLanes
      many.lanes = 65
      #expect(
        refusal(many)?.text.contains("65 I/O threads are too many; use --io-threads 0 to 64")
          == true)
      var odd = manyLanes
      odd.ring = 3
      #expect(refusal(odd)?.text.contains("power of two") == true)
      #expect(refusal(odd)?.stage == TRANSPORT_STAGE_ARGUMENT)
      var most = manyLanes
      most.lanes = 64
      try Station(most).close()
    }

    /// Connections go to the lanes in turn, so each takes over from one on another lane.
    @Test(arguments: eachLane) func `a routing id wanders over the lanes`(_ setup: Setup) throws {
      let station = try Station(setup)
      let name = station.name("engine")
      var before: RawPeer?
      for round in 0..<12 {
        let peer = RawPeer(station.endpoint(engine))
        peer.send(Wire.handshake(identity: "engine") + Wire.message([bytes("\(round)")]))
        let told = station.gather(round > 0 ? 2 : 1)
        #expect(told.contains { $0.peerAtom == name && $0.frames == [bytes("\(round)")] })
        #expect(told.contains { $0.kind == TRANSPORT_REJOINED } == (round > 0))
        #expect(told.allSatisfy { $0.peerAtom == name })
        if let before {
          #expect(before.isClosed(station))
          let notice = pump(station) { station.notices().first }
          #expect(notice?.contains("replaced by a new connection") == true)
        }
        let text = bytes("for round \(round)")
        station.send(TRANSPORT_ENGINE, to: name, station.compose([text]))
        let greeting = Wire.greeting() + Wire.ready("ROUTER", identity: "")
        let all = greeting + Wire.message([text])
        #expect(peer.read(all.count) == all)
        before = peer
      }
      station.close()
    }

    @Test(arguments: eachLane) func `an engine that comes back gets what was held`(_ setup: Setup)
      throws
    {
      let station = try Station(setup)
      let name = station.name("engine")
      func send(_ text: String) {
        station.send(TRANSPORT_ENGINE, to: name, station.compose([bytes(text)]), tag: 1)
      }
      for round in 0..<6 {
        for number in 0..<5 { send("\(round) \(number)") }
        let peer = Peer(ZMQ_DEALER, identity: "engine")
        peer.connect(station.endpoint(engine))
        for text in (round > 0 ? ["probe"] : []) + (0..<5).map({ "\(round) \($0)" }) {
          let got = pump(station, ignoring: TRANSPORT_REJOINED) { peer.receive(milliseconds: 5) }
          #expect(got == [bytes(text)])
        }
        peer.close()
        // Until it is known to have gone, what is sent goes where it went.
        let held = station.counters.held
        let gone = pump(station, ignoring: TRANSPORT_REJOINED) { () -> Bool? in
          send("probe")
          return station.counters.held > held ? true : nil
        }
        #expect(gone == true)
      }
      station.close()
    }

    @Test(arguments: eachLane) func `engines without ids get turns on all lanes`(_ setup: Setup)
      throws
    {
      let station = try Station(setup, dealer: true)
      var peers = (0..<4).map { _ in Peer(ZMQ_DEALER) }
      for peer in peers {
        peer.connect(station.endpoint(engine))
        peer.send([bytes("hello")])
        _ = try station.next()
      }
      func oneEach() {
        for _ in peers { station.send(TRANSPORT_ENGINE, station.compose([bytes("task")])) }
        for peer in peers {
          #expect(pump(station) { peer.receive(milliseconds: 5) } == [bytes("task")])
        }
      }
      for _ in 0..<3 { oneEach() }
      peers.remove(at: 1).close()
      // What goes to the one that has gone is lost, until it is known.
      for _ in 0..<50 { _ = station.turn(within: 1_000_000) }
      for _ in 0..<3 { oneEach() }
      station.close()
    }

    @Test(arguments: eachLane) func `what a paused role sent comes later, in order`(_ setup: Setup)
      throws
    {
      let station = try Station(setup)
      let peers = (0..<6).map { number in
        let peer = Peer(ZMQ_DEALER, identity: "c\(number)")
        peer.connect(station.endpoint(client))
        return peer
      }
      var next = [[UInt8]: Int]()
      for round in 0..<20 {
        transport_pause(station.transport, TRANSPORT_CLIENT, round % 2 == 0)
        for peer in peers { for part in 0..<5 { peer.send([bytes("\(round * 5 + part)")]) } }
        for _ in 0..<3 {
          let events = station.turn(within: 2_000_000, capacity: 4)
          if round % 2 == 0 { #expect(events.isEmpty) }
          for event in events {
            #expect(event.frames == [bytes("\(next[event.peer, default: 0])")])
            next[event.peer, default: 0] += 1
          }
        }
      }
      peers[0].close()  // parked messages outlive their peer
      transport_pause(station.transport, TRANSPORT_CLIENT, false)
      let end = transport_now_ns() + patienceNanoseconds
      let others = (1..<6).map { bytes("c\($0)") }
      while others.contains(where: { next[$0] != 100 }) && transport_now_ns() < end {
        for event in station.turn(within: 10_000_000, capacity: 7) {
          #expect(event.frames == [bytes("\(next[event.peer, default: 0])")])
          next[event.peer, default: 0] += 1
        }
      }
      #expect(others.allSatisfy { next[$0] == 100 })
      station.close()
    }

    /// While its reader stands still, a large message is held where it lies, not copied; and it is
    /// given back when the reader goes.
    @Test(arguments: eachLane) func `10 MB are relayed from where they lie`(_ setup: Setup) throws {
      let station = try Station(setup)
      let sender = Peer(ZMQ_DEALER, identity: "c")
      sender.connect(station.endpoint(client))
      let big = payload(10 << 20)
      sender.send([big, bytes("end")])
      let task = try station.next()
      #expect(task.frames == [big, bytes("end")])
      let reader = Peer(ZMQ_DEALER, identity: "reader")
      reader.connect(station.endpoint(engine))
      let stuck = RawPeer(station.endpoint(engine), receiveBuffer: 4_096)
      stuck.send(Wire.handshake(identity: "stuck") + Wire.message([bytes("hello")]))
      _ = try station.next()
      let prefix = [station.name("c"), station.name("d")]
      station.send(TRANSPORT_ENGINE, to: station.name("stuck"), prefix: prefix, task.message)
      station.send(TRANSPORT_ENGINE, to: station.name("reader"), prefix: prefix, task.message)
      station.releaseMessages()
      let got = pump(station) { reader.receive(milliseconds: 5) }
      #expect(got == [bytes("c"), bytes("d"), big, bytes("end")])
      for _ in 0..<20 { _ = station.turn(within: 1_000_000) }
      #expect(message_table_count(station.messages) == 1)
      #expect(message_table_bytes(station.messages) == UInt64(big.count + 3))
      stuck.close()
      let back = pump(station) { message_table_count(station.messages) == 0 ? true : nil }
      #expect(back == true)
      station.close()
    }

    @Test(arguments: eachLane) func `what a lane counts adds up here`(_ setup: Setup) throws {
      var limits = transport_limits()
      limits.client_pause_bytes = 8 << 20
      limits.client_bytes_max = 24 << 20
      let station = try Station(setup, limits: limits)
      let stuck = try (0..<2).map { number -> (RawPeer, atom) in
        let peer = RawPeer(station.endpoint(client), receiveBuffer: 4_096)
        peer.send(Wire.handshake(identity: "stuck \(number)") + Wire.message([bytes("hello")]))
        return (peer, try station.next().peerAtom)
      }
      let big = station.compose([[UInt8](repeating: 9, count: 1 << 20)])
      func fill(_ name: atom, until: (transport_counters) -> Bool) -> Bool {
        pump(station) { () -> Bool? in
          if until(station.counters) { return true }
          // Not faster than a lane counts: what comes all at once is above the limit at once.
          let sent = Int(message_get(station.messages, big)!.pointee.references) - 1
          let counted = Int(station.counters.waiting_bytes.0 >> 20)
          if sent <= counted + 2 { station.send(TRANSPORT_CLIENT, to: name, big) }
          return nil
        } ?? false
      }
      #expect(fill(stuck[0].1) { $0.paused_clients == 1 })
      #expect(fill(stuck[1].1) { $0.paused_clients == 2 && $0.waiting_bytes.0 > 16 << 20 })
      // And at the limit, the one and not the other is closed and named.
      #expect(fill(stuck[1].1) { $0.dropped_peers == 1 })
      #expect(stuck[1].0.isClosed(station))
      let notice = pump(station) { station.notices().first }
      #expect(notice?.contains("does not read its replies") == true)
      stuck[0].0.close()
      let gone = pump(station) { station.counters.waiting_bytes.0 == 0 ? true : nil }
      #expect(gone == true)
      #expect(station.counters.dropped_peers == 1 && station.counters.paused_clients == 2)
      station.close()
    }

    /// However many lanes they are on: one line a second, and no room taken by each address.
    @Test(arguments: eachLane) func `of each kind one line is told`(_ setup: Setup) throws {
      let station = try Station(setup)
      let began = transport_now_ns()
      let strangers = 90
      for _ in 0..<strangers {
        let stranger = RawPeer(station.endpoint(client))
        stranger.send(Wire.handshake("PUSH"))
        #expect(stranger.isClosed(station))
      }
      // While there is room for it, another cause has a line of its own.
      let other = RawPeer(station.endpoint(client))
      other.send(bytes("GET / HTTP/1.1\r\nHost: x\r\n\r\n"))
      var lines: [String] = []
      let counted = { (words: String) -> Int in
        lines.filter { $0.contains(words) }.reduce(0) { sum, line in
          let more = line.range(of: " (and ").map { String(line[$0.upperBound...]) } ?? "0"
          return sum + 1 + (Int(more.prefix { $0.isNumber }) ?? 0)
        }
      }
      let all = pump(station) { () -> Bool? in
        lines += station.notices()
        return counted("wrong type") == strangers && counted("HTTP") == 1 ? true : nil
      }
      #expect(all == true, "\(lines)")
      let seconds = Int((transport_now_ns() - began) / 1_000_000_000)
      #expect(lines.count <= 2 + seconds)
      station.close()
    }

    @Test(arguments: eachLane) func `a prefix of any length arrives`(_ setup: Setup) throws {
      let station = try Station(setup)
      let peer = Peer(ZMQ_DEALER, identity: "c")
      peer.connect(station.endpoint(client))
      peer.send([bytes("hello")])
      let hello = try station.next()
      for size in [1, 24, 72, 73, 255, 256, 9_000] {
        let names = [size, 1, size].map { count in [UInt8](repeating: 65, count: count) }
        station.send(
          TRANSPORT_CLIENT, to: hello.peerAtom, prefix: names.map { station.name($0) },
          hello.message)
        let got = pump(station) { peer.receive(milliseconds: 5) }
        #expect(got == names + [bytes("hello")])
        // And alone: no frame of the message follows.
        station.send(
          TRANSPORT_CLIENT, to: hello.peerAtom, prefix: [station.name(names[0])], hello.message,
          from: 1)
        #expect(pump(station) { peer.receive(milliseconds: 5) } == [names[0]])
      }
      station.close()
    }
  }
}

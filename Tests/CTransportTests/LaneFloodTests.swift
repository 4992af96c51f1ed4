// LaneFloodTests.swift: I/O lanes with more to do than their rings hold, and ended in the midst.

import CBase
import CTransport
import CZeroMQ
import Foundation
import Glibc
import Synchronization
import Testing

/// Ring sizes that are full nearly always, often, and never here.
private let rings: [Setup] = [1, 2, 8, 0].flatMap { ring in
  reactors.map { Setup(io: $0, body: TRANSPORT_BODY_NATIVE, lanes: 2, ring: ring) }
}

/// What a checker says: whom it belongs to, the role, the frames' bytes, and memory of its own.
private struct Words {
  var context: UInt64
  var role: UInt64
  var bytes: UInt64
  var kept: UnsafeMutablePointer<UInt64>
}

private let checks:
  @convention(c) (
    UnsafeMutableRawPointer?, UInt32, UnsafePointer<message_frame>?, UInt32,
    UnsafeMutableRawPointer?, UnsafeMutablePointer<UnsafeMutableRawPointer?>?
  ) -> Bool = { context, role, frames, count, out, kept in
    let bytes = (0..<Int(count)).reduce(0) { $0 + frames![$1].size }
    if bytes % 5 == 4 { return false }  // the receiver has to look itself
    let memory = malloc(8)!.bindMemory(to: UInt64.self, capacity: 1)
    memory.pointee = ~bytes
    kept!.pointee = UnsafeMutableRawPointer(memory)
    out!.storeBytes(
      of: Words(
        context: UInt64(UInt(bitPattern: context)), role: UInt64(role), bytes: bytes, kept: memory),
      as: Words.self)
    return true
  }

extension TransportTests {
  @Suite struct LaneFloods {
    /// Clients on every lane send as fast as they can; each message is answered, the station
    /// gathers in small bites, and both directions keep their order.
    @Test(arguments: rings) func `a flood both ways keeps its order`(_ setup: Setup) throws {
      let station = try Station(setup)
      let endpoint = station.endpoint(client)
      let peers = 5
      let each = 3_000
      let done = DispatchGroup()
      let wrong = Mutex<[String]>([])
      for number in 0..<peers {
        done.enter()
        Thread {
          let peer = Peer(ZMQ_DEALER, identity: "c\(number)")
          peer.connect(endpoint)
          for index in 0..<each {
            peer.send([bytes("\(index)"), [UInt8](repeating: 1, count: 90)])
          }
          for index in 0..<each {
            let answer = peer.receive(milliseconds: 20_000)?.first
            if answer != bytes("\(index)") {
              wrong.withLock { $0.append("\(String(describing: answer)) instead of \(index)") }
              break
            }
          }
          peer.close()
          done.leave()
        }.start()
      }
      var next = [[UInt8]: Int]()
      let end = transport_now_ns() + patienceNanoseconds
      while done.wait(timeout: .now()) == .timedOut && transport_now_ns() < end {
        for event in station.turn(within: 1_000_000, capacity: 23) {
          #expect(event.frames[0] == bytes("\(next[event.peer, default: 0])"))
          next[event.peer, default: 0] += 1
          station.send(TRANSPORT_CLIENT, to: event.peerAtom, event.message)
        }
        station.releaseMessages()
      }
      #expect(done.wait(timeout: .now() + 1) == .success)
      #expect(wrong.withLock { $0 } == [])
      #expect(next.values.allSatisfy { $0 == each } && next.count == peers)
      #expect(station.counters.received.0 == UInt64(peers * each))
      #expect(station.counters.sent.0 == UInt64(peers * each))
      station.close()
    }

    @Test(arguments: rings) func `what the checker said comes with its message`(_ setup: Setup)
      throws
    {
      let contexts = UnsafeMutablePointer<UnsafeMutableRawPointer?>.allocate(capacity: 2)
      defer { contexts.deallocate() }
      for index in 0..<2 { contexts[index] = UnsafeMutableRawPointer(bitPattern: 64 + index) }
      let checker = transport_checker(ahead: nil, check: checks, contexts: UnsafePointer(contexts))
      let station = try Station(setup, checker: checker)
      let peers = [client, engine, client, engine].enumerated().map { index, role in
        let peer = Peer(ZMQ_DEALER, identity: "\(role) \(index)")
        peer.connect(station.endpoint(role))
        return peer
      }
      let each = 200
      for size in 0..<each {
        for peer in peers { peer.send([[UInt8](repeating: 7, count: size), bytes("x")]) }
      }
      var lanesOf = [[UInt8]: Set<UInt64>]()
      var count = 0
      transport_pause(station.transport, TRANSPORT_ENGINE, true)
      let end = transport_now_ns() + patienceNanoseconds
      while count < 4 * each && transport_now_ns() < end {
        let events = station.turn(within: 10_000_000, capacity: 19)
        for event in events {
          count += 1
          let size = UInt64(event.frames.reduce(0) { $0 + $1.count })
          #expect((event.checked == nil) == (size % 5 == 4))
          guard let words = event.checked?.load(as: Words.self) else { continue }
          #expect(words.bytes == size && words.kept.pointee == ~size)
          #expect(words.role == UInt64(event.role.rawValue))
          lanesOf[event.peer, default: []].insert(words.context)
        }
        station.releaseMessages()
        if events.isEmpty { transport_pause(station.transport, TRANSPORT_ENGINE, false) }
      }
      #expect(count == 4 * each)
      // A connection stays on its lane, and both lanes have some.
      #expect(lanesOf.values.allSatisfy { $0.count == 1 })
      #expect(Set(lanesOf.values.flatMap { $0 }) == [64, 65])
      station.close()
    }

    /// Everything is under way: handshakes, messages in both rings, writes that do not end.
    @Test(arguments: rings) func `an end in the midst of it leaves nothing`(_ setup: Setup) throws {
      for round in 0..<6 {
        let station = try Station(setup)
        let endpoint = station.endpoint(client)
        let big = station.compose([[UInt8](repeating: 9, count: 1 << 19)])
        let stops = Atomic(false)
        let done = DispatchGroup()
        for number in 0..<4 {
          done.enter()
          nonisolated(unsafe) let peer = RawPeer(endpoint)
          Thread {
            peer.send(Wire.handshake(identity: "c\(number)"))
            let message = Wire.message([bytes("x"), [UInt8](repeating: 1, count: 500)])
            while !stops.load(ordering: .relaxed) {
              // Not waiting: the other side may have stopped reading.
              if message.withUnsafeBytes({
                Glibc.send(peer.fd, $0.baseAddress!, $0.count, Int32(MSG_NOSIGNAL | MSG_DONTWAIT))
              }) < 0 && errno != EAGAIN {
                break
              }
              usleep(20)
            }
            peer.close()
            done.leave()
          }.start()
        }
        let released = round % 2 == 0
        for _ in 0..<(5 * round) {
          for event in station.turn(within: 5_000_000, capacity: 9) {
            for _ in 0..<4 { station.send(TRANSPORT_CLIENT, to: event.peerAtom, big) }
            station.send(TRANSPORT_CLIENT, to: event.peerAtom, event.message)
          }
        }
        station.close(
          lingerNanoseconds: round % 3 == 0 ? 0 : 20_000_000, releaseFirst: released)
        stops.store(true, ordering: .relaxed)
        done.wait()
      }
    }

    @Test(arguments: rings) func `peers that come and go leave nothing`(_ setup: Setup) throws {
      let station = try Station(setup)
      let endpoint = station.endpoint(client)
      let big = station.compose([[UInt8](repeating: 9, count: 1 << 19)])
      for round in 0..<150 {
        let peer = RawPeer(endpoint)
        // Some leave before the handshake is done, some within it, some with answers on their way.
        let hello = Wire.handshake(identity: "c\(round % 7)") + Wire.message([bytes("x")])
        peer.send(Array(hello.prefix(round % 3 == 0 ? round % hello.count : hello.count)))
        for event in station.turn(within: 1_000_000) {
          for _ in 0..<3 { station.send(TRANSPORT_CLIENT, to: event.peerAtom, big) }
        }
        peer.close()
      }
      for event in station.turn(within: 20_000_000) {
        station.send(TRANSPORT_CLIENT, to: event.peerAtom, big)
      }
      station.releaseMessages()
      let back = { () -> Bool? in message_table_count(station.messages) == 0 ? true : nil }
      let end = transport_now_ns() + patienceNanoseconds
      while back() == nil && transport_now_ns() < end {
        _ = station.turn(within: 1_000_000)
        station.releaseMessages()
      }
      #expect(back() == true)
      let counters = station.counters
      #expect(counters.sent.0 < 1 << 40, "what was lost is taken off once")
      station.close()
    }
  }
}

// PeerLimitsTests.swift: one peer that is not read, and limits over all I/O lanes together.

import CBase
import CTransport
import Foundation
import Glibc
import Testing

private let eachNativeWithLanes = eachNative + eachLane
private let megabyte = [UInt8](repeating: 7, count: 1 << 20)

extension TransportTests {
  @Suite struct PeerLimits {
    @Test(arguments: eachNativeWithLanes)
    func `a peer that is paused is not read, and loses nothing`(_ setup: Setup) throws {
      let station = try Station(setup)
      let (paused, name) = try rawJoined(station, client, "paused")
      let (other, _) = try rawJoined(station, client, "other")
      #expect(transport_pause_peer(station.transport, TRANSPORT_CLIENT, name, true))
      // A lane hears of it a little later: what comes until then is taken.
      var sent = 0
      var got: [[UInt8]] = []
      var isSilent = false
      while !isSilent && sent < 200 {
        paused.send(Wire.message([bytes("\(sent)")]))
        sent += 1
        let came = station.turn(within: 50_000_000)
        got += came.map { $0.frames[0] }
        isSilent = came.isEmpty
      }
      #expect(isSilent)
      for _ in 0..<5 {
        paused.send(Wire.message([bytes("\(sent)")]))
        sent += 1
        other.send(Wire.message([bytes("now")]))
        #expect(try station.next().peer == bytes("other"))
      }
      #expect(transport_pause_peer(station.transport, TRANSPORT_CLIENT, name, false))
      got += station.gather(sent - got.count).map { $0.frames[0] }
      #expect(got == (0..<sent).map { bytes("\($0)") })
      station.close()
    }

    @Test(arguments: eachNative)
    func `a pause ends with its connection, and nobody can be paused`(_ setup: Setup) throws {
      let station = try Station(setup)
      let (first, name) = try rawJoined(station, client, "same")
      atoms_retain(station.names, name)
      #expect(transport_pause_peer(station.transport, TRANSPORT_CLIENT, name, true))
      let (second, again) = try rawJoined(station, client, "same")
      #expect(again == name)
      second.send(Wire.message([bytes("read")]))
      #expect(try station.next().frames == [bytes("read")])
      first.close()
      let nobody = station.name("nobody has this")
      #expect(transport_pause_peer(station.transport, TRANSPORT_CLIENT, nobody, true))
      atoms_release(station.names, name)
      station.close()
    }

    @Test func `libzmq reads all clients or none`() throws {
      let station = try Station(Setup(body: TRANSPORT_BODY_ZMQ))
      let name = station.name("anybody")
      #expect(!transport_pause_peer(station.transport, TRANSPORT_CLIENT, name, true))
      station.close()
    }

    /// With lanes the one that has the engine says so when too much waits for it; what is under way
    /// until the front has heard it comes on top.
    @Test(arguments: eachAlone + eachLane)
    func `an engine that reads nothing gets no more, and the rest is given back`(_ setup: Setup)
      throws
    {
      var limits = transport_limits()
      limits.engine_bytes_max = 4 << 20
      let station = try Station(setup, holdNanoseconds: 50_000_000, limits: limits)
      let stuck = try rawJoined(station, engine, "stuck", receiveBuffer: 4_096)
      let other = try rawJoined(station, engine, "other")
      let message = station.compose([megabyte])
      var back = 0
      let end = transport_now_ns() + patienceNanoseconds
      for number in 0..<200 where back < 3 && transport_now_ns() < end {
        station.send(TRANSPORT_ENGINE, to: stuck.name, message, tag: UInt32(number))
        for event in station.turn(within: 20_000_000) {
          #expect(event.kind == TRANSPORT_UNDELIVERABLE && event.peer == bytes("stuck"))
          back += 1
        }
      }
      #expect(back >= 3)
      #expect(station.counters.waiting_bytes.1 < (setup.lanes == 0 ? 7 : 24) << 20)
      station.send(TRANSPORT_ENGINE, to: other.name, station.compose([bytes("task")]))
      let answer = Wire.message([bytes("task")])
      #expect(
        pump(station, ignoring: TRANSPORT_UNDELIVERABLE) { () -> Bool? in
          other.peer.drain() >= answer.count ? true : nil
        } == true)
      // Once it reads, it gets what is sent from then on.
      let held = station.counters.held
      let reads = pump(station, ignoring: TRANSPORT_UNDELIVERABLE) { () -> Bool? in
        _ = stuck.peer.drain()
        return station.counters.waiting_bytes.1 == 0 ? true : nil
      }
      #expect(reads == true)
      station.send(TRANSPORT_ENGINE, to: stuck.name, station.compose([bytes("task")]))
      #expect(
        pump(station, ignoring: TRANSPORT_UNDELIVERABLE) { () -> Bool? in
          stuck.peer.drain() > 0 ? true : nil
        } == true)
      #expect(station.counters.held == held)
      station.close()
    }

    @Test(arguments: eachLane)
    func `as many peers as allowed over all lanes, and no more`(_ setup: Setup) throws {
      var limits = transport_limits()
      limits.peers_max = 4
      let station = try Station(setup, limits: limits)
      let peers = try (0..<4).map { try rawJoined(station, client, "peer \($0)").peer }
      #expect(noticed(station, 1, "as many as allowed"))
      let late = RawPeer(station.endpoint(client))
      late.send(Wire.handshake(identity: "late") + Wire.message([bytes("hello")]))
      for _ in 0..<20 { #expect(station.turn(within: 5_000_000).isEmpty) }
      peers[0].close()
      #expect(pumpEvent(station)?.peer == bytes("late"))
      station.close()
    }
  }
}

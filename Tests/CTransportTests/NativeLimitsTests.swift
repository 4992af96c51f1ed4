// NativeLimitsTests.swift: the native transport's limits: what is refused, who is not read, what
// is given back, and that the others do not notice.

import CBase
import CTransport
import CZeroMQ
import Foundation
import Glibc
import Testing

/// A raw peer that is known to the station.
func rawJoined(
  _ station: Station, _ role: Int, _ identity: String, receiveBuffer: Int32? = nil
) throws -> (peer: RawPeer, name: atom) {
  let peer = RawPeer(station.endpoint(role), receiveBuffer: receiveBuffer)
  peer.send(Wire.handshake(identity: identity) + Wire.message([bytes("hello")]))
  let hello = try station.next()
  #expect(hello.peer == bytes(identity))
  return (peer, hello.peerAtom)
}

extension RawPeer {
  /// Reads all there is and throws it away; the number of bytes.
  func drain() -> Int {
    var chunk = [UInt8](repeating: 0, count: 1 << 20)
    var count = 0
    while true {
      let size = recv(fd, &chunk, chunk.count, Int32(MSG_DONTWAIT))
      if size <= 0 { return count }
      count += size
    }
  }
}

private let megabyte = [UInt8](repeating: 9, count: 1 << 20)

/// Sends a megabyte at a time until `enough`, with a turn after each.
private func flood(
  _ station: Station, _ role: transport_role, _ name: atom = 0, _ prefix: [atom] = [],
  until enough: (transport_counters) -> Bool
) -> Bool {
  let message = station.compose([megabyte])
  for _ in 0..<200 where !enough(station.counters) {
    station.send(role, to: name, prefix: prefix, message)
    #expect(station.turn(within: 0).isEmpty)
  }
  return enough(station.counters)
}

extension TransportTests {
  @Suite struct NativeLimits {
    /// A turn is a part of what many have sent, and they come in turn.
    @Test(arguments: eachAlone) func `who sends a lot takes turns with the others`(_ setup: Setup)
      throws
    {
      let station = try Station(setup)
      let peers = try (0..<6).map { try rawJoined(station, client, "\($0)").peer }
      let body = [UInt8](repeating: 7, count: 600)
      var next = [Int](repeating: 0, count: peers.count)
      var largest = 0
      for round in 1...12 {
        for (peer, first) in zip(peers, next) {
          peer.send((first..<150 * round).flatMap { Wire.message([bytes("\($0)"), body]) })
        }
        largest = 0
        var turn = 0
        while next.contains(where: { $0 < 150 * round }) {
          turn += 1
          let events = station.turn(within: 5_000_000_000, capacity: 4_096)
          largest = max(largest, events.count)
          for event in events {
            let peer = Int(String(decoding: event.peer, as: UTF8.self))!
            #expect(event.frames[0] == bytes("\(next[peer])"))
            next[peer] += 1
          }
          station.releaseMessages()
          let all = next.allSatisfy { $0 > 150 * (round - 1) }
          try #require(!events.isEmpty && (turn < peers.count || all), "turn \(turn): \(next)")
        }
      }
      #expect(largest <= 600, "of 900 messages in the end")
      station.close()
    }

    @Test(arguments: eachNative) func `an end that comes with the last bytes is seen`(
      _ setup: Setup
    ) throws {
      let station = try Station(setup)
      for bytes_ in [Wire.greeting(), Wire.handshake(identity: "a") + Wire.message([bytes("b")])] {
        let peer = RawPeer(station.endpoint(client))
        peer.send(bytes_)
        shutdown(peer.fd, Int32(SHUT_WR))
        if bytes_.count > 64 { #expect(try station.next().frames == [bytes("b")]) }
        #expect(peer.isClosed(station))
      }
      station.close()
    }

    @Test(arguments: eachAlone)
    func `a client that reads no replies is not read, until it has`(_ setup: Setup) throws {
      var limits = transport_limits()
      limits.client_pause_bytes = 8 << 20
      let station = try Station(setup, limits: limits)
      let stuck = try rawJoined(station, client, "stuck", receiveBuffer: 4_096)
      let other = try rawJoined(station, client, "other")
      #expect(flood(station, TRANSPORT_CLIENT, stuck.name) { $0.paused_clients == 1 })
      #expect(station.counters.waiting_bytes.0 > 8 << 20)
      #expect(station.counters.waiting_bytes.0 < 10 << 20)
      // What it sends now stays where it is, while the other one is read.
      stuck.peer.send(Wire.message([bytes("late")]))
      for _ in 0..<5 {
        other.peer.send(Wire.message([bytes("now")]))
        #expect(try station.next().peer == bytes("other"))
      }
      let late = pumpEvent(station) { _ = stuck.peer.drain() }
      #expect(late?.peer == bytes("stuck") && late?.frames == [bytes("late")])
      #expect(station.counters.waiting_bytes.0 <= 4 << 20)
      #expect(station.counters.dropped_peers == 0)
      station.close()
    }

    @Test(arguments: eachAlone)
    func `a client for which too much waits is closed and named`(_ setup: Setup) throws {
      var limits = transport_limits()
      limits.client_pause_bytes = 4 << 20
      limits.client_bytes_max = 8 << 20
      let station = try Station(setup, limits: limits)
      let stuck = try rawJoined(station, client, "stuck", receiveBuffer: 4_096)
      let other = try rawJoined(station, client, "other")
      #expect(flood(station, TRANSPORT_CLIENT, stuck.name) { $0.dropped_peers == 1 })
      #expect(station.counters.waiting_bytes.0 == 0)
      #expect(noticed(station, 1, "does not read its replies"))
      other.peer.send(Wire.message([bytes("unharmed")]))
      #expect(try station.next().peer == bytes("other"))
      station.close()
    }

    @Test(arguments: eachAlone)
    func `when all clients together read too little, the slow ones go`(_ setup: Setup) throws {
      var limits = transport_limits()
      limits.client_pause_bytes = 4 << 20
      limits.clients_bytes_max = 12 << 20
      let station = try Station(setup, limits: limits)
      let stuck = try (0..<4).map {
        try rawJoined(station, client, "stuck \($0)", receiveBuffer: 4_096)
      }
      let small = try rawJoined(station, client, "small")
      for each in stuck {
        _ = flood(station, TRANSPORT_CLIENT, each.name) {
          $0.dropped_peers > 0
            || $0.paused_clients == stuck.firstIndex { $0.name == each.name }! + 1
        }
      }
      #expect(station.counters.dropped_peers >= 1)
      #expect(station.counters.waiting_bytes.0 <= 13 << 20)
      small.peer.send(Wire.message([bytes("unharmed")]))
      #expect(try station.next().peer == bytes("small"))
      station.close()
    }

    @Test(arguments: eachAlone)
    func `too much that is unfinished: who sent most of it goes`(_ setup: Setup) throws {
      var limits = transport_limits()
      limits.unfinished_bytes_max = 3 << 20
      let station = try Station(setup, limits: limits)
      let peers = try (0..<3).map { try rawJoined(station, client, "peer \($0)").peer }
      let start = Wire.frame(bytes("head"), more: true) + [2] + Wire.size(16 << 20)
      var all: UInt64 = 0
      for (peer, count) in zip(peers, [2 << 20, 800_000, 900_000]) {
        peer.send(start + [UInt8](repeating: 1, count: count))
        all += UInt64(count)
        let arrived = pump(station) { () -> Bool? in
          let counters = station.counters
          return counters.unfinished_bytes >= all || counters.dropped_peers == 1 ? true : nil
        }
        #expect(arrived == true)
      }
      #expect(noticed(station, 1, "most of what is unfinished"))
      #expect(peers[0].isClosed(station))
      #expect(station.counters.unfinished_bytes < 3 << 20)
      for peer in peers { peer.close() }
      #expect(pump(station) { station.counters.unfinished_bytes == 0 ? true : nil } == true)
      station.close()
    }

    @Test(arguments: eachAlone)
    func `pings that nobody reads the answers of cost no memory`(_ setup: Setup) throws {
      var limits = transport_limits()
      limits.client_pause_bytes = 1 << 20
      let station = try Station(setup, limits: limits)
      let stuck = try rawJoined(station, client, "stuck", receiveBuffer: 4_096)
      let pings = (0..<5_000).flatMap { _ in
        Wire.command("PING", [0, 0] + [UInt8](repeating: 1, count: 16))
      }
      let thread = Thread { [fd = stuck.peer.fd] in
        for _ in 0..<400 {
          let sent = pings.withUnsafeBytes { send(fd, $0.baseAddress!, $0.count, 0x4000) }
          if sent <= 0 { return }
        }
      }
      thread.start()
      let paused = pump(station) { station.counters.paused_clients > 0 ? true : nil }
      #expect(paused == true)
      for _ in 0..<50 { #expect(station.turn(within: 1_000_000).isEmpty) }
      #expect(station.counters.waiting_bytes.0 < 4 << 20)
      station.close()
      while !thread.isFinished { usleep(1_000) }
    }

    @Test(arguments: eachAlone)
    func `of engines that take turns, one that reads nothing is left out`(_ setup: Setup) throws {
      var limits = transport_limits()
      limits.engine_bytes_max = 4 << 20
      let station = try Station(setup, dealer: true, limits: limits)
      let stuck = RawPeer(station.endpoint(engine), receiveBuffer: 4_096)
      let other = RawPeer(station.endpoint(engine))
      for peer in [stuck, other] {
        peer.send(Wire.handshake("ROUTER") + Wire.message([bytes("hello")]))
        #expect(try station.next().frames == [bytes("hello")])
      }
      let message = station.compose([megabyte])
      var got = 0
      let end = transport_now_ns() + patienceNanoseconds
      // More than both together would take, were it dealt evenly.
      while got < 60 << 20 && transport_now_ns() < end {
        station.send(TRANSPORT_ENGINE, message)
        for _ in 0..<3 {
          #expect(station.turn(within: 0).isEmpty)
          got += other.drain()
        }
      }
      #expect(got >= 60 << 20 && station.counters.undeliverable == 0)
      station.close()
    }

    /// The hub stops reading: clients wait, then engines; nothing is lost, and it all goes on.
    @Test(arguments: eachAlone) func `a slow hub slows the whole scheduler down`(_ setup: Setup)
      throws
    {
      let listener = RawListener()
      var limits = transport_limits()
      limits.monitor_bytes_max = 8 << 20
      let station = try Station(
        setup,
        urls: [
          client: "tcp://127.0.0.1:*", engine: "tcp://127.0.0.1:*", monitor: listener.endpoint,
        ],
        limits: limits)
      let hub = listener.accept()
      hub.send(Wire.handshake("SUB") + Wire.command("SUBSCRIBE"))
      #expect(pumpEvent(station)?.kind == TRANSPORT_SUBSCRIBED)
      let task = try rawJoined(station, client, "client")
      let reply = try rawJoined(station, engine, "engine")
      let topic = station.name("outtask")
      var sent = 0
      func publish(until enough: (transport_counters) -> Bool) -> Bool {
        let before = station.counters.sent.2
        let done = flood(station, TRANSPORT_MONITOR, 0, [topic], until: enough)
        sent += Int(station.counters.sent.2 - before)
        return done
      }
      #expect(publish { $0.pushed_back == 1 })
      #expect(noticed(station, 1, "nothing is read from clients"))
      task.peer.send(Wire.message([bytes("task")]))
      reply.peer.send(Wire.message([bytes("reply")]))
      #expect(try station.next().peer == bytes("engine"))
      // The replies go on to the hub: engines wait, too.
      #expect(publish { $0.waiting_bytes.2 > 17 << 20 })
      #expect(noticed(station, 1, "nothing is read from engines"))
      reply.peer.send(Wire.message([bytes("another")]))
      for _ in 0..<5 { #expect(station.turn(within: 1_000_000).isEmpty) }
      // It reads again: everything arrives, all are read.
      let message = Wire.message([bytes("outtask"), megabyte]).count
      let greeting = 64 + Wire.command("READY", Wire.property("Socket-Type", bytes("PUB"))).count
      var got = 0
      var events: [Received] = []
      let end = transport_now_ns() + patienceNanoseconds
      while (got < greeting + sent * message || events.count < 2) && transport_now_ns() < end {
        got += hub.drain()
        events += station.turn(within: 1_000_000)
      }
      #expect(got == greeting + sent * message)
      #expect(Set(events.map { $0.frames[0] }) == [bytes("task"), bytes("another")])
      #expect(station.counters.waiting_bytes.2 == 0)
      station.close()
    }
  }
}

/// The next event while `act` is repeated.
func pumpEvent(_ station: Station, _ act: () -> Void = {}) -> Received? {
  let end = transport_now_ns() + patienceNanoseconds
  while transport_now_ns() < end {
    act()
    if let event = station.turn(within: 1_000_000, capacity: 1).first { return event }
  }
  return nil
}

/// Turns until there is an answer; events of `kind` may come meanwhile.
func pump<Answer>(
  _ station: Station, ignoring kind: transport_event_kind, _ ask: () -> Answer?
) -> Answer? {
  let end = transport_now_ns() + patienceNanoseconds
  while transport_now_ns() < end {
    if let answer = ask() { return answer }
    for event in station.turn(within: 1_000_000) { #expect(event.kind == kind) }
  }
  return nil
}

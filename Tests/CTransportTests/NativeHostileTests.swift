// NativeHostileTests.swift: the native transport among peers that come in floods, say nothing, or
// break their promises, with normal traffic beside them.

import CBase
import CTransport
import CZeroMQ
import Foundation
import Glibc
import Testing

/// A task and its reply, through a raw client and a raw engine that are known to the station.
private struct Traffic {
  let client: (peer: RawPeer, name: atom)
  let engine: (peer: RawPeer, name: atom)

  init(_ station: Station) throws {
    client = try rawJoined(station, CTransportTests.client, "client")
    engine = try rawJoined(station, CTransportTests.engine, "engine")
    for _ in 0..<3 { _ = station.turn(within: 0) }
    // All of it, and no more: a lane may hand a message over before it has written its own READY.
    let greeting = Wire.greeting() + Wire.ready("ROUTER", identity: "")
    #expect(client.peer.read(greeting.count) == greeting)
    #expect(engine.peer.read(greeting.count) == greeting)
  }

  /// One task there and back. Only these messages may come.
  func round(_ station: Station, _ number: Int) {
    client.peer.send(Wire.message([bytes("task \(number)")]))
    let task = pumpEvent(station)
    #expect(task?.peer == bytes("client") && task?.frames == [bytes("task \(number)")])
    guard let task else { return }
    station.send(TRANSPORT_ENGINE, to: engine.name, task.message)
    #expect(station.turn(within: 0).isEmpty)  // it leaves with the next turn at the latest
    let sent = Wire.message([bytes("task \(number)")])
    #expect(engine.peer.read(sent.count) == sent)
    engine.peer.send(Wire.message([bytes("reply \(number)")]))
    let reply = pumpEvent(station)
    #expect(reply?.peer == bytes("engine"))
    guard let reply else { return }
    station.send(TRANSPORT_CLIENT, to: client.name, reply.message)
    #expect(station.turn(within: 0).isEmpty)
    let answer = Wire.message([bytes("reply \(number)")])
    #expect(client.peer.read(answer.count) == answer)
    station.releaseMessages()
  }
}

/// Turns until `count` events came, of which only the number is looked at.
private func absorb(_ station: Station, _ count: Int) -> Bool {
  var left = count
  let end = transport_now_ns() + patienceNanoseconds
  while left > 0 && transport_now_ns() < end {
    left -= station.turn(within: 1_000_000, capacity: 256).count
    station.releaseMessages()
  }
  return left == 0
}

private func descriptors(_ count: Int) -> Bool {
  var limit = rlimit()
  getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
  if limit.rlim_cur < limit.rlim_max {
    limit.rlim_cur = limit.rlim_max
    setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
  }
  return limit.rlim_cur >= rlim_t(count)
}

extension TransportTests {
  @Suite struct NativeHostile {
    /// Each takes two descriptors of this process: as many as there are, 9,000 at most.
    @Test(arguments: eachAlone) func `thousands of idle connections disturb nobody`(
      _ setup: Setup
    ) throws {
      let count = descriptors(21_000) ? 10_000 : descriptors(19_000) ? 9_000 : 400
      let station = try Station(setup)
      let traffic = try Traffic(station)
      let endpoint = station.endpoint(client)
      var idle: [RawPeer] = []
      for number in 0..<count {
        let peer = RawPeer(endpoint)
        peer.send(Wire.handshake(identity: "idle \(number)") + Wire.message([bytes("hello")]))
        idle.append(peer)
        if number % 1_000 == 999 { #expect(absorb(station, 1_000)) }
      }
      #expect(absorb(station, count % 1_000))
      for number in 0..<200 { traffic.round(station, number) }
      #expect(station.notices() == [])
      idle.forEach { $0.close() }
      station.close()
    }

    @Test(arguments: eachAlone) func `who never ends a handshake makes way, in time or in order`(
      _ setup: Setup
    ) throws {
      var limits = transport_limits()
      limits.handshakes_max = 20
      limits.handshake_ns = 300_000_000
      let station = try Station(setup, limits: limits)
      let traffic = try Traffic(station)
      // More than fit, each at another point of its handshake.
      var slow: [RawPeer] = []
      let start = Wire.handshake(identity: "slow")
      for number in 0..<50 {
        let peer = RawPeer(station.endpoint(client))
        peer.send(Array(start.prefix(1 + number * 2 % (start.count - 1))))
        slow.append(peer)
        traffic.round(station, number)
      }
      #expect(noticed(station, 1, "made way for newer ones"))
      for peer in slow { #expect(peer.isClosed(station)) }
      #expect(noticed(station, 20, "did not finish its handshake in time"))
      traffic.round(station, 50)
      station.close()
    }

    @Test(arguments: eachAlone) func `a peer that connects again and again starves nobody`(
      _ setup: Setup
    ) throws {
      let station = try Station(setup)
      let traffic = try Traffic(station)
      let endpoint = station.endpoint(client)
      let flood = Thread {
        var peers: [RawPeer] = []
        for number in 0..<1000 {
          // Some say nothing, some the wrong thing; all go soon.
          let peer = RawPeer(endpoint)
          if number % 2 == 0 { peer.send(bytes("GET / HTTP/1.1\r\n\r\n")) }
          peers.append(peer)
          if peers.count == 50 { peers = [] }
        }
      }
      flood.start()
      var number = 0
      while !flood.isFinished || number < 300 {
        traffic.round(station, number)
        number += 1
      }
      // Of 500: what a peer said that went away at once may be lost with it.
      #expect(noticed(station, 100, "HTTP"))
      station.close()
    }

    @Test(arguments: eachAlone) func `one line a second for each kind of trouble`(_ setup: Setup)
      throws
    {
      let station = try Station(setup)
      let began = transport_now_ns()
      var lines: [String] = []
      for _ in 0..<200 {
        let stranger = RawPeer(station.endpoint(client))
        stranger.send(bytes("GET / HTTP/1.1\r\n\r\n"))
        #expect(stranger.isClosed(station))
        lines += station.notices()
      }
      let other = RawPeer(station.endpoint(engine))
      other.send(bytes("GET / HTTP/1.1\r\n\r\n"))
      #expect(other.isClosed(station))
      let seconds = Int((transport_now_ns() - began) / 1_000_000_000)
      #expect(lines.count >= 1 && lines.count <= 1 + seconds, "\(lines)")
      // Another address is another kind.
      let rest = station.notices()
      #expect(rest.contains { $0.contains("engine address") }, "\(rest)")
      station.close()
    }

    @Test(arguments: eachAlone) func `as many peers as allowed, and no more`(_ setup: Setup) throws
    {
      var limits = transport_limits()
      limits.peers_max = 5
      let station = try Station(setup, limits: limits)
      let traffic = try Traffic(station)
      var peers = try (0..<4).map { try rawJoined(station, client, "peer \($0)").peer }
      #expect(noticed(station, 1, "as many as allowed"))
      for _ in 0..<3 { _ = station.turn(within: 0) }
      let next = RawPeer(station.endpoint(client))
      next.send(Wire.handshake(identity: "next") + Wire.message([bytes("hello")]))
      for number in 0..<20 { traffic.round(station, number) }
      peers.removeLast().close()
      // A place is free: whoever waits gets it.
      let again = pump(station, ignoring: TRANSPORT_MESSAGE) { () -> Bool? in
        station.counters.received.0 == 4 + 1 + 20 + 1 ? true : nil
      }
      #expect(again == true)
      station.close()
    }

    @Test(arguments: eachAlone) func `who promises to speak and does not is closed`(_ setup: Setup)
      throws
    {
      let station = try Station(setup)
      let silent = try rawJoined(station, client, "silent").peer
      let talks = try rawJoined(station, client, "talks").peer
      let forever = try rawJoined(station, client, "forever").peer
      talks.send(Wire.command("PING", [0, 10]))
      forever.send(Wire.command("PING", [0, 0]))
      let ready = Wire.command(
        "READY", Wire.property("Socket-Type", bytes("ROUTER")) + Wire.property("Identity", []))
      for peer in [talks, forever] {
        var left = 64 + ready.count + Wire.command("PONG").count
        let answered = pump(station) { () -> Bool? in
          left -= peer.drain()
          return left == 0 ? true : nil
        }
        #expect(answered == true)
      }
      talks.send(Wire.message([bytes("as promised")]))
      #expect(try station.next().frames == [bytes("as promised")])
      silent.send(Wire.command("PING", [0, 15]))
      #expect(silent.isClosed(station))
      #expect(noticed(station, 1, "fell silent"))
      // By now the promise of the one that talks would have run out, too.
      for peer in [talks, forever] { peer.send(Wire.message([bytes("still here")])) }
      #expect(station.gather(2).allSatisfy { $0.frames == [bytes("still here")] })
      station.close()
    }

    @Test(arguments: eachAlone) func `a refused peer reads why before the end`(_ setup: Setup)
      throws
    {
      let station = try Station(setup)
      let wrong = RawPeer(station.endpoint(client))
      wrong.send(Wire.handshake("PUSH"))
      #expect(noticed(station, 1, "wrong type"))
      var said: [UInt8] = []
      var chunk = [UInt8](repeating: 0, count: 1_000)
      let ended = pump(station) { () -> Bool? in
        let size = recv(wrong.fd, &chunk, chunk.count, Int32(MSG_DONTWAIT))
        if size > 0 { said += chunk.prefix(size) }
        return size == 0 ? true : nil
      }
      let text = String(decoding: said, as: UTF8.self)
      #expect(ended == true && text.contains("ERROR") && text.contains("wrong type"), "\(text)")
      station.close()
    }

    @Test func `without descriptors the traffic goes on`() async {
      await #expect(processExitsWith: .success) {
        let all = eachAlone
        let highest = dup(1)
        Glibc.close(highest)
        // The hard limit, too: the transport takes what it can have.
        var limit = rlimit(rlim_cur: rlim_t(highest) + 120, rlim_max: rlim_t(highest) + 120)
        guard setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { exit(3) }
        for setup in all {
          let station = try Station(setup)
          let traffic = try Traffic(station)
          var peers: [RawPeer] = []
          var said = false
          // Accepted ones take the rest, but not the last ones: those are for the hub.
          for number in 0..<60 where !said {
            peers.append(RawPeer(station.endpoint(client)))
            traffic.round(station, number)
            said = station.notices().contains { $0.contains("Too many open files") }
          }
          guard said else { exit(4) }
          let spare = dup(1)
          guard spare >= 0 else { exit(5) }
          Glibc.close(spare)
          for number in 0..<50 { traffic.round(station, number) }
          peers = []
          for number in 0..<20 { traffic.round(station, number) }
          let last = try rawJoined(station, client, "last")
          last.peer.close()
          station.close()
        }
        exit(0)
      }
    }

    /// The name is looked up again each time, by a thread of its own.
    @Test(arguments: eachAlone) func `a hub with a host name may restart, too`(_ setup: Setup)
      throws
    {
      var registrar = Peer(ZMQ_ROUTER)
      let bound = registrar.bind("tcp://127.0.0.1:*")
      let url = bound.replacingOccurrences(of: "127.0.0.1", with: "localhost")
      let station = try Station(
        setup, urls: [client: "tcp://127.0.0.1:*", registration: url],
        identities: [registration: "task_reg"])
      for round in 0..<4 {
        let text = bytes("round \(round)")
        station.send(TRANSPORT_REGISTRATION, station.compose([text]))
        #expect(
          pump(station) { registrar.receive(milliseconds: 5) } == [bytes("task_reg"), text])
        registrar.close()
        _ = station.turn(within: 20_000_000)
        registrar = Peer(ZMQ_ROUTER)
        _ = registrar.bind(bound)
      }
      station.close()
    }
  }
}

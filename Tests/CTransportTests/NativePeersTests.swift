// NativePeersTests.swift: the native transport among peers that are large, slow, many, wrong or
// gone.

import CBase
import CTransport
import CZeroMQ
import Foundation
import Glibc
import Testing

/// A libzmq DEALER that is known to the station: it has sent one message, which was gathered.
private func joined(_ station: Station, _ role: Int, _ identity: String) throws -> Peer {
  let peer = Peer(ZMQ_DEALER, identity: identity)
  peer.connect(station.endpoint(role))
  peer.send([bytes("hello")])
  #expect(try station.next().peer == bytes(identity))
  return peer
}

extension TransportTests {
  @Suite struct NativePeers {
    @Test(arguments: eachNative) func `20 MB, nothing, and a thousand frames`(_ setup: Setup) throws
    {
      let station = try Station(setup)
      let peer = try joined(station, client, "c")
      let big = [UInt8]((0..<(20 << 20)).lazy.map { UInt8(truncatingIfNeeded: $0 &* 13) })
      for frames in [[big, []], [[], []], Array(repeating: bytes("frame"), count: 1_000)] {
        peer.send(frames)
        let task = try station.next()
        #expect(task.frames == frames)
        station.send(TRANSPORT_CLIENT, to: task.peerAtom, prefix: [station.name("p")], task.message)
        #expect(pump(station) { peer.receive(milliseconds: 5) } == [bytes("p")] + frames)
        station.releaseMessages()
      }
      station.close()
    }

    @Test(arguments: eachNative) func `heartbeats are answered`(_ setup: Setup) throws {
      let station = try Station(setup)
      let peer = Peer(ZMQ_DEALER, identity: "c")
      // Were a PING not answered, libzmq would close after 100 ms and the routing id be lost.
      peer.set(ZMQ_HEARTBEAT_IVL, 20)
      peer.set(ZMQ_HEARTBEAT_TIMEOUT, 100)
      peer.set(ZMQ_RECONNECT_IVL, -1)
      peer.connect(station.endpoint(client))
      peer.send([bytes("hello")])
      let hello = try station.next()
      let end = transport_now_ns() + 500_000_000
      while transport_now_ns() < end { #expect(station.turn(within: 10_000_000).isEmpty) }
      station.send(TRANSPORT_CLIENT, to: hello.peerAtom, station.compose([bytes("still here")]))
      #expect(pump(station) { peer.receive(milliseconds: 5) } == [bytes("still here")])
      station.close()
    }

    @Test(arguments: eachNative) func `the hub may restart`(_ setup: Setup) throws {
      var hub = Peer(ZMQ_SUB)
      var registrar = Peer(ZMQ_ROUTER)
      var notifier = Peer(ZMQ_PUB)
      let urls = [hub, registrar, notifier].map { $0.bind("tcp://127.0.0.1:*") }
      let station = try Station(
        setup,
        urls: [
          client: "tcp://127.0.0.1:*", monitor: urls[0], registration: urls[1],
          notification: urls[2],
        ],
        identities: [registration: "task_reg"])
      #expect(subscribed(station, hub)?.kind == TRANSPORT_SUBSCRIBED)
      for round in 0..<2 {
        let text = bytes("round \(round)")
        // Queued while nobody is there, delivered when somebody is.
        station.send(TRANSPORT_REGISTRATION, station.compose([text]))
        let request = pump(station) { registrar.receive(milliseconds: 5) }
        #expect(request == [bytes("task_reg"), text])
        registrar.send([bytes("task_reg"), text])
        #expect(try station.next().frames == [text])
        let published = pump(station) {
          station.send(TRANSPORT_MONITOR, prefix: [station.name("intask")], station.compose([text]))
          return hub.receive(milliseconds: 5)
        }
        #expect(published == [bytes("intask"), text])
        let noticed = pumpMessage(station) { notifier.send([text]) }
        #expect(noticed == [text])
        guard round == 0 else { continue }
        for peer in [hub, registrar, notifier] { peer.close() }
        _ = station.turn(within: 20_000_000)
        hub = Peer(ZMQ_SUB)
        registrar = Peer(ZMQ_ROUTER)
        notifier = Peer(ZMQ_PUB)
        for (peer, url) in zip([hub, registrar, notifier], urls) { _ = peer.bind(url) }
        #expect(subscribed(station, hub)?.kind == TRANSPORT_SUBSCRIBED, "it listens again")
      }
      station.close()
    }

    /// Repeats `act` until a message comes; the others of its kind are read, too.
    private func pumpMessage(_ station: Station, _ act: () -> Void) -> Frames? {
      let end = transport_now_ns() + patienceNanoseconds
      while transport_now_ns() < end {
        act()
        if let event = station.turn(within: 5_000_000).first {
          while !station.turn(within: 5_000_000).isEmpty {}
          return event.frames
        }
      }
      return nil
    }

    @Test(arguments: eachNative) func `wrong socket types are refused and named`(_ setup: Setup)
      throws
    {
      let station = try Station(setup)
      let wrong = Peer(ZMQ_SUB)
      wrong.connect(station.endpoint(client))
      let notice = pump(station) { station.notices().first }
      #expect(notice?.contains("client") == true && notice?.contains("wrong type") == true)
      wrong.close()
      _ = try joined(station, client, "good")
      station.close()
    }

    @Test(arguments: eachNative) func `strangers are refused and hurt nobody`(_ setup: Setup) throws
    {
      let station = try Station(setup, frameBytesMax: 1_000)
      let good = try joined(station, client, "good")
      let cases: [([UInt8], String)] = [
        ((0..<100).map { UInt8(truncatingIfNeeded: $0 &* 37 &+ 1) }, "does not speak ZMTP"),
        ([0xff, 0, 0, 0, 0, 0, 0, 0, 1, 0x7f, 1, 5], "ZMTP 2"),
        (Wire.greeting(mechanism: "CURVE"), "mechanism"),
        (Wire.handshake("PUSH"), "wrong type"),
        (Wire.handshake() + [0x40, 0], "reserved"),
        (Wire.handshake() + [2] + Wire.size(1 << 62), "larger"),
        (Wire.handshake() + Wire.message([[UInt8](repeating: 0, count: 1_001)]), "larger"),
      ]
      // Who stays connected is named by its address, too.
      let browser = RawPeer(station.endpoint(client))
      browser.send(bytes("GET / HTTP/1.1\r\nHost: x\r\n\r\n"))
      let notice = pump(station) { station.notices().first }
      #expect(notice?.contains("HTTP") == true && notice?.contains(" 127.0.0.1:") == true)
      #expect(browser.isClosed(station))
      for (data, words) in cases {
        let stranger = RawPeer(station.endpoint(client))
        stranger.send(data)
        #expect(stranger.isClosed(station), "\(words)")
        #expect(noticed(station, 1, words))
      }
      good.send([bytes("unharmed")])
      #expect(try station.next().frames == [bytes("unharmed")])
      station.close()
    }

    @Test(arguments: eachNative) func `a greeting comes at once and in pieces`(_ setup: Setup)
      throws
    {
      let station = try Station(setup)
      let slow = RawPeer(station.endpoint(client))
      slow.send([0xff])
      #expect(station.turn(within: 20_000_000).isEmpty)
      #expect(slow.read(64) == Wire.greeting())
      for byte in (Wire.handshake(identity: "slow") + Wire.message([bytes("a"), bytes("b")]))
        .dropFirst()
      {
        slow.send([byte])
        if Bool.random() {
          #expect(station.turn(within: 100_000).allSatisfy { $0.peer == bytes("slow") })
        }
      }
      let notYet = station.counters.received.0
      if notYet == 0 { #expect(try station.next().frames == [bytes("a"), bytes("b")]) }
      station.close()
    }

    @Test(arguments: eachNative)
    func `a connection that dies within a message leaves nothing of it`(_ setup: Setup) throws {
      let station = try Station(setup)
      for cut in [1, 2, 6, 7, 8, 100, 70_000] {
        let raw = RawPeer(station.endpoint(client))
        let message = Wire.message([
          bytes("part"), [UInt8](repeating: 1, count: 100_000), bytes("end"),
        ])
        raw.send(
          Wire.handshake(identity: "raw") + Wire.message([bytes("whole")]) + message.prefix(cut))
        #expect(try station.next().frames == [bytes("whole")])
        raw.close()
        #expect(station.turn(within: 20_000_000).isEmpty)
      }
      #expect(station.counters.received.0 == 7)
      station.close()
    }

    @Test(arguments: eachNative) func `a slow reader blocks nobody`(_ setup: Setup) throws {
      let station = try Station(setup)
      let stuck = RawPeer(station.endpoint(client), receiveBuffer: 4_096)
      stuck.send(Wire.handshake(identity: "stuck") + Wire.message([bytes("hello")]))
      let hello = try station.next()
      let good = try joined(station, client, "good")
      let big = station.compose([[UInt8](repeating: 9, count: 1 << 20)])
      for _ in 0..<50 { station.send(TRANSPORT_CLIENT, to: hello.peerAtom, big) }
      for number in 0..<5 {
        good.send([bytes("\(number)")])
        let task = try station.next()
        station.send(TRANSPORT_CLIENT, to: task.peerAtom, big)
        station.send(TRANSPORT_CLIENT, to: task.peerAtom, task.message)
        #expect(pump(station) { good.receive(milliseconds: 5) }?.first?.count == 1 << 20)
        #expect(pump(station) { good.receive(milliseconds: 5) } == [bytes("\(number)")])
      }
      // And what was sent to it arrives whole once it reads.
      let expected =
        64
        + Wire.command(
          "READY", Wire.property("Socket-Type", bytes("ROUTER")) + Wire.property("Identity", [])
        ).count
        + 50 * (9 + (1 << 20))
      var got = 0
      var chunk = [UInt8](repeating: 0, count: 1 << 20)
      let all = pump(station) { () -> Bool? in
        while true {
          let size = recv(stuck.fd, &chunk, chunk.count, Int32(MSG_DONTWAIT))
          if size <= 0 { break }
          got += size
        }
        return got >= expected ? true : nil
      }
      #expect(all == true && got == expected, "\(got) of \(expected)")
      station.close()
    }

    /// More than the receive buffers hold, gathered in small bites: the gate shuts and opens again
    /// and again, nothing is lost or reordered, and a small peer is not starved.
    @Test(arguments: eachNative) func `a flood in small bites`(_ setup: Setup) throws {
      let station = try Station(setup)
      let good = try joined(station, client, "good")
      let endpoint = station.endpoint(client)
      let count = 40_000
      let thread = Thread {
        let flood = RawPeer(endpoint)
        flood.send(Wire.handshake(identity: "flood"))
        let body = [UInt8](repeating: 7, count: 600)
        flood.send((0..<count).flatMap { Wire.message([bytes("\($0)"), body]) })
        _ = flood.read(1 << 20)  // until the station closes
      }
      thread.start()
      var next = 0
      var answered = false
      let end = transport_now_ns() + patienceNanoseconds
      while (next < count || !answered) && transport_now_ns() < end {
        if next > 1_000 && !answered && next % 37 == 0 { good.send([bytes("small")]) }
        for event in station.turn(within: 1_000_000_000, capacity: 37) {
          if event.peer == bytes("good") {
            answered = true
          } else {
            #expect(event.frames[0] == bytes("\(next)"))
            next += 1
          }
        }
        station.releaseMessages()
        if next == count && !answered { good.send([bytes("small")]) }
      }
      #expect(next == count && answered)
      station.close()
    }

    @Test(arguments: eachNative) func `a reader that went away costs nothing`(_ setup: Setup) throws
    {
      let station = try Station(setup)
      let raw = RawPeer(station.endpoint(client), receiveBuffer: 4_096)
      raw.send(Wire.handshake(identity: "raw") + Wire.message([bytes("hello")]))
      let hello = try station.next()
      let big = station.compose([[UInt8](repeating: 9, count: 4 << 20)])
      for _ in 0..<4 { station.send(TRANSPORT_CLIENT, to: hello.peerAtom, big) }
      _ = station.turn(within: 10_000_000)
      raw.close()
      let gone = pump(station) { () -> Bool? in
        station.send(TRANSPORT_CLIENT, to: hello.peerAtom, big)
        return station.counters.dropped_client > 0 ? true : nil
      }
      #expect(gone == true)
      station.close()
    }

    /// The last bytes and the end of a stream may make one edge.
    @Test(arguments: eachNative) func `who says a last word and leaves is let go`(_ setup: Setup)
      throws
    {
      let station = try Station(setup)
      let raw = RawPeer(station.endpoint(client))
      raw.send(Wire.handshake(identity: "raw") + Wire.message([bytes("hello")]))
      _ = try station.next()
      raw.send(Wire.message([bytes("goodbye")]))
      shutdown(raw.fd, Int32(SHUT_WR))
      #expect(try station.next().frames == [bytes("goodbye")])
      station.releaseMessages()
      #expect(raw.isClosed(station))
      station.close()
    }

    @Test(arguments: eachNative) func `two thousand connect at once`(_ setup: Setup) throws {
      let station = try Station(setup)
      let endpoint = station.endpoint(client)
      var peers: [RawPeer] = []
      for number in 0..<2_000 {
        let peer = RawPeer(endpoint)
        peer.send(Wire.handshake(identity: "peer \(number)") + Wire.message([bytes("\(number)")]))
        peers.append(peer)
      }
      let all = station.gather(2_000, capacity: 100)
      #expect(Set(all.map(\.frames[0])).count == 2_000)
      for event in all { #expect(event.peer == bytes("peer ") + event.frames[0]) }
      for event in all { station.send(TRANSPORT_CLIENT, to: event.peerAtom, event.message) }
      for _ in 0..<20 { _ = station.turn(within: 1_000_000) }
      let ready = Wire.command(
        "READY", Wire.property("Socket-Type", bytes("ROUTER")) + Wire.property("Identity", []))
      for number in [0, 1_000, 1_999] {
        let answer = Wire.greeting() + ready + Wire.message([bytes("\(number)")])
        #expect(peers[number].read(answer.count) == answer)
      }
      peers.forEach { $0.close() }
      for _ in 0..<50 { _ = station.turn(within: 1_000_000) }
      _ = try joined(station, client, "after the storm")
      station.close()
    }

    @Test func `without descriptors accepting rests, says so, and goes on`() async {
      await #expect(processExitsWith: .success) {
        for setup in eachNative {
          let station = try Station(setup)
          let endpoint = station.endpoint(client)
          let highest = dup(1)  // the limit is about numbers, and a test inherits many
          Glibc.close(highest)
          var limit = rlimit(rlim_cur: rlim_t(highest) + 30, rlim_max: 4096)
          guard setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { exit(3) }
          var peers: [RawPeer] = []
          // Each takes a descriptor here and one in the transport: there are not enough for all.
          var fds: [Int32] = []
          for _ in 0..<10 { peers.append(RawPeer(endpoint)) }
          while true {
            let fd = dup(peers[0].fd)
            if fd < 0 { break }
            fds.append(fd)
          }
          var said = false
          let end = transport_now_ns() + patienceNanoseconds
          while !said && transport_now_ns() < end {
            _ = station.turn(within: 10_000_000)
            said = station.notices().contains { $0.contains("Too many open files") }
          }
          guard said else { exit(4) }
          // It rests: 300 ms cost no more than a few notices.
          for _ in 0..<30 { _ = station.turn(within: 10_000_000) }
          guard station.notices().count < 10 else { exit(5) }
          for fd in fds { Glibc.close(fd) }
          peers[9].send(Wire.handshake(identity: "last") + Wire.message([bytes("x")]))
          guard try station.next().peer == bytes("last") else { exit(6) }
          station.close()
          limit.rlim_cur = 4096
          setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
        }
        exit(0)
      }
    }
  }
}

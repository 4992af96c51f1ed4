// TurnTests.swift: when a turn returns, with what, and when it sleeps.

import CBase
import CTransport
import CTransportSupport
import CZeroMQ
import Foundation
import Glibc
import Synchronization
import Testing

/// A handle on a transport that another thread may wake.
private struct Waker: @unchecked Sendable { let transport: OpaquePointer }

private func spawn(_ path: String, _ arguments: String...) throws -> pid_t {
  var pid: pid_t = 0
  var pointers = ([path] + arguments).map { strdup($0) } + [nil]
  defer { pointers.forEach { free($0) } }
  try #require(posix_spawn(&pid, path, nil, nil, &pointers, nil) == 0)
  return pid
}

extension TransportTests {
  @Suite struct Turns {
    @Test(arguments: eachReactor) func `a deadline ends a turn`(_ setup: Setup) throws {
      let station = try Station(setup)
      #expect(station.turn(within: 0).isEmpty)
      let deadline = transport_now_ns() + 3_000_000
      var event = transport_event()
      #expect(transport_turn(station.transport, deadline, &event, 1) == 0)
      #expect(transport_now_ns() >= deadline)
      #expect(transport_turn(station.transport, 1, &event, 1) == 0)  // long past
      #expect(transport_turn(station.transport, UInt64.max, &event, 0) == 0)
      station.close()
    }

    /// 0: sleeps at once. 50 ms: finds what comes without sleeping. AUTO: all other tests.
    @Test(arguments: eachReactor, [0, 50_000_000] as [UInt64])
    func `a turn that looks before it sleeps`(_ setup: Setup, _ window: UInt64) throws {
      let station = try Station(setup, busyPoll: window)
      let peer = Peer(ZMQ_DEALER)
      peer.connect(station.endpoint(client))
      for number in 0..<200 {
        peer.send([bytes("\(number)")])
        #expect(try station.next().frames[0] == bytes("\(number)"))
      }
      // A deadline within the window, and one after it.
      var event = transport_event()
      for wait in [2_000_000, 60_000_000] as [UInt64] {
        let deadline = transport_now_ns() + wait
        #expect(transport_turn(station.transport, deadline, &event, 1) == 0)
        #expect(transport_now_ns() >= deadline)
      }
      station.close()
    }

    @Test(arguments: eachReactor)
    func `what does not fit is gathered by the next turn at once`(_ setup: Setup) throws {
      let station = try Station(setup)
      let peer = Peer(ZMQ_DEALER)
      peer.connect(station.endpoint(client))
      for number in 0..<50 { peer.send([bytes("\(number)")]) }
      peer.send([bytes("last")])
      // Everything has arrived once this much has: one peer's messages stay in order.
      var all: [Received] = try [station.next()]
      all += station.gather(50, capacity: 1)
      #expect(all.prefix(50).map { $0.frames[0] } == (0..<50).map { bytes("\($0)") })

      for number in 0..<10 { peer.send([bytes("\(number)")]) }
      let three = station.gather(3, capacity: 3)
      #expect(three.count == 3)
      // No deadline at all: were the rest forgotten, this would sleep for ever.
      for _ in 0..<7 {
        var event = transport_event()
        #expect(transport_turn(station.transport, UInt64.max, &event, 1) == 1)
        message_release(station.messages, event.message)
      }
      station.close()
    }

    @Test(arguments: eachReactor)
    func `hub before engines before clients`(_ setup: Setup) throws {
      let (hub, station) = try openAll(setup)
      defer { hub.close() }
      #expect(subscribed(station, hub.monitor)?.kind == TRANSPORT_SUBSCRIBED)
      let clientPeer = Peer(ZMQ_DEALER)
      let enginePeer = Peer(ZMQ_DEALER, identity: "e")
      clientPeer.connect(station.endpoint(client))
      enginePeer.connect(station.endpoint(engine))
      station.send(TRANSPORT_REGISTRATION, station.compose([bytes("request")]))
      let request = try #require(pump(station) { hub.registrar.receive(milliseconds: 20) })
      #expect(pump(station) { hub.notifier.receive(milliseconds: 20) } != nil)
      for role in [
        TRANSPORT_CLIENT, TRANSPORT_ENGINE, TRANSPORT_NOTIFICATION, TRANSPORT_REGISTRATION,
      ] {
        transport_pause(station.transport, role, true)
      }
      clientPeer.send([bytes("task")])
      enginePeer.send([bytes("result")])
      hub.notifier.send([bytes("notice"), bytes("content")])
      hub.registrar.send([request[0], bytes("answer")])
      // Paused: nothing comes, however long they have been there.
      #expect(station.turn(within: 300_000_000).isEmpty)
      for role in [
        TRANSPORT_CLIENT, TRANSPORT_ENGINE, TRANSPORT_NOTIFICATION, TRANSPORT_REGISTRATION,
      ] {
        transport_pause(station.transport, role, false)
      }
      let order = station.gather(4).map(\.role)
      #expect(order.prefix(2) == [TRANSPORT_REGISTRATION, TRANSPORT_NOTIFICATION])
      // What waited on different lanes, or came later than it was asked for, has no order.
      let others = Set(order.suffix(2).map(\.rawValue))
      #expect(others == [TRANSPORT_ENGINE.rawValue, TRANSPORT_CLIENT.rawValue])
      #expect(setup.lanes > 0 || order[2] == TRANSPORT_ENGINE)
      station.close()
    }

    @Test(arguments: eachReactor)
    func `a paused role is not read and a resumed one is`(_ setup: Setup) throws {
      let station = try Station(setup)
      transport_pause(station.transport, TRANSPORT_CLIENT, true)
      let clientPeer = Peer(ZMQ_DEALER)
      let enginePeer = Peer(ZMQ_DEALER, identity: "e")
      clientPeer.connect(station.endpoint(client))
      enginePeer.connect(station.endpoint(engine))
      clientPeer.send([bytes("task")])
      for _ in 0..<20 {
        enginePeer.send([bytes("result")])
        #expect(try station.next().role == TRANSPORT_ENGINE)
      }
      #expect(station.turn(within: 50_000_000).isEmpty)
      transport_pause(station.transport, TRANSPORT_CLIENT, false)
      #expect(try station.next().role == TRANSPORT_CLIENT)
      station.close()
    }

    @Test(arguments: eachReactor)
    func `SUBSCRIBED comes once, with the first of many subscribers`(_ setup: Setup) throws {
      let hub = Peer(ZMQ_SUB)
      let station = try Station(
        setup, urls: [client: "tcp://127.0.0.1:*", monitor: hub.bind("tcp://127.0.0.1:*")])
      let event = try #require(subscribed(station, hub))
      #expect(event.kind == TRANSPORT_SUBSCRIBED && event.role == TRANSPORT_MONITOR)
      hub.set(ZMQ_SUBSCRIBE, "another topic")
      hub.set(ZMQ_UNSUBSCRIBE, "another topic")
      #expect(hub.receive(milliseconds: 10) == nil)
      #expect(station.turn(within: 200_000_000).isEmpty)
      station.send(TRANSPORT_MONITOR, prefix: [station.name("outtask")], 0)
      #expect(pump(station) { hub.receive(milliseconds: 20) } == [bytes("outtask")])
      station.close()
    }

    @Test(arguments: eachReactor)
    func `any thread may wake a turn, however often`(_ setup: Setup) throws {
      let station = try Station(setup)
      let waker = Waker(transport: station.transport)
      for _ in 0..<3 { transport_wake(station.transport) }
      #expect(station.turn(within: UInt64(Int64.max)).map(\.kind) == [TRANSPORT_WAKE])
      #expect(station.turn(within: 0).isEmpty)
      let thread = Thread {
        usleep(20_000)
        transport_wake(waker.transport)
      }
      thread.start()
      #expect(station.turn(within: patienceNanoseconds).map(\.kind) == [TRANSPORT_WAKE])
      while !thread.isFinished { usleep(1_000) }
      station.close()
    }

    @Test(arguments: eachReactor)
    func `a transport may be opened on one thread and run on another`(_ setup: Setup) throws {
      let station = try Station(setup)
      let waker = Waker(transport: station.transport)
      let kind = Mutex<UInt8>(0)
      let thread = Thread {
        transport_wake(waker.transport)
        var event = transport_event()
        let count = transport_turn(waker.transport, UInt64.max, &event, 1)
        kind.withLock { $0 = count == 1 ? event.kind : 255 }
      }
      thread.start()
      while !thread.isFinished { usleep(1_000) }
      #expect(kind.withLock { $0 } == UInt8(TRANSPORT_WAKE.rawValue))
      station.close()
    }

    @Test(arguments: eachReactor)
    func `the end of the watched process is reported once`(_ setup: Setup) throws {
      let station = try Station(setup)
      let pid = try spawn("/bin/sleep", "60")
      #expect(transport_watch_process(station.transport, pid) == 0)
      #expect(station.turn(within: 20_000_000).isEmpty)
      kill(pid, SIGKILL)
      #expect(try station.next().kind == TRANSPORT_PARENT_GONE)
      #expect(station.turn(within: 20_000_000).isEmpty)
      var status: Int32 = 0
      waitpid(pid, &status, 0)
      #expect(transport_watch_process(station.transport, pid) == -ESRCH)
      #expect(transport_watch_process(station.transport, 0) == -EINVAL)
      #expect(transport_watch_process(station.transport, -1) == -EINVAL)
      #expect(transport_watch_process(station.transport, getppid()) == 0)
      #expect(transport_watch_process(station.transport, getpid()) == 0)  // replaces the first
      station.close()
    }

    @Test func `a full table of handles stops reading until one is free`() async {
      await #expect(processExitsWith: .success) {
        let station = try Station(eachReactor[0])
        let peer = Peer(ZMQ_DEALER)
        peer.connect(station.endpoint(client))
        support_fill_table(station.messages, 1)
        for number in 0..<3 { peer.send([bytes("\(number)")]) }
        for number in 0..<3 {
          let task = try station.next()
          guard task.frames == [bytes("\(number)")] else { exit(3) }
          guard station.turn(within: 100_000_000).isEmpty else { exit(4) }
          station.releaseMessages()
        }
        guard station.turn(within: 0).isEmpty else { exit(5) }
        _exit(0)  // such a table cannot be closed: nothing for a leak checker to look at
      }
    }
  }
}

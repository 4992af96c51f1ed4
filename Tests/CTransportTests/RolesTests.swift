// RolesTests.swift: every role from end to end, over each kind of link, on each reactor.

import CBase
import CTransport
import CZeroMQ
import Glibc
import Testing

let pair = KeyPair.make()
private let big = (0..<(2 << 20)).map { UInt8(truncatingIfNeeded: $0 &* 31) }

let everyLink: [Setup] = eachReactor.flatMap { each in
  [nil, pair].flatMap { keys in
    [
      Setup(
        io: each.io, body: each.body, lanes: each.lanes, ring: each.ring, keys: keys, label: "tcp"),
      Setup(
        io: each.io, body: each.body, lanes: each.lanes, ring: each.ring,
        url: { "ipc://" + scratchPath() }, keys: keys, label: "ipc"),
    ]
  }
}
let everyLinkIPv6: [Setup] = everyLink.filter { $0.label == "tcp" }.map {
  Setup(
    io: $0.io, body: $0.body, lanes: $0.lanes, ring: $0.ring, url: { "tcp://[::1]:*" },
    keys: $0.keys, label: "tcp6")
}

/// All the tests of CTransport run one after another: the machine may be small.
@Suite(.serialized) struct TransportTests {}

extension TransportTests {
  @Suite struct Roles {
    @Test(.enabled(if: reactors.count == 2, "io_uring is refused on this machine"))
    func `io_uring is one of the reactors`() {
      #expect(reactors.contains(TRANSPORT_IO_URING))
    }

    @Test(arguments: everyLink) func `every role from end to end`(_ setup: Setup) throws {
      try endToEnd(setup)
    }

    @Test(.enabled(if: hasIPv6, "this machine has no IPv6 loopback"), arguments: everyLinkIPv6)
    func `every role over IPv6`(_ setup: Setup) throws {
      try endToEnd(setup)
    }

    /// Sizes on both sides of libzmq's inline messages, its 255 byte frames and its read buffer.
    private func endToEnd(_ setup: Setup) throws {
      let (hub, station) = try openAll(setup)
      defer { hub.close() }
      #expect(subscribed(station, hub.monitor)?.kind == TRANSPORT_SUBSCRIBED)
      try registrar(hub, station)
      try notifier(hub, station)

      let clientPeer = Peer(ZMQ_DEALER)
      let enginePeer = Peer(ZMQ_DEALER, identity: "engine-uuid")
      clientPeer.connect(station.endpoint(client), keys: setup.keys)
      enginePeer.connect(station.endpoint(engine), keys: setup.keys)
      let engineName = station.name("engine-uuid")
      let frames: Frames = [
        bytes("<IDS|MSG>"), bytes("signature"), bytes("{}"), [],
        bytes(String(repeating: "h", count: 33)),
        bytes(String(repeating: "h", count: 34)), bytes(String(repeating: "h", count: 300)), big,
        big,
      ]
      clientPeer.send(frames)
      let task = try station.next()
      #expect(task.role == TRANSPORT_CLIENT && task.peer.count == 5 && task.peer.first == 0)
      #expect(task.frames == frames)

      station.send(
        TRANSPORT_MONITOR, prefix: [station.name("intask"), task.peerAtom], task.message)
      station.send(TRANSPORT_ENGINE, to: engineName, prefix: [task.peerAtom], task.message, tag: 1)
      // A held send waits for turns: the engine may not have connected yet.
      #expect(pump(station) { enginePeer.receive(milliseconds: 50) } == [task.peer] + frames)
      #expect(
        pump(station) { hub.monitor.receive(milliseconds: 50) }
          == [bytes("intask"), task.peer] + frames)

      enginePeer.send([task.peer] + frames)
      let reply = try station.next()
      #expect(reply.role == TRANSPORT_ENGINE && reply.peer == bytes("engine-uuid"))
      #expect(reply.frames == [task.peer] + frames)
      station.send(
        TRANSPORT_CLIENT, to: station.name(reply.frames[0]), prefix: [reply.peerAtom],
        reply.message,
        from: 1)
      #expect(
        pump(station) { clientPeer.receive(milliseconds: 50) } == [bytes("engine-uuid")] + frames)

      let topic = station.name("topic")
      let line = station.compose([bytes("a line")])
      let logged = pump(station) {
        station.send(TRANSPORT_LOG, prefix: [topic], line)
        return hub.logger.receive(milliseconds: 50)
      }
      #expect(logged == [bytes("topic"), bytes("a line")])
      let counters = station.counters
      #expect(counters.received.0 == 1 && counters.received.1 == 1 && counters.received.4 == 1)
      #expect(counters.sent.0 == 1 && counters.sent.1 == 1 && counters.sent.2 == 1)
      #expect(counters.dropped_client == 0 && counters.undeliverable == 0)
      station.close()
    }

    private func registrar(_ hub: Hub, _ station: Station) throws {
      station.send(TRANSPORT_REGISTRATION, station.compose([bytes("<IDS|MSG>"), [], bytes("{}")]))
      let request = try #require(pump(station) { hub.registrar.receive(milliseconds: 20) })
      #expect(request == [bytes("task_reg"), bytes("<IDS|MSG>"), [], bytes("{}")])
      hub.registrar.send([request[0], bytes("answer"), []])
      let answer = try station.next()
      #expect(answer.role == TRANSPORT_REGISTRATION && answer.peer == [])
      #expect(answer.frames == [bytes("answer"), []])
    }

    private func notifier(_ hub: Hub, _ station: Station) throws {
      let subscription = pump(station) { hub.notifier.receive(milliseconds: 50) }
      #expect(subscription == [[1]])
      hub.notifier.send([bytes("registration_notification"), bytes("content")])
      let notice = try station.next()
      #expect(notice.role == TRANSPORT_NOTIFICATION)
      #expect(notice.frames == [bytes("registration_notification"), bytes("content")])
    }
  }
}

/// The hub's and the logger's ends.
struct Hub {
  let monitor = Peer(ZMQ_SUB)
  let notifier = Peer(ZMQ_XPUB)
  let registrar = Peer(ZMQ_ROUTER)
  let logger = Peer(ZMQ_SUB)

  func close() {
    for peer in [monitor, notifier, registrar, logger] { peer.close() }
  }
}

func openAll(_ setup: Setup) throws -> (Hub, Station) {
  let hub = Hub()
  let station = try Station(
    setup,
    urls: [
      client: setup.url(), engine: setup.url(),
      monitor: hub.monitor.bind(setup.url(), keys: setup.keys),
      notification: hub.notifier.bind(setup.url(), keys: setup.keys),
      registration: hub.registrar.bind(setup.url(), keys: setup.keys),
      log: hub.logger.bind(setup.url(), keys: setup.keys),
    ],
    identities: [registration: "task_reg", client: "task_in", engine: "task_out"])
  return (hub, station)
}

/// The station's first event, while the hub minds its monitor socket: a bound SUB sends its
/// subscription only when its own thread comes by.
func subscribed(_ station: Station, _ hub: Peer) -> Received? {
  let end = transport_now_ns() + patienceNanoseconds
  while transport_now_ns() < end {
    _ = hub.receive(milliseconds: 1)
    if let event = station.turn(within: 1_000_000).first { return event }
  }
  return nil
}

/// Turns the station, which must have no events for us, until `ask` has an answer.
func pump<Answer>(_ station: Station, _ ask: () -> Answer?) -> Answer? {
  let end = transport_now_ns() + patienceNanoseconds
  while transport_now_ns() < end {
    if let answer = ask() { return answer }
    let events = station.turn(within: 1_000_000)
    #expect(events.isEmpty)
  }
  return nil
}

/// PureRelay: `--scheme pure`, a blind relay. ROUTER towards clients, DEALER towards engines
/// (round robin), copies to the monitor; nothing is parsed, signed or remembered.
/// Source: pyzmq's MonitoredQueue(ROUTER, DEALER, PUB, b"intask", b"outtask").

import CBase
import CTransport

public struct PureRelay: ~Copyable {
  var transport: Transport
  let tables: Tables
  let log: any NoticeReceiver
  private var inbox = Inbox()
  private var outbox = SendBuffer()
  private var spent: [message_handle] = []
  private var clients: [atom] = []
  private var noticeLimit = DropCounter(burst: 10)
  private var namelessReplies = DropCounter()
  private var now_ns: UInt64 = 0
  private let intask: atom
  private let outtask: atom

  private init(
    _ transport: consuming Transport, _ tables: consuming Tables, _ log: any NoticeReceiver
  ) {
    intask = tables.intern("intask")
    outtask = tables.intern("outtask")
    self.transport = transport
    self.tables = tables
    self.log = log
  }

  public static func open(_ options: ExchangeOptions, log: any NoticeReceiver) throws -> PureRelay {
    let tables = Tables(hashSeed: options.hashSeed)
    var links = options.transport
    // A relay asks the hub for nothing.
    links.notificationURL = ""
    links.registrationURL = ""
    // Without engines tasks wait in the DEALER, as long as it takes.
    links.hold_ns = .max
    links.holdBytesMax = .max
    let transport = try unsafe Transport(links, engineDealer: true, tables, transport_checker())
    return PureRelay(transport, tables, log)
  }

  public mutating func close(linger_ns: UInt64) { transport.close(linger_ns: linger_ns) }

  public mutating func wait(until deadline_ns: UInt64) throws {
    let result = inbox.gather(transport, deadline_ns: deadline_ns)
    if result < 0 { throw ReactorFailure(errno: -result) }
  }

  public mutating func process(now_ns: UInt64) -> TurnSignals {
    self.now_ns = now_ns
    var signals = TurnSignals()
    transport.relayNotices(to: log, &noticeLimit, now_ns: now_ns)
    for index in 0..<inbox.count { unsafe relay(inbox[index], &signals) }
    inbox.count = 0
    unsafe transport_send_all(transport.handle, outbox.base, UInt32(outbox.count))
    outbox.removeAll()
    for message in spent { unsafe message_release(tables.messages, message) }
    for client in clients { unsafe atoms_release(tables.atoms, client) }
    spent.removeAll(keepingCapacity: true)
    clients.removeAll(keepingCapacity: true)
    return signals
  }

  private mutating func relay(_ event: transport_event, _ signals: inout TurnSignals) {
    switch unsafe transport_event_kind(UInt32(event.kind)) {
    case TRANSPORT_SUBSCRIBED: signals.insert(.subscribed)
    case TRANSPORT_WAKE: signals.insert(.woken)
    case TRANSPORT_PARENT_GONE: signals.insert(.parentGone)
    case TRANSPORT_MESSAGE:
      unsafe spent.append(event.message)
      if unsafe event.role == UInt8(TRANSPORT_CLIENT.rawValue) {
        unsafe toEngines(event)
      } else if unsafe event.role == UInt8(TRANSPORT_ENGINE.rawValue) {
        unsafe toClient(event)
      }
    default: break
    }
  }

  private mutating func toEngines(_ event: transport_event) {
    unsafe append(TRANSPORT_ENGINE, ATOM_NONE, event, 0, (event.peer, 0, 0), 1)
    unsafe append(TRANSPORT_MONITOR, ATOM_NONE, event, 0, (intask, event.peer, 0), 2)
  }

  /// An engine's message begins with the client's routing id.
  private mutating func toClient(_ event: transport_event) {
    guard unsafe event.frame_count >= 1, let first = unsafe event.frames else { return }
    let client = unsafe atoms_intern(tables.atoms, first.pointee.data, Int(first.pointee.size))
    guard client != ATOM_NONE else {
      if let untold = namelessReplies.drop(now_ns: now_ns) {
        let more = untold > 0 ? " (and \(untold) more like it)" : ""
        log.notice(.warning, "dropped a reply that names no client\(more)")
      }
      return
    }
    clients.append(client)
    unsafe append(TRANSPORT_CLIENT, client, event, 1, (0, 0, 0), 0)
    unsafe append(TRANSPORT_MONITOR, ATOM_NONE, event, 0, (outtask, 0, 0), 1)
  }

  private mutating func append(
    _ role: transport_role, _ peer: atom, _ event: transport_event, _ firstFrame: Int,
    _ prefix: (atom, atom, atom), _ prefixCount: UInt8
  ) {
    outbox.append(
      unsafe transport_send(
        role, to: peer, event.message, firstFrame: firstFrame, prefix: prefix,
        prefixCount: prefixCount))
  }

  public func pauseClients(_ paused: Bool) { transport.pause(TRANSPORT_CLIENT, paused) }
  public var waker: Waker { unsafe Waker(handle: transport.handle) }
  public func watchProcess(_ pid: Int32) -> Int32 {
    unsafe -transport_watch_process(transport.handle, pid)
  }
  public var clientEndpoint: String? { transport.endpoint(TRANSPORT_CLIENT) }
  public var engineEndpoint: String? { transport.endpoint(TRANSPORT_ENGINE) }
  public var ioName: String { transport.ioName }
  public var ioNote: String? { transport.ioNote }

  /// Publishes lines on the log link: `scheduler.<LEVEL>`, text.
  public mutating func publishLog(_ lines: [LogLine]) {
    transport.publish(lines, tables)
  }
}

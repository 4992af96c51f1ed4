/// Exchange: the scheduler's working half. It joins the transport, the message layer and the core.
///
///     wait      transport events of one turn              (sleeps, at most until a deadline)
///     process   events -> ingest -> core.step -> commands -> sends
///
/// A turn is one batch on each side of the boundary: C hands over an array of events, gets back
/// an array of sends. Owned by one thread. The clock is an argument of `process`.

import CBase
import CIntake
import CScan
import CTransport
import SchedulerCore

public struct ExchangeOptions: Sendable {
  public var core = CoreOptions()
  public var session = SessionOptions()
  public var transport = TransportOptions()
  public var journal = JournalOptions()
  /// Names a journal that is begun now; random.
  public var journalID: (UInt64, UInt64) = (0, 0)
  /// Keys the hashes of the name tables; peers must not know it.
  public var hashSeed: UInt64 = 0
  public init() {}
}

/// What a turn brought besides messages.
public struct TurnSignals: OptionSet, Sendable {
  public var rawValue: UInt8
  public init(rawValue: UInt8) { self.rawValue = rawValue }
  public static let woken = TurnSignals(rawValue: 1)
  public static let parentGone = TurnSignals(rawValue: 2)
  /// The hub listens to the monitor from now on.
  public static let subscribed = TurnSignals(rawValue: 4)
}

public struct ExchangeReport: Sendable {
  public var core = CoreReport()
  public var submitted: UInt64 = 0
  public var assigned: UInt64 = 0
  /// Final replies: relayed from engines, and made by the scheduler.
  public var delivered: UInt64 = 0
  public var failed: UInt64 = 0
  public var refused: UInt64 = 0
  public var drops: [DropReason: UInt64] = [:]
  public var droppedReplies: UInt64 = 0
  public var heldMessages = 0
  public var heldBytes: UInt64 = 0
  /// Times that a client began not to be read, because it had too many tasks.
  public var restedClients: UInt64 = 0
}

public struct Exchange: ~Copyable {
  // Destroyed in this order: the journal's thread wakes the transport, and the transport gives its
  // messages back to the tables.
  var journal: Journal
  var state: JournalState
  var transport: Transport
  var tables: Tables
  var composer: Composer
  var intake: Intake
  private let laneIntakes: LaneIntakes
  var core: SchedulerCore
  let log: any NoticeReceiver
  /// Nil but in a simulation (see CoreWatcher).
  package var watcher: (any CoreWatcher)?

  // One turn's batches, reused.
  var inbox = Inbox()
  var outbox = SendBuffer()
  var events: [Event] = []
  var eventLists: [UInt32] = []
  var commands = CommandBuffer()
  /// Messages to release once the outbox has been handed over.
  var spent: [message_handle] = []

  var now_ns: UInt64 = 0
  var drops: [DropCounter]
  private var noticeLimit = DropCounter(burst: 10)
  var refusalNotices = DropCounter()
  var failureNotices = DropCounter()
  var limitNotices = DropCounter()
  var backlog: Backlog
  let dependenciesMax: UInt64
  let retriesAnywhere: Bool
  var tally = ExchangeReport()
  /// Atoms whose reference is kept because they named an engine.
  var isEngineName: [Bool] = []
  /// Atoms of engines that the hub said are gone, and has not announced since.
  var hasLeft: [Bool] = []
  /// What was asked of engines that are connected anew, and is not answered; one each at most.
  var inquiries: [Inquiry] = []
  let intask: atom
  let outtask: atom
  let tracktask: atom
  /// In the place of a client's routing id, for fences.
  let fenceName: atom

  private init(
    _ options: ExchangeOptions, _ journal: consuming Journal, _ transport: consuming Transport,
    _ tables: consuming Tables, _ composer: consuming Composer, _ intake: consuming Intake,
    _ laneIntakes: consuming LaneIntakes, _ log: any NoticeReceiver
  ) {
    self.log = log
    intask = tables.intern("intask")
    outtask = tables.intern("outtask")
    tracktask = tables.intern("tracktask")
    fenceName = tables.intern("yardmaster")
    self.journal = journal
    state = JournalState(isLibzmq: options.transport.body == .zmq)
    self.transport = transport
    self.tables = tables
    self.composer = composer
    self.intake = intake
    self.laneIntakes = laneIntakes
    core = SchedulerCore(options.core)
    retriesAnywhere = options.core.retryAnywhere
    backlog = Backlog(options.transport.limits)
    dependenciesMax = options.transport.limits.dependencies
    drops = Array(repeating: DropCounter(), count: DropReason.allCases.count)
  }

  /// Opens the journal and the sockets; throws `SessionFailure`, `JournalFailure` or
  /// `TransportFailure`, each one line for a person. `now_ns`, `wall_us`: see `process`.
  public static func open(
    _ options: ExchangeOptions, log: any NoticeReceiver, now_ns: UInt64 = 0, wall_us: Int64 = 0
  ) throws -> Exchange {
    let composer = try Composer(options.session)
    let intake = try Intake(options.session)
    let journal = try Journal(options.journal, id: options.journalID, wall_us: wall_us)
    let tables = Tables(hashSeed: options.hashSeed)
    let laneIntakes = try LaneIntakes(options.session, count: options.transport.ioThreads)
    let transport = try unsafe Transport(
      options.transport, engineDealer: false, tables, laneIntakes.checker)
    var exchange = Exchange(options, journal, transport, tables, composer, intake, laneIntakes, log)
    if exchange.journal.isOn {
      try exchange.beginRestore(
        now_ns: now_ns, hasHub: !options.transport.registrationURL.isEmpty)
    }
    return exchange
  }

  /// Sends what is queued for at most `linger_ns`, then closes the sockets.
  /// Nothing else may follow.
  public mutating func close(linger_ns: UInt64) {
    if journal.isOn { endJournal() }
    transport.close(linger_ns: linger_ns)
    // What waited or ran is lost with this process: its messages go before their table does.
    forgetRested()
    core.forEachHeldMessage { unsafe message_release(tables.messages, $0.value) }
    unsafe message_release_all(tables.messages, spent, spent.count)
  }

  /// Sleeps until something is ready or until `deadline_ns` or the core's next deadline, on
  /// CLOCK_MONOTONIC. Throws when the reactor itself fails, or the journal.
  public mutating func wait(until deadline_ns: UInt64) throws {
    var deadline = deadline_ns
    if journal.isOn { deadline = min(deadline, try serveJournal()) }
    deadline = min(deadline, core.nextDeadline_ns ?? .max)
    let result = inbox.gather(transport, deadline_ns: deadline)
    if result < 0 { throw ReactorFailure(errno: -result) }
  }

  /// Handles what `wait` gathered. `now_ns` is CLOCK_MONOTONIC, `wall_us` microseconds since 1970.
  public mutating func process(now_ns: UInt64, wall_us: Int64) -> TurnSignals {
    self.now_ns = now_ns
    transport.relayNotices(to: log, &noticeLimit, now_ns: now_ns)
    composer.date.set(wall_us: wall_us)
    intake.reset()
    var signals = TurnSignals()
    var looked = 0
    for index in 0..<inbox.count {
      if index == looked { looked = intake.lookAhead(inbox, from: looked) }
      unsafe ingest(inbox[index], &signals)
    }
    inbox.count = 0
    stepCore()
    carryOut()
    flush()
    readRested()
    return signals
  }

  private mutating func stepCore() {
    // Taken out for the step: spans of our own fields would overlap with changing the core.
    var batch: [Event] = []
    var lists: [UInt32] = []
    swap(&batch, &events)
    swap(&lists, &eventLists)
    core.step(now_ns: now_ns, events: batch.span, lists: lists.span, commands: &commands)
    watcher?.stepped(now_ns, batch, lists, commands, core)
    batch.removeAll(keepingCapacity: true)
    lists.removeAll(keepingCapacity: true)
    swap(&batch, &events)
    swap(&lists, &eventLists)
  }

  private mutating func ingest(_ event: transport_event, _ signals: inout TurnSignals) {
    switch unsafe transport_event_kind(UInt32(event.kind)) {
    case TRANSPORT_MESSAGE:
      switch unsafe transport_role(UInt32(event.role)) {
      case TRANSPORT_CLIENT: unsafe ingestTask(event)
      case TRANSPORT_ENGINE: unsafe ingestReply(event)
      case TRANSPORT_NOTIFICATION, TRANSPORT_REGISTRATION: unsafe ingestHubMessage(event)
      default: unsafe spent.append(event.message)
      }
    case TRANSPORT_UNDELIVERABLE: unsafe ingestUndeliverable(event)
    case TRANSPORT_SUBSCRIBED:
      signals.insert(.subscribed)
      tellUnheard()
    case TRANSPORT_REJOINED: unsafe ingestRejoined(event)
    case TRANSPORT_WAKE: signals.insert(.woken)
    case TRANSPORT_PARENT_GONE: signals.insert(.parentGone)
    default: break
    }
  }

  private mutating func flush() {
    if journal.isOn { return flushThroughJournal() }
    composer.signAll()
    unsafe transport_send_all(transport.handle, outbox.base, UInt32(outbox.count))
    outbox.removeAll()
    unsafe message_release_all(tables.messages, spent, spent.count)
    spent.removeAll(keepingCapacity: true)
  }

  // MARK: for the daemon

  /// Asks the hub which engines there are.
  public mutating func greetHub() {
    let message = composer.connectionRequest(tables)
    outbox.append(transport_send(TRANSPORT_REGISTRATION, to: ATOM_NONE, message))
    spent.append(message)
    flush()
  }

  /// Stops or resumes taking tasks.
  public mutating func pauseClients(_ paused: Bool) {
    state.clientsPaused = paused
    readOrRestClients()
  }

  /// Something came in, or waits for the journal: a scheduler that ends in good order goes on.
  public var isBusy: Bool { inbox.count > 0 || !state.held.isEmpty }

  /// `fd`-free wake-up: safe from any thread and from a signal handler while this exists.
  public var waker: Waker { unsafe Waker(handle: transport.handle) }

  /// 0, or the errno that says why the process cannot be watched.
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

  public func report() -> ExchangeReport {
    var report = tally
    report.core = core.report()
    report.core.running -= state.unassignedCount
    for (index, reason) in DropReason.allCases.enumerated() where drops[index].count > 0 {
      report.drops[reason] = drops[index].count
    }
    report.droppedReplies = transport.counters.dropped_client
    report.restedClients = backlog.restCount
    report.heldMessages = Int(unsafe message_table_count(tables.messages))
    report.heldBytes = unsafe message_table_bytes(tables.messages)
    return report
  }

  public func checkInvariants() -> String? {
    core.checkInvariants() ?? backlog.problem(live: core.report().live)
  }

  // MARK: small things every part uses

  /// A peer's message with its frames and signature in order, or nil after dropping it.
  mutating func check(_ kind: intake_kind, _ event: transport_event) -> intake_message? {
    let message = unsafe intake.check(kind, event)
    if unsafe message.status == INTAKE_OK.rawValue { return unsafe message }
    // ZMQ_PROBE_ROUTER peers say hello with one empty frame: nothing to complain about.
    if unsafe event.frame_count <= 1 && event.bytes == 0 {
      unsafe spent.append(event.message)
    } else {
      unsafe drop(DropReason(message), event.message, from: event.peer)
    }
    return nil
  }

  /// Counts a drop, tells it unless too many were told lately, and releases the message.
  mutating func drop(_ reason: DropReason, _ message: message_handle, from peer: atom) {
    spent.append(message)
    guard let untold = countDrop(reason) else { return }
    let more = untold > 0 ? " (and \(untold) more like it)" : ""
    log.notice(
      .warning, "dropped a message from \(tables.text(of: peer)): \(reason.rawValue)\(more)")
  }

  mutating func countDrop(_ reason: DropReason) -> UInt64? {
    let index = DropReason.allCases.firstIndex(of: reason)!
    let untold = drops[index].drop(now_ns: now_ns)
    return log.noticeLevel <= .warning ? untold : nil
  }
}

/// The reactor's wait failed: nothing more can be received.
public struct ReactorFailure: Error, Sendable { public var errno: Int32 }

/// Wakes a sleeping exchange from another thread or a signal handler.
@safe
public struct Waker: @unchecked Sendable {
  let handle: OpaquePointer
  public func wake() { unsafe transport_wake(handle) }
}

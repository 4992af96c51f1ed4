/// Scheduler: one task scheduler, run by the thread that calls `run`.
///
///     let scheduler = try Scheduler(options)
///     Thread { try scheduler.run() }      ...      scheduler.stop()
///
/// The command runs one on its main thread; a program may run several, each on its own thread.

import Glibc
import SchedulerCore
import SchedulerWire
import Synchronization

public final class Scheduler: Sendable {
  public let options: SchedulerOptions
  private let log: SchedulerLog
  private let isStopping = Atomic<Bool>(false)
  /// Present while the sockets are open.
  private let waker = Mutex<Waker?>(nil)

  /// Checks the options; opens nothing yet.
  public init(_ options: SchedulerOptions) throws(SchedulerFailure) {
    try options.validate()
    self.options = options
    log = SchedulerLog(
      name: options.logName, level: options.logLevel, publishes: !options.links.logURL.isEmpty)
  }

  /// Ends `run` after it has flushed what is queued. Safe from any thread, at any time.
  public func stop() {
    isStopping.store(true, ordering: .releasing)
    waker.withLock { $0?.wake() }
  }

  /// Opens the sockets and schedules until `stop`, or until the watched process is gone.
  public func run() throws(SchedulerFailure) {
    do {
      if options.isPure { try runPure() } else { try runRich() }
    } catch let failure as SchedulerFailure {
      throw failure
    } catch let failure as TransportFailure {
      throw SchedulerFailure(failure)
    } catch let failure as SessionFailure {
      throw SchedulerFailure(exitCode: 2, text: failure.text)
    } catch let failure as JournalFailure {
      throw SchedulerFailure(exitCode: 74, text: failure.text)
    } catch let failure as ReactorFailure {
      let reason = unsafe String(cString: strerror(failure.errno))
      throw SchedulerFailure(exitCode: 69, text: "waiting for events failed: \(reason)")
    } catch {
      throw SchedulerFailure(exitCode: 70, text: "unexpected: \(error)")
    }
  }

  private var exchangeOptions: ExchangeOptions {
    var exchange = ExchangeOptions()
    exchange.core = options.core
    exchange.session = options.session
    exchange.session.pid = getpid()
    exchange.transport = options.links
    exchange.journal = options.journal
    exchange.journalID = (.random(in: .min ... .max), .random(in: .min ... .max))
    exchange.hashSeed = UInt64.random(in: .min ... .max)
    return exchange
  }

  // MARK: the rich scheduler

  private func runRich() throws {
    var exchange = try Exchange.open(
      exchangeOptions, log: log, now_ns: now_ns(), wall_us: wall_us())
    opened(exchange.waker)
    announce(exchange.ioName, exchange.ioNote, exchange.clientEndpoint, exchange.engineEndpoint)
    let outcome = Result { try loop(&exchange) }
    // Closed in any case: queued messages leave, held ones are released.
    closed()
    exchange.close(linger_ns: options.linger_ns)
    try outcome.get()
  }

  private func loop(_ exchange: inout Exchange) throws {
    try watchParent { exchange.watchProcess($0) }
    exchange.greetHub()
    var gate = MonitorGate(options, from: now_ns())
    if gate.isClosed { exchange.pauseClients(true) }
    while !isStopping.load(ordering: .acquiring) {
      exchange.publishLog(log.takeUnpublished())
      try exchange.wait(until: gate.deadline_ns)
      let now = now_ns()
      let signals = exchange.process(now_ns: now, wall_us: wall_us())
      if gate.opens(signals, now, log) { exchange.pauseClients(false) }
      if signals.contains(.parentGone) { parentGone() }
    }
    if !options.journal.folder.isEmpty { try drain(&exchange) }
    summarise(exchange.report())
    exchange.publishLog(log.takeUnpublished())
  }

  /// With a journal, what peers have sent is taken and written down: whoever sent it believes that
  /// it has been. Two seconds at most.
  private func drain(_ exchange: inout Exchange) throws {
    exchange.beginLeaving()
    try turns(of: &exchange, atMost_ns: 300_000_000) { $0.isRestoring ? 1 : 0 }
    if exchange.hangUpEngines() != nil {
      try turns(of: &exchange, atMost_ns: 600_000_000) { $0.hangUpEngines() }
    }
    try turns(of: &exchange, atMost_ns: 500_000_000) { $0.hangUpClients() }
    try turns(of: &exchange, atMost_ns: 400_000_000) { $0.hubIsBehind ? 1 : 0 }
  }

  /// Turns until nothing is left, or (nil: not known) nothing has come for a moment.
  private func turns(
    of exchange: inout Exchange, atMost_ns: UInt64, _ left: (inout Exchange) -> Int?
  ) throws {
    let end_ns = now_ns() + atMost_ns
    var isDone = false
    while !isDone && now_ns() < end_ns {
      let left = left(&exchange)
      try exchange.wait(until: min(end_ns, now_ns() + (left == nil ? 20_000_000 : 2_000_000)))
      isDone = (left ?? 0) == 0 && !exchange.isBusy
      _ = exchange.process(now_ns: now_ns(), wall_us: wall_us())
    }
  }

  private func summarise(_ report: ExchangeReport) {
    let waiting = report.core.waiting
    let running = report.core.running
    let isKept = !options.journal.folder.isEmpty
    let drops = report.drops.sorted { $0.key.rawValue < $1.key.rawValue }
      .map { "; dropped \($0.value): \($0.key.rawValue)" }.joined()
    log.notice(
      waiting + running > 0 && !isKept ? .warning : .info,
      "stopped: \(report.submitted) tasks taken, \(report.delivered) replies relayed, "
        + "\(report.failed) failed by the scheduler, \(report.refused) refused, "
        + "\(waiting) still waiting, \(running) still running"
        + "\(isKept ? " (kept in the journal)" : "")\(drops)"
    )
  }

  // MARK: the pure relay

  private func runPure() throws {
    var relay = try PureRelay.open(exchangeOptions, log: log)
    opened(relay.waker)
    announce(relay.ioName, relay.ioNote, relay.clientEndpoint, relay.engineEndpoint)
    let outcome = Result { try loop(&relay) }
    closed()
    relay.close(linger_ns: options.linger_ns)
    try outcome.get()
  }

  private func loop(_ relay: inout PureRelay) throws {
    try watchParent { relay.watchProcess($0) }
    var gate = MonitorGate(options, from: now_ns())
    if gate.isClosed { relay.pauseClients(true) }
    while !isStopping.load(ordering: .acquiring) {
      relay.publishLog(log.takeUnpublished())
      try relay.wait(until: gate.deadline_ns)
      let now = now_ns()
      let signals = relay.process(now_ns: now)
      if gate.opens(signals, now, log) { relay.pauseClients(false) }
      if signals.contains(.parentGone) { parentGone() }
    }
  }

  // MARK: shared steps

  private func opened(_ opened: Waker) {
    waker.withLock { $0 = opened }
    // A stop that came before there was anything to wake.
    if isStopping.load(ordering: .acquiring) { opened.wake() }
  }

  /// Before the sockets go: nobody may wake what is closed.
  private func closed() { waker.withLock { $0 = nil } }

  private func announce(_ io: String, _ note: String?, _ client: String?, _ engine: String?) {
    let scheme = options.isPure ? "pure" : options.core.scheme.rawValue
    log.notice(.info, "Task scheduler started [\(scheme)]")
    let kernel = loadKernel()
    if let note = kernel.note { log.notice(.warning, note) }
    if let note { log.notice(.warning, note) }
    log.notice(
      .info,
      "yardmaster \(yardmasterVersion): hwm \(options.core.hwm), "
        + "transport \(options.links.body == .zmq ? "zmq" : "native"), io \(io), "
        + (options.links.ioThreads > 0 ? "I/O threads \(options.links.ioThreads), " : "")
        + "kernels \(kernel.name), seed \(options.core.seed), clients at \(client ?? "?"), "
        + "engines at \(engine ?? "?")")
    if options.session.key.isEmpty && options.links.curvePublicKey.isEmpty && !options.isPure {
      log.notice(
        .warning,
        "messages are neither signed nor encrypted: anyone who can connect can run code; "
          + "set IPP_SESSION_KEY or the CURVE keys")
    }
  }

  private func watchParent(_ watch: (Int32) -> Int32) throws(SchedulerFailure) {
    guard options.parentPID > 0 else { return }
    let error = watch(options.parentPID)
    if error == ESRCH { return parentGone() }
    guard error == 0 else {
      let reason = unsafe String(cString: strerror(error))
      throw SchedulerFailure(
        exitCode: 69, text: "cannot watch process \(options.parentPID): \(reason)")
    }
  }

  private func parentGone() {
    log.notice(.critical, "process \(options.parentPID) is gone: stopping")
    isStopping.store(true, ordering: .releasing)
  }

  private func now_ns() -> UInt64 {
    var now = timespec()
    unsafe clock_gettime(CLOCK_MONOTONIC, &now)
    return UInt64(now.tv_sec) * 1_000_000_000 + UInt64(now.tv_nsec)
  }

  private func wall_us() -> Int64 {
    var now = timespec()
    unsafe clock_gettime(CLOCK_REALTIME, &now)
    return Int64(now.tv_sec) * 1_000_000 + Int64(now.tv_nsec) / 1000
  }
}

/// Holds tasks back until the hub listens to the monitor: a publisher that nobody has subscribed
/// to yet drops what it is given, and the hub's records would miss the first tasks.
struct MonitorGate {
  private(set) var isClosed: Bool
  private let until_ns: UInt64

  init(_ options: SchedulerOptions, from now_ns: UInt64) {
    isClosed = !options.links.monitorURL.isEmpty && options.monitorWait_ns > 0
    until_ns = now_ns + options.monitorWait_ns
  }

  var deadline_ns: UInt64 { isClosed ? until_ns : .max }

  /// True once, when the gate opens.
  mutating func opens(_ signals: TurnSignals, _ now_ns: UInt64, _ log: SchedulerLog) -> Bool {
    guard isClosed else { return false }
    let subscribed = signals.contains(.subscribed)
    guard subscribed || now_ns >= until_ns else { return false }
    isClosed = false
    if !subscribed {
      log.notice(
        .warning,
        "nobody listens to the monitor url yet: tasks are taken all the same, the hub's records "
          + "will miss them until it does")
    }
    return true
  }
}

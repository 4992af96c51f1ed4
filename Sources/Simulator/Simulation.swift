/// Simulation: one run of the real exchange in a simulated world, and its verdict.
///
/// The loop is the daemon's (Yardmaster's Scheduler): greet the hub, hold tasks back until it
/// listens to the monitor, then wait and process. Between a wait and the next, simulated time goes
/// by as if the work took some.
///
/// Invariant: the verdict depends on the seed and the number of events alone.

import PlainModel
import SchedulerCore
import SchedulerWire

public struct Verdict: Sendable {
  public var violation: Violation?
  /// What happened in the world, and what the core was told and decided.
  public var events = 0
  public var facts: UInt64 = 0
  /// System calls answered.
  public var calls: UInt64 = 0
  public var tasks = 0
  public var simulated_ns: UInt64 = 0
  public var census = Census()
  public var fingerprint: UInt64 = 0
  public var milestones: [UInt64] = []
  /// The last things that happened, if they were asked for.
  public var lines: [String] = []
}

public struct Simulation {
  let setting: Setting
  private let linesMax: Int
  /// Called with the last lines before the scheduler is taken apart, which may end the program if
  /// it is broken.
  public var onViolation: (Violation, [String]) -> Void = { _, _ in }
  // For tests: what is observed of the core, and the world itself, broken on purpose, and the one
  // promise that is then checked.
  var mutation: ((inout Step) -> Void)?
  var prepare: ((World) -> Void)?
  var only: Promise?

  /// `events`: after how many nothing fails any more. `linesMax`: the last lines kept.
  public init(seed: UInt64, events: Int, linesMax: Int = 0) {
    setting = Setting(seed: seed, events: events)
    self.linesMax = linesMax
  }

  /// False in a build whose system calls cannot be replaced (ThreadSanitizer).
  public static var isPossible: Bool { Kernel.isLinked }

  public func run(hashSeed: UInt64 = 0) -> Verdict {
    let trace = Trace()
    trace.linesMax = linesMax
    let world = World(setting, trace)
    world.only = only
    prepare?(world)
    let observer = Observer(checkers(), trace)
    observer.mutation = mutation
    observer.isBlind = { world.kernel.isDead }
    let notices = Notices(trace)
    world.kernel.enter()
    defer { world.kernel.leave() }
    do {
      try schedule(world, observer, notices, hashSeed)
    } catch {
      observer.report(Violation(promise: .liveness, text: "the scheduler ended: \(error)"))
    }
    if world.kernel.openFiles > 0 {
      observer.report(
        Violation(promise: .memory, text: "\(world.kernel.openFiles) descriptors are still open"))
    }
    var verdict = Verdict()
    verdict.violation = observer.violation
    verdict.events = world.eventCount
    verdict.facts = observer.factCount
    verdict.calls = world.kernel.calls
    verdict.tasks = world.plans.count
    verdict.simulated_ns = world.now_ns - 1_000_000_000_000
    verdict.census = observer.census
    verdict.census.add(world.census)
    if observer.history.isBlurred { verdict.census.count("runs with a blurred history") }
    verdict.fingerprint = trace.fingerprint
    verdict.milestones = trace.milestones
    verdict.lines = Array(trace.lastLines)
    return verdict
  }

  private func checkers() -> [any DecisionChecker] {
    var checkers: [any DecisionChecker] = [
      OneReply(), AfterHolds(), FollowHolds(), TargetsHold(),
      BlacklistHolds(retryAnywhere: setting.core.retryAnywhere),
      RetriesWithinBudget(), TimeoutsInTime(), LoadsAddUp(), InvariantsHold(),
    ]
    // With a policy of its own a load is no number of tasks; the model knows what it is.
    if setting.core.policy == nil {
      checkers.append(HighWaterHolds(hwm: Int(setting.core.hwm)))
    }
    if let model = ModelAgrees(setting.core) { checkers.append(model) }
    return checkers.filter { only == nil || $0.promise == only }
  }

  /// Schedulers, one after the other, until one of them lives to the end.
  private func schedule(
    _ world: World, _ observer: Observer, _ notices: Notices, _ hashSeed: UInt64
  ) throws {
    while true {
      do {
        try live(world, observer, notices, hashSeed &+ UInt64(world.deaths))
      } catch {
        guard world.kernel.isDead else { throw error }
      }
      guard world.kernel.isDead else { return }
      world.bury()
      observer.report(world.violation)
      guard observer.violation == nil else { return }
      // The model knows of no journal.
      observer.beginLife(checkers().filter { $0.promise != .model })
    }
  }

  /// A scheduler from its start to its end.
  private func live(
    _ world: World, _ observer: Observer, _ notices: Notices, _ hashSeed: UInt64
  ) throws {
    var exchange = try Exchange.open(
      setting.exchangeOptions(hashSeed: hashSeed), log: notices, now_ns: world.now_ns,
      wall_us: wall_us(world))
    exchange.watcher = observer
    let waker = exchange.waker
    world.wake = { waker.wake() }
    defer { world.wake = {} }
    let outcome = Result { try loop(&exchange, world, observer) }
    observer.report(world.violation)
    if case .success = outcome, observer.violation == nil, !world.kernel.isDead {
      checkAtRest(exchange, world, observer)
    }
    if let violation = observer.violation { onViolation(violation, Array(world.trace.lastLines)) }
    exchange.watcher = nil
    exchange.close(linger_ns: 0)
    try outcome.get()
  }

  private func loop(
    _ exchange: inout Exchange, _ world: World, _ observer: Observer
  ) throws {
    exchange.greetHub()
    let gateOpens_ns = world.now_ns + 1_000_000_000
    var isGateShut = true
    var isRestored = world.deaths == 0
    exchange.pauseClients(true)
    while world.phase != .done && observer.violation == nil && !world.kernel.isDead {
      try exchange.wait(until: isGateShut ? gateOpens_ns : .max)
      let signals = exchange.process(now_ns: world.now_ns, wall_us: wall_us(world))
      if isGateShut && (signals.contains(.subscribed) || world.now_ns >= gateOpens_ns) {
        isGateShut = false
        exchange.pauseClients(false)
        let isInTime = signals.contains(.subscribed)
        world.hubHearsAll = isInTime && (world.deaths == 0 || world.hubHearsAll)
      }
      if !isRestored && observer.hasRestored {
        isRestored = true
        world.checkRestored(exchange)
      }
      let isPaused = world.dice.chance(world.rates.pause)
      world.spend(
        isPaused
          ? world.dice.spread(1_000_000, 1_000_000_000) : world.dice.spread(1_000, 300_000))
    }
  }

  private func checkAtRest(
    _ exchange: borrowing Exchange, _ world: World, _ observer: Observer
  ) {
    observer.checkAtRest()
    world.checkAtRest()
    if world.deaths > 0 { checkAfterDeaths(exchange, world, observer.history) }
    observer.report(world.violation)
    let atRest = [
      MemoryAtRest.check(exchange.report(), world.strayDescriptors),
      ParsedAsSent.check(exchange, world, observer.history),
      MonitorHears.check(exchange, world, observer.history),
    ]
    observer.report(atRest.compactMap { $0 }.first { only == nil || $0.promise == only })
  }

  private func checkAfterDeaths(
    _ exchange: borrowing Exchange, _ world: World, _ history: History
  ) {
    world.checkRestored(exchange)
    // A refusal is not recorded as a reply is: it may be lost with the scheduler.
    world.checkAfterDeaths(isRefused: \.isMalformed)
  }

  private func wall_us(_ world: World) -> Int64 {
    Int64((world.now_ns + 1_789_000_000_000_000_000) / 1000)
  }
}

/// What the scheduler says to a person becomes part of the trace.
private final class Notices: NoticeReceiver, @unchecked Sendable {
  let noticeLevel = NoticeLevel.warning
  private let trace: Trace
  init(_ trace: Trace) { self.trace = trace }
  func notice(_ level: NoticeLevel, _ text: String) { trace.keep("   \(level): \(text)") }
}

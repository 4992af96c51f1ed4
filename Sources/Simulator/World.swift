/// World: everything around one scheduler: the clock, the network, clients, engines, the hub, and
/// what went wrong so far. It goes on while the scheduler sleeps (see Kernel).
///
///     safety     work arrives, anything may fail
///     settling   nothing fails any more: what failed is known to the hub, fresh engines come
///     retiring   the engines of before leave, and with them the last reasons to wait
///     done       nothing is left to happen: the scheduler is stopped
///
/// Invariant: whatever happens is an action of the agenda, or follows from one, or from what the
/// scheduler did; chance comes from `dice` alone. Nothing iterates a Dictionary or a Set.

import PlainModel

/// The scheduler's ports, and the hub's.
enum Port {
  static let client: UInt16 = 20_001
  static let engine: UInt16 = 20_002
  static let monitor: UInt16 = 20_003
  static let notification: UInt16 = 20_004
  static let registration: UInt16 = 20_005
}

enum Recipient { case client, engine, monitor }

final class World {
  enum Phase: Int { case safety, settling, retiring, done }
  /// After the last failure everything has to be over within this time.
  static let healing_ns: UInt64 = 600_000_000_000

  private(set) var kernel: Kernel!
  private var agenda = Agenda()
  var dice: Dice
  var rates: Rates
  let workload: Workload
  let session: Session
  let trace: Trace
  var phase = Phase.safety
  private(set) var eventCount = 0
  private let eventsMax: Int
  var healed_ns: UInt64 = 0
  private var numbers = 0

  private(set) var links: [Link?] = []
  /// Connections that the scheduler dialled, by number: for looking up only.
  private var dialling: Set<Int32> = []
  private(set) var clients: [Client] = []
  private(set) var engines: [Engine] = []
  private(set) var hub: Hub!
  private(set) var plans: [TaskPlan] = []
  private var planOfID: [[UInt8]: TaskPlan] = [:]
  private var replyOfHeader: [[UInt8]: (frames: [[UInt8]], sender: PeerSocket)] = [:]
  private(set) var violation: Violation?
  /// nil: the scheduler keeps no journal.
  let journal: JournalSetting?
  /// How often the scheduler died, and how often its machine lost power.
  var deaths = 0
  var powerLosses = 0
  /// Of the death that is planned.
  var deathLosesPower = false
  /// Power was lost, and with it what had not been synced: what was accepted may be unknown.
  var mayForget = false
  /// For tests: a disk is relied on that was not asked to sync.
  var expectsNoLoss = false
  /// What was done to the scheduler.
  var census = Census()
  /// The scheduler took no task before the hub had subscribed to the monitor: it was there in time.
  var hubHearsAll = false
  /// Tasks sent when nothing fails any more: each must be answered.
  var lastTasks: [TaskPlan] = []
  /// For tests: the one promise that is checked, and what comes of a message on its way to a peer.
  var only: Promise?
  var tamper: (Recipient, [[UInt8]]) -> [[[UInt8]]] = { [$1] }
  /// Ends the scheduler's sleep; set by whoever runs it.
  var wake: () -> Void = {}

  init(_ setting: Setting, _ trace: Trace) {
    self.trace = trace
    dice = setting.dice
    rates = setting.rates
    workload = setting.workload
    eventsMax = setting.events
    journal = setting.journal
    if setting.journal == nil { rates.life_ns = 0 }
    session = Session(key: setting.key, scheme: setting.signatureScheme)
    kernel = Kernel(
      seed: dice.word(), now_ns: 1_000_000_000_000, wall_ns: 1_790_000_000_000_000_000,
      sleep: { [unowned self] in sleep(until_ns: $0) })
    kernel.set(rates.system)
    hub = Hub(self)
    for number in 0..<setting.clientCount { clients.append(Client(self, number)) }
    after(1) { [self] in
      for _ in 0..<setting.engineCount { makeEngine().start() }
      for client in clients { client.start() }
    }
    if rates.strangers > 0 { after(1_000_000) { [self] in sendStranger() } }
    planDeath()
    if rates.engineDies > 0 { after(1_000_000_000) { [self] in replaceSome() } }
  }

  // MARK: time

  var now_ns: UInt64 { kernel.now_ns }

  func after(_ delay_ns: UInt64, _ action: @escaping () -> Void) {
    agenda.add(at: kernel.now_ns + delay_ns, action)
  }

  /// The scheduler computes, or is not run, for this long.
  func spend(_ duration_ns: UInt64) {
    let until_ns = kernel.now_ns + duration_ns
    noteChanges()
    while let next = agenda.next_ns, next <= until_ns { takeNext(next) }
    kernel.now_ns = until_ns
  }

  private func sleep(until_ns: UInt64) -> Bool {
    noteChanges()
    if phase != .safety && kernel.now_ns > healed_ns + Self.healing_ns {
      let seconds = Self.healing_ns / 1_000_000_000
      broken(.liveness, "still not quiet \(seconds) s after the last failure")
    }
    if let next = agenda.next_ns, next <= until_ns {
      takeNext(next)
      return true
    }
    if until_ns != .max {
      kernel.now_ns = until_ns
      if phase == .done { wake() }
      return true
    }
    return quiet()
  }

  private func takeNext(_ time_ns: UInt64) {
    kernel.now_ns = time_ns
    agenda.takeFirst()()
    noteChanges()
    eventCount += 1
    if phase == .safety && eventCount >= eventsMax { heal() }
    if phase != .done && eventCount > 20 * eventsMax + 200_000 {
      broken(.liveness, "no end: \(eventCount) events, \(eventsMax) were asked for")
    }
  }

  // MARK: the network

  func register(_ link: Link) {
    while links.count <= Int(link.number) { links.append(nil) }
    links[Int(link.number)] = link
  }

  func forget(_ link: Link) {
    links[Int(link.number)] = nil
    kernel.forget(link.number)
  }

  private func noteChanges() {
    while let number = kernel.nextChanged() {
      if Int(number) < links.count, let link = links[Int(number)] {
        link.changed()
      } else if kernel.dialledPort(of: number) != 0 {
        answer(number)
      }
    }
  }

  /// The scheduler dials.
  private func answer(_ number: Int32) {
    // It may have more to say before it is answered: it is asked once.
    guard dialling.insert(number).inserted else { return }
    let port = kernel.dialledPort(of: number)
    after(travelTime()) { [self] in
      guard kernel.state(of: number) != .closed else { return kernel.forget(number) }
      let isRefused = kernel.state(of: number) == .connecting && dice.chance(rates.cut * 20)
      if isRefused {
        kernel.answer(number, error: connectionRefused)
      } else {
        kernel.answer(number, error: 0)
        if hub.accept(number, port: port) { return }
        kernel.end(number)
      }
      kernel.forget(number)
    }
  }

  func travelTime() -> UInt64 {
    if dice.chance(rates.stall) {
      census.count("network: stalled")
      return dice.spread(10_000_000, 4_000_000_000)
    }
    return dice.spread(rates.latency_ns.lowerBound, rates.latency_ns.upperBound)
  }

  /// How much of a stream travels at once: a few bytes, some, or all; large streams in at most
  /// some dozens of pieces.
  func pieceSize(of size: Int) -> Int {
    guard dice.chance(rates.tinyPieces) else { return size }
    return min(size, max(1 + dice.below(40), size / 40))
  }

  /// Somebody who does not speak the language.
  private func sendStranger() {
    guard phase == .safety else { return }
    if dice.chance(rates.strangers) {
      let port = dice.chance(0.5) ? Port.client : Port.engine
      if let number = kernel.dial(port) {
        let stranger = Stranger(self, number)
        census.count("stranger")
        after(dice.spread(1_000_000, 40_000_000_000)) { stranger.leave() }
      }
    }
    after(dice.spread(10_000_000, 1_000_000_000)) { [self] in sendStranger() }
  }

  // MARK: engines

  var everyEngine: [String] { engines.suffix(12).map(\.uuid) }

  func makeEngine(isFresh: Bool = false) -> Engine {
    let engine = Engine(self, number: engines.count, isFresh: isFresh)
    engines.append(engine)
    return engine
  }

  private func replaceSome() {
    guard phase == .safety else { return }
    if engines.count(where: { $0.state == .serving }) < 6 && engines.count < 60 {
      makeEngine().start()
    }
    after(dice.spread(100_000_000, 4_000_000_000)) { [self] in replaceSome() }
  }

  // MARK: tasks

  /// Work is in proportion to what happens: a world where little moves is not swamped.
  var wantsTasks: Bool { plans.count * 8 < eventCount + 200 }

  func number() -> Int {
    numbers += 1
    return numbers
  }

  func add(_ plan: TaskPlan) {
    plans.append(plan)
    planOfID[plan.id] = plan
  }

  func id(of number: Int) -> [UInt8] {
    number < plans.count ? plans[number].id : Array("nobody-knows_1_1".utf8)
  }

  func plan(named id: [UInt8]?) -> TaskPlan? { id.flatMap { planOfID[$0] } }

  func remember(reply: [[UInt8]], _ header: [UInt8], from sender: PeerSocket) {
    replyOfHeader[header] = (reply, sender)
  }

  /// What is wrong with a reply that a client got, or nil.
  func difference(from plan: TaskPlan, _ reply: Opened) -> String? {
    if let sent = replyOfHeader[reply.header] {
      if sent.sender.isTainted || sent.frames == reply.all { return nil }
      return "the reply about task \(plan.number) is not what the engine sent"
    }
    let enames = ["InvalidDependency", "ImpossibleDependency", "TaskTimeout", "EngineError"]
    if let ename = text("ename", in: reply.content), enames.contains(ename) { return nil }
    return "the reply about task \(plan.number) comes from nobody"
  }

  /// What the hub hears on the monitor.
  func heard(_ topic: String, _ message: Opened) {
    let naming =
      switch topic {
      case "intask": message.header
      case "outtask": message.parent
      default: message.content
      }
    guard let plan = plan(named: field("msg_id", in: naming)) else {
      return broken(.monitor, "the hub heard a \(topic) of a task that nobody sent")
    }
    switch topic {
    case "intask": plan.intasks += 1
    case "tracktask": plan.tracktasks += 1
    case "outtask": plan.outtasks += 1
    default: broken(.monitor, "the hub heard \(topic)")
    }
    guard hubHearsAll && hub.monitor.isSteady && deaths == 0 else { return }
    if plan.intasks != 1 || plan.outtasks > 1 || (topic == "tracktask" && plan.outtasks > 0) {
      broken(
        .monitor,
        "the hub heard \(topic) of task \(plan.number): in \(plan.intasks), "
          + "track \(plan.tracktasks), out \(plan.outtasks)")
    }
  }

  /// Descriptors beside those of the listeners, the reactor and the connections that stand.
  var strayDescriptors: Int {
    let own = 4 + (journal == nil ? 0 : JournalSetting.descriptors)
    return kernel.openFiles - own - links.count { $0.map { !$0.isAbandoned } ?? false }
  }

  // MARK: the end

  func broken(_ promise: Promise, _ text: String) {
    guard violation == nil, only == nil || only == promise else { return }
    violation = Violation(promise: promise, text: text)
    stop()
  }

  func stop() {
    phase = .done
    wake()
  }
}

/// ECONNREFUSED.
private let connectionRefused: Int32 = 111

/// Engine: runs what it is given, answers, and does all that engines may do wrong.

final class Engine {
  enum State { case starting, serving, dead }

  private unowned let world: World
  let uuid: String
  let socket: PeerSocket
  private(set) var state = State.starting
  /// A task was given to it that it will never answer.
  private(set) var hasLostWork = false
  /// Started when nothing fails any more.
  let isFresh: Bool
  private let speed_ns: UInt64
  /// It answers a fence, once it has answered all it got before; by this time.
  private let answersFences: Bool
  private var answered_ns: UInt64 = 0
  /// As a session remembers them (`digest_history`): what bears one of them is not looked at.
  private var signatures: Set<[UInt8]> = []

  init(_ world: World, number: Int, isFresh: Bool) {
    self.world = world
    self.isFresh = isFresh
    uuid = "engine-\(number)-\(world.dice.below(1 << 30))"
    socket = PeerSocket(world, .dealer, identity: Array(uuid.utf8), port: Port.engine)
    let runMax_ns = isFresh ? 1_000_000 : world.workload.runMax_ns
    speed_ns = world.dice.spread(runMax_ns / 1_000, runMax_ns)
    answersFences = !world.dice.chance(world.rates.ignoresFences)
    socket.deliver = { [unowned self] in
      for message in self.world.tamper(.engine, $0) { received(message) }
    }
  }

  /// Nothing given to it can have been lost.
  var isHealthy: Bool { state == .serving && !hasLostWork && socket.isSteady }

  /// The hub hears of it whether it has connected or not: the order is anybody's guess.
  func start() {
    state = .serving
    let late = isFresh ? 0 : world.dice.spread(1, 200_000_000)
    world.after(world.dice.chance(0.3) ? late : 1) { [self] in socket.dial() }
    world.hub.registered(self)
  }

  /// Without a word to the hub.
  func connect() {
    state = .serving
    socket.dial()
  }

  /// What is on its way to it is lost.
  private func comeBack() {
    guard state == .serving, socket.isReady else { return }
    hasLostWork = true
    world.census.count("engine connected anew")
    socket.dialAnew()
  }

  /// It goes without a word; the hub notices some time later.
  func die() {
    guard state == .serving else { return }
    state = .dead
    socket.close(abruptly: world.dice.chance(0.5))
    world.after(world.dice.spread(1_000_000, 3_000_000_000)) { [self] in
      world.hub.unregistered(self)
    }
  }

  private func received(_ frames: [[UInt8]]) {
    guard state == .serving else { return }
    let opened = world.session.open(frames)
    if let opened, text("msg_type", in: opened.header) == "kernel_info_request" {
      return answerFence(opened)
    }
    guard let task = opened, task.leading.count >= 1,
      let plan = world.plan(named: field("msg_id", in: task.header))
    else {
      hasLostWork = true
      if !socket.isTainted { world.broken(.relay, "engine \(uuid) got an unsigned message") }
      return
    }
    guard world.session.key.isEmpty || signatures.insert(task.all[1]).inserted else {
      hasLostWork = true
      if !socket.isTainted {
        world.broken(.relay, "engine \(uuid) got task \(plan.number) with a signature it has seen")
      }
      return
    }
    let isClean = !socket.isTainted && !world.clients[plan.client].socket.isTainted
    if isClean && !isRelayed(task, of: plan) {
      world.broken(.relay, "engine \(uuid) got task \(plan.number) with other frames")
    }
    plan.arrivals += 1
    run(plan, task)
  }

  /// As its client sent it; what an engine may have had before says so in its parent_header.
  private func isRelayed(_ task: Opened, of plan: TaskPlan) -> Bool {
    if task.all == plan.frames { return true }
    guard field("resent", in: task.parent) != nil else { return false }
    let same = task.all.indices.filter { $0 != 1 && $0 != 3 }
    return task.all.count == plan.frames.count
      && same.allSatisfy { task.all[$0] == plan.frames[$0] }
  }

  private func answerFence(_ fence: Opened) {
    guard answersFences else { return }
    let header = header("kernel_info_reply", id: "\(uuid)_\(world.number())")
    let message = world.session.message(
      header: header, parent: fence.header, content: "{\"status\":\"ok\"}")
    let delay_ns = max(answered_ns, world.now_ns) - world.now_ns + 1
    world.after(delay_ns) { [self] in send(fence.leading + message) }
  }

  private func run(_ plan: TaskPlan, _ task: Opened) {
    let rates = world.rates
    if world.dice.chance(rates.engineDies) {
      world.after(world.dice.spread(1, speed_ns)) { [self] in die() }
    }
    if world.dice.chance(rates.connectsAnew) {
      world.after(world.dice.spread(1, speed_ns)) { [self] in comeBack() }
    }
    if world.dice.chance(rates.neverAnswers) {
      hasLostWork = true
      return
    }
    let reply = answer(plan, task)
    var time_ns = world.dice.spread(1_000, speed_ns)
    if world.dice.chance(rates.answersLate) {
      time_ns += world.dice.spread(100_000_000, 8_000_000_000)
    }
    answered_ns = max(answered_ns, world.now_ns + time_ns)
    world.after(time_ns) { [self] in send(reply) }
    if world.dice.chance(rates.answersTwice) {
      world.after(time_ns + world.dice.spread(1, speed_ns)) { [self] in send(reply) }
    }
  }

  private func send(_ reply: [[UInt8]]) {
    guard state == .serving else { return }
    socket.send(reply)
  }

  private func answer(_ plan: TaskPlan, _ task: Opened) -> [[UInt8]] {
    let isUnmet = world.dice.chance(world.rates.unmet)
    let isFailed = world.dice.chance(world.rates.fails)
    let status = isUnmet || isFailed ? "error" : "ok"
    let metadata =
      "{\"status\":\"\(status)\",\"dependencies_met\":\(!isUnmet),\"engine\":\"\(uuid)\"}"
    let header = header("apply_reply", id: "\(uuid)_\(world.number())")
    let message = world.session.message(
      header: header, parent: task.header, metadata: metadata,
      content: "{\"status\":\"\(status)\"}", buffers: world.workload.buffers(&world.dice))
    world.remember(reply: message, header, from: socket)
    return task.leading + message
  }
}

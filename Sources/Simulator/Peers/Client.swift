/// Client: submits tasks at random times and receives what became of them.

import PlainModel

final class Client {
  private unowned let world: World
  let number: Int
  let socket: PeerSocket
  private let prefix: String
  /// Numbers of its tasks.
  private var own: [Int] = []
  private let gap_ns: UInt64

  /// Nothing to or from it can have been lost or changed.
  var isSteady: Bool { socket.isSteady }

  init(_ world: World, _ number: Int) {
    self.world = world
    self.number = number
    prefix = "client\(number)-\(world.dice.below(1 << 20))_\(100 + number)_"
    // Automatic routing ids, as ipyparallel's clients have, or names of their own.
    let identity = world.dice.chance(0.5) ? [] : Array("client-\(number)".utf8)
    socket = PeerSocket(world, .dealer, identity: identity, port: Port.client)
    gap_ns = world.dice.spread(world.workload.gapMax_ns / 50, world.workload.gapMax_ns)
    socket.deliver = { [unowned self] in
      for message in self.world.tamper(.client, $0) { received(message) }
    }
  }

  func start() {
    socket.dial()
    world.after(world.dice.spread(1, gap_ns)) { [self] in submitSome() }
  }

  private func submitSome() {
    guard world.phase == .safety else { return }
    let burst = world.dice.chance(0.1) ? 2 + world.dice.below(20) : 1
    for _ in 0..<burst where world.wantsTasks { submitOne() }
    if world.dice.chance(0.02) { socket.ping() }
    world.after(world.dice.spread(1, 2 * gap_ns)) { [self] in submitSome() }
  }

  private func submitOne() {
    if world.dice.chance(world.rates.resubmits), let old = world.plans.last(where: { isOwn($0) }) {
      old.resubmissions += 1
      socket.send(old.frames)
      return
    }
    let plan = makePlan()
    plan.isMalformed = world.dice.chance(world.rates.malformed)
    let graph = world.workload.isShared ? Array(world.plans.indices) : own
    plan.submission = world.workload.submission(graph, engines: world.everyEngine, &world.dice)
    plan.buffers = world.workload.buffers(&world.dice)
    send(plan)
  }

  /// One that any healthy engine can run: it has to be answered.
  func submitPlain(after earlier: TaskPlan? = nil, target: String? = nil) -> TaskPlan {
    let plan = makePlan()
    plan.submission.targets = target.map { [$0] } ?? []
    if let earlier {
      plan.submission.after = Wanted(ids: [earlier.number], all: true, success: true, failure: true)
    }
    send(plan)
    return plan
  }

  private func isOwn(_ plan: TaskPlan) -> Bool {
    plan.client == number && !plan.isMalformed && plan.isSent
  }

  private func makePlan() -> TaskPlan {
    let plan = TaskPlan(
      number: world.plans.count, id: Array("\(prefix)\(own.count)".utf8), client: number)
    own.append(plan.number)
    world.add(plan)
    return plan
  }

  private func send(_ plan: TaskPlan) {
    let (header, metadata) = world.workload.write(plan, world.id(of:), &world.dice)
    plan.header = Array(header.utf8)
    plan.frames = world.session.message(
      header: plan.header, metadata: metadata, content: "{}", buffers: plan.buffers)
    plan.isSent = true
    socket.send(plan.frames)
  }

  private func received(_ frames: [[UInt8]]) {
    guard let reply = world.session.open(frames) else {
      if !socket.isTainted { world.broken(.relay, "client \(number) got an unsigned message") }
      return
    }
    guard let plan = world.plan(named: field("msg_id", in: reply.parent)), plan.client == number
    else {
      world.broken(.relay, "client \(number) got a reply about a task that is not its own")
      return
    }
    guard reply.parent == plan.header else {
      world.broken(.relay, "the reply about \(plan.number) quotes another header")
      return
    }
    // The scheduler's own replies carry an ename; a copy of a task is refused with one, too.
    let isRefusal = text("evalue", in: reply.content)?.contains("is known already") == true
    if isRefusal { plan.refusals += 1 } else { plan.replies += 1 }
    if !socket.isTainted, let difference = world.difference(from: plan, reply) {
      world.broken(.relay, difference)
    }
    // When power was lost, what had left is not known to the last moment.
    if plan.replies > 1 && world.powerLosses > 0 {
      world.census.count("scheduler: answered again after a loss of power")
    } else if plan.replies > 1 {
      world.broken(.oneReply, "client \(number) got task \(plan.number) answered twice")
    }
    if plan.refusals > plan.resubmissions {
      world.broken(.oneReply, "task \(plan.number) was refused without having been sent twice")
    }
  }
}

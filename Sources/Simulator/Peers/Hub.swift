/// Hub: says which engines there are, and listens to the monitor. Its notifications may come late,
/// doubled and out of order; while its link is cut they are lost.

final class Hub {
  private unowned let world: World
  private let notifier: PeerSocket
  private let registrar: PeerSocket
  let monitor: PeerSocket
  /// Engines it takes for alive, in order of registration.
  private var alive: [Engine] = []
  private var gone: [Engine] = []

  init(_ world: World) {
    self.world = world
    notifier = PeerSocket(world, .publisher)
    registrar = PeerSocket(world, .router)
    monitor = PeerSocket(world, .subscriber)
    registrar.deliver = { [unowned self] in asked($0) }
    monitor.deliver = { [unowned self] in
      for message in self.world.tamper(.monitor, $0) { heard(message) }
    }
    notifier.becameReady = { [unowned self] in
      // Whoever was told nothing while it was away is told all, once nothing fails any more.
      if self.world.phase != .safety { announceAll() }
    }
  }

  /// The scheduler dialled one of our ports. False: nobody listens there.
  func accept(_ number: Int32, port: UInt16) -> Bool {
    switch port {
    case Port.monitor: monitor.accept(number)
    case Port.notification: notifier.accept(number)
    case Port.registration: registrar.accept(number)
    default: return false
    }
    return true
  }

  func registered(_ engine: Engine) {
    alive.append(engine)
    notify("registration_notification", engine)
    guard world.dice.chance(world.rates.falseAlarm * 5) else { return }
    world.after(world.dice.spread(1_000_000, 2_000_000_000)) { [self] in alarm(engine) }
  }

  /// A missed heartbeat of an engine that lives: it is said to be gone, and maybe comes back.
  private func alarm(_ engine: Engine) {
    guard world.phase == .safety, alive.contains(where: { $0 === engine }) else { return }
    unregistered(engine)
    guard world.dice.chance(0.5) else { return }
    world.after(world.dice.spread(1_000_000, 7_000_000_000)) { [self] in
      if world.phase == .safety && engine.state == .serving { registered(engine) }
    }
  }

  func unregistered(_ engine: Engine) {
    guard let index = alive.firstIndex(where: { $0 === engine }) else { return }
    gone.append(alive.remove(at: index))
    notify("unregistration_notification", engine)
  }

  func announceAll() {
    for engine in gone where !alive.contains(where: { $0 === engine }) {
      publish("unregistration_notification", engine)
    }
    for engine in alive { publish("registration_notification", engine) }
  }

  /// So that both sides know the same again after links that were cut or changed.
  func heal() {
    for socket in [notifier, registrar, monitor] where socket.isTainted { socket.cut() }
    if notifier.isSubscribed { announceAll() }
  }

  private func notify(_ kind: String, _ engine: Engine) {
    var times = 1
    if world.dice.chance(world.rates.notificationDoubled) { times += 1 }
    for _ in 0..<times {
      let isLate = world.dice.chance(world.rates.notificationLate)
      let delay_ns = isLate ? world.dice.spread(1_000_000, 6_000_000_000) : 1
      world.after(delay_ns) { [self] in
        // A late one must not undo what was announced since.
        let isTrue = alive.contains { $0 === engine } == (kind == "registration_notification")
        if world.phase == .safety || isTrue { publish(kind, engine) }
      }
    }
  }

  private func publish(_ kind: String, _ engine: Engine) {
    guard notifier.isSubscribed else { return }
    let header = header(kind, id: "hub_\(world.number())")
    let content = "{\"id\":\(world.number()),\"uuid\":\"\(engine.uuid)\"}"
    notifier.send([Array("hub".utf8)] + world.session.message(header: header, content: content))
  }

  private func asked(_ frames: [[UInt8]]) {
    guard let request = world.session.open(frames),
      text("msg_type", in: request.header) == "connection_request"
    else { return }
    let header = header("connection_reply", id: "hub_\(world.number())")
    let engines = alive.enumerated().map { "\"\($0.offset)\":\"\($0.element.uuid)\"" }
    registrar.send(
      world.session.message(
        header: header, parent: request.header,
        content: "{\"status\":\"ok\",\"engines\":{\(engines.joined(separator: ","))}}"))
  }

  private func heard(_ frames: [[UInt8]]) {
    guard !monitor.isTainted else { return }
    guard let message = world.session.open(frames), let topic = message.leading.first else {
      world.broken(.monitor, "the hub heard an unsigned message")
      return
    }
    world.heard(String(decoding: topic, as: UTF8.self), message)
  }
}

/// World, healing: nothing fails any more, and what was accepted has to end. See World.swift.

import PlainModel

extension World {
  /// What cannot be trusted any more leaves, fresh engines come, and work that must be done.
  func heal() {
    phase = .settling
    healed_ns = now_ns
    let latency_ns = rates.latency_ns
    rates = .calm
    rates.latency_ns = latency_ns
    kernel.spare()
    kernel.set(SystemFaults())
    for link in links {
      link?.setRoom(Link.ampleRoom)
      // What keep-alive notices some minutes later.
      if link?.isAbandoned == true { link?.cut(abruptly: true) }
    }
    for client in clients where client.socket.isTainted { client.socket.cut() }
    hub.heal()
    for engine in engines where !engine.isHealthy {
      engine.die()
      hub.unregistered(engine)
    }
    for _ in 0..<3 { makeEngine(isFresh: true).start() }
    let returning = makeReturningEngine()
    announceGhost()
    // Once every connection stands again.
    after(10_000_000_000) { [self] in
      for client in clients {
        let first = client.submitPlain()
        lastTasks += [first, client.submitPlain(after: first)]
        lastTasks.append(client.submitPlain(target: returning.uuid))
      }
    }
  }

  /// One that connects twice under its name before the hub hears of it: the second connection must
  /// be the one that counts, and the scheduler must let go of the first.
  private func makeReturningEngine() -> Engine {
    let engine = makeEngine(isFresh: true)
    engine.connect()
    after(4_000_000_000) { engine.socket.dialAnew() }
    after(8_000_000_000) { [self] in hub.registered(engine) }
    return engine
  }

  /// One that is announced and never connects: what is placed on it must go elsewhere. It leaves
  /// before what cannot go elsewhere keeps the run from ending.
  private func announceGhost() {
    let ghost = makeEngine(isFresh: true)
    after(5_000_000_000) { [self] in hub.registered(ghost) }
    after(120_000_000_000) { [self] in
      for plan in lastTasks where plan.replies == 0 {
        broken(
          .liveness, "task \(plan.number) is not answered two minutes after the last failure")
      }
      hub.unregistered(ghost)
    }
  }

  /// Nothing will happen by itself. False: not even after this.
  func quiet() -> Bool {
    switch phase {
    case .safety: heal()
    case .settling:
      phase = .retiring
      for engine in engines where !engine.isFresh && engine.state == .serving {
        engine.die()
      }
    case .retiring: stop()
    case .done:
      wake()
    }
    return true
  }

  /// What clients must have got by the end.
  func checkAtRest() {
    for plan in lastTasks where plan.replies != 1 {
      broken(
        .liveness, "task \(plan.number), sent when nothing failed, got \(plan.replies) replies")
    }
    guard deaths == 0 else { return }
    for plan in plans where plan.isSent && clients[plan.client].isSteady {
      if plan.replies != 1 {
        broken(.oneReply, "task \(plan.number) of a steady client got \(plan.replies) replies")
      }
      if plan.refusals != plan.resubmissions {
        broken(
          .oneReply,
          "task \(plan.number), sent \(plan.resubmissions) times more, was refused "
            + "\(plan.refusals) times")
      }
    }
  }
}

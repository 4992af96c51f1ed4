/// checkInvariants: recounts everything from first principles. Tests call it after every step.

extension SchedulerCore {
  /// Nil when all is well, else one sentence about the first thing that is not. O(everything).
  public func checkInvariants() -> String? {
    if !finishing.isEmpty { return "tasks are still finishing between events" }
    if !timeouts.check() { return "the timeouts are not a heap" }
    if !graces.check() { return "the grace periods are not a heap" }
    if !loads.check() { return "the load vector disagrees with itself" }
    return checkTasks() ?? checkEngines() ?? checkEdges() ?? checkAvoidances() ?? checkTurns()
  }

  private func checkTasks() -> String? {
    var liveSeen = 0
    var plainSeen = 0
    var timed = 0
    for id in 0..<fates.count where fates[id].isLive {
      liveSeen += 1
      let slot = fates[id].slot
      let task = live[slot]
      if task.id.value != UInt32(id) { return "task \(id): its slot holds \(task.id.value)" }
      if task.flags.contains(.beginsNow) { return "task \(id): still begins after the step" }
      switch task.phase {
      case .done: return "task \(id): live but done"
      case .waiting:
        if task.queue != .none { return "task \(id): waits for after, yet stands in a queue" }
        if task.afterPending == 0 { return "task \(id): waits for nothing" }
      case .ready:
        if task.queue == .none { return "task \(id): ready, neither queued nor running" }
        if task.queue == .plain && loads.availableCount > 0 {
          return "task \(id): may run anywhere, an engine is available, yet it waits"
        }
        if let engine = availableEngine(for: slot) {
          return "task \(id): engine \(engine) is eligible and available, yet it waits"
        }
      case .running:
        if task.queue != .none { return "task \(id): runs, yet stands in a queue" }
        if task.engine == nowhere { return "task \(id): runs nowhere" }
      }
      if task.queue == .plain {
        plainSeen += 1
        if !isFair && !plain.contains(task.id) {
          return "task \(id): not in the plain queue"
        }
      }
      let isTimed = task.timeout_ns > 0 && task.phase != .running
      if isTimed != timeouts.contains(owner: slot) { return "task \(id): wrong about its timeout" }
      if isTimed { timed += 1 }
    }
    if liveSeen != liveCount { return "\(liveSeen) live tasks, \(liveCount) counted" }
    if !isFair && plainSeen != plain.count {
      return "\(plainSeen) plain tasks, \(plain.count) in the queue"
    }
    if timed != timeouts.count { return "\(timed) timed tasks, \(timeouts.count) deadlines" }
    return nil
  }

  private func availableEngine(for slot: UInt32) -> UInt32? {
    for slotOfEngine in loads.slotsInOrder() where loads.isAvailable(slotOfEngine) {
      let engine = engineOfSlot[slotOfEngine]
      if isEligible(slot, on: engine) { return engine }
    }
    return nil
  }

  private func checkEngines() -> String? {
    var registered: UInt32 = 0
    var graceCount = 0
    for index in 0..<engines.count {
      let engine = engines[index]
      var load: UInt64 = 0
      var running: UInt32 = 0
      var restored: UInt32 = 0
      var slot = engine.firstRunning
      var previous = nowhere
      while slot != nowhere {
        let task = live[slot]
        if task.phase != .running || task.engine != UInt32(index) {
          return "engine \(index): lists task \(task.id.value), which is not running there"
        }
        if task.previousRunning != previous { return "engine \(index): its list is broken" }
        running += 1
        restored += task.flags.contains(.restored) ? 1 : 0
        load += UInt64(task.cost)
        previous = slot
        slot = task.nextRunning
      }
      if running != engine.runningCount || previous != engine.lastRunning {
        return "engine \(index): \(running) tasks run there, \(engine.runningCount) counted"
      }
      if restored != engine.restoredCount {
        return "engine \(index): \(restored) restored, \(engine.restoredCount) counted"
      }
      if engine.load != load { return "engine \(index): load \(engine.load), recounted \(load)" }
      guard engine.isRegistered else {
        if running > 0 { graceCount += 1 }
        if (running > 0) != graces.contains(owner: UInt32(index)) {
          return "engine \(index): gone, wrong about its grace period"
        }
        continue
      }
      registered += 1
      let waitsForAnswers =
        restored > 0 && !names[Int(recordOfName[engine.name.value])].answersFences
      if graces.contains(owner: UInt32(index)) {
        graceCount += 1
      } else if waitsForAnswers {
        return "engine \(index): nobody limits what was restored there"
      }
      if engineOfSlot[engine.slot] != UInt32(index) { return "engine \(index): slot disagrees" }
      if loads[engine.slot] != min(load, UInt64(LoadVector.loadMax)) {
        return "engine \(index): load \(load), in the vector \(loads[engine.slot])"
      }
      // More may have run there before a restart with a lower mark.
      let mark = max(UInt64(options.hwm), UInt64(restored))
      if options.hwm > 0 && options.loadPolicy == nil && load > mark {
        return "engine \(index): load \(load) is over the high-water mark"
      }
    }
    if registered != loads.count { return "\(registered) engines, \(loads.count) in the vector" }
    if graceCount != graces.count { return "\(graceCount) graces, \(graces.count) counted" }
    return nil
  }

  private func checkEdges() -> String? {
    var owned = 0
    for id in 0..<fates.count where fates[id].isLive {
      let slot = fates[id].slot
      var after: UInt32 = 0
      var follow: UInt32 = 0
      var index = live[slot].firstEdge
      while index != nowhere {
        owned += 1
        let edge = edges[index]
        if edge.owner != slot { return "task \(id): owns an edge of another" }
        if edge.dependency != nowhere {
          if !fates[live[edge.dependency].id.value].isLive {
            return "task \(id): waits for a finished task"
          }
          if edge.isFollow { follow += 1 } else { after += 1 }
        }
        index = edge.nextOfOwner
      }
      if live[slot].followPending != follow { return "task \(id): miscounts follow" }
      if live[slot].phase == .waiting && live[slot].afterPending != after {
        return "task \(id): miscounts after"
      }
    }
    return owned == edgeCount ? nil : "\(owned) edges are owned, \(edgeCount) counted"
  }

  private func checkAvoidances() -> String? {
    var counts = [Int](repeating: 0, count: avoidances.count)
    for id in 0..<fates.count where fates[id].isLive {
      let task = live[fates[id].slot]
      if task.queue == .avoiding { counts[Int(task.avoidance)] += 1 }
    }
    for index in counts.indices where counts[index] != avoidances[index].count {
      return "avoidance \(index): \(counts[index]) tasks, \(avoidances[index].count) counted"
    }
    return nil
  }

  /// Clients in turn: no turn is ahead of the clock by more than one start, and each ready task
  /// stands in a line.
  private func checkTurns() -> String? {
    guard isFair else {
      return turns.isEmpty && plainInTurn.isEmpty ? nil : "turns are kept, yet nobody has one"
    }
    for client in 0..<turns.count where turns[client] > clock + 1 {
      return "client \(client): turn \(turns[client]) at clock \(clock)"
    }
    if plain.count > 0 { return "\(plain.count) tasks wait by age, yet clients have turns" }
    var queues = [plainInTurn, newlyReady, unchecked]
    queues += names.map(\.waiting) + avoidances.map(\.waiting)
    for queue in queues where !queue.check(turns) { return "a queue's lines are broken" }
    let standing = Set(plainInTurn.all)
    for id in 0..<fates.count where fates[id].isLive {
      let task = live[fates[id].slot]
      if task.queue == .plain && !standing.contains(task.id) {
        return "task \(id): in no client's line"
      }
    }
    return nil
  }
}

/// Placement (SEMANTICS 3): which engine a ready task gets, and which task a freed engine gets.
///
/// A ready task waits in the queue that fits what constrains it:
///
///     nothing            plain       one ordered set for all
///     a blacklist        avoiding    one heap for each distinct blacklist
///     targets, follow    named       an entry in the heap of every engine it may run on
///
/// so that a freed engine looks at the top of each kind and takes the oldest task.

extension SchedulerCore {
  /// Finds an engine for a ready task, or lets it wait, or finds that it can never run.
  mutating func place(_ slot: UInt32, avoiding: UInt32 = nowhere, _ commands: inout CommandBuffer) {
    leaveQueue(slot)
    let task = live[slot]
    if task.flags.contains(.hasFollow) || task.targets != nowhere {
      placeNamed(slot, avoiding, &commands)
    } else if task.isBlacklisted {
      placeAvoiding(slot, avoiding, &commands)
    } else if let engineSlot = choosePlain(avoiding) {
      assign(slot, to: engineSlot, &commands)
    } else {
      enqueuePlain(slot)
      startWaiting(slot)
    }
  }

  @inline(__always)
  private mutating func choosePlain(_ avoiding: UInt32) -> UInt32? {
    if avoiding == nowhere { return loads.choose(&random) }
    candidates.removeAll()
    candidates.append(avoiding)
    return loads.choose(except: candidates, &random)
  }

  private mutating func placeAvoiding(
    _ slot: UInt32, _ avoiding: UInt32, _ commands: inout CommandBuffer
  ) {
    gatherBlacklisted(slot)
    if candidates.count == Int(loads.count) && loads.count > 0 && startOverIfAllowed(slot) {
      place(slot, avoiding: avoiding, &commands)
      return
    }
    if avoiding != nowhere { candidates.append(avoiding) }
    // The best engine of all is the best of the eligible ones if it is eligible itself.
    var chosen: UInt32?
    if options.scheme.choosesMinimum, let best = loads.choose(&random),
      !contains(candidates, best)
    {
      chosen = best
    } else {
      chosen = loads.choose(except: candidates, &random)
    }
    if let chosen {
      assign(slot, to: chosen, &commands)
    } else {
      enqueueAvoiding(slot)
      startWaiting(slot)
    }
  }

  private mutating func placeNamed(
    _ slot: UInt32, _ avoiding: UInt32, _ commands: inout CommandBuffer
  ) {
    gatherNamed(slot)
    if candidates.isEmpty && startOverIfAllowed(slot) { gatherNamed(slot) }
    if avoiding != nowhere {
      // All of its entries: a name may stand twice in the targets.
      for index in stride(from: candidates.count - 1, through: 0, by: -1)
      where candidates[index] == avoiding {
        let last = candidates.removeLast()
        if index < candidates.count { candidates[index] = last }
      }
    }
    if let chosen = loads.choose(among: candidates, &random) {
      assign(slot, to: chosen, &commands)
      return
    }
    if let detail = impossibility(slot) {
      // An engine that is gone does not come back; the other reasons are looked at when an
      // engine is available, as in the reference.
      if detail == .followEngineGone || loads.availableCount > 0 {
        fail(slot, .impossibleDependency, detail, &commands)
        return
      }
      checkLater(slot)
    }
    enqueueNamed(slot)
    startWaiting(slot)
  }

  /// Why no engine, however free, could take this ready task; nil when one could.
  func impossibility(_ slot: UInt32) -> FailureDetail? {
    followImpossibility(slot) ?? targetsImpossibility(slot)
  }

  private func followImpossibility(_ slot: UInt32) -> FailureDetail? {
    let flags = live[slot].flags
    guard flags.contains(.hasFollow) else { return nil }
    if flags.contains(.followNowhere) { return .followRanNowhere }
    if flags.contains(.followSplit) { return .followRanOnSeveralEngines }
    var node = live[slot].followEngines
    // all: the one engine must be there already; any: a later id may bring another.
    if live[slot].followPending > 0 && (node == nowhere || !live[slot].followRule.contains(.all)) {
      return nil
    }
    if node == nowhere { return .followRanNowhere }
    while node != nowhere {
      if engines[lists[node].value].isRegistered { return nil }
      node = lists[node].next
    }
    return .followEngineGone
  }

  private func targetsImpossibility(_ slot: UInt32) -> FailureDetail? {
    var node = live[slot].targets
    guard node != nowhere else { return nil }
    var isOpen = false
    while node != nowhere {
      let name = EngineName(lists[node].value)
      if !isBlacklisted(slot, name) {
        isOpen = true
        if incarnation(of: name) != nowhere { return nil }
      }
      node = lists[node].next
    }
    return isOpen ? .targetsNotRegistered : .targetsAllBlacklisted
  }

  // MARK: eligibility

  func isBlacklisted(_ slot: UInt32, _ name: EngineName) -> Bool {
    lists.contains(name.value, in: live[slot].unmetOn)
      || lists.contains(name.value, in: live[slot].failedOn)
  }

  /// Whether this engine may run the ready task, however loaded it is.
  func isEligible(_ slot: UInt32, on engine: UInt32) -> Bool {
    let task = live[slot]
    let name = engines[engine].name
    if task.isBlacklisted && isBlacklisted(slot, name) { return false }
    if task.targets != nowhere && !lists.contains(name.value, in: task.targets) { return false }
    return !task.flags.contains(.hasFollow) || followAllows(slot, engine)
  }

  private func followAllows(_ slot: UInt32, _ engine: UInt32) -> Bool {
    let task = live[slot]
    if task.followRule.contains(.all) {
      return task.followPending == 0 && task.followEngines != nowhere
        && task.flags.isDisjoint(with: [.followSplit, .followNowhere])
        && lists[task.followEngines].value == engine
    }
    return lists.contains(engine, in: task.followEngines)
  }

  /// `candidates` = load slots of registered engines that a follow or targets task may run on.
  private mutating func gatherNamed(_ slot: UInt32) {
    candidates.removeAll()
    let follows = live[slot].flags.contains(.hasFollow)
    var node = follows ? live[slot].followEngines : live[slot].targets
    while node != nowhere {
      let value = lists[node].value
      let engine = follows ? value : incarnation(of: EngineName(value))
      if engine != nowhere && engines[engine].isRegistered && isEligible(slot, on: engine) {
        candidates.append(engines[engine].slot)
      }
      node = lists[node].next
    }
  }

  /// `candidates` = load slots of registered engines in the task's blacklist.
  private mutating func gatherBlacklisted(_ slot: UInt32) {
    candidates.removeAll()
    for head in [live[slot].unmetOn, live[slot].failedOn] {
      var node = head
      while node != nowhere {
        let engine = incarnation(of: EngineName(lists[node].value))
        if engine != nowhere && !contains(candidates, engines[engine].slot) {
          candidates.append(engines[engine].slot)
        }
        node = lists[node].next
      }
    }
  }

  private func contains(_ slots: borrowing PlainArray<UInt32>, _ slot: UInt32) -> Bool {
    for index in 0..<slots.count where slots[index] == slot { return true }
    return false
  }

  /// With `retryAnywhere`: forgets which engines merely failed the task. True when that helps.
  mutating func startOverIfAllowed(_ slot: UInt32) -> Bool {
    guard options.retryAnywhere && live[slot].failedOn != nowhere else { return false }
    lists.removeAll(&live[slot].failedOn)
    return true
  }
}

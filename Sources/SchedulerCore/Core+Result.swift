/// Results (SEMANTICS 4) and the end of a task.

extension SchedulerCore {
  mutating func finish(_ event: Event, _ commands: inout CommandBuffer) {
    if let reason = uselessness(event) {
      var command = Command(.discard)
      command.discard = reason
      command.task = event.task
      command.reply = event.message
      command.engine = event.engine
      commands.storage.append(command)
      return
    }
    let slot = fates[event.task.value].slot
    let engine = live[slot].engine
    leaveEngine(slot)
    if event.outcome == .completed || event.outcome == .failed && live[slot].retries == 0 {
      var command = Command(.deliver)
      command.task = event.task
      command.message = live[slot].message
      command.reply = event.message
      command.engine = event.engine
      command.outcome = event.outcome
      commands.storage.append(command)
      end(
        slot, event.outcome == .completed ? .completed(on: engine) : .failed(on: engine),
        &commands)
    } else {
      var command = Command(.retire)
      command.outcome = event.outcome
      command.task = event.task
      command.message = live[slot].message
      command.reply = event.message
      command.engine = event.engine
      commands.storage.append(command)
      tryElsewhere(slot, not: event.engine, unmet: event.outcome == .unmet, &commands)
    }
    settle(freed: engine, &commands)
  }

  private func uselessness(_ event: Event) -> DiscardReason? {
    guard Int(event.task.value) < fates.count else { return .unknownTask }
    let fate = fates[event.task.value]
    guard fate.isLive else { return .alreadyFinished }
    guard live[fate.slot].phase == .running else { return .notRunning }
    guard engines[live[fate.slot].engine].name == event.engine else { return .otherEngine }
    return nil
  }

  /// The engine joins the blacklist; the task is placed again, waits, or cannot run any more.
  mutating func tryElsewhere(
    _ slot: UInt32, not engine: EngineName, unmet: Bool, _ commands: inout CommandBuffer
  ) {
    if unmet {
      if !lists.contains(engine.value, in: live[slot].unmetOn) {
        lists.push(engine.value, onto: &live[slot].unmetOn)
      }
    } else {
      live[slot].retries -= 1
      if !lists.contains(engine.value, in: live[slot].failedOn) {
        lists.push(engine.value, onto: &live[slot].failedOn)
      }
    }
    live[slot].phase = .ready
    if live[slot].targets != nowhere && targetsAreBlacklisted(slot) && !startOverIfAllowed(slot) {
      fail(slot, .impossibleDependency, .targetsAllBlacklisted, &commands)
    } else if options.retryAnywhere {
      // It may start over on the very engine it left: in its turn among those that wait for it.
      newlyReady.push(entry(slot))
    } else {
      place(slot, &commands)
    }
  }

  func targetsAreBlacklisted(_ slot: UInt32) -> Bool {
    var node = live[slot].targets
    while node != nowhere {
      if !isBlacklisted(slot, EngineName(lists[node].value)) { return false }
      node = lists[node].next
    }
    return true
  }

  /// The task fails by the scheduler's own decision, with a reply that says why.
  mutating func fail(
    _ slot: UInt32, _ reason: FailureReason, _ detail: FailureDetail,
    _ commands: inout CommandBuffer
  ) {
    var command = Command(.fail)
    command.reason = reason
    command.detail = detail
    command.task = live[slot].id
    command.message = live[slot].message
    commands.storage.append(command)
    end(slot, .failedNowhere, &commands)
  }

  /// Everything the task held is given back; its dependents are told by `propagate`.
  mutating func end(_ slot: UInt32, _ fate: Fate, _ commands: inout CommandBuffer) {
    leaveQueue(slot)
    timeouts.cancel(owner: slot)
    unlinkEdges(of: slot)
    lists.removeAll(&live[slot].unmetOn)
    lists.removeAll(&live[slot].failedOn)
    lists.removeAll(&live[slot].followEngines)
    releaseTargets(slot, &commands)
    live[slot].phase = .done
    fates[live[slot].id.value] = fate
    finishing.append(slot)
  }

  private mutating func releaseTargets(_ slot: UInt32, _ commands: inout CommandBuffer) {
    var node = live[slot].targets
    while node != nowhere {
      let name = EngineName(lists[node].value)
      dropReference(to: name)
      var command = Command(.releaseName)
      command.engine = name
      commands.storage.append(command)
      node = lists[node].next
    }
    lists.removeAll(&live[slot].targets)
  }
}

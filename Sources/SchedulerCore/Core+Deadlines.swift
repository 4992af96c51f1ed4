/// What is due: timeouts of waiting tasks, and tasks stranded on engines that went away.

extension SchedulerCore {
  func deadline(after_ns duration_ns: UInt64) -> UInt64 {
    let (time_ns, overflow) = now_ns.addingReportingOverflow(duration_ns)
    return overflow ? .max : time_ns
  }

  /// Handles everything due at `now_ns`, in order of time; an engine before a task at equal times.
  mutating func expire(_ commands: inout CommandBuffer) {
    while true {
      let engine = graces.first.flatMap { $0.time_ns <= now_ns ? $0 : nil }
      let task = timeouts.first.flatMap { $0.time_ns <= now_ns ? $0 : nil }
      if let engine, task.map({ engine.time_ns <= $0.time_ns }) ?? true {
        graces.cancel(owner: engine.owner)
        strand(engine.owner, &commands)
      } else if let task {
        timeOut(task.owner, &commands)
      } else {
        return
      }
    }
  }

  private mutating func timeOut(_ slot: UInt32, _ commands: inout CommandBuffer) {
    let waits = live[slot].phase == .waiting
    fail(
      slot, .taskTimeout,
      waits ? .timedOutWaitingForDependencies : .timedOutWaitingForAnEngine, &commands)
    settle(&commands)
  }

  /// The engine's tasks got their time for late results: each has failed there now.
  private mutating func strand(_ engine: UInt32, _ commands: inout CommandBuffer) {
    let name = engines[engine].name
    if engines[engine].restoredCount > 0 {
      placeRestored(of: engine, &commands)
      // It may be there, and free for what waits.
      if engines[engine].isRegistered { settle(freed: engine, &commands) }
    }
    while !engines[engine].isRegistered && engines[engine].firstRunning != nowhere {
      let slot = engines[engine].firstRunning
      leaveEngine(slot)
      if live[slot].retries > 0 {
        var command = Command(.lose)
        command.outcome = .failed
        command.task = live[slot].id
        command.engine = name
        commands.storage.append(command)
        tryElsewhere(slot, not: name, unmet: false, &commands)
      } else {
        var command = Command(.fail)
        command.reason = .engineError
        command.detail = .engineDied
        command.task = live[slot].id
        command.message = live[slot].message
        command.engine = name
        commands.storage.append(command)
        end(slot, .failed(on: engine), &commands)
      }
      settle(&commands)
    }
  }
}

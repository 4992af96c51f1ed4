/// Engines coming and going (SEMANTICS 5), and the books of what runs where.

extension SchedulerCore {
  /// The record of a name, made if it is new.
  mutating func record(of name: EngineName) -> Int {
    recordOfName.extend(to: Int(name.value) + 1, with: nowhere)
    if recordOfName[name.value] != nowhere { return Int(recordOfName[name.value]) }
    let index: UInt32
    if let free = freeNames.popLast() {
      index = free
      names[Int(index)] = NameRecord(name: name)
    } else {
      index = UInt32(names.count)
      names.append(NameRecord(name: name))
    }
    recordOfName[name.value] = index
    return Int(index)
  }

  /// The registration in force of a name, or `nowhere`.
  func incarnation(of name: EngineName) -> UInt32 {
    guard Int(name.value) < recordOfName.count, recordOfName[name.value] != nowhere else {
      return nowhere
    }
    return names[Int(recordOfName[name.value])].incarnation
  }

  /// A task that targeted the name is done. Names that never were an engine's are forgotten.
  mutating func dropReference(to name: EngineName) {
    let index = Int(recordOfName[name.value])
    names[index].references -= 1
    if names[index].references == 0 && !names[index].wasRegistered {
      names[index].waiting = TaskQueue()
      names[index].watching = TaskHeap()
      recordOfName[name.value] = nowhere
      freeNames.append(UInt32(index))
    }
  }

  mutating func register(_ name: EngineName, _ commands: inout CommandBuffer) {
    let record = record(of: name)
    // A notification and the connection_reply may both announce it.
    guard names[record].incarnation == nowhere else { return }
    let slot: UInt32
    if freeSlots.isEmpty {
      slot = UInt32(engineOfSlot.count)
      engineOfSlot.append(nowhere)
    } else {
      slot = freeSlots.removeLast()
    }
    let incarnation = makeIncarnation(record, slot)
    engineOfSlot[slot] = incarnation
    names[record].incarnation = incarnation
    names[record].wasRegistered = true
    loads.insert(slot)
    adoptRestored(incarnation)
    reconsiderAvoiding()
    settle(freed: incarnation, &commands)
  }

  mutating func unregister(_ name: EngineName, _ commands: inout CommandBuffer) {
    let incarnation = incarnation(of: name)
    guard incarnation != nowhere else { return }
    let slot = engines[incarnation].slot
    loads.remove(slot)
    engineOfSlot[slot] = nowhere
    freeSlots.append(slot)
    engines[incarnation].slot = nowhere
    names[record(of: name)].incarnation = nowhere
    if engines[incarnation].runningCount > 0 {
      graces.cancel(owner: incarnation)
      graces.insert(
        Deadline(
          time_ns: deadline(after_ns: options.strandedAfter_ns), tie: incarnation,
          owner: incarnation))
    }
    reconsiderWaiting(afterLosing: name)
    settle(&commands)
  }

  /// Tasks that named the lost engine may be impossible now.
  private mutating func reconsiderWaiting(afterLosing name: EngineName) {
    let record = record(of: name)
    for task in names[record].waiting.all where isQueued(task, .named) {
      newlyReady.push(entry(of: task))
    }
    for task in names[record].watching.all where isQueued(task, .named) {
      newlyReady.push(entry(of: task))
    }
    names[record].waiting = TaskQueue()
    names[record].watching = TaskHeap()
    reconsiderAvoiding()
  }

  /// With `retryAnywhere`, whether a task has failed on every engine depends on which there are.
  private mutating func reconsiderAvoiding() {
    guard options.retryAnywhere else { return }
    for index in avoidances.indices where avoidances[index].count > 0 {
      for task in avoidances[index].waiting.all where isQueued(task, .avoiding) {
        newlyReady.push(entry(of: task))
      }
    }
  }

  func isQueued(_ task: TaskID, _ queue: QueueKind) -> Bool {
    let fate = fates[task.value]
    return fate.isLive && live[fate.slot].phase == .ready && live[fate.slot].queue == queue
  }

  // MARK: what runs where

  /// The tasks outstanding on an engine that is registered, in the order they were given to it.
  public func forEachRunning(on name: EngineName, _ body: (TaskID) -> Void) {
    let incarnation = incarnation(of: name)
    guard incarnation != nowhere else { return }
    var slot = engines[incarnation].firstRunning
    while slot != nowhere {
      body(live[slot].id)
      slot = live[slot].nextRunning
    }
  }

  mutating func assign(_ slot: UInt32, to engineSlot: UInt32, _ commands: inout CommandBuffer) {
    timeouts.cancel(owner: slot)
    if isFair { takeTurn(slot) }
    let incarnation = engineOfSlot[engineSlot]
    joinEngine(slot, incarnation)
    charge(slot, engineSlot)

    var command = Command(.assign)
    command.task = live[slot].id
    command.message = live[slot].message
    command.engine = engines[incarnation].name
    commands.storage.append(command)
  }

  /// The task stands last among those outstanding on the engine.
  @inline(__always)
  mutating func joinEngine(_ slot: UInt32, _ incarnation: UInt32) {
    let last = engines[incarnation].lastRunning
    live[slot].phase = .running
    live[slot].engine = incarnation
    live[slot].previousRunning = last
    live[slot].nextRunning = nowhere
    if last == nowhere {
      engines[incarnation].firstRunning = slot
    } else {
      live[last].nextRunning = slot
    }
    engines[incarnation].lastRunning = slot
    engines[incarnation].runningCount += 1
  }

  @inline(__always)
  private mutating func charge(_ slot: UInt32, _ engineSlot: UInt32) {
    guard hasLoadPolicy, let policy = options.loadPolicy else {
      live[slot].cost = 1
      setLoad(of: engineOfSlot[engineSlot], adding: 1)
      loads.moveToBack(engineSlot)
      return
    }
    let facts = TaskFacts(
      task: live[slot].id, bytes: live[slot].bytes, retries: live[slot].retries)
    live[slot].cost = max(1, policy.cost(of: facts))
    setLoad(of: engineOfSlot[engineSlot], adding: Int64(live[slot].cost))
    switch policy.orderAfterAssignment(of: facts) {
    case .back: loads.moveToBack(engineSlot)
    case .front: loads.moveToFront(engineSlot)
    case .stay: break
    }
  }

  /// Costs are a policy's: their sum may pass what the vector holds (2^31), and must come back.
  @inline(__always)
  mutating func setLoad(of engine: UInt32, adding change: Int64) {
    let load = UInt64(Int64(engines[engine].load) + change)
    engines[engine].load = load
    loads.set(engines[engine].slot, UInt32(clamping: load))
  }

  /// The task is no longer outstanding on its engine.
  mutating func leaveEngine(_ slot: UInt32) {
    let task = live[slot]
    if task.flags.contains(.restored) {
      live[slot].flags.remove(.restored)
      engines[task.engine].restoredCount -= 1
    }
    if task.previousRunning == nowhere {
      engines[task.engine].firstRunning = task.nextRunning
    } else {
      live[task.previousRunning].nextRunning = task.nextRunning
    }
    if task.nextRunning == nowhere {
      engines[task.engine].lastRunning = task.previousRunning
    } else {
      live[task.nextRunning].previousRunning = task.previousRunning
    }
    engines[task.engine].runningCount -= 1
    if engines[task.engine].isRegistered {
      setLoad(of: task.engine, adding: -Int64(task.cost))
    } else {
      // What was restored may register yet, with what is left of its load.
      engines[task.engine].load -= UInt64(task.cost)
      if engines[task.engine].runningCount == 0 { graces.cancel(owner: task.engine) }
    }
    live[slot].engine = nowhere
  }

  /// It never reached the engine: the task is placed again, on another one if there is any.
  mutating func takeBack(_ event: Event, _ commands: inout CommandBuffer) {
    guard Int(event.task.value) < fates.count, fates[event.task.value].isLive else { return }
    let slot = fates[event.task.value].slot
    guard live[slot].phase == .running, engines[live[slot].engine].name == event.engine else {
      return
    }
    // What has not been sent yet cannot have come back: this is said of an earlier run, whose end
    // was told earlier in this step or came with its time.
    if beginsNow(slot, commands) { return }
    let engine = live[slot].engine
    leaveEngine(slot)
    live[slot].phase = .ready
    place(slot, avoiding: engines[engine].slot, &commands)
    settle(freed: engine, &commands)
  }

  /// Whether the task's run begins in the step being made. Marks those that do: each command is
  /// read once however often this is asked, and none in a step that does not ask.
  private mutating func beginsNow(_ slot: UInt32, _ commands: borrowing CommandBuffer) -> Bool {
    while commandsRead < commands.count {
      let command = commands[commandsRead]
      commandsRead += 1
      guard command.kind == .assign else { continue }
      let fate = fates[command.task.value]
      if fate.isLive { live[fate.slot].flags.insert(.beginsNow) }
    }
    return live[slot].flags.contains(.beginsNow)
  }

  /// The step is over.
  mutating func forgetBeginnings(_ commands: borrowing CommandBuffer) {
    for index in firstCommand..<commandsRead where commands[index].kind == .assign {
      let fate = fates[commands[index].task.value]
      if fate.isLive { live[fate.slot].flags.remove(.beginsNow) }
    }
  }
}

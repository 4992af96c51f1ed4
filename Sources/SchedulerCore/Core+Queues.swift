/// Queues of ready tasks, and `settle`, which empties what an event stirred up.
///
/// "Oldest" means the one that is served first: see Core+Turns.

extension SchedulerCore {
  /// Tells dependents, places what became ready and lets a freed engine take what waits for it,
  /// always the oldest task first, until nothing more follows from the event.
  mutating func settle(freed engine: UInt32 = nowhere, _ commands: inout CommandBuffer) {
    while true {
      if !finishing.isEmpty { propagate(&commands) }
      let ready = nextNewlyReady()
      let queued = nextWaiting(for: engine)
      if let doubtful = nextUnchecked(), isBefore(doubtful, ready),
        isBefore(doubtful, queued)
      {
        unchecked.pop()
        place(fates[doubtful.value].slot, &commands)
      } else if let queued, isBefore(queued, ready) {
        place(fates[queued.value].slot, &commands)
      } else if let ready {
        newlyReady.pop()
        place(fates[ready.value].slot, &commands)
      } else {
        return
      }
    }
  }

  // Twice a task, and nearly always in vain: what is inlined only asks whether there is anything.

  @inline(__always)
  private mutating func nextNewlyReady() -> TaskID? {
    newlyReady.isEmpty ? nil : firstNewlyReady()
  }

  @inline(never)
  private mutating func firstNewlyReady() -> TaskID? {
    while let top = newlyReady.top(turns) {
      let fate = fates[top.value]
      if fate.isLive && live[fate.slot].phase == .ready { return top }
      newlyReady.pop()
    }
    return nil
  }

  /// The oldest task that was found impossible while no engine was available and that still is,
  /// now that one is. It takes its turn by age, or a busy cluster would never look at it.
  private mutating func nextUnchecked() -> TaskID? {
    guard !unchecked.isEmpty && loads.availableCount > 0 else { return nil }
    while let top = unchecked.top(turns) {
      if isQueued(top, .named) && impossibility(fates[top.value].slot) != nil { return top }
      unchecked.pop()
    }
    return nil
  }

  mutating func checkLater(_ slot: UInt32) {
    if unchecked.needsCompaction {
      var heap = TaskQueue()
      swap(&heap, &unchecked)
      heap.compact { isQueued($0, .named) }
      swap(&heap, &unchecked)
    }
    unchecked.push(entry(slot))
  }

  /// The oldest waiting task that this engine may take now, or nil.
  @inline(__always)
  private mutating func nextWaiting(for engine: UInt32) -> TaskID? {
    guard engine != nowhere, engines[engine].isRegistered,
      loads.isAvailable(engines[engine].slot)
    else { return nil }
    var best = isFair ? nextPlainInTurn() : plain.first
    if let named = nextNamed(engine), isBefore(named, best) { best = named }
    if !avoidanceOfNames.isEmpty, let avoiding = nextAvoiding(engine), isBefore(avoiding, best) {
      best = avoiding
    }
    return best
  }

  @inline(never)
  private mutating func nextPlainInTurn() -> TaskID? {
    while let top = plainInTurn.top(turns) {
      if isQueued(top, .plain) { return top }
      plainInTurn.pop()
    }
    return nil
  }

  @inline(__always)
  private mutating func nextNamed(_ engine: UInt32) -> TaskID? {
    let record = Int(recordOfName[engines[engine].name.value])
    return names[record].waiting.isEmpty ? nil : firstNamed(engine, record)
  }

  @inline(never)
  private mutating func firstNamed(_ engine: UInt32, _ record: Int) -> TaskID? {
    while let top = names[record].waiting.top(turns) {
      if isQueued(top, .named) && isEligible(fates[top.value].slot, on: engine) { return top }
      names[record].waiting.pop()
    }
    return nil
  }

  /// O(distinct blacklists): one look at the top of each. There are as many as sets of engines
  /// that failed tasks which still wait, not as many as tasks, and all but a few of them are
  /// passed over by that look.
  private mutating func nextAvoiding(_ engine: UInt32) -> TaskID? {
    let name = engines[engine].name.value
    var best: TaskID?
    for index in avoidances.indices where avoidances[index].count > 0 {
      // A stale top is older than the real one: what is too young here is so for sure. (In turn it
      // says nothing: its client may have the next turn, and nothing here.)
      if !isFair, let best, let top = avoidances[index].waiting.top(turns), best < top {
        continue
      }
      if avoidances[index].names.contains(name) { continue }
      while let top = avoidances[index].waiting.top(turns), !isInAvoidance(top, index) {
        avoidances[index].waiting.pop()
      }
      if let top = avoidances[index].waiting.top(turns), isBefore(top, best) { best = top }
    }
    return best
  }

  private func isInAvoidance(_ task: TaskID, _ index: Int) -> Bool {
    isQueued(task, .avoiding) && live[fates[task.value].slot].avoidance == UInt32(index)
  }

  // MARK: entering and leaving

  /// The clock of a timeout starts when the task begins to wait, and again if it waits again.
  mutating func startWaiting(_ slot: UInt32) {
    guard live[slot].timeout_ns > 0, !timeouts.contains(owner: slot) else { return }
    timeouts.insert(
      Deadline(
        time_ns: deadline(after_ns: live[slot].timeout_ns), tie: live[slot].id.value, owner: slot))
  }

  mutating func enqueuePlain(_ slot: UInt32) {
    live[slot].queue = .plain
    guard isFair else { return plain.insert(live[slot].id) }
    if plainInTurn.needsCompaction {
      var queue = TaskQueue()
      swap(&queue, &plainInTurn)
      queue.compact { isQueued($0, .plain) }
      swap(&queue, &plainInTurn)
    }
    plainInTurn.push(entry(slot))
  }

  mutating func enqueueNamed(_ slot: UInt32) {
    live[slot].queue = .named
    let follows = live[slot].flags.contains(.hasFollow)
    var node = follows ? live[slot].followEngines : live[slot].targets
    while node != nowhere {
      let value = lists[node].value
      let name = follows ? engines[value].name : EngineName(value)
      if !isBlacklisted(slot, name) { enqueue(slot, for: name) }
      if follows { watch(slot, name) }
      node = lists[node].next
    }
    guard follows else { return }
    node = live[slot].targets
    while node != nowhere {
      watch(slot, EngineName(lists[node].value))
      node = lists[node].next
    }
  }

  private mutating func enqueue(_ slot: UInt32, for name: EngineName) {
    let record = Int(recordOfName[name.value])
    var queue = TaskQueue()
    swap(&queue, &names[record].waiting)
    if queue.needsCompaction { queue.compact { isQueued($0, .named) } }
    queue.push(entry(slot))
    swap(&queue, &names[record].waiting)
  }

  private mutating func watch(_ slot: UInt32, _ name: EngineName) {
    let record = Int(recordOfName[name.value])
    var heap = TaskHeap()
    swap(&heap, &names[record].watching)
    if heap.needsCompaction { heap.compact { isQueued($0, .named) } }
    heap.push(live[slot].id)
    swap(&heap, &names[record].watching)
  }

  mutating func enqueueAvoiding(_ slot: UInt32) {
    var key: [UInt32] = []
    for head in [live[slot].unmetOn, live[slot].failedOn] {
      var node = head
      while node != nowhere {
        key.append(lists[node].value)
        node = lists[node].next
      }
    }
    key.sort()
    let index: UInt32
    if let known = avoidanceOfNames[key] {
      index = known
    } else if let free = freeAvoidances.popLast() {
      index = free
      avoidances[Int(index)] = Avoidance(names: key)
      avoidanceOfNames[key] = index
    } else {
      index = UInt32(avoidances.count)
      avoidances.append(Avoidance(names: key))
      avoidanceOfNames[key] = index
    }
    if avoidances[Int(index)].waiting.needsCompaction {
      var heap = TaskQueue()
      swap(&heap, &avoidances[Int(index)].waiting)
      heap.compact { isInAvoidance($0, Int(index)) }
      swap(&heap, &avoidances[Int(index)].waiting)
    }
    avoidances[Int(index)].waiting.push(entry(slot))
    avoidances[Int(index)].count += 1
    live[slot].avoidance = index
    live[slot].queue = .avoiding
  }

  /// Takes the task out of the queue it stands in. Entries in heaps stay behind as stale hints.
  mutating func leaveQueue(_ slot: UInt32) {
    switch live[slot].queue {
    case .none: return
    case .plain: if !isFair { plain.remove(live[slot].id) }
    case .named: break
    case .avoiding:
      let index = Int(live[slot].avoidance)
      live[slot].avoidance = nowhere
      avoidances[index].count -= 1
      if avoidances[index].count == 0 {
        avoidanceOfNames[avoidances[index].names] = nil
        avoidances[index] = Avoidance(names: [])
        freeAvoidances.append(UInt32(index))
      }
    }
    live[slot].queue = .none
  }
}

/// Submission (SEMANTICS 2): a task enters, its dependencies are counted, it is placed or waits.

extension SchedulerCore {
  mutating func submit(
    _ event: Event, _ lists: Span<UInt32>, _ commands: inout CommandBuffer
  ) {
    let slot = makeLive(event)
    takeTargets(event, slot, lists)
    if let detail = admit(event, slot, lists) {
      fail(slot, detail, &commands)
    } else if live[slot].phase == .waiting {
      startWaiting(slot)
    } else {
      place(slot, &commands)
    }
    settle(&commands)
  }

  /// The task cannot run at all.
  mutating func fail(_ slot: UInt32, _ detail: FailureDetail, _ commands: inout CommandBuffer) {
    let invalid = detail == .dependencyOnItself || detail == .dependencyNeverSeen
    fail(slot, invalid ? .invalidDependency : .impossibleDependency, detail, &commands)
  }

  mutating func takeTargets(_ event: Event, _ slot: UInt32, _ lists: Span<UInt32>) {
    for index in 0..<Int(event.targets.count) {
      let name = EngineName(lists[Int(event.targets.first) + index])
      self.lists.push(name.value, onto: &live[slot].targets)
      names[record(of: name)].references += 1
    }
  }

  mutating func makeLive(_ event: Event) -> UInt32 {
    let task = LiveTask(event)
    if isFair { noteClient(event.client) }
    let slot: UInt32
    if freeLive == nowhere {
      slot = UInt32(live.count)
      precondition(slot < Fate.limit, "too many live tasks")
      live.append(task)
    } else {
      slot = freeLive
      freeLive = live[slot].nextRunning
      live[slot] = task
    }
    liveCount += 1
    remember(event.task, .live(slot))
    return slot
  }

  /// Reads both dependencies as the reference does: `after` that is met already is forgotten
  /// before it is validated, then each is checked for unknown ids, then for impossibility.
  /// Returns why the task fails at once, or nil.
  mutating func admit(_ event: Event, _ slot: UInt32, _ lists: Span<UInt32>)
    -> FailureDetail?
  {
    if event.after.tasks.count == 0 || isMet(event.after, lists) {
      live[slot].phase = .ready
    } else {
      if let wrong = invalidity(event.after, event.task, lists) { return wrong }
      if isUnreachable(event.after, lists) { return .afterCannotBeMet }
      live[slot].afterRule = event.after.rule
      addEdges(event.after, slot, isFollow: false, lists)
    }
    if event.follow.tasks.count > 0 {
      if let wrong = invalidity(event.follow, event.task, lists) { return wrong }
      if isUnreachable(event.follow, lists) { return .followCannotBeMet }
      live[slot].followRule = event.follow.rule
      live[slot].flags.insert(.hasFollow)
      addEdges(event.follow, slot, isFollow: true, lists)
    }
    return nil
  }

  private func isMet(_ dependency: Dependency, _ lists: Span<UInt32>) -> Bool {
    let all = dependency.rule.contains(.all)
    for index in 0..<Int(dependency.tasks.count) {
      let task = lists[Int(dependency.tasks.first) + index]
      // An id never seen has no fate: it counts as unfinished here and is refused later.
      let counts =
        Int(task) < fates.count && !fates[task].isLive
        && dependency.rule.accepts(fates[task])
      if counts != all { return !all }
    }
    return all
  }

  private func isUnreachable(_ dependency: Dependency, _ lists: Span<UInt32>) -> Bool {
    let all = dependency.rule.contains(.all)
    for index in 0..<Int(dependency.tasks.count) {
      let fate = fates[lists[Int(dependency.tasks.first) + index]]
      let useless = !fate.isLive && !dependency.rule.accepts(fate)
      // all: one useless id is enough; any: all of them must be.
      if useless == all { return all }
    }
    return !all
  }

  private func invalidity(_ dependency: Dependency, _ task: TaskID, _ lists: Span<UInt32>)
    -> FailureDetail?
  {
    var unknown = false
    for index in 0..<Int(dependency.tasks.count) {
      let other = lists[Int(dependency.tasks.first) + index]
      if other == task.value { return .dependencyOnItself }
      if Int(other) >= fates.count { unknown = true }
    }
    return unknown ? .dependencyNeverSeen : nil
  }

  /// One edge for each id that is not finished; what is finished is counted at once.
  private mutating func addEdges(
    _ dependency: Dependency, _ slot: UInt32, isFollow: Bool, _ lists: Span<UInt32>
  ) {
    for index in 0..<Int(dependency.tasks.count) {
      let fate = fates[lists[Int(dependency.tasks.first) + index]]
      if fate.isLive {
        link(owner: slot, dependency: fate.slot, isFollow: isFollow)
        if isFollow { live[slot].followPending += 1 } else { live[slot].afterPending += 1 }
      } else if isFollow && dependency.rule.accepts(fate) {
        noteFollowed(slot, fate.engine)
      }
    }
  }
}

extension DependencyRule {
  /// Whether a finished task of this fate satisfies the dependency.
  @inline(__always)
  func accepts(_ fate: Fate) -> Bool { contains(fate.isCompleted ? .success : .failure) }
}

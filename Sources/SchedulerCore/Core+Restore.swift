/// What a journal says, put into a fresh core: how tasks ended, which wait, which ran.
///
///     restoreFinished, restore     once for each task, in the order of their ids, after the hub
///                                  has named the engines there are and before anything else
///     finishRestore                then: only now is anything placed, so that an engine's load
///                                  counts all that ran there
///
/// A task that ran keeps its engine: its late result counts. It is placed again, without using up a
/// retry, when nobody answers for it: its engine did not come back in time, or answered a fence
/// (everything it had been given before) without it, or answers no fences and had its time.
///
/// Invariant: a restored task runs on an incarnation that is registered, or has a grace period, or
/// is adopted by the name's next registration, whichever comes first.

/// A task that had not ended.
public struct RestoredTask: BitwiseCopyable, Sendable {
  /// As it was submitted; `retries` are those left.
  public var submitted: Event
  /// Where it ran; `.none`: it waited.
  public var engine: EngineName
  /// `EngineName` values: where it failed; where it could not run.
  public var failedOn = ListRange()
  public var unmetOn = ListRange()
  public init(submitted: Event, engine: EngineName) {
    self.submitted = submitted
    self.engine = engine
  }
}

extension SchedulerCore {
  /// `engine` is `.none` when it ran nowhere.
  public mutating func restoreFinished(
    _ task: TaskID, isCompleted: Bool, engine: EngineName
  ) {
    guard engine != .none else { return remember(task, .failedNowhere) }
    let incarnation = restoredIncarnation(of: engine)
    remember(task, isCompleted ? .completed(on: incarnation) : .failed(on: incarnation))
  }

  /// Whether an engine answers fences: known from its former life.
  public mutating func restoreEngine(_ name: EngineName, answersFences: Bool) {
    names[record(of: name)].answersFences = answersFences
    _ = restoredIncarnation(of: name)
  }

  public mutating func restore(
    _ task: RestoredTask, now_ns: UInt64, lists: Span<UInt32>, commands: inout CommandBuffer
  ) {
    self.now_ns = max(self.now_ns, now_ns)
    let event = task.submitted
    let slot = makeLive(event)
    takeTargets(event, slot, lists)
    for index in 0..<Int(task.failedOn.count) {
      push(lists[Int(task.failedOn.first) + index], onto: \.failedOn, of: slot)
    }
    for index in 0..<Int(task.unmetOn.count) {
      push(lists[Int(task.unmetOn.first) + index], onto: \.unmetOn, of: slot)
    }
    if let detail = admit(event, slot, lists) {
      fail(slot, detail, &commands)
    } else if live[slot].phase == .waiting {
      startWaiting(slot)
    } else if task.engine == .none {
      newlyReady.push(entry(slot))
    } else {
      run(slot, on: restoredIncarnation(of: task.engine))
    }
  }

  public mutating func finishRestore(commands: inout CommandBuffer) { settle(&commands) }

  private mutating func push(
    _ name: UInt32, onto list: WritableKeyPath<LiveTask, UInt32>, of slot: UInt32
  ) {
    var head = live[slot][keyPath: list]
    if lists.contains(name, in: head) { return }
    lists.push(name, onto: &head)
    live[slot][keyPath: list] = head
  }

  private mutating func run(_ slot: UInt32, on incarnation: UInt32) {
    joinEngine(slot, incarnation)
    live[slot].flags.insert(.restored)
    live[slot].cost = 1
    engines[incarnation].restoredCount += 1
    if engines[incarnation].isRegistered {
      setLoad(of: incarnation, adding: 1)
    } else {
      engines[incarnation].load += 1
    }
    waitForAnswers(of: incarnation)
  }

  /// Engines that answer fences and are there need no clock.
  private mutating func waitForAnswers(of incarnation: UInt32) {
    let engine = engines[incarnation]
    guard engine.restoredCount > 0, !graces.contains(owner: incarnation) else { return }
    if engine.isRegistered && names[record(of: engine.name)].answersFences { return }
    graces.insert(
      Deadline(
        time_ns: deadline(after_ns: options.strandedAfter_ns), tie: incarnation,
        owner: incarnation))
  }

  // MARK: engines

  /// The incarnation that what was restored speaks of: the registration in force, or one that the
  /// next registration of the name becomes.
  private mutating func restoredIncarnation(of name: EngineName) -> UInt32 {
    let record = record(of: name)
    if names[record].incarnation != nowhere { return names[record].incarnation }
    if names[record].restored == nowhere {
      names[record].restored = appendIncarnation(Engine(name: name, slot: nowhere))
      names[record].wasRegistered = true
    }
    return names[record].restored
  }

  private mutating func appendIncarnation(_ engine: Engine) -> UInt32 {
    let incarnation = UInt32(engines.count)
    precondition(incarnation < Fate.limit, "too many registrations")
    engines.append(engine)
    return incarnation
  }

  /// The incarnation of a registration: a new one, or the one that was restored.
  mutating func makeIncarnation(_ record: Int, _ slot: UInt32) -> UInt32 {
    let restored = names[record].restored
    guard restored != nowhere else {
      return appendIncarnation(Engine(name: names[record].name, slot: slot))
    }
    names[record].restored = nowhere
    engines[restored].slot = slot
    return restored
  }

  /// After the registration: what ran there counts as its load.
  mutating func adoptRestored(_ incarnation: UInt32) {
    guard engines[incarnation].runningCount > 0 else { return }
    setLoad(of: incarnation, adding: 0)
    graces.cancel(owner: incarnation)
    waitForAnswers(of: incarnation)
  }

  // MARK: nobody answers

  /// Engines that answer fences and have not yet answered for what was restored there.
  public func unansweredEngines() -> [EngineName] {
    var unanswered: [EngineName] = []
    for index in 0..<names.count where names[index].answersFences {
      let incarnation = names[index].incarnation
      if incarnation != nowhere && engines[incarnation].restoredCount > 0 {
        unanswered.append(names[index].name)
      }
    }
    return unanswered
  }

  mutating func fence(_ name: EngineName, _ commands: inout CommandBuffer) {
    let incarnation = incarnation(of: name)
    guard incarnation != nowhere else { return }
    names[record(of: name)].answersFences = true
    guard engines[incarnation].restoredCount > 0 else { return }
    graces.cancel(owner: incarnation)
    placeRestored(of: incarnation, &commands)
    settle(freed: incarnation, &commands)
  }

  /// Nobody answers for what was restored there: it is placed again.
  mutating func placeRestored(of incarnation: UInt32, _ commands: inout CommandBuffer) {
    var slot = engines[incarnation].firstRunning
    while slot != nowhere {
      let next = live[slot].nextRunning
      if live[slot].flags.contains(.restored) {
        leaveEngine(slot)
        live[slot].phase = .ready
        newlyReady.push(entry(slot))
      }
      slot = next
    }
    settle(&commands)
  }
}

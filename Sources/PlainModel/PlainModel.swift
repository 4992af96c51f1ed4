/// PlainModel: the scheduler as SEMANTICS.md states it, with dictionaries, sets and full scans.
///
/// Written from the text, section by section, and not from the core; where the text is silent it
/// does what ipyparallel's TaskScheduler does ("reference:" marks these). `Differential` compares
/// its commands with the core's, one by one. Choosers: leastload and lru, which need no chance.
///
/// Invariant: it remembers everything for ever and finds everything by looking at all of it.

import SchedulerCore

package struct PlainModel {
  package enum State { case waiting, ready, running, done }

  package struct Task {
    package var submission: Submission
    package var state = State.waiting
    /// Number of the registration it runs on.
    package var engine = -1
    var cost: UInt32 = 0
    var retries: Int
    var unmetOn: Set<String> = []
    var failedOn: Set<String> = []
    var deadline_ns: UInt64?
    var blacklist: Set<String> { unmetOn.union(failedOn) }
  }

  /// One registration of an engine: a uuid that comes back is another one (reference: its sets
  /// of completed and failed ids start empty).
  package struct Registration {
    package var name: String
    package var isRegistered = true
    package var load = 0
    /// In the order of assignment.
    var running: [Int] = []
    var completed: Set<Int> = []
    var failed: Set<Int> = []
    var grace_ns: UInt64?
  }

  let settings: CoreSettings
  package private(set) var now_ns: UInt64
  package internal(set) var tasks: [Task] = []
  package internal(set) var engines: [Registration] = []
  /// Registrations in force, least recently used first.
  package internal(set) var order: [Int] = []
  /// Ended tasks whose dependents know it.
  var completed: Set<Int> = []
  var failed: Set<Int> = []
  /// Where each ended task ran; -1: nowhere.
  var ranOn: [Int: Int] = [:]
  /// Ended tasks whose dependents do not know it yet, in order of their end.
  var ending: [(task: Int, success: Bool, engine: Int)] = []
  var seen: [Seen] = []
  /// Assigned in the present step.
  var begun: Set<Int> = []
  /// With `fairClients`: the turn of each client whose tasks have started, and of the last start.
  var turns: [Int: Int] = [:]
  var clock = 0

  package init(_ settings: CoreSettings, now_ns: UInt64 = 1_000_000_000) {
    self.settings = settings
    self.now_ns = now_ns
  }

  /// The commands that follow from these, the clock having moved first.
  package mutating func step(_ happenings: [Happening]) -> [Seen] {
    seen = []
    begun = []
    for case .advance(let duration_ns) in happenings { now_ns += duration_ns }
    expire()
    for happening in happenings { apply(happening) }
    return seen
  }

  mutating func apply(_ happening: Happening) {
    switch happening {
    case .advance: break
    case .register(let name): register(name)
    case .unregister(let name): unregister(name)
    case .submit(let submission): submit(submission)
    case .refuse: refuse()
    case .result(let task, let engine, let outcome): result(task, engine, outcome)
    case .undeliverable(let task, let engine): takeBack(task, engine)
    }
  }

  // MARK: 2. submission

  mutating func submit(_ submission: Submission) {
    let task = tasks.count
    tasks.append(Task(submission: submission, retries: submission.retries))
    var after = submission.after
    // reference: `after` that is met already is forgotten before anything is validated.
    if check(after, completed, failed) { after.ids = [] }
    for (dependency, impossible) in [
      (after, FailureDetail.afterCannotBeMet), (submission.follow, .followCannotBeMet),
    ] where !dependency.isEmpty {
      let wrong: Seen? =
        if dependency.ids.contains(task) {
          .invalid(task, .dependencyOnItself)
        } else if dependency.ids.contains(where: { $0 > task }) {
          .invalid(task, .dependencyNeverSeen)
        } else if unreachable(dependency) { .impossible(task, impossible) } else { nil }
      guard let wrong else { continue }
      fail(task, wrong)
      settle()
      return
    }
    if after.isEmpty {
      tasks[task].state = .ready
      _ = act(task)
    }
    settle()
  }

  mutating func refuse() {
    tasks.append(Task(submission: Submission(), state: .done, retries: 0))
    failed.insert(tasks.count - 1)
    ranOn[tasks.count - 1] = -1
  }

  /// 2.4, with any two sets of completed and failed ids.
  func check(_ dependency: Wanted, _ completed: Set<Int>, _ failed: Set<Int>) -> Bool {
    let against = (dependency.success ? completed : []).union(dependency.failure ? failed : [])
    return holds(dependency, against)
  }

  func unreachable(_ dependency: Wanted) -> Bool {
    if dependency.isEmpty { return false }
    let useless = (dependency.success ? [] : completed).union(dependency.failure ? [] : failed)
    let ids = Set(dependency.ids)
    return dependency.all ? !ids.isDisjoint(with: useless) : ids.isSubset(of: useless)
  }

  func holds(_ dependency: Wanted, _ against: Set<Int>) -> Bool {
    if dependency.isEmpty { return true }
    let ids = Set(dependency.ids)
    return dependency.all ? ids.isSubset(of: against) : !ids.isDisjoint(with: against)
  }

  // MARK: 3. placement

  func isAvailable(_ engine: Int) -> Bool {
    settings.hwm == 0 || engines[engine].load < Int(settings.hwm)
  }

  /// Whether it may run there, blacklist aside.
  func fits(_ task: Int, _ engine: Int) -> Bool {
    let submission = tasks[task].submission
    return (submission.targets.isEmpty || submission.targets.contains(engines[engine].name))
      && check(submission.follow, engines[engine].completed, engines[engine].failed)
  }

  /// Runs the ready task, or fails it if it can never run. False when it must wait.
  mutating func act(_ task: Int, avoiding: Int = -1) -> Bool {
    let suitable = order.filter { fits(task, $0) }
    // --retry-anywhere (section 4): it failed wherever it may run.
    if settings.retryAnywhere && (!suitable.isEmpty || isConstrained(task))
      && suitable.allSatisfy({ tasks[task].blacklist.contains(engines[$0].name) })
    {
      tasks[task].failedOn = []
    }
    let eligible = suitable.filter {
      isAvailable($0) && $0 != avoiding
        && !tasks[task].blacklist.contains(engines[$0].name)
    }
    if let first = eligible.first {
      let leastLoaded = eligible.min { engines[$0].load < engines[$1].load } ?? first
      assign(task, settings.scheme == .lru ? first : leastLoaded)
      return true
    }
    guard let why = impossibility(task) else { return false }
    // reference: nothing is looked at while no engine is available. A follow whose engine has
    // gone is not in the reference: it fails at once.
    guard why == .followEngineGone || order.contains(where: { isAvailable($0) }) else {
      return false
    }
    fail(task, .impossible(task, why))
    return true
  }

  func isConstrained(_ task: Int) -> Bool {
    !tasks[task].submission.targets.isEmpty || !tasks[task].submission.follow.isEmpty
  }

  func impossibility(_ task: Int) -> FailureDetail? {
    let follow = tasks[task].submission.follow
    let relevant = (follow.success ? completed : []).union(follow.failure ? failed : [])
    let places = Set(relevant.intersection(follow.ids).compactMap { ranOn[$0] })
    if follow.all {
      if places.contains(-1) { return .followRanNowhere }
      if places.count > 1 { return .followRanOnSeveralEngines }
    }
    if !follow.isEmpty {
      let finished = Set(follow.ids).isSubset(of: completed.union(failed))
      let hosts = places.subtracting([-1])
      if finished && hosts.isEmpty { return .followRanNowhere }
      let gone = hosts.filter { !engines[$0].isRegistered }
      // Not in the reference, where such a task hangs: an engine that left does not come back.
      if finished && gone.count == hosts.count { return .followEngineGone }
      if follow.all && !gone.isEmpty { return .followEngineGone }
    }
    let targets = Set(tasks[task].submission.targets)
    if !targets.isEmpty {
      let open = targets.subtracting(tasks[task].blacklist)
      if open.isEmpty { return .targetsAllBlacklisted }
      if open.isDisjoint(with: order.map { engines[$0].name }) { return .targetsNotRegistered }
    }
    return nil
  }

  mutating func assign(_ task: Int, _ engine: Int) {
    let submission = tasks[task].submission
    let facts = TaskFacts(
      task: TaskID(UInt32(task)), bytes: submission.bytes, retries: UInt32(tasks[task].retries))
    let policy = settings.policy ?? OutstandingTasks()
    tasks[task].state = .running
    begun.insert(task)
    // Who was away joins the present round.
    clock = max(clock, turns[submission.client] ?? 0)
    turns[submission.client] = clock + 1
    tasks[task].engine = engine
    tasks[task].cost = policy.cost(of: facts)
    tasks[task].deadline_ns = nil
    engines[engine].load += Int(tasks[task].cost)
    engines[engine].running.append(task)
    let move = policy.orderAfterAssignment(of: facts)
    if move != .stay {
      order.removeAll { $0 == engine }
      order.insert(engine, at: move == .front ? 0 : order.count)
    }
    seen.append(.assign(task, engines[engine].name))
  }

  /// The ready tasks as they are served: the oldest first, or clients in turn.
  func inOrder() -> [Int] {
    let ready = tasks.indices.filter { tasks[$0].state == .ready }
    guard settings.fairClients else { return ready }
    func turn(_ task: Int) -> Int { turns[tasks[task].submission.client] ?? 0 }
    return ready.sorted { (turn($0), $0) < (turn($1), $1) }
  }

  /// Whatever follows: dependents are told, then always the first task in order that can run or
  /// must fail does, until there is none.
  mutating func settle() {
    repeat {
      while !ending.isEmpty { tell() }
    } while inOrder().contains { act($0) }
    // 4: timeouts start when a task begins to wait.
    for task in tasks.indices where tasks[task].state == .waiting || tasks[task].state == .ready {
      let timeout_ns = tasks[task].submission.timeout_ns
      if timeout_ns > 0 && tasks[task].deadline_ns == nil {
        tasks[task].deadline_ns = now_ns + timeout_ns
      }
    }
  }

  /// Tells the dependents of the task that ended first, in order of their submission.
  mutating func tell() {
    let (ended, success, engine) = ending.removeFirst()
    if success { completed.insert(ended) } else { failed.insert(ended) }
    ranOn[ended] = engine
    if engine >= 0 && success { engines[engine].completed.insert(ended) }
    if engine >= 0 && !success { engines[engine].failed.insert(ended) }
    for task in tasks.indices {
      let submission = tasks[task].submission
      guard submission.after.ids.contains(ended) || submission.follow.ids.contains(ended) else {
        continue
      }
      guard tasks[task].state == .waiting || tasks[task].state == .ready else { continue }
      if tasks[task].state == .waiting && unreachable(submission.after) {
        fail(task, .impossible(task, .afterCannotBeMet))
      } else if unreachable(submission.follow) {
        fail(task, .impossible(task, .followCannotBeMet))
      } else if check(submission.after, completed, failed) {
        tasks[task].state = .ready
      }
    }
  }
}

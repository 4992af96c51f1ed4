/// History: what the facts so far say about each task and engine, kept in the plainest way, for the
/// checkers that look at one decision at a time.
///
/// A step tells all events before all decisions, so their order within a step is partly unknown:
/// what a step told is taken as known from its start, and engines that it removed count as there
/// until its end. Where that leaves open which registration of a name got a task, the history is
/// blurred from there on. The plain model, which sees the order, is exact.

import PlainModel
import SchedulerCore

struct History {
  struct Task {
    var submission: Submission
    var isRefused = false
    /// It came from a journal: its submission is what was left of it, or nothing if it had ended.
    var isRestored = false
    /// Number of the registration where it runs.
    var engine: Int?
    /// The registration where it ran last.
    var latestEngine: Int?
    var runs = 0
    var retriesUsed = 0
    var unmetCount = 0
    var undeliverableCount = 0
    /// Engines that get it no more, by name.
    var failedOn: Set<EngineName> = []
    var unmetOn: Set<EngineName> = []
    /// Final replies.
    var endings = 0
    var succeeded: Bool?
    /// The earliest time since when it can have been waiting.
    var waitsSince_ns: UInt64
  }

  /// One registration: a name that comes back is another engine.
  struct Engine {
    var name: EngineName
    var isRegistered = true
    var outstanding: Set<Int> = []
    var completed: Set<Int> = []
    var failed: Set<Int> = []
    /// When its tasks are given up.
    var grace_ns: UInt64?
    /// What a former life gave to it; nobody knows whether it still has it.
    var restored: Set<Int> = []
  }

  static let grace_ns: UInt64 = 5_000_000_000

  private(set) var tasks: [Task] = []
  private(set) var engines: [Engine] = []
  private(set) var current: [EngineName: Int] = [:]
  /// Registrations of a former life, until the name is registered again.
  private var awaited: [EngineName: Int] = [:]
  private var answersFences: Set<EngineName> = []
  private(set) var completed: Set<Int> = []
  private(set) var failed: Set<Int> = []
  /// Registrations that the present step ended.
  private(set) var removedNow: Set<Int> = []
  /// A step ended one registration of a name and began another, and a task went to that name.
  private(set) var isBlurred = false
  private var outcomes: [(task: Int, engine: EngineName, outcome: Outcome)] = []

  var running: Int { tasks.count { $0.engine != nil } }
  var live: Int { tasks.count { $0.endings == 0 && !$0.isRefused } }
  var registered: Int { engines.count { $0.isRegistered } }

  mutating func begin(_ step: Step) {
    removedNow = []
    outcomes = []
    strand(step.now_ns)
    for fact in step.told {
      switch fact {
      case .registered(let name): register(name, step.now_ns)
      case .unregistered(let name): unregister(name, step.now_ns)
      case .submitted(_, let submission):
        tasks.append(Task(submission: submission, waitsSince_ns: step.now_ns))
      case .refused(let task):
        tasks.append(
          Task(submission: Submission(), isRefused: true, waitsSince_ns: step.now_ns))
        failed.insert(task)
      case .finished(let task, let engine, let outcome): outcomes.append((task, engine, outcome))
      case .undeliverable(let task, let engine):
        guard task < tasks.count, isOn(task, engine) else { break }
        tasks[task].undeliverableCount += 1
        leave(task, at: step.now_ns)
      case .fenced(let name): fence(name, step.now_ns)
      case .restoredEngine(let name): answersFences.insert(name)
      case .restoredFinished(_, let isCompleted, let name):
        restoreFinished(isCompleted, name, step.now_ns)
      case .restored(_, let submission, let name, let failedOn, let unmetOn):
        var task = Task(submission: submission, waitsSince_ns: step.now_ns)
        task.isRestored = true
        task.failedOn = Set(failedOn)
        task.unmetOn = Set(unmetOn)
        tasks.append(task)
        if name != .none { run(tasks.count - 1, onFormer: name, step.now_ns) }
      default: break
      }
    }
  }

  // MARK: a former life

  private mutating func formerRegistration(_ name: EngineName) -> Int {
    if let engine = current[name] ?? awaited[name] { return engine }
    engines.append(Engine(name: name, isRegistered: false))
    awaited[name] = engines.count - 1
    return engines.count - 1
  }

  private mutating func restoreFinished(
    _ isCompleted: Bool, _ name: EngineName, _ now_ns: UInt64
  ) {
    tasks.append(Task(submission: Submission(), waitsSince_ns: now_ns))
    tasks[tasks.count - 1].isRestored = true
    let engine = name == .none ? nil : formerRegistration(name)
    end(tasks.count - 1, success: isCompleted, on: engine)
  }

  private mutating func run(_ task: Int, onFormer name: EngineName, _ now_ns: UInt64) {
    let engine = formerRegistration(name)
    tasks[task].engine = engine
    tasks[task].latestEngine = engine
    engines[engine].outstanding.insert(task)
    engines[engine].restored.insert(task)
    waitForAnswers(engine, now_ns)
  }

  /// An engine that is there and answers fences needs no clock.
  private mutating func waitForAnswers(_ engine: Int, _ now_ns: UInt64) {
    let answers = answersFences.contains(engines[engine].name)
    guard !engines[engine].restored.isEmpty, engines[engine].grace_ns == nil,
      !(engines[engine].isRegistered && answers)
    else { return }
    engines[engine].grace_ns = now_ns + Self.grace_ns
  }

  private mutating func fence(_ name: EngineName, _ now_ns: UInt64) {
    guard let engine = current[name] else { return }
    answersFences.insert(name)
    guard !engines[engine].restored.isEmpty else { return }
    engines[engine].grace_ns = nil
    forget(engine, now_ns)
  }

  /// Nobody answers for what a former life gave to it.
  private mutating func forget(_ engine: Int, _ now_ns: UInt64) {
    for task in engines[engine].restored.sorted() { leave(task, at: now_ns) }
  }

  private mutating func register(_ name: EngineName, _ now_ns: UInt64) {
    guard current[name] == nil else { return }
    if let engine = awaited.removeValue(forKey: name) {
      current[name] = engine
      engines[engine].isRegistered = true
      guard !engines[engine].outstanding.isEmpty else { return }
      engines[engine].grace_ns = nil
      return waitForAnswers(engine, now_ns)
    }
    engines.append(Engine(name: name))
    current[name] = engines.count - 1
  }

  private mutating func unregister(_ name: EngineName, _ now_ns: UInt64) {
    guard let engine = current.removeValue(forKey: name) else { return }
    engines[engine].isRegistered = false
    engines[engine].grace_ns = now_ns + Self.grace_ns
    removedNow.insert(engine)
  }

  /// Gives up what runs on engines that left too long ago: with retries left it is a failure like
  /// any other, and no decision tells of it.
  private mutating func strand(_ now_ns: UInt64) {
    for engine in engines.indices {
      guard let grace_ns = engines[engine].grace_ns, grace_ns <= now_ns else { continue }
      engines[engine].grace_ns = nil
      forget(engine, now_ns)
      guard !engines[engine].isRegistered else { continue }
      for task in engines[engine].outstanding.sorted()
      where tasks[task].retriesUsed < tasks[task].submission.retries {
        leave(task, at: now_ns)
        tasks[task].failedOn.insert(engines[engine].name)
        tasks[task].retriesUsed += 1
      }
    }
  }

  /// After a decision was checked.
  mutating func apply(_ decision: Fact, at now_ns: UInt64) {
    switch decision {
    case .assigned(let task, let name):
      leave(task, at: now_ns)
      tasks[task].runs += 1
      guard let engine = registration(of: name) else { return }
      if current[name] != nil && removedNow.contains(where: { engines[$0].name == name }) {
        isBlurred = true
      }
      tasks[task].engine = engine
      tasks[task].latestEngine = engine
      engines[engine].outstanding.insert(task)
    case .delivered(let task, let name):
      leave(task, at: now_ns)
      let success = takeOutcome(task, name) == .completed
      end(task, success: success, on: tasks[task].latestEngine)
    case .failed(let task, _, _, _):
      leave(task, at: now_ns)
      end(task, success: false, on: nil)
    case .retired(let task, let name):
      leave(task, at: now_ns)
      if takeOutcome(task, name) == .unmet {
        tasks[task].unmetOn.insert(name)
        tasks[task].unmetCount += 1
      } else {
        tasks[task].failedOn.insert(name)
        tasks[task].retriesUsed += 1
      }
    case .discarded(let task, let name, _): _ = takeOutcome(task, name)
    default: break
    }
  }

  /// The registration that a decision means: the present one, or one that this step ended.
  func registration(of name: EngineName) -> Int? {
    current[name] ?? removedNow.filter { engines[$0].name == name }.max()
  }

  func isOn(_ task: Int, _ name: EngineName) -> Bool {
    tasks[task].engine.map { engines[$0].name == name } ?? false
  }

  /// The outcome that a decision about a reply speaks of: replies are dealt with in order.
  private mutating func takeOutcome(_ task: Int, _ engine: EngineName) -> Outcome? {
    guard let index = outcomes.firstIndex(where: { $0.task == task && $0.engine == engine })
    else { return nil }
    return outcomes.remove(at: index).outcome
  }

  private mutating func leave(_ task: Int, at now_ns: UInt64) {
    guard let engine = tasks[task].engine else { return }
    engines[engine].outstanding.remove(task)
    engines[engine].restored.remove(task)
    tasks[task].engine = nil
    tasks[task].waitsSince_ns = now_ns
  }

  private mutating func end(_ task: Int, success: Bool, on engine: Int?) {
    tasks[task].endings += 1
    tasks[task].succeeded = success
    if success { completed.insert(task) } else { failed.insert(task) }
    guard let engine else { return }
    if success {
      engines[engine].completed.insert(task)
    } else {
      engines[engine].failed.insert(task)
    }
  }

  /// SEMANTICS 2.4.
  static func isMet(_ wanted: Wanted, _ completed: Set<Int>, _ failed: Set<Int>) -> Bool {
    guard !wanted.isEmpty else { return true }
    let against = (wanted.success ? completed : []).union(wanted.failure ? failed : [])
    let ids = Set(wanted.ids)
    return wanted.all ? ids.isSubset(of: against) : !ids.isDisjoint(with: against)
  }
}

/// Observer: turns the steps of the exchange's core into facts and hands them to the checkers.
///
/// Invariant: after the first violation nothing more is checked: what follows from a wrong state
/// says nothing.

import PlainModel
import SchedulerCore
import SchedulerWire

final class Observer: CoreWatcher {
  private(set) var violation: Violation?
  private var checkers: [any DecisionChecker]
  private let trace: Trace
  private(set) var history = History()
  /// Of the present life: what its journal said was given to the core.
  private(set) var hasRestored = false
  private var restored: [Fact] = []
  /// The scheduler is dead: what its ghost decides is nothing.
  var isBlind: () -> Bool = { false }
  private(set) var census = Census()
  /// Facts told and decided.
  private(set) var factCount: UInt64 = 0
  /// Lets a test break what is observed; nil leaves it as it is.
  var mutation: ((inout Step) -> Void)?

  init(_ checkers: [any DecisionChecker], _ trace: Trace) {
    self.checkers = checkers
    self.trace = trace
  }

  /// Another scheduler begins, whose core knows nothing yet.
  func beginLife(_ checkers: [any DecisionChecker]) {
    self.checkers = checkers
    history = History()
    hasRestored = false
    restored = []
  }

  func stepped(
    _ now_ns: UInt64, _ events: [Event], _ lists: [UInt32], _ commands: borrowing CommandBuffer,
    _ core: borrowing SchedulerCore
  ) {
    guard !isBlind() else { return }
    var step = Step(now_ns: now_ns, told: [], decided: [], report: core.report())
    for event in events { step.told.append(fact(of: event, lists)) }
    for index in 0..<commands.count {
      if let fact = fact(of: commands[index]) { step.decided.append(fact) }
    }
    if !step.told.isEmpty || !step.decided.isEmpty { step.problem = core.checkInvariants() }
    mutation?(&step)
    take(step)
  }

  // MARK: what a journal says

  func restored(_ engine: EngineName) { restored.append(.restoredEngine(engine)) }

  func restoredFinished(_ task: TaskID, isCompleted: Bool, _ engine: EngineName) {
    restored.append(.restoredFinished(Int(task.value), isCompleted: isCompleted, engine))
  }

  func restored(_ task: RestoredTask, _ lists: [UInt32]) {
    restored.append(
      .restored(
        Int(task.submitted.task.value), submission(task.submitted, lists), task.engine,
        failedOn: names(task.failedOn, lists), unmetOn: names(task.unmetOn, lists)))
  }

  func restored(
    _ now_ns: UInt64, _ commands: borrowing CommandBuffer, _ core: borrowing SchedulerCore
  ) {
    guard !isBlind() else { return }
    var step = Step(now_ns: now_ns, told: restored, decided: [], report: core.report())
    for index in 0..<commands.count {
      if let fact = fact(of: commands[index]) { step.decided.append(fact) }
    }
    step.problem = core.checkInvariants()
    restored = []
    hasRestored = true
    take(step)
  }

  private func take(_ step: Step) {
    factCount += UInt64(step.told.count + step.decided.count)
    trace.note(step)
    for fact in step.told { census.count(fact) }
    for fact in step.decided { census.count(fact) }
    guard violation == nil else { return }
    history.begin(step)
    for decision in step.decided {
      report(first { $0.check(decision, history, at: step.now_ns) })
      guard violation == nil else { return }
      history.apply(decision, at: step.now_ns)
    }
    report(first { $0.check(step, history) })
  }

  func checkAtRest() { report(first { $0.checkAtRest(history) }) }

  private func first(_ check: (any DecisionChecker) -> Violation?) -> Violation? {
    for checker in checkers where !history.isBlurred || checker.promise.isSharp {
      if let found = check(checker) { return found }
    }
    return nil
  }

  /// A violation found elsewhere: at the peers, at the end.
  func report(_ found: Violation?) {
    if violation == nil { violation = found }
  }

  // MARK: translation

  private func fact(of event: Event, _ lists: [UInt32]) -> Fact {
    let task = Int(event.task.value)
    switch event.kind {
    case .engineRegistered: return .registered(event.engine)
    case .engineUnregistered: return .unregistered(event.engine)
    case .refused: return .refused(task)
    case .finished: return .finished(task, event.engine, event.outcome)
    case .undeliverable: return .undeliverable(task, event.engine)
    case .fenced: return .fenced(event.engine)
    case .submitted: return .submitted(task, submission(event, lists))
    }
  }

  private func submission(_ event: Event, _ lists: [UInt32]) -> Submission {
    Submission(
      after: wanted(event.after, lists), follow: wanted(event.follow, lists),
      targets: names(event.targets, lists).map { name(of: $0) }, retries: Int(event.retries),
      timeout_ns: event.timeout_ns, bytes: event.bytes, client: Int(event.client.value))
  }

  private func names(_ range: ListRange, _ lists: [UInt32]) -> [EngineName] {
    lists[Int(range.first)..<Int(range.first + range.count)].map { EngineName($0) }
  }

  private func wanted(_ dependency: Dependency, _ lists: [UInt32]) -> Wanted {
    let range = dependency.tasks
    return Wanted(
      ids: lists[Int(range.first)..<Int(range.first + range.count)].map(Int.init),
      all: dependency.rule.contains(.all), success: dependency.rule.contains(.success),
      failure: dependency.rule.contains(.failure))
  }

  private func fact(of command: Command) -> Fact? {
    let task = Int(command.task.value)
    switch command.kind {
    case .assign: return .assigned(task, command.engine)
    case .deliver: return .delivered(task, command.engine)
    case .fail: return .failed(task, command.reason, command.detail, command.engine)
    case .retire: return .retired(task, command.engine)
    case .discard: return .discarded(task, command.engine, command.discard)
    // What follows from a loss (an assignment, a failure) is a fact of its own.
    case .releaseName, .lose: return nil
    }
  }
}

/// What the model and the facts call an engine.
func name(of engine: EngineName) -> String { "\(engine.value)" }

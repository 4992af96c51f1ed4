/// Observer: turns the steps of the exchange's core into facts and hands them to the checkers.
///
/// Invariant: after the first violation nothing more is checked: what follows from a wrong state
/// says nothing.

import PlainModel
import SchedulerCore
import SchedulerWire

final class Observer: CoreWatcher {
  private(set) var violation: Violation?
  private let checkers: [any DecisionChecker]
  private let trace: Trace
  private(set) var history = History()
  private(set) var census = Census()
  /// Facts told and decided.
  private(set) var factCount: UInt64 = 0
  /// Lets a test break what is observed; nil leaves it as it is.
  var mutation: ((inout Step) -> Void)?

  init(_ checkers: [any DecisionChecker], _ trace: Trace) {
    self.checkers = checkers
    self.trace = trace
  }

  func stepped(
    _ now_ns: UInt64, _ events: [Event], _ lists: [UInt32], _ commands: borrowing CommandBuffer,
    _ core: borrowing SchedulerCore
  ) {
    var step = Step(now_ns: now_ns, told: [], decided: [], report: core.report())
    for event in events { step.told.append(fact(of: event, lists)) }
    for index in 0..<commands.count {
      if let fact = fact(of: commands[index]) { step.decided.append(fact) }
    }
    if !step.told.isEmpty || !step.decided.isEmpty { step.problem = core.checkInvariants() }
    mutation?(&step)
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
    case .fenced: preconditionFailure("the simulator's scheduler keeps no journal")
    case .submitted:
      let targets = lists[Int(event.targets.first)..<Int(event.targets.first + event.targets.count)]
      return .submitted(
        task,
        Submission(
          after: wanted(event.after, lists), follow: wanted(event.follow, lists),
          targets: targets.map { name(of: EngineName($0)) }, retries: Int(event.retries),
          timeout_ns: event.timeout_ns, bytes: event.bytes, client: Int(event.client.value)))
    }
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

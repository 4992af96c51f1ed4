/// The core decides what the plain model decides, one decision after the other. The model has no
/// dice: it knows the schemes leastload and lru. It looks at everything it ever saw for each event,
/// so it keeps up with the first tasks of a run only.

import PlainModel
import SchedulerCore

final class ModelAgrees: DecisionChecker {
  let promise = Promise.model
  static let tasksMax = 600
  private var model: PlainModel?
  private var isFirst = true
  private let settings: CoreSettings

  init?(_ settings: CoreSettings) {
    guard settings.scheme == .leastload || settings.scheme == .lru else { return nil }
    self.settings = settings
  }

  func check(_ step: Step, _ history: History) -> Violation? {
    if isFirst { model = PlainModel(settings, now_ns: step.now_ns) }
    isFirst = false
    guard model != nil else { return nil }
    var happenings: [Happening] = [.advance(step.now_ns - model!.now_ns)]
    for fact in step.told { happenings += happening(fact).map { [$0] } ?? [] }
    let expected = model!.step(happenings)
    let seen = step.decided.map(decision)
    if model!.tasks.count > Self.tasksMax { model = nil }
    guard expected != seen else { return nil }
    return Violation(promise: promise, text: "the model: \(expected); the core: \(seen)")
  }

  private func happening(_ fact: Fact) -> Happening? {
    switch fact {
    // Nothing before a restart: no task is known from a former life.
    case .fenced: nil
    case .registered(let engine): .register(name(of: engine))
    case .unregistered(let engine): .unregister(name(of: engine))
    case .submitted(_, let submission): .submit(submission)
    case .refused: .refuse
    case .finished(let task, let engine, let outcome): .result(task, name(of: engine), outcome)
    case .undeliverable(let task, let engine): .undeliverable(task, name(of: engine))
    default: fatalError("a decision is no happening: \(fact)")
    }
  }

  private func decision(_ fact: Fact) -> Seen {
    switch fact {
    case .assigned(let task, let engine): .assign(task, name(of: engine))
    case .delivered(let task, let engine): .deliver(task, name(of: engine))
    case .retired(let task, let engine): .retire(task, name(of: engine))
    case .discarded(let task, let engine, let reason): .discard(task, name(of: engine), reason)
    case .failed(let task, .engineError, .engineDied, let engine):
      .engineDied(task, name(of: engine))
    case .failed(let task, let reason, let detail, _): .fail(task, reason, detail)
    default: fatalError("a happening is no decision: \(fact)")
    }
  }
}

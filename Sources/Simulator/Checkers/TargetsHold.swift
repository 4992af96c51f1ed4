/// A task runs only on a registered engine, and only on one of its targets if it has any.

final class TargetsHold: DecisionChecker {
  let promise = Promise.targets
  func check(_ decision: Fact, _ history: History, at now_ns: UInt64) -> Violation? {
    guard case .assigned(let task, let engine) = decision else { return nil }
    guard history.registration(of: engine) != nil else {
      return Violation(
        promise: promise,
        text: "task \(task) goes to engine \(name(of: engine)), which is not registered")
    }
    let targets = history.tasks[task].submission.targets
    if targets.isEmpty || targets.contains(name(of: engine)) { return nil }
    return Violation(
      promise: promise,
      text: "task \(task) goes to engine \(name(of: engine)), its targets are \(targets)")
  }
}

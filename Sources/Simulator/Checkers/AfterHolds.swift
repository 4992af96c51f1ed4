/// Nothing runs before its `after` is met.

final class AfterHolds: DecisionChecker {
  let promise = Promise.after
  func check(_ decision: Fact, _ history: History, at now_ns: UInt64) -> Violation? {
    guard case .assigned(let task, let engine) = decision else { return nil }
    let after = history.tasks[task].submission.after
    if History.isMet(after, history.completed, history.failed) { return nil }
    return Violation(
      promise: promise,
      text: "task \(task) goes to engine \(name(of: engine)), its after is not met: \(after)")
  }
}

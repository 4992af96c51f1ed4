/// No engine gets a task again that it failed or whose dependencies it did not meet. With
/// `retryAnywhere` only the latter count.

final class BlacklistHolds: DecisionChecker {
  let promise = Promise.blacklist
  private let retryAnywhere: Bool
  init(retryAnywhere: Bool) { self.retryAnywhere = retryAnywhere }

  func check(_ decision: Fact, _ history: History, at now_ns: UInt64) -> Violation? {
    guard case .assigned(let task, let engine) = decision else { return nil }
    let record = history.tasks[task]
    let isFailed = !retryAnywhere && record.failedOn.contains(engine)
    guard isFailed || record.unmetOn.contains(engine) else { return nil }
    return Violation(
      promise: promise,
      text: "task \(task) goes to engine \(name(of: engine)), which is on its blacklist")
  }
}

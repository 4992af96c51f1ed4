/// A task runs once, and once more for each retry it has, each engine that could not take it, and
/// each time it could not be handed over.

final class RetriesWithinBudget: DecisionChecker {
  let promise = Promise.retries
  func check(_ decision: Fact, _ history: History, at now_ns: UInt64) -> Violation? {
    guard case .assigned(let task, _) = decision else { return nil }
    let record = history.tasks[task]
    guard record.endings == 0 else {
      return Violation(promise: promise, text: "task \(task) runs after its final reply")
    }
    guard record.engine == nil else {
      return Violation(promise: promise, text: "task \(task) runs a second time at once")
    }
    guard record.retriesUsed <= record.submission.retries else {
      return Violation(
        promise: promise,
        text: "task \(task) used \(record.retriesUsed) of \(record.submission.retries) retries")
    }
    let may = 1 + record.retriesUsed + record.unmetCount + record.undeliverableCount
    guard record.runs < may else {
      return Violation(
        promise: promise, text: "task \(task) runs \(record.runs + 1) times, it may \(may)")
    }
    return nil
  }
}

/// A task times out only while it waits, not before its timeout, and not later than the scheduler
/// could know: with the first step after it.

final class TimeoutsInTime: DecisionChecker {
  let promise = Promise.timeouts
  func check(_ decision: Fact, _ history: History, at now_ns: UInt64) -> Violation? {
    guard case .failed(let task, .taskTimeout, _, _) = decision else { return nil }
    let record = history.tasks[task]
    let timeout_ns = record.submission.timeout_ns
    let wrong: String? =
      if record.engine != nil {
        "while it runs"
      } else if timeout_ns == 0 {
        "and has no timeout"
      } else if now_ns < record.waitsSince_ns + timeout_ns {
        "after waiting \(now_ns - record.waitsSince_ns) of \(timeout_ns) ns"
      } else { nil }
    return wrong.map { Violation(promise: promise, text: "task \(task) times out \($0)") }
  }

  func check(_ step: Step, _ history: History) -> Violation? {
    for (task, record) in history.tasks.enumerated() {
      guard record.endings == 0, !record.isRefused, record.engine == nil,
        record.submission.timeout_ns > 0,
        step.now_ns > record.waitsSince_ns + record.submission.timeout_ns
      else { continue }
      return Violation(
        promise: promise, text: "task \(task) still waits after its timeout")
    }
    return nil
  }
}

/// Exactly one final reply for every accepted task, and none for any other.

final class OneReply: DecisionChecker {
  let promise = Promise.oneReply
  func check(_ decision: Fact, _ history: History, at now_ns: UInt64) -> Violation? {
    let task: Int
    switch decision {
    case .delivered(let ended, _), .failed(let ended, _, _, _): task = ended
    default: return nil
    }
    guard task < history.tasks.count, !history.tasks[task].isRefused else {
      return Violation(promise: promise, text: "a reply about task \(task), never accepted")
    }
    guard history.tasks[task].endings == 0 else {
      return Violation(promise: promise, text: "task \(task) is answered a second time")
    }
    return nil
  }

  func checkAtRest(_ history: History) -> Violation? {
    for (task, record) in history.tasks.enumerated() where !record.isRefused {
      if record.endings != 1 {
        return Violation(
          promise: promise, text: "task \(task) has \(record.endings) final replies at rest")
      }
    }
    return nil
  }
}

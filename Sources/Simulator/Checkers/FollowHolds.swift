/// A task runs only on an engine where its `follow` is met: by what ended on that very engine.

final class FollowHolds: DecisionChecker {
  let promise = Promise.follow
  func check(_ decision: Fact, _ history: History, at now_ns: UInt64) -> Violation? {
    guard case .assigned(let task, let name) = decision else { return nil }
    let follow = history.tasks[task].submission.follow
    guard !follow.isEmpty, let number = history.registration(of: name) else { return nil }
    // A name that left and came back within one step may mean either registration.
    let candidates = history.removedNow.union([number])
      .map { history.engines[$0] }.filter { $0.name == name }
    if candidates.contains(where: { History.isMet(follow, $0.completed, $0.failed) }) { return nil }
    return Violation(
      promise: promise,
      text: "task \(task) goes to engine \(name), where its follow is not met: \(follow)")
  }
}

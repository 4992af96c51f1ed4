/// The core's counts of tasks and engines equal a recount from the facts.

final class LoadsAddUp: DecisionChecker {
  let promise = Promise.loads
  func check(_ step: Step, _ history: History) -> Violation? {
    let counts = [
      ("tasks", step.report.tasks, history.tasks.count),
      ("live tasks", step.report.live, history.live),
      ("running tasks", step.report.running, history.running),
      ("engines", step.report.engines, history.registered),
    ]
    for (what, counted, recounted) in counts where counted != recounted {
      return Violation(
        promise: promise, text: "the core counts \(counted) \(what), a recount \(recounted)")
    }
    return nil
  }
}

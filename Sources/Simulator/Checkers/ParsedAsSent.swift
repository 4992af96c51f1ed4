/// What the core was told about a task is what its client wrote into the message.

import PlainModel
import SchedulerCore
import SchedulerWire

enum ParsedAsSent {
  static func check(
    _ exchange: borrowing Exchange, _ world: World, _ history: History
  ) -> Violation? {
    for plan in world.plans {
      guard let task = exchange.task(named: plan.id) else { continue }
      let record = history.tasks[Int(task.value)]
      guard !record.isRestored else { continue }
      if let what = difference(plan, record, exchange) {
        return Violation(promise: .relay, text: "task \(plan.number) was read with another \(what)")
      }
    }
    return nil
  }

  private static func difference(
    _ plan: TaskPlan, _ record: History.Task, _ exchange: borrowing Exchange
  ) -> String? {
    if plan.isMalformed || isNeverMet(plan.submission) {
      return record.isRefused ? nil : "fate than refusal"
    }
    if record.isRefused { return "fate: it was refused" }
    let sent = plan.submission
    let read = record.submission
    if sent.retries != read.retries { return "number of retries" }
    // Seconds as a floating-point number: the last digit may differ.
    if max(sent.timeout_ns, read.timeout_ns) - min(sent.timeout_ns, read.timeout_ns) > 1 {
      return "timeout"
    }
    if sent.targets.count != read.targets.count { return "number of targets" }
    if sent.after.ids.count != read.after.ids.count { return "number of ids in after" }
    if sent.follow.ids.count != read.follow.ids.count { return "number of ids in follow" }
    for (a, b) in [(sent.after, read.after), (sent.follow, read.follow)] where !a.isEmpty {
      if (a.all, a.success, a.failure) != (b.all, b.success, b.failure) { return "rule" }
    }
    return nil
  }

  /// Neither success nor failure counts: refused as invalid. The workload makes none so far.
  private static func isNeverMet(_ submission: Submission) -> Bool {
    [submission.after, submission.follow].contains { !$0.isEmpty && !$0.success && !$0.failure }
  }
}

/// What the core's own recount says after each step.

final class InvariantsHold: DecisionChecker {
  func check(_ step: Step, _ history: History) -> Violation? {
    step.problem.map { Violation(promise: .invariants, text: $0) }
  }
}

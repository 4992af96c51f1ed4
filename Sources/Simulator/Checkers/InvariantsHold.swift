/// What the core's own recount says after each step.

final class InvariantsHold: DecisionChecker {
  let promise = Promise.invariants
  func check(_ step: Step, _ history: History) -> Violation? {
    step.problem.map { Violation(promise: promise, text: $0) }
  }
}

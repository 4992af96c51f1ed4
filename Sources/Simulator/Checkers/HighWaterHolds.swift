/// No engine ever has more outstanding tasks than hwm; 0 is no limit.

final class HighWaterHolds: DecisionChecker {
  let promise = Promise.highWater
  private let hwm: Int
  init(hwm: Int) { self.hwm = hwm }

  func check(_ decision: Fact, _ history: History, at now_ns: UInt64) -> Violation? {
    guard case .assigned(let task, let name) = decision, hwm > 0,
      let engine = history.current[name]
    else { return nil }
    let outstanding = history.engines[engine].outstanding.subtracting([task]).count
    guard outstanding >= hwm else { return nil }
    return Violation(
      promise: promise,
      text: "task \(task) goes to engine \(name), which has \(outstanding) of \(hwm)")
  }
}

/// When nothing waits or runs, nothing is held: no message, no byte of one, no task, and no
/// connection that nobody is at the other end of.

import SchedulerWire

enum MemoryAtRest {
  static func check(_ report: ExchangeReport, _ strayDescriptors: Int) -> Violation? {
    let counts = [
      ("messages", report.heldMessages), ("bytes of messages", Int(report.heldBytes)),
      ("tasks", report.core.live), ("descriptors of nothing", strayDescriptors),
    ]
    for (what, count) in counts where count != 0 {
      return Violation(promise: .memory, text: "\(count) \(what) are held at rest")
    }
    return nil
  }
}

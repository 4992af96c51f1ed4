/// Trace: a fingerprint of everything that the scheduler decided and sent, for comparing two runs,
/// and the last lines of it for a person.

import SchedulerCore

final class Trace {
  private(set) var fingerprint: UInt64 = 0xcbf2_9ce4_8422_2325
  private(set) var steps = 0
  /// The fingerprint after each thousandth step: where two runs part.
  private(set) var milestones: [UInt64] = []
  private var recent: [String] = []
  /// Lines kept; 0 keeps none, which is faster.
  var linesMax = 0

  func note(_ step: Step) {
    add(step.now_ns)
    for fact in step.told { add(fact) }
    for fact in step.decided { add(fact) }
    steps += 1
    if steps % 1000 == 0 { milestones.append(fingerprint) }
    guard linesMax > 0 else { return }
    for fact in step.told { keep("\(step.now_ns) <- \(fact)") }
    for fact in step.decided { keep("\(step.now_ns) -> \(fact)") }
  }

  func note(bytes: [UInt8], of link: Int32) {
    add(UInt64(UInt32(bitPattern: link)))
    for byte in bytes { fingerprint = (fingerprint ^ UInt64(byte)) &* 0x100_0000_01b3 }
  }

  func keep(_ line: String) {
    guard linesMax > 0 else { return }
    if recent.count >= 2 * linesMax { recent.removeFirst(linesMax) }
    recent.append(line)
  }

  var lastLines: ArraySlice<String> { recent.suffix(linesMax) }

  private func add(_ value: UInt64) {
    fingerprint = (fingerprint ^ value) &* 0x100_0000_01b3
    fingerprint ^= fingerprint >> 29
  }

  private func add(_ kind: UInt64, _ task: Int, _ engine: EngineName, _ more: UInt8 = 0) {
    add(kind << 56 | UInt64(more) << 48 | UInt64(task & 0xffff_ffff))
    add(UInt64(engine.value))
  }

  private func add(_ fact: Fact) {
    switch fact {
    case .registered(let engine): add(1, 0, engine)
    case .unregistered(let engine): add(2, 0, engine)
    case .submitted(let task, let submission):
      add(3, task, .none, UInt8(truncatingIfNeeded: submission.retries))
      for id in submission.after.ids + submission.follow.ids { add(UInt64(id)) }
    case .refused(let task): add(4, task, .none)
    case .finished(let task, let engine, let outcome): add(5, task, engine, outcome.rawValue)
    case .undeliverable(let task, let engine): add(6, task, engine)
    case .assigned(let task, let engine): add(7, task, engine)
    case .delivered(let task, let engine): add(8, task, engine)
    case .failed(let task, let reason, let detail, let engine):
      add(9, task, engine, reason.rawValue << 4 | detail.rawValue)
    case .retired(let task, let engine): add(10, task, engine)
    case .discarded(let task, let engine, let reason): add(11, task, engine, reason.rawValue)
    case .fenced(let engine): add(12, 0, engine)
    case .restoredEngine(let engine): add(13, 0, engine)
    case .restoredFinished(let task, let isCompleted, let engine):
      add(14, task, engine, isCompleted ? 1 : 0)
    case .restored(let task, let submission, let engine, let failedOn, let unmetOn):
      add(15, task, engine, UInt8(truncatingIfNeeded: submission.retries))
      for name in failedOn + unmetOn { add(UInt64(name.value)) }
    }
  }
}

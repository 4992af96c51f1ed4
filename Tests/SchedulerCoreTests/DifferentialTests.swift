/// The core against the plain model: the same random happenings, the same commands, one by one.
///
/// A failure prints the seed, the script so far and the command that replays it:
///
///     YARDMASTER_TEST_SEED=<seed> swift test --filter DifferentialTests

import Foundation
import PlainModel
import TestSupport
import Testing

@testable import SchedulerCore

@Suite("The core against a plain model (SEMANTICS 2 to 5)")
struct DifferentialTests {
  static let scripts =
    ProcessInfo.processInfo.environment["YARDMASTER_TEST_SCRIPTS"]
    .flatMap(Int.init) ?? 500

  @Test func sameCommandsAsThePlainModel() {
    if let seed = SeededGenerator.forcedSeed {
      if let difference = Self.difference(seed: seed) { report(seed, difference, all: true) }
      return
    }
    let base = UInt64.random(in: 0..<(1 << 40))
    print("differential: \(Self.scripts) scripts from seed \(base)")
    for index in 0..<Self.scripts {
      let seed = base &+ UInt64(index)
      guard let difference = Self.difference(seed: seed) else { continue }
      report(seed, difference, all: false)
      return
    }
  }

  private func report(_ seed: UInt64, _ difference: [String], all: Bool) {
    let shown = all ? difference[...] : difference.suffix(40)
    Issue.record(
      """
      \(SeededGenerator.replay("DifferentialTests", seed: seed))
      \(shown.joined(separator: "\n"))
      """)
  }

  /// The script up to the first step where the two differ, or nil.
  static func difference(seed: UInt64) -> [String]? {
    var script = Script(seed: seed)
    var model = PlainModel(script.settings)
    let core = CoreHarness(script.settings)
    var lines = ["\(script.settings)"]
    let steps = 40 + script.dice.below(160)
    for _ in 0..<steps {
      let happenings = script.next(model)
      for happening in happenings { lines.append("\(happening)") }
      let expected = model.step(happenings)
      core.step(happenings)
      let seen = core.takeSeen()
      if expected != seen {
        lines.append("  model: \(expected)")
        lines.append("  core:  \(seen)")
        return lines
      }
      for command in seen { lines.append("    \(command)") }
      if core.problem != nil { return lines + ["core: \(core.problem ?? "")"] }
    }
    return nil
  }
}

/// SeededGenerator: the random numbers of the tests, from a seed that each test prints.
///
/// Every random test draws from it. Invariant: equal seeds give equal tests, and
/// `YARDMASTER_TEST_SEED=<seed> swift test --filter <name>` replays a run.
import Foundation
import SchedulerCore

package struct SeededGenerator: RandomNumberGenerator, Sendable {
  private var bits: RandomBits

  package init(seed: UInt64) { bits = RandomBits(seed: seed) }

  /// The seed that this run was given to replay, if it was.
  package static let forcedSeed: UInt64? =
    ProcessInfo.processInfo.environment["YARDMASTER_TEST_SEED"].flatMap(UInt64.init)

  /// The seed of this run, given or fresh, printed with the command that replays it.
  ///
  /// - Parameter filter: what `swift test --filter` takes to run the caller.
  package static func announcedSeed(_ filter: String) -> UInt64 {
    let seed = forcedSeed ?? UInt64.random(in: 0 ... .max)
    print(replay(filter, seed: seed))
    return seed
  }

  /// A generator from `announcedSeed`.
  package static func announced(_ filter: String) -> SeededGenerator {
    SeededGenerator(seed: announcedSeed(filter))
  }

  /// The command that runs `filter` with `seed` again, for a failure's text.
  package static func replay(_ filter: String, seed: UInt64) -> String {
    "replay: YARDMASTER_TEST_SEED=\(seed) swift test --filter \(filter)"
  }

  package mutating func next() -> UInt64 { bits.next() }

  package mutating func bytes(_ count: Int) -> [UInt8] {
    (0..<count).map { _ in UInt8.random(in: 0...255, using: &self) }
  }

  /// True once in `odds` times.
  package mutating func oneIn(_ odds: UInt64) -> Bool { next() % odds == 0 }
}

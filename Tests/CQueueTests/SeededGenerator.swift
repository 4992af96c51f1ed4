/// Reproducible randomness for the tests of this module: splitmix64.
///
/// A random test prints its seed and the command that replays it:
/// `YARDMASTER_TEST_SEED=<seed> swift test --filter <name>`.
import Foundation

struct SeededGenerator: RandomNumberGenerator {
  private var state: UInt64

  init(seed: UInt64) { state = seed }

  /// The seed of this run, printed with the command that replays it.
  static func announced(_ test: String) -> SeededGenerator {
    let given = ProcessInfo.processInfo.environment["YARDMASTER_TEST_SEED"].flatMap { UInt64($0) }
    let seed = given ?? UInt64.random(in: 0...UInt64.max)
    print("\(test): replay with YARDMASTER_TEST_SEED=\(seed) swift test --filter \(test)")
    return SeededGenerator(seed: seed)
  }

  mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var z = state
    z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
    z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
    return z ^ (z >> 31)
  }

  mutating func bytes(_ count: Int) -> [UInt8] {
    (0..<count).map { _ in UInt8.random(in: 0...255, using: &self) }
  }
}

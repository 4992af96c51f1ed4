/// Dice: random choices from a seed, for scripts and simulations.
///
/// Invariant: the same seed gives the same choices, on every machine.

import SchedulerCore

package struct Dice: Sendable {
  private var bits: RandomBits
  package init(seed: UInt64) { bits = RandomBits(seed: seed) }

  package mutating func word() -> UInt64 { bits.next() }

  /// 0 to `count` - 1.
  package mutating func below(_ count: Int) -> Int { Int(word() % UInt64(count)) }
  /// True in `percent` of a hundred cases.
  package mutating func chance(_ percent: Int) -> Bool { below(100) < percent }
  /// True in `share` of all cases, 0 to 1.
  package mutating func chance(_ share: Double) -> Bool {
    share > 0 && Double(word() >> 11) * 0x1p-53 < share
  }
  package mutating func pick<T>(_ values: [T]) -> T { values[below(values.count)] }
  /// Between both, ends included; small values are as likely as large ones are rare: uniform in
  /// the number of digits.
  package mutating func spread(_ least: UInt64, _ most: UInt64) -> UInt64 {
    let bits = 64 - (max(1, most / max(1, least))).leadingZeroBitCount
    let top = min(most, max(1, least) << UInt64(below(bits) + 1))
    return least + word() % (top - least + 1)
  }
  /// Dice of its own for a part whose number of throws must not change the others'.
  package mutating func fork() -> Dice { Dice(seed: word()) }
}

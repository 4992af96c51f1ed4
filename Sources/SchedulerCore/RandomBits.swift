/// RandomBits: the core's only source of randomness, from a seed that is an argument. The
/// simulator's dice and the tests draw from it too.
///
/// SplitMix64 (Steele, Lea, Flood 2014): one addition and three mixes a word, equidistributed,
/// and the whole state is one word, so a run can be replayed from its seed.

package struct RandomBits: BitwiseCopyable, Sendable {
  private var state: UInt64

  package init(seed: UInt64) { state = seed }

  @inline(__always)
  package mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var z = state
    z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
    z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
    return z ^ (z >> 31)
  }

  /// The two words that a chooser takes.
  @inline(__always)
  package mutating func pair() -> (UInt64, UInt64) { (next(), next()) }
}

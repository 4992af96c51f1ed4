/// IDSet: an ordered set of task ids as a tree of bitmaps, 64 ids a word.
///
///     level 0   one bit an id
///     level k   one bit a word of level k - 1: set when that word is not zero
///
/// The queue of unconstrained waiting tasks. Insert, remove and `first` touch one word a level
/// (at most six levels), and neighbouring ids share words, so the cost does not depend on how
/// many tasks wait: a heap of a million ids would miss the cache at every level of its depth.
/// Memory: one bit for each id up to the largest one ever inserted.
///
/// Invariant: a bit of level k is set exactly when its word of level k - 1 is not zero.

struct IDSet: ~Copyable {
  // Six fixed levels reach 2^36 > 2^32 ids.
  private var level0 = PlainArray<UInt64>()
  private var level1 = PlainArray<UInt64>()
  private var level2 = PlainArray<UInt64>()
  private var level3 = PlainArray<UInt64>()
  private var level4 = PlainArray<UInt64>()
  private var level5 = PlainArray<UInt64>()
  private(set) var count = 0

  init() {
    level5.extend(to: 1, with: 0)
  }

  var memory: Int { level0.memory + level1.memory + level2.memory }

  @inline(__always)
  func contains(_ id: TaskID) -> Bool {
    let word = Int(id.value >> 6)
    return word < level0.count && level0[word] & (1 << UInt64(id.value & 63)) != 0
  }

  mutating func insert(_ id: TaskID) {
    let value = Int(id.value)
    if value >> 6 >= level0.count { makeRoom(for: value) }
    let bit = UInt64(1) << UInt64(value & 63)
    let before = level0[value >> 6]
    precondition(before & bit == 0, "id inserted twice")
    level0[value >> 6] = before | bit
    count += 1
    // A word that was not empty is known above already.
    guard before == 0 else { return }
    if Self.set(value >> 6, in: &level1) { return }
    if Self.set(value >> 12, in: &level2) { return }
    if Self.set(value >> 18, in: &level3) { return }
    if Self.set(value >> 24, in: &level4) { return }
    _ = Self.set(value >> 30, in: &level5)
  }

  mutating func remove(_ id: TaskID) {
    let value = Int(id.value)
    let bit = UInt64(1) << UInt64(value & 63)
    precondition(contains(id), "id not in the set")
    level0[value >> 6] &= ~bit
    count -= 1
    guard level0[value >> 6] == 0 else { return }
    if Self.clear(value >> 6, in: &level1) { return }
    if Self.clear(value >> 12, in: &level2) { return }
    if Self.clear(value >> 18, in: &level3) { return }
    if Self.clear(value >> 24, in: &level4) { return }
    _ = Self.clear(value >> 30, in: &level5)
  }

  /// The smallest id, or nil.
  var first: TaskID? {
    guard count > 0 else { return nil }
    var index = level5[0].trailingZeroBitCount
    index = index << 6 | level4[index].trailingZeroBitCount
    index = index << 6 | level3[index].trailingZeroBitCount
    index = index << 6 | level2[index].trailingZeroBitCount
    index = index << 6 | level1[index].trailingZeroBitCount
    index = index << 6 | level0[index].trailingZeroBitCount
    return TaskID(UInt32(index))
  }

  /// Sets a bit; true when its word was not empty before (the levels above know it).
  @inline(__always)
  private static func set(_ index: Int, in level: inout PlainArray<UInt64>) -> Bool {
    let before = level[index >> 6]
    level[index >> 6] = before | 1 << UInt64(index & 63)
    return before != 0
  }

  /// Clears a bit; true when its word is still not empty.
  @inline(__always)
  private static func clear(_ index: Int, in level: inout PlainArray<UInt64>) -> Bool {
    level[index >> 6] &= ~(1 << UInt64(index & 63))
    return level[index >> 6] != 0
  }

  @inline(never)
  private mutating func makeRoom(for value: Int) {
    level0.extend(to: (value >> 6) + 1, with: 0)
    level1.extend(to: (value >> 12) + 1, with: 0)
    level2.extend(to: (value >> 18) + 1, with: 0)
    level3.extend(to: (value >> 24) + 1, with: 0)
    level4.extend(to: (value >> 30) + 1, with: 0)
  }
}

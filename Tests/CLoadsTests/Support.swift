// What the tests of CLoads share: the seed, and a load vector on a chosen kernel.
//
// Used by every file of this target. Invariant: equal seeds give equal tests.

import CLoads
import TestSupport

/// The seed of this run, printed once with the command that replays it.
enum TestSeed {
  static let value = SeededGenerator.announcedSeed("CLoadsTests")
  static var replay: String { SeededGenerator.replay("CLoadsTests", seed: value) }
}

/// The schemes by the name that the command line gives them.
enum Scheme: String, CaseIterable {
  case leastload, lru, twobin, weighted, plainrandom

  var c: loads_scheme {
    switch self {
    case .leastload: LOADS_LEASTLOAD
    case .lru: LOADS_LRU
    case .twobin: LOADS_TWOBIN
    case .weighted: LOADS_WEIGHTED
    case .plainrandom: LOADS_PLAINRANDOM
    }
  }
}

enum Kernels {
  static let compiled = names(loads_kernel_compiled)
  static let supported = names(loads_kernel_supported)

  private static func names(_ name: (UInt32) -> UnsafePointer<CChar>?) -> [String] {
    var names: [String] = []
    while let next = name(UInt32(names.count)) {
      names.append(String(cString: next))
    }
    return names
  }
}

let none = UInt32.max
let loadMax: UInt32 = 0x1fef_ffff

/// A load vector of CLoads that uses one named kernel.
final class Vector {
  let kernel: String
  private let vector: OpaquePointer

  init(_ scheme: Scheme, hwm: UInt32 = 0, kernel: String = "scalar") {
    self.kernel = kernel
    vector = loads_create(scheme.c, hwm)
    precondition(loads_use_kernel(vector, kernel), "this CPU has no \(kernel)")
  }

  deinit { loads_destroy(vector) }

  var count: Int { Int(loads_count(vector)) }
  var available: Int { Int(loads_available(vector)) }
  var capacity: Int { Int(loads_capacity(vector)) }
  var isSound: Bool { loads_check(vector) }
  var order: [UInt32] { order(atMost: count) }

  func order(atMost limit: Int) -> [UInt32] {
    var slots = [UInt32](repeating: 0, count: limit)
    let written = loads_lru_order(vector, &slots, UInt32(limit))
    return Array(slots.prefix(Int(written)))
  }

  func useKernel(_ name: String) -> Bool { loads_use_kernel(vector, name) }
  func contains(_ slot: UInt32) -> Bool { loads_contains(vector, slot) }
  func isAvailable(_ slot: UInt32) -> Bool { loads_is_available(vector, slot) }
  func insert(_ slot: UInt32) { loads_insert(vector, slot) }
  func remove(_ slot: UInt32) { loads_remove(vector, slot) }
  func toBack(_ slot: UInt32) { loads_to_back(vector, slot) }
  func toFront(_ slot: UInt32) { loads_to_front(vector, slot) }
  func forceStamps(left: UInt32) { loads_force_stamps(vector, left) }

  subscript(slot: UInt32) -> UInt32 {
    get { loads_get(vector, slot) }
    set { loads_set(vector, slot, newValue) }
  }

  func choose(_ random: [UInt64] = [0, 0]) -> UInt32 { loads_choose(vector, random) }

  func choose(mask: [UInt64], words: Range<Int>? = nil, _ random: [UInt64] = [0, 0]) -> UInt32 {
    let range = words ?? 0..<mask.count
    return loads_choose_masked(
      vector, mask, UInt32(range.lowerBound), UInt32(range.upperBound), random)
  }
}

/// A mask of `words` words with these bits set.
func mask(_ slots: some Sequence<UInt32>, words: Int) -> [UInt64] {
  var mask = [UInt64](repeating: 0, count: words)
  for slot in slots { mask[Int(slot) / 64] |= 1 << UInt64(slot % 64) }
  return mask
}

/// A vector with the slots 0, 1, ... count - 1.
func filled(_ scheme: Scheme, _ count: Int, hwm: UInt32 = 0, kernel: String) -> Vector {
  let vector = Vector(scheme, hwm: hwm, kernel: kernel)
  for slot in 0..<UInt32(count) { vector.insert(slot) }
  return vector
}

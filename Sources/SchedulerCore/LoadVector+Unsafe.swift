/// LoadVector: CLoads' load vector and choosers, owned by one core.
///
/// All the calls into C of this module are here. Slots are small integers handed out by
/// EngineTable; see loads.h for what each call costs.

import CLoads

/// How an engine is chosen among the eligible ones (SEMANTICS 3).
public enum Scheme: String, CaseIterable, Sendable {
  case leastload, lru, twobin, weighted, plainrandom

  fileprivate var c: loads_scheme {
    switch self {
    case .leastload: LOADS_LEASTLOAD
    case .lru: LOADS_LRU
    case .twobin: LOADS_TWOBIN
    case .weighted: LOADS_WEIGHTED
    case .plainrandom: LOADS_PLAINRANDOM
    }
  }

  /// An engine that is the best of all is also the best of any subset that holds it.
  var choosesMinimum: Bool { self == .leastload || self == .lru }
}

@safe
struct LoadVector: ~Copyable {
  private let loads: OpaquePointer
  /// Eligible engines of the choice being made; all zero between choices.
  private var mask = PlainArray<UInt64>()

  init(scheme: Scheme, hwm: UInt32) {
    guard let created = unsafe loads_create(scheme.c, hwm) else {
      fatalError("out of memory: load vector")
    }
    unsafe loads = created
  }

  deinit { unsafe loads_destroy(loads) }

  var count: UInt32 { unsafe loads_count(loads) }
  var availableCount: UInt32 { unsafe loads_available(loads) }

  mutating func insert(_ slot: UInt32) { unsafe loads_insert(loads, slot) }
  mutating func remove(_ slot: UInt32) { unsafe loads_remove(loads, slot) }
  func contains(_ slot: UInt32) -> Bool { unsafe loads_contains(loads, slot) }
  @inline(__always)
  func isAvailable(_ slot: UInt32) -> Bool { unsafe loads_is_available(loads, slot) }

  /// The load of an occupied slot; above `LOADS_MAX` it reads as that.
  subscript(slot: UInt32) -> UInt32 { unsafe loads_get(loads, slot) }

  /// Sets the load and leaves the LRU order alone.
  @inline(__always)
  mutating func set(_ slot: UInt32, _ load: UInt32) { unsafe loads_set(loads, slot, load) }

  static let loadMax = UInt32(LOADS_MAX)

  mutating func moveToBack(_ slot: UInt32) { unsafe loads_to_back(loads, slot) }
  mutating func moveToFront(_ slot: UInt32) { unsafe loads_to_front(loads, slot) }

  /// The chosen slot among all available engines, or nil.
  @inline(__always)
  mutating func choose(_ random: inout RandomBits) -> UInt32? {
    var words = random.pair()
    let slot = unsafe withUnsafePointer(to: &words) { pointer in
      unsafe pointer.withMemoryRebound(to: UInt64.self, capacity: 2) {
        unsafe loads_choose(loads, $0)
      }
    }
    return slot == LOADS_NONE ? nil : slot
  }

  /// The chosen slot among the available ones of `candidates`, or nil.
  mutating func choose(among candidates: borrowing PlainArray<UInt32>, _ random: inout RandomBits)
    -> UInt32?
  {
    guard candidates.count > 0 else { return nil }
    mask.extend(to: Int(unsafe loads_capacity(loads)) / 64 + 1, with: 0)
    var low = Int.max
    var high = 0
    for index in 0..<candidates.count {
      let word = Int(candidates[index] >> 6)
      mask[word] |= 1 << UInt64(candidates[index] & 63)
      low = min(low, word)
      high = max(high, word)
    }
    let slot = chooseMasked(low, high + 1, &random)
    for index in 0..<candidates.count { mask[Int(candidates[index] >> 6)] = 0 }
    return slot
  }

  /// The chosen slot among all available ones except `excluded`, or nil.
  mutating func choose(except excluded: borrowing PlainArray<UInt32>, _ random: inout RandomBits)
    -> UInt32?
  {
    let words = Int(unsafe loads_capacity(loads)) / 64 + 1
    mask.extend(to: words, with: 0)
    for word in 0..<words { mask[word] = .max }
    for index in 0..<excluded.count {
      mask[Int(excluded[index] >> 6)] &= ~(1 << UInt64(excluded[index] & 63))
    }
    let slot = chooseMasked(0, words, &random)
    for word in 0..<words { mask[word] = 0 }
    return slot
  }

  private mutating func chooseMasked(_ first: Int, _ end: Int, _ random: inout RandomBits)
    -> UInt32?
  {
    var words = random.pair()
    let slot = unsafe withUnsafePointer(to: &words) { pointer in
      unsafe pointer.withMemoryRebound(to: UInt64.self, capacity: 2) { bits in
        unsafe mask.withPointer {
          unsafe loads_choose_masked(loads, $0, UInt32(first), UInt32(end), bits)
        }
      }
    }
    return slot == LOADS_NONE ? nil : slot
  }

  /// Occupied slots, least recently used first.
  func slotsInOrder() -> [UInt32] {
    var slots = [UInt32](repeating: 0, count: Int(count))
    let written = unsafe slots.withUnsafeMutableBufferPointer {
      unsafe loads_lru_order(loads, $0.baseAddress, UInt32($0.count))
    }
    slots.removeLast(slots.count - Int(written))
    return slots
  }

  func check() -> Bool { unsafe loads_check(loads) }
}

/// The kernel that CLoads picked for this machine, and a note when a forced one was refused.
public func loadKernel() -> (name: String, note: String?) {
  let name = unsafe String(cString: loads_kernel_name())
  let note = unsafe loads_kernel_note().map { unsafe String(cString: $0) }
  return (name, note)
}

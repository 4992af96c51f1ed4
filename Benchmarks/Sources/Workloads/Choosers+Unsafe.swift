/// The choosers over 4,096 engines, each with each kernel that this CPU supports.
///
/// `choose`: what a placement and a result cost the load vector: choose among all, load + 1, to the
/// back of the LRU order, and load - 1 of an earlier one. `masked`: choose with a mask of all
/// engines: the whole vector is looked at.

import CLoads

func chooserCases() -> [Case] {
  let schemes: [(String, loads_scheme)] = [
    ("leastload", LOADS_LEASTLOAD), ("lru", LOADS_LRU), ("twobin", LOADS_TWOBIN),
    ("weighted", LOADS_WEIGHTED), ("plainrandom", LOADS_PLAINRANDOM),
  ]
  var cases: [Case] = []
  for kernel in supportedKernels() {
    for (name, scheme) in schemes {
      // `weighted` scans even without a mask.
      let rounds = scheme == LOADS_WEIGHTED ? (1, 3) : (5, 15)
      cases.append(
        Case("Choosers", "choose-\(name)-\(kernel)", rounds: rounds) { Choose(scheme, kernel) })
      cases.append(
        Case("Choosers", "masked-\(name)-\(kernel)", rounds: (1, 3)) {
          ChooseMasked(scheme, kernel)
        })
    }
  }
  return cases
}

func supportedKernels() -> [String] {
  var names: [String] = []
  while let name = loads_kernel_supported(UInt32(names.count)) {
    names.append(String(cString: name))
  }
  return names
}

private let engineCount: UInt32 = 4096

/// Loads from 0 to 7 that are the same in every run.
private func filledVector(_ scheme: loads_scheme, _ kernel: String) -> OpaquePointer {
  guard let vector = loads_create(scheme, 0) else { preconditionFailure("memory is short") }
  precondition(loads_use_kernel(vector, kernel))
  var words = SeededWords(seed: 5)
  for slot in 0..<engineCount {
    loads_insert(vector, slot)
    loads_set(vector, slot, UInt32(words.next() % 8))
  }
  return vector
}

final class Choose: Workload {
  private let vector: OpaquePointer
  private var words = SeededWords(seed: 6)
  private var finishing: UInt32 = 0

  init(_ scheme: loads_scheme, _ kernel: String) { vector = filledVector(scheme, kernel) }
  deinit { loads_destroy(vector) }

  func round() {
    var random: [UInt64] = [0, 0]
    for _ in 0..<operationsARound {
      random[0] = words.next()
      random[1] = words.next()
      let slot = loads_choose(vector, random)
      loads_set(vector, slot, loads_get(vector, slot) + 1)
      loads_to_back(vector, slot)
      // Some engine that has a task ends one, so that loads stay as they are on average.
      repeat {
        finishing = (finishing + 1) % engineCount
      } while loads_get(vector, finishing) == 0
      loads_set(vector, finishing, loads_get(vector, finishing) - 1)
    }
  }
}

final class ChooseMasked: Workload {
  private let vector: OpaquePointer
  private let mask = [UInt64](repeating: .max, count: Int(engineCount) / 64)
  private var words = SeededWords(seed: 6)
  /// Keeps the compiler from dropping the calls.
  private(set) var sum: UInt32 = 0

  init(_ scheme: loads_scheme, _ kernel: String) { vector = filledVector(scheme, kernel) }
  deinit { loads_destroy(vector) }

  func round() {
    var random: [UInt64] = [0, 0]
    for _ in 0..<operationsARound {
      random[0] = words.next()
      random[1] = words.next()
      sum &+= loads_choose_masked(vector, mask, 0, UInt32(mask.count), random)
    }
  }
}

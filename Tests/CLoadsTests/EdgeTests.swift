// Patterns that are hard on SIMD and on trees of minima, on every kernel of this CPU.

import CLoads
import Testing

private let sizes = [1, 7, 8, 9, 63, 64, 65, 4_096, 4_097]

private func fullMask(_ count: Int) -> [UInt64] {
  [UInt64](repeating: .max, count: (count + 63) / 64)
}

@Suite struct EdgeTests {
  @Test(arguments: Scheme.allCases, Kernels.supported)
  func nothingToChoose(scheme: Scheme, kernel: String) {
    let empty = Vector(scheme, kernel: kernel)
    #expect(empty.choose([.max, .max]) == none)
    #expect(empty.choose(mask: [.max, .max], [.max, .max]) == none)
    #expect(empty.order.isEmpty && empty.capacity == 0 && empty.isSound)
    for count in sizes {
      let vector = filled(scheme, count, kernel: kernel)
      let zeros = [UInt64](repeating: 0, count: (count + 63) / 64)
      #expect(vector.choose(mask: zeros, [.max, .max]) == none)
      #expect(vector.choose(mask: [], words: 0..<0, [.max, .max]) == none)
      // A range that is empty, upside down in the C face, or past the capacity.
      #expect(vector.choose(mask: fullMask(count), words: 0..<0, [.max, .max]) == none)
      let past = zeros + [.max, .max]
      #expect(vector.choose(mask: past, words: zeros.count..<past.count, [.max, .max]) == none)
      for slot in 0..<UInt32(count) { vector.remove(slot) }
      #expect(vector.choose([.max, .max]) == none)
      #expect(vector.choose(mask: fullMask(count), [.max, .max]) == none)
      #expect(vector.isSound && vector.count == 0)
    }
  }

  /// Bits past the last engine must not matter, in the last word either.
  @Test(arguments: Scheme.allCases, Kernels.supported)
  func onlyBitsOfAbsentEngines(scheme: Scheme, kernel: String) {
    for count in sizes where count % 64 != 0 {
      let vector = filled(scheme, count, kernel: kernel)
      var bits = [UInt64](repeating: 0, count: (count + 63) / 64)
      bits[bits.count - 1] = .max << UInt64(count % 64)
      #expect(vector.choose(mask: bits, [.max, .max]) == none)
    }
  }

  @Test(arguments: Kernels.supported, sizes)
  func minimumInEveryLane(kernel: String, count: Int) {
    let vector = filled(.leastload, count, kernel: kernel)
    for slot in 0..<UInt32(count) { vector[slot] = 9 }
    let lanes = count < 100 ? Array(0..<count) : [0, 1, 62, 63, 64, 127, 128, count - 2, count - 1]
    for lane in lanes.map(UInt32.init) {
      vector[lane] = 8
      #expect(vector.choose() == lane)
      #expect(vector.choose(mask: fullMask(count)) == lane)
      // The same lane in a word that is not full: another bit away, and alone.
      let other = (lane + 1) % UInt32(count)
      if other != lane {
        var bits = fullMask(count)
        bits[Int(other / 64)] &= ~(1 << UInt64(other % 64))
        #expect(vector.choose(mask: bits) == lane)
      }
      #expect(vector.choose(mask: mask([lane], words: fullMask(count).count)) == lane)
      vector[lane] = 9
    }
    #expect(vector.isSound)
  }

  /// All loads equal: the least recently used one, wherever it stands.
  @Test(arguments: [Scheme.leastload, .lru], Kernels.supported)
  func allEqualLoads(scheme: Scheme, kernel: String) {
    for count in sizes {
      for load: UInt32 in [0, 5, loadMax] {
        let vector = filled(scheme, count, kernel: kernel)
        for slot in 0..<UInt32(count) { vector[slot] = load }
        for expected in vector.order.prefix(70) {
          #expect(vector.choose(mask: fullMask(count)) == expected)
          #expect(vector.choose() == expected)
          vector.toBack(expected)
        }
      }
    }
  }

  /// Equal lowest loads on both sides of a block's edge: the order decides, not the index.
  @Test(arguments: Kernels.supported)
  func duplicatesAcrossBlockEdges(kernel: String) {
    for edge: UInt32 in [64, 128, 4_096] {
      let count = Int(edge) + 10
      let vector = filled(.leastload, count, kernel: kernel)
      for slot in 0..<UInt32(count) { vector[slot] = 3 }
      for (early, late) in [(edge - 1, edge), (edge, edge - 1)] {
        vector[early] = 2
        vector[late] = 2
        vector.toFront(late)
        vector.toFront(early)
        #expect(vector.choose() == early)
        #expect(vector.choose(mask: fullMask(count)) == early)
        vector.toBack(early)
        #expect(vector.choose() == late)
        #expect(vector.choose(mask: fullMask(count)) == late)
        #expect(vector.isSound)
      }
    }
  }

  @Test(arguments: Scheme.allCases, Kernels.supported)
  func loadsAtTheLimits(scheme: Scheme, kernel: String) {
    let vector = filled(scheme, 66, kernel: kernel)
    for slot in 0..<UInt32(66) { vector[slot] = .max }
    #expect(vector[0] == loadMax && vector.available == 66, "saturates, and hwm 0 is no limit")
    #expect(vector.choose([1 << 40, 1 << 50]) != none)
    #expect(vector.choose(mask: [0, 2], [1 << 40, 1 << 50]) == 65)
    vector[65] = loadMax - 1
    vector.toBack(65)
    if scheme == .leastload {
      #expect(vector.choose() == 65)
      #expect(vector.choose(mask: [.max, .max]) == 65)
    }
    #expect(vector.isSound)
    // A limit that no load can reach.
    let limited = filled(scheme, 3, hwm: loadMax + 1, kernel: kernel)
    for slot in 0..<UInt32(3) { limited[slot] = .max }
    #expect(limited.available == 3 && limited.choose() != none && limited.isSound)
    let reached = filled(scheme, 3, hwm: loadMax, kernel: kernel)
    for slot in 0..<UInt32(3) { reached[slot] = .max }
    #expect(reached.available == 0 && reached.choose() == none && reached.isSound)
  }

  @Test(arguments: Scheme.allCases, Kernels.supported)
  func highWaterMark(scheme: Scheme, kernel: String) {
    for count in [1, 64, 65, 4_097] {
      let vector = filled(scheme, count, hwm: 2, kernel: kernel)
      for slot in 0..<UInt32(count) { vector[slot] = 2 }
      #expect(vector.available == 0)
      #expect(vector.choose([.max, 0]) == none)
      #expect(vector.choose(mask: fullMask(count), [.max, 0]) == none)
      let last = UInt32(count - 1)
      vector[last] = 1
      #expect(vector.isAvailable(last) && vector.available == 1)
      #expect(vector.choose([.max, 0]) == last)
      #expect(vector.choose(mask: fullMask(count), [.max, 0]) == last)
      vector[last] = 3
      #expect(!vector.isAvailable(last))
      #expect(vector.choose([.max, 0]) == none)
      vector.remove(last)
      vector.insert(last)
      #expect(vector[last] == 0 && vector.choose([.max, 0]) == last)
      #expect(vector.isSound)
    }
  }

  @Test(arguments: Scheme.allCases)
  func callsThatChangeNothing(scheme: Scheme) {
    let vector = filled(scheme, 3, kernel: Kernels.supported[0])
    vector[1] = 4
    let order = vector.order
    vector.insert(1)
    vector.remove(3)
    vector.remove(none)
    vector.insert(none)
    vector[7] = 5
    vector.toBack(3)
    vector.toFront(none)
    #expect(vector.order == order && vector[1] == 4 && vector[7] == 0 && vector.count == 3)
    #expect(vector.capacity == 3 && !vector.contains(3) && !vector.isAvailable(64_000))
    #expect(vector.order(atMost: 2) == Array(order.prefix(2)))
    #expect(vector.isSound)
  }

  @Test(arguments: Scheme.allCases, Kernels.supported)
  func slotsFarApart(scheme: Scheme, kernel: String) {
    let vector = Vector(scheme, kernel: kernel)
    let slots: [UInt32] = [70_000, 0, 63, 64, 4_095, 4_096]
    for slot in slots {
      vector.insert(slot)
      #expect(vector.isSound)
    }
    #expect(vector.capacity == 70_001 && vector.order == slots.reversed())
    for slot in slots {
      let bits = mask([slot], words: 1_094)
      #expect(vector.choose(mask: bits, [.max, 0]) == slot)
      #expect(vector.choose(mask: bits, words: Int(slot / 64)..<1_094, [.max, 0]) == slot)
      #expect(vector.choose(mask: bits, words: 0..<Int(slot / 64), [.max, 0]) == none)
    }
    for slot in slots.dropLast() { vector.remove(slot) }
    #expect(vector.choose([.max, 0]) == 4_096 && vector.capacity == 70_001)
    #expect(vector.isSound)
  }
}

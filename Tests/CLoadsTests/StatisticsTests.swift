// The random choosers against the formulas of their distributions, by chi-square with fixed seeds.

import CLoads
import Foundation
import TestSupport
import Testing

/// Pearson's statistic over bins of at least five expected hits, as a standard normal deviate
/// (Wilson and Hilferty): above 4 happens by chance once in 30,000 times.
private func deviate(_ observed: [Int], _ probabilities: [Double]) -> Double {
  let draws = Double(observed.reduce(0, +))
  var statistic = 0.0
  var bins = 0.0
  var pooledHits = 0.0
  var pooledExpected = 0.0
  func add(_ hits: Double, _ expected: Double) {
    statistic += (hits - expected) * (hits - expected) / expected
    bins += 1
  }
  for (hits, probability) in zip(observed, probabilities) {
    if probability * draws >= 5 {
      add(Double(hits), probability * draws)
    } else {
      pooledHits += Double(hits)
      pooledExpected += probability * draws
    }
  }
  if pooledExpected >= 5 {
    add(pooledHits, pooledExpected)
  } else if pooledHits > 50 {
    return .infinity
  }
  let freedom = max(bins - 1, 1)
  let spread = 2 / (9 * freedom)
  return (pow(statistic / freedom, 1.0 / 3) - (1 - spread)) / spread.squareRoot()
}

/// min of two uniform positions of n: P(i) = (2 (n - i) - 1) / n^2.
private func twobinFormula(_ count: Int) -> [Double] {
  (0..<count).map { Double(2 * (count - $0) - 1) / Double(count * count) }
}

/// Two picks of probability p = w / sum(w), the heavier of the two (the first of equals).
private func weightedFormula(_ loads: [UInt32]) -> [Double] {
  let weights = loads.map { 1 / (1e-6 + Double($0)) }
  let total = weights.reduce(0, +)
  return weights.map { mine in
    var probability = 0.0
    for other in weights {
      // Picked first, and picked second.
      probability += other <= mine ? mine * other : 0
      probability += other < mine ? other * mine : 0
    }
    return probability / (total * total)
  }
}

private let draws = 20_000

/// Engines of which every third is absent or full, so that slots, places and masks all differ.
private struct Field {
  let vector: Vector
  let mask: [UInt64]?
  /// Eligible slots in LRU order.
  var places: [UInt32]

  init(_ scheme: Scheme, _ count: Int, masked: Bool, kernel: String, loads: [UInt32] = [1]) {
    let slots = UInt32(count * 3)
    vector = Vector(scheme, hwm: 1_000_000, kernel: kernel)
    var random = SeededGenerator(seed: 4)
    for slot in 0..<slots { vector.insert(slot) }
    for slot in 0..<slots { vector[slot] = loads[Int(slot) % loads.count] }
    for slot in (0..<slots).shuffled(using: &random) { vector.toBack(slot) }
    for slot in stride(from: 0, to: slots, by: 3) {
      if slot % 2 == 0 { vector.remove(slot) } else { vector[slot] = 1_000_000 }
    }
    let bits = CLoadsTests.mask(
      (0..<slots).filter { $0 % 5 != 1 }, words: (Int(slots) + 63) / 64)
    let usable = vector.order.filter(vector.isAvailable)
    mask = masked ? bits : nil
    places = masked ? usable.filter { $0 % 5 != 1 } : usable
  }

  /// How often each place of `places` was chosen.
  func histogram(seed: UInt64) -> [Int] {
    var random = SeededGenerator(seed: seed)
    var hits: [UInt32: Int] = [:]
    for _ in 0..<draws {
      let bits = [random.next(), random.next()]
      hits[mask.map { vector.choose(mask: $0, bits) } ?? vector.choose(bits), default: 0] += 1
    }
    let histogram = places.map { hits[$0] ?? 0 }
    #expect(histogram.reduce(0, +) == draws, "something not eligible was chosen")
    return histogram
  }
}

@Suite struct StatisticsTests {
  @Test(arguments: Kernels.supported, [false, true])
  func plainrandomIsUniform(kernel: String, masked: Bool) {
    for count in [1, 5, 100] {
      let field = Field(.plainrandom, count, masked: masked, kernel: kernel)
      let uniform = [Double](
        repeating: 1 / Double(field.places.count), count: field.places.count)
      #expect(deviate(field.histogram(seed: 11), uniform) < 4)
    }
  }

  @Test(arguments: Kernels.supported, [false, true])
  func twobinPrefersTheEarlierPlaces(kernel: String, masked: Bool) {
    for count in [1, 5, 100] {
      let field = Field(.twobin, count, masked: masked, kernel: kernel)
      let histogram = field.histogram(seed: 12)
      #expect(deviate(histogram, twobinFormula(field.places.count)) < 4)
      // The test can tell: a uniform choice would not pass for this one.
      let uniform = [Double](
        repeating: 1 / Double(field.places.count), count: field.places.count)
      #expect(field.places.count == 1 || deviate(histogram, uniform) > 20)
    }
  }

  @Test(
    arguments: Kernels.supported,
    [
      [1], [1, 2], [0, 1, 2, 3, 500_000], [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 50],
      [100_000, 200_000, 300_000], [0],
    ] as [[UInt32]])
  func weightedFollowsTheFormula(kernel: String, loads: [UInt32]) {
    for masked in [false, true] {
      for count in [1, 5, 100] {
        let field = Field(.weighted, count, masked: masked, kernel: kernel, loads: loads)
        let placed = field.places.map { field.vector[$0] }
        let histogram = field.histogram(seed: 13)
        #expect(deviate(histogram, weightedFormula(placed)) < 4, "loads \(loads), \(count)")
      }
    }
  }

  /// One pick by weight, without the better of two, is another distribution and is told apart.
  @Test func weightedIsTheBetterOfTwoPicks() {
    let field = Field(.weighted, 100, masked: false, kernel: "scalar", loads: [1, 2, 3, 4, 5])
    let weights = field.places.map { 1 / Double(field.vector[$0]) }
    let total = weights.reduce(0, +)
    #expect(deviate(field.histogram(seed: 14), weights.map { $0 / total }) > 20)
  }

  /// An idle engine weighs a million times one with a task: it gets all but a few in a million.
  @Test(arguments: Kernels.supported)
  func weightedPrefersIdleEngines(kernel: String) {
    let vector = Vector(.weighted, kernel: kernel)
    for slot in 0..<UInt32(100) { vector.insert(slot) }
    for slot in 0..<UInt32(100) where slot != 42 { vector[slot] = 1 }
    var random = SeededGenerator(seed: 15)
    let hits = (0..<5_000).count { _ in vector.choose([random.next(), random.next()]) == 42 }
    #expect(hits >= 4_999)
  }
}

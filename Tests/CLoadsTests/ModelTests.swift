// Every scheme and every kernel that this CPU has, against the plain model, over random operations.

import CLoads
import TestSupport
import Testing

/// One model, one vector a kernel, driven in step.
private struct Comparison {
  let scheme: Scheme
  var model: PlainModel
  var random: SeededGenerator
  let vectors: [Vector]
  /// Draws single uniform picks from the same history, to know the two picks of twobin.
  let picker: Vector
  var slotLimit: UInt32
  var replay: String { "\(scheme) hwm \(model.hwm) size \(slotLimit): \(TestSeed.replay)" }

  init(_ scheme: Scheme, count: Int, hwm: UInt32) {
    self.scheme = scheme
    random = SeededGenerator(
      seed: TestSeed.value &+ UInt64(count) &* 31 &+ UInt64(hwm) &* 7 &+ UInt64(scheme.c.rawValue))
    model = PlainModel(hwm: hwm, count: count)
    vectors = Kernels.supported.map { Vector(scheme, hwm: hwm, kernel: $0) }
    picker = Vector(.plainrandom, hwm: hwm)
    slotLimit = UInt32(count)
    for slot in 0..<UInt32(count) { all { $0.insert(slot) } }
  }

  func all(_ change: (Vector) -> Void) {
    for vector in vectors { change(vector) }
    change(picker)
  }

  mutating func anySlot() -> UInt32 { UInt32.random(in: 0..<slotLimit + 4, using: &random) }

  mutating func set(_ slot: UInt32, _ load: UInt32) {
    model.set(slot, load)
    all { $0[slot] = load }
  }

  /// Full, empty and half words, words with few bits, and now and then nothing at all.
  mutating func anyMask() -> [UInt64] {
    let words = Int(slotLimit) / 64 + 3
    if random.oneIn(12) { return [UInt64](repeating: 0, count: words) }
    if random.oneIn(6) { return [UInt64](repeating: .max, count: words) }
    let sparse = random.oneIn(2)
    return (0..<words).map { _ in
      switch random.next() % 8 {
      case 0: UInt64.max
      case 1: random.next()
      case 2: 1 << (random.next() % 64)
      case 3: random.next() & random.next() & random.next()
      default: sparse ? 0 : random.next()
      }
    }
  }

  /// One choice, compared; the slot that the first kernel chose.
  mutating func choose(masked: Bool) -> UInt32 {
    let mask = masked ? anyMask() : nil
    var words = 0..<(mask?.count ?? 0)
    if masked && random.oneIn(3) {
      let edges = [Int.random(in: 0...words.upperBound, using: &random), words.upperBound].sorted()
      words = edges[0]..<edges[1]
    }
    let bits = [random.next(), random.next()]
    let eligible = model.eligible(mask, words)
    let pick = { (vector: Vector, bits: [UInt64]) in
      mask.map { vector.choose(mask: $0, words: words, bits) } ?? vector.choose(bits)
    }
    let allowed: Set<UInt32> =
      switch scheme {
      case .leastload: [PlainModel.leastload(eligible)]
      case .lru: [PlainModel.lru(eligible)]
      case .weighted: PlainModel.weighted(eligible, bits)
      case .twobin:
        [PlainModel.twobin(eligible, pick(picker, bits), pick(picker, [bits[1], bits[0]]))]
      case .plainrandom: eligible.isEmpty ? [none] : Set(eligible.map(\.slot))
      }
    let chosen = pick(vectors[0], bits)
    for vector in vectors {
      let answer = pick(vector, bits)
      #expect(allowed.contains(answer), "\(vector.kernel), masked \(masked); \(replay)")
      #expect(answer == chosen, "\(vector.kernel) and \(vectors[0].kernel) differ; \(replay)")
    }
    return chosen
  }

  mutating func assign(masked: Bool) {
    let slot = choose(masked: masked)
    guard slot != none else { return }
    set(slot, vectors[0][slot] + 1)
    model.toBack(slot)
    all { $0.toBack(slot) }
  }

  mutating func step() {
    let slot = anySlot()
    switch random.next() % 16 {
    case 0...4: assign(masked: false)
    case 5...7: assign(masked: true)
    case 8, 9:
      if vectors[0][slot] > 0 { set(slot, vectors[0][slot] - 1) }
    case 10:
      set(slot, [0, 1, 2, loadMax - 1, loadMax, .max][Int(random.next() % 6)])
    case 11:
      model.toFront(slot)
      all { $0.toFront(slot) }
    case 12:
      model.remove(slot)
      all { $0.remove(slot) }
    case 13, 14:
      model.insert(slot)
      all { $0.insert(slot) }
    default:
      if random.oneIn(4) {
        let left = UInt32(random.next() % 4)
        all { $0.forceStamps(left: left) }
      }
    }
  }

  /// The whole state. Not after every step: what waits for the next step must survive it.
  func compare() {
    for vector in vectors + [picker] {
      #expect(vector.isSound, "\(vector.kernel); \(replay)")
      #expect(vector.count == model.entries.count, "\(vector.kernel); \(replay)")
      #expect(vector.available == model.available.count, "\(vector.kernel); \(replay)")
      #expect(vector.order == model.entries.map(\.slot), "\(vector.kernel); \(replay)")
      #expect(model.entries.allSatisfy { vector[$0.slot] == $0.load }, "\(replay)")
      #expect(
        model.entries.allSatisfy { vector.isAvailable($0.slot) == model.isAvailable($0) },
        "\(vector.kernel); \(replay)")
    }
  }
}

@Suite struct ModelTests {
  @Test(arguments: Scheme.allCases, [0, 1, 7, 8, 9, 63, 64, 65])
  func randomOperations(scheme: Scheme, count: Int) {
    for hwm: UInt32 in [0, 1, 3] {
      var comparison = Comparison(scheme, count: count, hwm: hwm)
      for step in 0..<400 {
        comparison.step()
        if step % 17 == 0 { comparison.compare() }
      }
      comparison.compare()
    }
  }

  /// Two and three levels of minima, and blocks that are not full.
  @Test(arguments: Scheme.allCases, [200, 4_097])
  func randomOperationsOnManyEngines(scheme: Scheme, count: Int) {
    for hwm: UInt32 in [0, 2] {
      var comparison = Comparison(scheme, count: count, hwm: hwm)
      for _ in 0..<80_000 / count { comparison.step() }
      comparison.compare()
    }
  }

  @Test(arguments: Scheme.allCases)
  func randomOperationsOnAHundredThousand(scheme: Scheme) {
    var comparison = Comparison(scheme, count: 100_000, hwm: 2)
    for _ in 0..<12 { comparison.step() }
    comparison.compare()
  }

  /// The kernels against one another where the model would be too slow: a long run of assignments
  /// and results on many engines.
  @Test(arguments: [Scheme.leastload, .lru], [4_096, 100_000])
  func longRunsAgree(scheme: Scheme, count: Int) {
    var random = SeededGenerator(seed: TestSeed.value &+ UInt64(count))
    let vectors = Kernels.supported.map { Vector(scheme, hwm: 3, kernel: $0) }
    var running: [UInt32] = []
    for vector in vectors {
      for slot in 0..<UInt32(count) { vector.insert(slot) }
    }
    for _ in 0..<20_000 {
      let finishes = !running.isEmpty && random.oneIn(3)
      let place = finishes ? Int.random(in: 0..<running.count, using: &random) : 0
      let finished = finishes ? running.remove(at: place) : none
      let chosen = vectors.map { vector in
        if finishes { vector[finished] -= 1 }
        let slot = vector.choose()
        if slot != none {
          vector[slot] += 1
          vector.toBack(slot)
        }
        return slot
      }
      #expect(Set(chosen).count == 1, "\(Kernels.supported) chose \(chosen); \(TestSeed.replay)")
      if chosen[0] != none { running.append(chosen[0]) }
    }
    for vector in vectors { #expect(vector.isSound, "\(vector.kernel); \(TestSeed.replay)") }
  }
}

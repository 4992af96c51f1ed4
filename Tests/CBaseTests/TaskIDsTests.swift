/// Task ids: exact and hashed ids against a dictionary, and what they cost.
import CBase
import TestSupport
import Testing

private final class IDs {
  let table: OpaquePointer

  init(seed: UInt64 = 1) { table = task_ids_create(seed) }
  deinit { task_ids_destroy(table) }

  var count: UInt32 { task_ids_count(table) }
  var memory: Int { task_ids_memory(table) }

  func find(_ id: [UInt8]) -> UInt32 { task_ids_find(table, id, id.count) }
  func find(_ id: String) -> UInt32 { find(Array(id.utf8)) }

  /// The index, and whether it is new.
  func intern(_ id: [UInt8]) -> (index: UInt32, isNew: Bool) {
    var isNew = false
    let index = task_ids_intern(table, id, id.count, &isNew)
    return (index, isNew)
  }
  func intern(_ id: String) -> (index: UInt32, isNew: Bool) { intern(Array(id.utf8)) }
}

private let none = UInt32.max

@Suite struct TaskIDsTests {
  @Test func indexesCountUpInOrderOfFirstSight() {
    let ids = IDs()
    #expect(ids.find("a_1") == none)
    #expect(ids.intern("a_1") == (0, true))
    #expect(ids.intern("b_1") == (1, true))
    #expect(ids.intern("no number") == (2, true))
    #expect(ids.intern("a_1") == (0, false))
    #expect(ids.intern("no number") == (2, false))
    #expect(ids.intern("a_2") == (3, true))
    #expect(ids.find("b_1") == 1)
    #expect(ids.find("b_2") == none)
    #expect(ids.count == 4)
  }

  @Test func nothingIsNoID() {
    let ids = IDs()
    #expect(ids.intern("") == (none, false))
    #expect(ids.find("") == none)
    #expect(ids.count == 0)
  }

  /// Ids that a careless split would confuse.
  @Test func lookAlikesAreDifferent() {
    let ids = IDs()
    let names = [
      "a_1", "a_01", "a_001", "a_1_", "a__1", "_1", "__1", "1", "_", "__", "a_", "a", "a_0", "a_00",
      "a_999999999", "a_1000000000", "a_4294967297", "a_18446744073709551617", "a_1_2", "a_1_02",
      "a_+1", "a_-1", "a_ 1", "a_1 ", "a_1\0", "a_\0", "\0", "\0_1", "ab_1", "A_1", "a_1a", "a_10",
    ]
    for (i, name) in names.enumerated() {
      #expect(ids.intern(name) == (UInt32(i), true), "\(name)")
    }
    for (i, name) in names.enumerated() {
      #expect(ids.intern(name) == (UInt32(i), false), "\(name)")
      #expect(ids.find(name) == UInt32(i), "\(name)")
    }
  }

  @Test func prefixesOfEverySizeAndByte() {
    let ids = IDs()
    var expected: UInt32 = 0
    for size in [0, 1, 2, 7, 8, 9, 255, 256, 257, 1022, 5000] {
      for byte in [UInt8](0...255).filter({ $0 % 17 == 0 }) where size > 0 || byte == 0 {
        let id = [UInt8](repeating: byte, count: size) + Array("_7".utf8)
        #expect(ids.intern(id) == (expected, true))
        #expect(ids.find(id) == expected)
        expected += 1
      }
    }
  }

  /// An id that did not fit its run when it came, and would fit by now, is still found.
  @Test func anIDSeenOutsideTheWindowStaysKnown() {
    let ids = IDs()
    #expect(ids.intern("s_100").index == 0)
    #expect(ids.intern("s_2000").index == 1)
    #expect(ids.intern("s_3").index == 2)
    for n in 101..<1999 { #expect(ids.intern("s_\(n)").isNew) }
    #expect(ids.intern("s_2000") == (1, false))
    #expect(ids.intern("s_3") == (2, false))
    #expect(ids.find("s_2001") == none)
    #expect(ids.find("s_99") == none)
  }

  @Test func randomIDsMatchADictionary() {
    var random = SeededGenerator.announced("randomIDsMatchADictionary")
    let ids = IDs(seed: random.next())
    var model: [[UInt8]: UInt32] = [:]
    let prefixes: [[UInt8]] =
      ["", "_", "a", "a_1", "8ea740fd-85e6dbe4d8844ebf62e93b1d_28251", "x_", "ü", "0", "00"]
      .map { Array($0.utf8) } + [[0xff, 0xfe], [0]]
    for _ in 0..<200_000 {
      var id = prefixes.randomElement(using: &random)!
      switch Int.random(in: 0..<10, using: &random) {
      case 0: id += random.bytes(Int.random(in: 0...20, using: &random))
      case 1: id += "_0\(Int.random(in: 0..<300, using: &random))".utf8
      case 2: id += "_\(Int.random(in: 0..<Int.max, using: &random))".utf8
      case 3: id += "_\(Int.random(in: 0..<20_000, using: &random))_".utf8
      case 4: id += "_\(Int.random(in: 0..<1_000_000_000, using: &random))".utf8
      case 5: id += "\(Int.random(in: 0..<300, using: &random))".utf8
      default: id += "_\(Int.random(in: 0..<20_000, using: &random))".utf8
      }
      let known = model[id]
      #expect(ids.find(id) == known ?? none)
      if Int.random(in: 0..<3, using: &random) == 0 { continue }
      let (index, isNew) = ids.intern(id)
      if id.isEmpty {
        #expect(index == none && !isNew)
      } else {
        #expect(index == known ?? UInt32(model.count) && isNew == (known == nil))
        model[id] = index
      }
    }
    #expect(ids.count == UInt32(model.count))
    for (id, index) in model { #expect(ids.find(id) == index) }
  }

  /// Interns `<session>_<pid>_<n>` for `sessions` clients in turn; returns bytes an id.
  private func bytesPerConsecutiveID(total: Int, sessions: Int) -> Double {
    let ids = IDs()
    let prefixes = (0..<sessions).map {
      Array("8ea740fd-85e6dbe4d8844ebf62e9\(1000 + $0)_\(28251 + $0)_".utf8)
    }
    var wrong = 0
    for n in 0..<(total / sessions) {
      let digits = Array(String(n + 5).utf8)
      for (s, prefix) in prefixes.enumerated() {
        if ids.intern(prefix + digits) != (UInt32(n * sessions + s), true) { wrong += 1 }
      }
    }
    for n in stride(from: 0, to: total / sessions, by: 997) {
      for (s, prefix) in prefixes.enumerated() {
        if ids.find(prefix + Array(String(n + 5).utf8)) != UInt32(n * sessions + s) { wrong += 1 }
      }
    }
    #expect(wrong == 0)
    #expect(ids.count == UInt32(total))
    return Double(ids.memory) / Double(total)
  }

  @Test(arguments: [1, 1000]) func consecutiveIDsCostUnderSixBytes(sessions: Int) {
    let total = testIsOptimized ? 10_000_000 : 1_000_000
    let bytes = bytesPerConsecutiveID(total: total, sessions: sessions)
    print("\(total) ids of \(sessions) sessions: \(bytes) bytes an id")
    #expect(bytes < 6)
  }

  /// The worst shapes: each must stay linear, with a small factor.
  @Test func sparseAndRandomIDsAreBounded() {
    var random = SeededGenerator.announced("sparseAndRandomIDsAreBounded")
    let total = 100_000
    let shapes: [(String, Double, (Int) -> String)] = [
      ("one prefix, n a million apart", 60, { "s_\($0 * 9_000)" }),
      ("one prefix, every second n", 9, { "s_\($0 * 2)" }),
      ("one prefix, every tenth n", 45, { "s_\($0 * 10)" }),
      ("one prefix, n counting down", 45, { "s_\(total - $0)" }),
      ("a prefix each", 200, { "8ea740fd-85e6dbe4d8844ebf62e\($0)_28251_1" }),
      ("no number", 45, { "task \($0)" }),
    ]
    for (name, limit, make) in shapes {
      let ids = IDs(seed: random.next())
      for i in 0..<total { #expect(ids.intern(make(i)) == (UInt32(i), true)) }
      for i in 0..<total where ids.find(make(i)) != UInt32(i) { Issue.record("\(name): \(i)") }
      let bytes = Double(ids.memory) / Double(total)
      print("\(name): \(bytes) bytes an id")
      #expect(bytes < limit, "\(name)")
    }
  }
}

/// Ten million ids take a minute without optimization; then a million must do.
private let testIsOptimized: Bool = {
  var optimized = true
  assert(
    {
      optimized = false
      return true
    }())
  return optimized
}()

// A load vector that cannot be wrong: an array in LRU order, as the original keeps `targets` and
// `loads`, and choosers that read as those of ipyparallel's task_scheduler.py do.
//
// Used by the comparisons in ModelTests. Invariant: entries[0] is the least recently used.

struct PlainModel {
  struct Entry: Equatable {
    var slot: UInt32
    var load: UInt32
  }

  let hwm: UInt32
  private(set) var entries: [Entry] = []

  init(hwm: UInt32) { self.hwm = hwm }

  /// As inserting 0, 1, ... count - 1 one after the other.
  init(hwm: UInt32, count: Int) {
    self.hwm = hwm
    entries = (0..<UInt32(count)).reversed().map { Entry(slot: $0, load: 0) }
  }

  func index(of slot: UInt32) -> Int? { entries.firstIndex { $0.slot == slot } }
  func isAvailable(_ entry: Entry) -> Bool { hwm == 0 || entry.load < hwm }
  var available: [Entry] { entries.filter(isAvailable) }

  /// The engines that a task may go to, in LRU order.
  func eligible(_ mask: [UInt64]?, _ words: Range<Int>) -> [Entry] {
    guard let mask else { return available }
    return entries.filter {
      let word = Int($0.slot / 64)
      let bit = UInt64(1) << UInt64($0.slot % 64)
      return isAvailable($0) && words.contains(word) && mask[word] & bit != 0
    }
  }

  mutating func insert(_ slot: UInt32) {
    if index(of: slot) == nil { entries.insert(Entry(slot: slot, load: 0), at: 0) }
  }

  mutating func remove(_ slot: UInt32) {
    if let index = index(of: slot) { entries.remove(at: index) }
  }

  mutating func set(_ slot: UInt32, _ load: UInt32) {
    if let index = index(of: slot) { entries[index].load = min(load, loadMax) }
  }

  mutating func toBack(_ slot: UInt32) {
    if let index = index(of: slot) { entries.append(entries.remove(at: index)) }
  }

  mutating func toFront(_ slot: UInt32) {
    if let index = index(of: slot) { entries.insert(entries.remove(at: index), at: 0) }
  }

  static func lru(_ eligible: [Entry]) -> UInt32 { eligible.first?.slot ?? none }

  /// loads.index(min(loads))
  static func leastload(_ eligible: [Entry]) -> UInt32 {
    guard let lowest = eligible.map(\.load).min() else { return none }
    return eligible.first { $0.load == lowest }!.slot
  }

  /// min(a, b) of two positions, given the engines that stand there.
  static func twobin(_ eligible: [Entry], _ a: UInt32, _ b: UInt32) -> UInt32 {
    eligible.first { $0.slot == a || $0.slot == b }?.slot ?? none
  }

  /// Every answer that a weighted choice may give for these random words: prefix sums over the
  /// slots in order of their index; a pick within rounding of a boundary may fall on either side.
  static func weighted(_ eligible: [Entry], _ random: [UInt64]) -> Set<UInt32> {
    let entries = eligible.sorted { $0.slot < $1.slot }
    let weights = entries.map { 1 / (1e-6 + Double($0.load)) }
    var sums: [Double] = []
    for weight in weights { sums.append((sums.last ?? 0) + weight) }
    guard let total = sums.last else { return [none] }
    func picks(_ bits: UInt64) -> Set<Int> {
      let target = Double(bits >> 11) * 0x1p-53 * total
      let rounding = total * 1e-12
      return Set(
        [target - rounding, target, target + rounding].map { edge in
          sums.firstIndex { $0 >= min(max(edge, 0), total) }!
        })
    }
    var answers: Set<UInt32> = []
    for a in picks(random[0]) {
      for b in picks(random[1]) {
        answers.insert(entries[weights[b] > weights[a] ? b : a].slot)
      }
    }
    return answers
  }
}

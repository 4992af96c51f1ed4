/// The core's data structures against plain ones, with random operations, and the sizes of what
/// there is one of for each task.

import PlainModel
import TestSupport
import Testing

@testable import SchedulerCore

@Suite("Structures against plain models")
struct StructureTests {
  static let seed = SeededGenerator.announcedSeed("StructureTests")

  @Test("IDSet is an ordered set") func idSet() {
    var dice = Dice(seed: Self.seed)
    // Ids at the edges of words of every level; the largest costs 38 MB, so it comes once.
    let edges: [UInt32] = [
      0, 1, 63, 64, 65, 4095, 4096, 4097, 262_143, 262_144, 16_777_215, 16_777_216,
    ]
    var set = IDSet()
    var plain: Set<UInt32> = []
    for round in 0..<6000 {
      let id: UInt32 =
        switch dice.below(3) {
        case 0: dice.pick(edges)
        case 1: UInt32(dice.below(200))
        default: UInt32(dice.below(300_000))
        }
      if plain.contains(id) {
        set.remove(TaskID(id))
        plain.remove(id)
      } else {
        set.insert(TaskID(id))
        plain.insert(id)
      }
      #expect(set.contains(TaskID(id)) == plain.contains(id))
      #expect(set.count == plain.count)
      if round % 8 == 0 { #expect(set.first?.value == plain.min()) }
    }
    while let first = set.first {
      #expect(first.value == plain.min())
      plain.remove(first.value)
      set.remove(first)
    }
    #expect(plain.isEmpty && !set.contains(TaskID(.max)))
  }

  @Test("IDSet reaches ids of 2^28 and their neighbours") func idSetIsWide() {
    var set = IDSet()
    for id in [1 << 28, 1 << 28 - 1, 5] as [UInt32] { set.insert(TaskID(id)) }
    for id in [5, 1 << 28 - 1, 1 << 28] as [UInt32] {
      #expect(set.first == TaskID(id))
      set.remove(TaskID(id))
    }
    #expect(set.first == nil)
  }

  @Test("TaskHeap gives the oldest first, and compacts to one entry a task") func taskHeap() {
    var dice = Dice(seed: Self.seed &+ 1)
    var heap = TaskHeap()
    var plain: [UInt32] = []
    for _ in 0..<4000 {
      switch dice.below(10) {
      case 0..<6:
        let id = UInt32(dice.below(500))
        heap.push(TaskID(id))
        plain.append(id)
      case 6..<9:
        heap.pop()
        if let least = plain.min(), let index = plain.firstIndex(of: least) {
          plain.remove(at: index)
        }
      default:
        heap.compact { $0.value % 3 != 0 }
        plain = Array(Set(plain.filter { $0 % 3 != 0 }))
      }
      #expect(heap.count == plain.count && heap.isEmpty == plain.isEmpty)
      #expect(heap.top?.value == plain.min())
    }
    #expect(heap.all.map(\.value).sorted() == plain.sorted())
  }

  @Test("TaskHeap asks for compaction when it has doubled, not sooner") func taskHeapCompaction() {
    var heap = TaskHeap()
    for id in 0..<64 as Range<UInt32> {
      #expect(!heap.needsCompaction)
      heap.push(TaskID(id))
    }
    #expect(heap.needsCompaction)
    heap.compact { _ in true }
    for id in 64..<128 as Range<UInt32> {
      #expect(!heap.needsCompaction)
      heap.push(TaskID(id))
    }
    #expect(heap.needsCompaction)
    heap.compact { _ in false }
    #expect(heap.isEmpty && !heap.needsCompaction)
  }

  @Test("DeadlineHeap gives the earliest first and forgets what is cancelled") func deadlineHeap() {
    var dice = Dice(seed: Self.seed &+ 2)
    var heap = DeadlineHeap()
    var plain: [UInt32: Deadline] = [:]
    for _ in 0..<6000 {
      let owner = UInt32(dice.below(300))
      if dice.chance(40), let first = heap.first {
        heap.cancel(owner: first.owner)
        plain[first.owner] = nil
      } else if plain[owner] != nil || dice.chance(20) {
        heap.cancel(owner: owner)
        plain[owner] = nil
      } else {
        // Few different times, so that ties are common.
        let deadline = Deadline(time_ns: UInt64(dice.below(50)), tie: 1000 - owner, owner: owner)
        heap.insert(deadline)
        plain[owner] = deadline
      }
      let least = plain.values.min { $0.isBefore($1) }
      #expect(heap.first?.owner == least?.owner && heap.count == plain.count)
      #expect(heap.contains(owner: owner) == (plain[owner] != nil))
    }
    let isHeap = heap.check()
    #expect(isHeap)
  }

  @Test("ListPool keeps lists apart and uses freed nodes again") func listPool() {
    var pool = ListPool()
    var one = nowhere
    var other = nowhere
    for round in 0..<10 {
      for value in 0..<20 as Range<UInt32> {
        pool.push(value, onto: &one)
        pool.push(100 + value, onto: &other)
      }
      #expect(pool.contains(19, in: one) && !pool.contains(100, in: one))
      #expect(pool.contains(100, in: other) && !pool.contains(7, in: other))
      let memory = pool.memory
      pool.removeAll(&one)
      #expect(one == nowhere && pool.used == 20)
      for value in 0..<20 as Range<UInt32> { pool.push(value, onto: &one) }
      #expect(pool.memory == memory && round >= 0)
      pool.removeAll(&one)
      pool.removeAll(&other)
      #expect(pool.used == 0)
    }
  }

  /// What there is one of for each task or engine. Raising one of these raises the memory of
  /// every waiting and running task (LiveTask, Edge), of every task ever seen (Fate), of every
  /// registration ever (Engine), or what a turn moves through the cache (Event, Command).
  @Test("the sizes of hot structs are pinned") func sizes() {
    // 96 bytes: one and a half cache lines; two more 4-byte fields still cost nothing.
    #expect(MemoryLayout<LiveTask>.stride == 96)
    #expect(MemoryLayout<Fate>.stride == 4)
    #expect(MemoryLayout<Edge>.stride == 24)
    #expect(MemoryLayout<ListNode>.stride == 8)
    #expect(MemoryLayout<Deadline>.stride == 16)
    #expect(MemoryLayout<Engine>.stride == 32)
    #expect(MemoryLayout<Event>.stride == 72)
    #expect(MemoryLayout<Command>.stride == 20)
    #expect(MemoryLayout<DependencyRule>.stride == 1)
  }

  @Test("a fate says what became of a task, and where") func fates() {
    #expect(Fate.live(0).isLive && Fate.live(7).slot == 7)
    #expect(Fate.completed(on: 5).isCompleted && Fate.completed(on: 5).engine == 5)
    #expect(!Fate.failed(on: 5).isCompleted && !Fate.failed(on: 5).isLive)
    #expect(Fate.failedNowhere.engine == nowhere && !Fate.failedNowhere.isLive)
    #expect(Fate.failed(on: Fate.limit - 1).engine == Fate.limit - 1)
  }
}

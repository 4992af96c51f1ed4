/// TaskHeap: the waiting tasks that name one engine (or avoid one set of engines), oldest first.
///
/// A binary heap of task ids. A task may stand in several heaps (one for each of its targets) and
/// may leave the queue by another door (a timeout, another engine), so entries are hints: whoever
/// looks at the top checks that the task still waits there and drops it if not. `compact` throws
/// stale entries away before they can outnumber the live ones.
///
/// Invariant: each entry is not smaller than its parent.

struct TaskHeap {
  private var entries: [TaskID] = []
  /// Compact when this many entries are reached; twice what the last compaction left.
  private var compactionCount = 64

  var count: Int { entries.count }
  var isEmpty: Bool { entries.isEmpty }
  var top: TaskID? { entries.first }
  var needsCompaction: Bool { entries.count >= compactionCount }
  /// In no useful order.
  var all: [TaskID] { entries }

  mutating func push(_ task: TaskID) {
    entries.append(task)
    var child = entries.count - 1
    while child > 0 {
      let parent = (child - 1) / 2
      if entries[parent] <= task { break }
      entries[child] = entries[parent]
      child = parent
    }
    entries[child] = task
  }

  mutating func pop() {
    guard let last = entries.popLast(), !entries.isEmpty else { return }
    var parent = 0
    while true {
      var child = 2 * parent + 1
      if child >= entries.count { break }
      if child + 1 < entries.count && entries[child + 1] < entries[child] { child += 1 }
      if last <= entries[child] { break }
      entries[parent] = entries[child]
      parent = child
    }
    entries[parent] = last
  }

  /// Keeps one entry of each task for which `isLive` holds.
  mutating func compact(_ isLive: (TaskID) -> Bool) {
    entries.sort()
    var kept: [TaskID] = []
    for task in entries where kept.last != task && isLive(task) { kept.append(task) }
    entries = kept  // sorted, therefore a heap
    compactionCount = max(64, 2 * entries.count)
  }
}

/// DeadlineHeap: what is due when. One holds the waiting tasks' timeouts, one the grace periods
/// of engines that went away.
///
/// A 4-ary heap ordered by time, then by `tie` so that equal times are deterministic. It knows the
/// position of each owner's entry, so that cancelling is O(log n) and nothing stale stays behind.
///
/// Invariant: `entries[i]` is not before its parent, and `positions[entries[i].owner] == i`.

struct Deadline: BitwiseCopyable {
  var time_ns: UInt64
  /// Orders equal times: a task's id, an engine's incarnation.
  var tie: UInt32
  /// A small index (a live task's slot, an engine's incarnation) with at most one entry.
  var owner: UInt32

  @inline(__always)
  func isBefore(_ other: Deadline) -> Bool {
    time_ns != other.time_ns ? time_ns < other.time_ns : tie < other.tie
  }
}

struct DeadlineHeap: ~Copyable {
  private var entries = PlainArray<Deadline>()
  private var positions = PlainArray<UInt32>()

  var count: Int { entries.count }
  var first: Deadline? { entries.isEmpty ? nil : entries[0] }
  var memory: Int { entries.memory + positions.memory }

  @inline(__always)
  func contains(owner: UInt32) -> Bool {
    Int(owner) < positions.count && positions[owner] != nowhere
  }

  mutating func insert(_ deadline: Deadline) {
    positions.extend(to: Int(deadline.owner) + 1, with: nowhere)
    precondition(positions[deadline.owner] == nowhere, "owner has a deadline already")
    entries.append(deadline)
    siftUp(entries.count - 1, deadline)
  }

  /// Removes the owner's entry if there is one.
  @inline(__always)
  mutating func cancel(owner: UInt32) {
    if contains(owner: owner) { remove(owner: owner) }
  }

  private mutating func remove(owner: UInt32) {
    let hole = Int(positions[owner])
    positions[owner] = nowhere
    let last = entries.removeLast()
    guard hole < entries.count else { return }
    if hole > 0 && last.isBefore(entries[(hole - 1) / 4]) {
      siftUp(hole, last)
    } else {
      siftDown(hole, last)
    }
  }

  private mutating func place(_ deadline: Deadline, at position: Int) {
    entries[position] = deadline
    positions[deadline.owner] = UInt32(position)
  }

  private mutating func siftUp(_ start: Int, _ deadline: Deadline) {
    var child = start
    while child > 0 {
      let parent = (child - 1) / 4
      if !deadline.isBefore(entries[parent]) { break }
      place(entries[parent], at: child)
      child = parent
    }
    place(deadline, at: child)
  }

  private mutating func siftDown(_ start: Int, _ deadline: Deadline) {
    var parent = start
    while true {
      let firstChild = 4 * parent + 1
      if firstChild >= entries.count { break }
      var least = firstChild
      for child in firstChild..<min(firstChild + 4, entries.count)
      where entries[child].isBefore(entries[least]) { least = child }
      if !entries[least].isBefore(deadline) { break }
      place(entries[least], at: parent)
      parent = least
    }
    place(deadline, at: parent)
  }

  /// True when the heap order and the positions hold.
  func check() -> Bool {
    for index in 0..<entries.count {
      if positions[entries[index].owner] != UInt32(index) { return false }
      if index > 0 && entries[index].isBefore(entries[(index - 1) / 4]) { return false }
    }
    return true
  }
}

/// FairLines: the tasks that wait for one thing, a line for each client, for a scheduler that
/// serves its clients in turn (`CoreOptions.fairClients`).
///
///     lines     a heap of clients, by (turn, oldest task)
///       line    a heap of the client's tasks, oldest first
///
/// A client's turn lies in the core and only grows, with each task of its that starts. A line keeps
/// the turn that it was last seen with: the heap is put right where it is looked at, at the top, so
/// that a start costs O(log clients) once for each queue that its client leads, and nothing else.
///
/// Invariant: no line is empty; a line's turn is at most its client's; `lines` is a heap by what
/// the lines say, and `places[lines[i].client] == i`.

final class FairLines {
  private struct Line {
    var client: ClientName
    var turn: UInt64
    var tasks: TaskHeap

    func isBefore(_ other: Line) -> Bool {
      turn != other.turn ? turn < other.turn : tasks.top! < other.tasks.top!
    }
  }

  private var lines: [Line] = []
  private var places: [ClientName: Int] = [:]
  private(set) var count = 0
  /// Compact when this many entries are reached; twice what the last compaction left.
  private var compactionCount = 64

  var needsCompaction: Bool { count >= compactionCount }

  var all: [TaskID] { lines.flatMap { $0.tasks.all } }

  func push(_ task: TaskID, of client: ClientName, turn: UInt64) {
    count += 1
    if let place = places[client] {
      lines[place].tasks.push(task)
      siftUp(place)
    } else {
      var tasks = TaskHeap()
      tasks.push(task)
      lines.append(Line(client: client, turn: turn, tasks: tasks))
      places[client] = lines.count - 1
      siftUp(lines.count - 1)
    }
  }

  /// The oldest task of the client whose turn it is; `turns` by client.
  func top(_ turns: borrowing PlainArray<UInt64>) -> TaskID? {
    while let first = lines.first {
      let turn = turns[first.client.value]
      if first.turn == turn { return first.tasks.top }
      lines[0].turn = turn
      siftDown(0)
    }
    return nil
  }

  /// Takes away what `top` gave.
  func pop() {
    guard !lines.isEmpty else { return }
    count -= 1
    lines[0].tasks.pop()
    if !lines[0].tasks.isEmpty { return siftDown(0) }
    places[lines[0].client] = nil
    let last = lines.removeLast()
    guard !lines.isEmpty else { return }
    lines[0] = last
    siftDown(0)
  }

  /// Keeps one entry of each task for which `isLive` holds.
  func compact(_ isLive: (TaskID) -> Bool) {
    for index in lines.indices { lines[index].tasks.compact(isLive) }
    lines.removeAll { $0.tasks.isEmpty }
    lines.sort { $0.isBefore($1) }  // sorted, therefore a heap
    places.removeAll(keepingCapacity: true)
    count = 0
    for (index, line) in lines.enumerated() {
      places[line.client] = index
      count += line.tasks.count
    }
    compactionCount = max(64, 2 * count)
  }

  private func swapLines(_ a: Int, _ b: Int) {
    lines.swapAt(a, b)
    places[lines[a].client] = a
    places[lines[b].client] = b
  }

  private func siftUp(_ start: Int) {
    var child = start
    while child > 0 {
      let parent = (child - 1) / 2
      guard lines[child].isBefore(lines[parent]) else { break }
      swapLines(child, parent)
      child = parent
    }
    places[lines[child].client] = child
  }

  private func siftDown(_ start: Int) {
    var parent = start
    while true {
      var child = 2 * parent + 1
      if child >= lines.count { break }
      if child + 1 < lines.count && lines[child + 1].isBefore(lines[child]) { child += 1 }
      guard lines[child].isBefore(lines[parent]) else { break }
      swapLines(child, parent)
      parent = child
    }
    places[lines[parent].client] = parent
  }

  /// True when what the file's head says holds.
  func check(_ turns: borrowing PlainArray<UInt64>) -> Bool {
    var entries = 0
    for (index, line) in lines.enumerated() {
      entries += line.tasks.count
      if line.tasks.isEmpty || places[line.client] != index { return false }
      if line.turn > turns[line.client.value] { return false }
      if index > 0 && line.isBefore(lines[(index - 1) / 2]) { return false }
    }
    return entries == count && places.count == lines.count
  }
}

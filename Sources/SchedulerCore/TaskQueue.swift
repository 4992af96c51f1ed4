/// TaskQueue: the ready tasks that wait for one thing: one engine, any but one set of engines, or
/// their turn in the step being made. The oldest first, or clients in turn.
///
/// Entries are hints, as TaskHeap says.
///
/// Invariant: one of the two is empty, and it is the same one in all queues of a core. Owned by one
/// variable: a copy would share the lines.

struct TaskQueue {
  private var byAge = TaskHeap()
  private var byClient: FairLines?

  /// What is pushed: a task, and when it is served.
  struct Entry {
    var task: TaskID
    /// Nil: by its age alone.
    var line: (client: ClientName, turn: UInt64)?
  }

  var isEmpty: Bool { byAge.isEmpty && byClient == nil }
  /// In no useful order.
  var all: [TaskID] { byClient?.all ?? byAge.all }
  var needsCompaction: Bool { byClient?.needsCompaction ?? byAge.needsCompaction }

  @inline(__always)
  mutating func push(_ entry: Entry) {
    if let line = entry.line { return push(entry.task, line.client, line.turn) }
    byAge.push(entry.task)
  }

  @inline(never)
  private mutating func push(_ task: TaskID, _ client: ClientName, _ turn: UInt64) {
    let lines = byClient ?? FairLines()
    byClient = lines
    lines.push(task, of: client, turn: turn)
  }

  /// Who is served next; `turns` by client.
  @inline(__always)
  func top(_ turns: borrowing PlainArray<UInt64>) -> TaskID? {
    if byClient == nil { return byAge.top }
    return topInTurn(turns)
  }

  @inline(never)
  private func topInTurn(_ turns: borrowing PlainArray<UInt64>) -> TaskID? { byClient?.top(turns) }

  /// Takes away what `top` gave.
  @inline(__always)
  mutating func pop() {
    if byClient == nil { return byAge.pop() }
    popInTurn()
  }

  @inline(never)
  private mutating func popInTurn() {
    byClient?.pop()
    if byClient?.count == 0 { byClient = nil }
  }

  /// Keeps one entry of each task for which `isLive` holds.
  mutating func compact(_ isLive: (TaskID) -> Bool) {
    byAge.compact(isLive)
    byClient?.compact(isLive)
    if byClient?.count == 0 { byClient = nil }
  }

  func check(_ turns: borrowing PlainArray<UInt64>) -> Bool { byClient?.check(turns) ?? true }
}

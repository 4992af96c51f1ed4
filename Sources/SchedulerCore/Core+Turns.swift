/// Turns: with `fairClients`, whose task starts next when several wait.
///
/// Each client has a number, its turn. The client with the smallest one is served, its oldest task
/// that can start; equal turns are served oldest task first. A start raises the turn:
///
///     clock = max(clock, turn)      turn = clock + 1
///
/// so clients who all wait are served one task each, round by round, however many each has; and who
/// was away, or could not be served, comes back to the present round, with nothing saved up.
/// A run that is repeated (a retry, a lost engine) is a start, too.
///
/// Without the option nobody has a turn, and age alone decides.

extension SchedulerCore {
  @inline(__always)
  func entry(_ slot: UInt32) -> TaskQueue.Entry {
    TaskQueue.Entry(task: live[slot].id, line: isFair ? line(slot) : nil)
  }

  func entry(of task: TaskID) -> TaskQueue.Entry { entry(fates[task.value].slot) }

  private func line(_ slot: UInt32) -> (client: ClientName, turn: UInt64) {
    (live[slot].client, turns[live[slot].client.value])
  }

  /// A client that submits has a turn from then on.
  mutating func noteClient(_ client: ClientName) {
    turns.extend(to: Int(client.value) + 1, with: 0)
  }

  /// The task starts.
  mutating func takeTurn(_ slot: UInt32) {
    let client = live[slot].client.value
    clock = max(clock, turns[client])
    turns[client] = clock + 1
  }

  /// Whether a live task is served before another (nil: nobody).
  @inline(__always)
  func isBefore(_ task: TaskID, _ other: TaskID?) -> Bool {
    guard let other else { return true }
    return isFair ? isBeforeInTurn(task, other) : task < other
  }

  private func isBeforeInTurn(_ task: TaskID, _ other: TaskID) -> Bool {
    let turn = turns[live[fates[task.value].slot].client.value]
    let otherTurn = turns[live[fates[other.value].slot].client.value]
    return turn != otherTurn ? turn < otherTurn : task < other
  }
}

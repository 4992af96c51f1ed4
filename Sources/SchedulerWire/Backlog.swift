/// Backlog: how many tasks each client has that wait or run, and which clients are not read because
/// of it. Owned by the exchange.
///
/// A client that has more than there is room left (of `Limits.waitingTasks`, or `.waitingBytes`) is
/// not read until it has half of that. So one client alone fills half of the limit, two a third
/// each, and there is room for one that comes; and whoever has nothing can always submit something.
///
/// Nobody waits for what has not been read: a task's `after` and `follow` may only name tasks that
/// were accepted before it (others are invalid), so what was accepted can run without anything more
/// being accepted, and room comes back. What can never run (no engine ever comes, an engine in
/// `targets` never has time) holds its client's place until its `timeout`.
///
/// Invariant: the sums are those over all clients, and `resting` holds each client once that is not
/// read. With limits in force a sum exceeds its limit by what one turn brings, and a task a client.

import CBase

struct Backlog {
  private struct Share {
    var tasks: UInt64 = 0
    var bytes: UInt64 = 0
    var rests = false
  }

  private let limits: Limits
  private(set) var tasks: UInt64 = 0
  private(set) var bytes: UInt64 = 0
  /// By atom.
  private var shares: [Share] = []
  private(set) var resting: [atom] = []
  /// Times that a client began not to be read.
  private(set) var restCount: UInt64 = 0

  init(_ limits: Limits) { self.limits = limits }

  /// Whether there are as many as allowed, over all clients: for a transport that cannot leave one
  /// client unread. `wasFull`: it stays so until half of the limit.
  func isFull(_ wasFull: Bool) -> Bool {
    tasks >= (wasFull ? limits.waitingTasks / 2 : limits.waitingTasks)
      || bytes >= (wasFull ? limits.waitingBytes / 2 : limits.waitingBytes)
  }

  /// A task was accepted. True: its client has too many now.
  mutating func add(_ client: atom, bytes added: UInt64) -> Bool {
    let index = Int(client)
    if index >= shares.count { makeRoom(index) }
    shares[index].tasks += 1
    shares[index].bytes += added
    tasks += 1
    bytes += added
    return shares[index].tasks > room(limits.waitingTasks, tasks)
      || shares[index].bytes > room(limits.waitingBytes, bytes)
  }

  /// It has ended.
  mutating func remove(_ client: atom, bytes removed: UInt64) {
    shares[Int(client)].tasks -= 1
    shares[Int(client)].bytes -= removed
    tasks -= 1
    bytes -= removed
  }

  /// It is not read from now on. False: it was not before.
  mutating func rest(_ client: atom) -> Bool {
    guard !shares[Int(client)].rests else { return false }
    shares[Int(client)].rests = true
    resting.append(client)
    restCount += 1
    return true
  }

  /// Takes out one client that may be read again; nil when there is none. O(resting).
  mutating func nextToRead() -> atom? {
    guard let index = resting.firstIndex(where: { mayBeRead($0) }) else { return nil }
    let client = resting[index]
    resting.swapAt(index, resting.count - 1)
    resting.removeLast()
    shares[Int(client)].rests = false
    return client
  }

  private func mayBeRead(_ client: atom) -> Bool {
    let share = shares[Int(client)]
    return share.tasks == 0
      || share.tasks <= room(limits.waitingTasks, tasks) / 2
        && share.bytes <= room(limits.waitingBytes, bytes) / 2
  }

  private func room(_ limit: UInt64, _ used: UInt64) -> UInt64 { limit > used ? limit - used : 0 }

  @inline(never)
  private mutating func makeRoom(_ index: Int) {
    shares += Array(repeating: Share(), count: max(64, shares.count, index + 1 - shares.count))
  }

  /// Nil, or how the sums are wrong; `live`: the core's.
  func problem(live: Int) -> String? {
    let tasksSeen = shares.reduce(0) { $0 + $1.tasks }
    let bytesSeen = shares.reduce(0) { $0 + $1.bytes }
    if tasks != UInt64(live) || tasksSeen != tasks || bytesSeen != bytes {
      return "\(live) tasks live, \(tasks) counted, \(tasksSeen) over all clients; "
        + "\(bytes) bytes counted, \(bytesSeen) over all clients"
    }
    let rests = shares.indices.filter { shares[$0].rests }
    return rests == resting.map(Int.init).sorted() ? nil : "the wrong clients rest"
  }
}

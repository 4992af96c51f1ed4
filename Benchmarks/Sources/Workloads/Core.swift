/// The core's cases that are a steady flow of tasks: one operation is a task's whole life, that is
/// submission, placement and result. Graphs are in CoreGraphs.swift.

import SchedulerCore

func coreCases() -> [Case] {
  var cases: [Case] = []
  for engines in [16, 4096, 100_000] {
    cases.append(Case("Core", "flow-\(engines)") { Flow(engines: engines, scheme: .leastload) })
  }
  cases.append(Case("Core", "flow-lru-4096") { Flow(engines: 4096, scheme: .lru) })
  for waiting in [10, 1_000_000] {
    cases.append(Case("Core", "waiting-\(waiting)") { Waiting(waiting) })
  }
  for engines in [16, 4096] {
    cases.append(Case("Core", "targets-\(engines)") { Targets(engines: engines) })
  }
  cases.append(Case("Core", "retry-16") { Retry(engines: 16) })
  return cases + coreGraphCases()
}

/// Runs in the order they were assigned, in a ring: as many start as finish.
struct Ring {
  private(set) var runs: [Player.Run] = []
  private var cursor = 0
  private var hole = 0

  mutating func add(_ run: Player.Run) { runs.append(run) }

  @inline(__always)
  mutating func takeOldest() -> Player.Run {
    let run = runs[cursor]
    cursor = cursor + 1 == runs.count ? 0 : cursor + 1
    return run
  }

  @inline(__always)
  mutating func replace(_ run: Player.Run) {
    runs[hole] = run
    hole = hole + 1 == runs.count ? 0 : hole + 1
  }

  /// As many were put back as taken: anything else means that the case no longer does its work.
  func checkFull() { precondition(cursor == hole, "a step started more or fewer than it ended") }
}

/// Half of the engines are busy, none is full, nothing waits: 50 results, then 50 submissions.
final class Flow: Workload {
  private let player: Player
  private var ring = Ring()

  init(engines: Int, scheme: Scheme) {
    player = Player(engines: engines, hwm: 0, scheme: scheme)
    for _ in 0..<max(64, engines / 2) { player.submit() }
    player.step()
    player.forEachAssigned { ring.add($0) }
  }

  func round() {
    let batch = 50
    for _ in 0..<operationsARound / batch {
      for _ in 0..<batch { player.finish(ring.takeOldest()) }
      for _ in 0..<batch { player.submit() }
      player.step()
      player.forEachAssigned { ring.replace($0) }
      ring.checkFull()
    }
  }
}

/// 16 engines with one task each, and always `waiting` tasks in the queue.
final class Waiting: Workload {
  private let player = Player(engines: 16, hwm: 1)
  private var ring = Ring()

  init(_ waiting: Int) {
    for _ in 0..<(16 + waiting) { player.submit() }
    player.step()
    player.forEachAssigned { ring.add($0) }
    precondition(player.liveCount == 16 + waiting)
  }

  func round() {
    let batch = 8
    for _ in 0..<operationsARound / batch {
      for _ in 0..<batch { player.finish(ring.takeOldest()) }
      for _ in 0..<batch { player.submit() }
      player.step()
      player.forEachAssigned { ring.replace($0) }
      ring.checkFull()
    }
  }
}

/// Every task names one engine; each engine runs one and has four more waiting for it.
final class Targets: Workload {
  private let player: Player
  private let engines: UInt32
  private let batch: Int
  private var ring = Ring()

  init(engines: Int) {
    player = Player(engines: engines, hwm: 1)
    self.engines = UInt32(engines)
    batch = min(50, engines / 2)
    for _ in 0..<5 * engines { submitNamed() }
    player.step()
    player.forEachAssigned { ring.add($0) }
    precondition(ring.runs.count == engines)
  }

  private func submitNamed() {
    let first = UInt32(player.lists.count)
    player.lists.append(1 + player.nextTask % engines)
    player.submit(targets: ListRange(first: first, count: 1))
  }

  func round() {
    for _ in 0..<operationsARound / batch {
      for _ in 0..<batch { player.finish(ring.takeOldest()) }
      for _ in 0..<batch { submitNamed() }
      player.step()
      player.forEachAssigned { ring.replace($0) }
      ring.checkFull()
    }
  }
}

/// Every task fails on its first engine and completes on another.
final class Retry: Workload {
  private let player: Player
  private var runs: [Player.Run] = []

  init(engines: Int) { player = Player(engines: engines, hwm: 0) }

  private func collect(_ count: Int) {
    runs.removeAll(keepingCapacity: true)
    player.forEachAssigned { runs.append($0) }
    precondition(runs.count == count)
  }

  func round() {
    let batch = 50
    for _ in 0..<operationsARound / batch {
      for _ in 0..<batch { player.submit(retries: 1) }
      player.step()
      collect(batch)
      for run in runs { player.finish(run, .failed) }
      player.step()
      collect(batch)
      for run in runs { player.finish(run) }
      player.step()
    }
  }
}

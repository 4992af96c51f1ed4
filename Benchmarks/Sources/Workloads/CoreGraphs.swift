/// The core's cases with dependencies: each round is one graph of 1,000 tasks, begun and ended.
/// One operation is one task of it.

import SchedulerCore

func coreGraphCases() -> [Case] {
  [
    Case("Core", "chain-1000") { Chain(fails: false) },
    Case("Core", "chain-fails-1000") { Chain(fails: true) },
    Case("Core", "fan-1000") { Fan() },
    Case("Core", "dag-1000") { RandomGraph() },
  ]
}

/// Each task after the one before, on one engine. `fails`: the first does, and so do the rest.
final class Chain: Workload {
  private let player = Player(engines: 1, hwm: 1)
  private let fails: Bool

  init(fails: Bool) { self.fails = fails }

  func round() {
    let first = player.nextTask
    player.submit()
    for index in 1..<UInt32(operationsARound) {
      player.lists.append(first + index - 1)
      player.submit(after: ListRange(first: index - 1, count: 1))
    }
    player.step()
    for index in 0..<UInt32(fails ? 1 : operationsARound) {
      let run = Player.Run(task: TaskID(first + index), engine: EngineName(1))
      player.finish(run, fails ? .failed : .completed)
    }
    player.step()
    precondition(player.liveCount == 0)
  }
}

/// One task, and all others after it, on 16 engines.
final class Fan: Workload {
  private let player = Player(engines: 16, hwm: 0)
  private var runs: [Player.Run] = []

  func round() {
    player.lists.append(player.nextTask)
    player.submit()
    for _ in 1..<operationsARound { player.submit(after: ListRange(first: 0, count: 1)) }
    for _ in 0..<3 {
      player.step()
      runs.removeAll(keepingCapacity: true)
      player.forEachAssigned { runs.append($0) }
      for run in runs { player.finish(run) }
    }
    precondition(player.liveCount == 0)
  }
}

/// Each task after none to three of the thousand before it, on 64 engines with one task each; 125
/// are submitted a step, and what runs ends in the next.
final class RandomGraph: Workload {
  private let player = Player(engines: 64, hwm: 1)
  private var runs: [Player.Run] = []
  private var words = SeededWords(seed: 7)

  private func submitRandom() {
    let task = UInt64(player.nextTask)
    let first = UInt32(player.lists.count)
    let count = task == 0 ? 0 : words.next() % 4
    for _ in 0..<count {
      player.lists.append(UInt32(task - 1 - words.next() % min(task, 1000)))
    }
    player.submit(after: ListRange(first: first, count: UInt32(count)))
  }

  func round() {
    var left = operationsARound
    repeat {
      for run in runs { player.finish(run) }
      for _ in 0..<min(left, 125) { submitRandom() }
      left -= min(left, 125)
      player.step()
      runs.removeAll(keepingCapacity: true)
      player.forEachAssigned { runs.append($0) }
    } while left > 0 || !runs.isEmpty
    precondition(player.liveCount == 0)
  }
}

/// The core's cases with dependencies: each round is one graph, begun and ended. One operation is
/// one task of it. The large ones show that a graph takes linear time: as many instructions a task
/// as the small ones, and the time of what no longer fits the caches on top.

import SchedulerCore

func coreGraphCases() -> [Case] {
  var cases: [Case] = []
  let large = 100_000
  let huge = 1_000_000
  for tasks in [operationsARound, large, huge] {
    func add(_ name: String, _ prepare: @escaping @Sendable () -> any Workload) {
      cases.append(
        Case(
          "Core", "\(name)-\(tasks)", operations: tasks,
          rounds: tasks == huge ? nil : tasks == large ? (1, 3) : (5, 15), prepare: prepare))
    }
    add("chain") { Chain(tasks, fails: false) }
    add("chain-fails") { Chain(tasks, fails: true) }
    add("fan") { Fan(tasks) }
    add("dag") { RandomGraph(tasks) }
  }
  return cases
}

/// Each task after the one before, on one engine. `fails`: the first does, and so do the rest.
final class Chain: Workload {
  private let player = Player(engines: 1, hwm: 1)
  private let tasks: Int
  private let fails: Bool

  init(_ tasks: Int, fails: Bool) {
    self.tasks = tasks
    self.fails = fails
  }

  func round() {
    let first = player.nextTask
    player.submit()
    for index in 1..<UInt32(tasks) {
      player.lists.append(first + index - 1)
      player.submit(after: ListRange(first: index - 1, count: 1))
    }
    player.step()
    for index in 0..<UInt32(fails ? 1 : tasks) {
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
  private let tasks: Int
  private var runs: [Player.Run] = []

  init(_ tasks: Int) { self.tasks = tasks }

  func round() {
    player.lists.append(player.nextTask)
    player.submit()
    for _ in 1..<tasks { player.submit(after: ListRange(first: 0, count: 1)) }
    for _ in 0..<3 {
      player.step()
      runs.removeAll(keepingCapacity: true)
      player.forEachAssigned { runs.append($0) }
      for run in runs { player.finish(run) }
    }
    precondition(player.liveCount == 0)
  }
}

/// Each task after none to three of as many before it as a round has, on 64
/// engines with one task each; 125 are submitted a step, and what runs ends in the next.
final class RandomGraph: Workload {
  private let player = Player(engines: 64, hwm: 1)
  private var runs: [Player.Run] = []
  private let tasks: Int
  private var words = SeededWords(seed: 7)

  init(_ tasks: Int) { self.tasks = tasks }

  private func submitRandom() {
    let task = UInt64(player.nextTask)
    let first = UInt32(player.lists.count)
    let count = task == 0 ? 0 : words.next() % 4
    for _ in 0..<count {
      player.lists.append(UInt32(task - 1 - words.next() % min(task, UInt64(tasks))))
    }
    player.submit(after: ListRange(first: first, count: UInt32(count)))
  }

  func round() {
    var left = tasks
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

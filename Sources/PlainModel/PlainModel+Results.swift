/// The plain model's results, engines and deadlines (SEMANTICS 4 and 5). See PlainModel.swift.

import SchedulerCore

extension PlainModel {
  // MARK: 4. results

  mutating func result(_ task: Int, _ name: String, _ outcome: Outcome) {
    let reason: DiscardReason? =
      if task >= tasks.count { .unknownTask } else if tasks[task].state == .done {
        .alreadyFinished
      } else if tasks[task].state != .running {
        .notRunning
      } else if engines[tasks[task].engine].name != name { .otherEngine } else { nil }
    if let reason {
      seen.append(.discard(task, name, reason))
      return
    }
    let engine = leave(task)
    if outcome == .completed || outcome == .failed && tasks[task].retries == 0 {
      seen.append(.deliver(task, name))
      end(task, success: outcome == .completed, engine)
    } else {
      seen.append(.retire(task, name))
      tryElsewhere(task, name, outcome)
    }
    settle()
  }

  mutating func tryElsewhere(_ task: Int, _ name: String, _ outcome: Outcome) {
    tasks[task].state = .ready
    if outcome == .unmet {
      tasks[task].unmetOn.insert(name)
    } else {
      tasks[task].failedOn.insert(name)
      tasks[task].retries -= 1
    }
    let targets = Set(tasks[task].submission.targets)
    if !targets.isEmpty && targets.isSubset(of: tasks[task].blacklist) {
      if !settings.retryAnywhere || targets.isSubset(of: tasks[task].unmetOn) {
        fail(task, .impossible(task, .targetsAllBlacklisted))
        return
      }
      tasks[task].failedOn = []
    }
    // reference: it is placed before the tasks that wait for the engine it left. One that may
    // start over on that very engine takes its turn among them.
    if !settings.retryAnywhere { _ = act(task) }
  }

  /// It is no longer outstanding; returns the registration that it ran on.
  mutating func leave(_ task: Int) -> Int {
    let engine = tasks[task].engine
    engines[engine].running.removeAll { $0 == task }
    engines[engine].load -= Int(tasks[task].cost)
    if engines[engine].running.isEmpty { engines[engine].grace_ns = nil }
    tasks[task].engine = -1
    return engine
  }

  mutating func fail(_ task: Int, _ why: Seen) {
    seen.append(why)
    end(task, success: false, -1)
  }

  mutating func end(_ task: Int, success: Bool, _ engine: Int) {
    tasks[task].state = .done
    tasks[task].deadline_ns = nil
    ending.append((task, success, engine))
  }

  // MARK: 5. engines, and what is due

  mutating func register(_ name: String) {
    // Announced twice (connection_reply and notification): the same registration.
    guard !order.contains(where: { engines[$0].name == name }) else { return }
    engines.append(Registration(name: name))
    order.insert(engines.count - 1, at: 0)
    settle()
  }

  mutating func unregister(_ name: String) {
    guard let engine = order.first(where: { engines[$0].name == name }) else { return }
    order.removeAll { $0 == engine }
    engines[engine].isRegistered = false
    if !engines[engine].running.isEmpty { engines[engine].grace_ns = now_ns + seconds(5) }
    settle()
  }

  mutating func takeBack(_ task: Int, _ name: String) {
    guard task < tasks.count, tasks[task].state == .running,
      engines[tasks[task].engine].name == name, !begun.contains(task)
    else { return }
    let engine = leave(task)
    tasks[task].state = .ready
    // On another engine if there is any: the one that never connected sits this choice out.
    _ = act(task, avoiding: engine)
    settle()
  }

  mutating func expire() {
    while true {
      let graces = engines.indices.compactMap { index in
        engines[index].grace_ns.map { (time_ns: $0, kind: 0, index: index) }
      }
      let timeouts = tasks.indices.compactMap { index in
        tasks[index].deadline_ns.map { (time_ns: $0, kind: 1, index: index) }
      }
      // In order of time; at equal times engines first, then the older.
      let due = (graces + timeouts).filter { $0.time_ns <= now_ns }.min { $0 < $1 }
      guard let due else { return }
      if due.kind == 0 {
        strand(due.index)
      } else {
        let waits = tasks[due.index].state == .waiting
        fail(
          due.index,
          .timeout(
            due.index, waits ? .timedOutWaitingForDependencies : .timedOutWaitingForAnEngine))
        settle()
      }
    }
  }

  mutating func strand(_ engine: Int) {
    engines[engine].grace_ns = nil
    let name = engines[engine].name
    for task in engines[engine].running {
      _ = leave(task)
      if tasks[task].retries > 0 {
        tryElsewhere(task, name, .failed)
      } else {
        seen.append(.engineDied(task, name))
        end(task, success: false, engine)
      }
      settle()
    }
  }
}

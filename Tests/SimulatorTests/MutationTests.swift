/// Every checker can fail: what it observes is broken in one place, and it must say so.
///
/// A mutation changes a step of a real run before the checkers see it. Each of these runs without
/// the plain model and the core's own invariants, which would see most of them, too.

import PlainModel
import SchedulerCore
import Testing

@testable import Simulator

@Suite("Broken runs are found", .enabled(if: Simulation.isPossible))
struct MutationTests {
  /// Runs seeds until the mutation has struck; what the one checker of `promise` says then.
  private func violation(
    of promise: Promise, under isFit: (Setting) -> Bool,
    _ mutation: @escaping (inout Step, inout Memory) -> Bool
  ) -> Violation? {
    for seed in 1...60 as ClosedRange<UInt64> {
      var memory = Memory()
      var hasStruck = false
      var simulation = Simulation(seed: seed, events: 1_000)
      guard isFit(simulation.setting) else { continue }
      simulation.only = promise
      simulation.mutation = { step in
        if !hasStruck { hasStruck = mutation(&step, &memory) }
        memory.note(step)
      }
      let verdict = simulation.run()
      if hasStruck { return verdict.violation }
      #expect(verdict.violation == nil, "seed \(seed) was not touched")
    }
    Issue.record("no seed gave the mutation of \(promise) an occasion")
    return nil
  }

  /// What a mutation knows of the steps before.
  struct Memory {
    var submissions: [Int: Submission] = [:]
    var ended: Set<Int> = []
    var engines: [EngineName] = []
    var gone: Set<EngineName> = []
    var retired: [Int: EngineName] = [:]

    mutating func note(_ step: Step) {
      for fact in step.told + step.decided {
        switch fact {
        case .submitted(let task, let submission): submissions[task] = submission
        case .delivered(let task, _), .failed(let task, _, _, _): ended.insert(task)
        case .registered(let engine) where !engines.contains(engine): engines.append(engine)
        case .unregistered(let engine): gone.insert(engine)
        case .retired(let task, let engine): retired[task] = engine
        default: break
        }
      }
    }
  }

  private func found(
    _ promise: Promise, under isFit: (Setting) -> Bool = { _ in true },
    _ mutation: @escaping (inout Step, inout Memory) -> Bool
  ) {
    #expect(violation(of: promise, under: isFit, mutation)?.promise == promise)
  }

  @Test func `a reply twice`() {
    found(.oneReply) { step, _ in
      guard let index = step.decided.firstIndex(where: { $0.isFinal }) else { return false }
      step.decided.append(step.decided[index])
      return true
    }
  }

  @Test func `a reply that never comes`() {
    found(.oneReply) { step, _ in
      guard let index = step.decided.firstIndex(where: { $0.isFinal }) else { return false }
      step.decided.remove(at: index)
      return true
    }
  }

  @Test func `a task before its after`() {
    found(.after) { step, memory in
      for case .submitted(let task, let submission) in step.told {
        let after = submission.after
        guard !after.isEmpty, let engine = memory.engines.first,
          after.all, after.ids.contains(where: { !memory.ended.contains($0) })
        else { continue }
        step.decided.insert(.assigned(task, engine), at: 0)
        return true
      }
      return false
    }
  }

  @Test func `a task where its follow is not met`() {
    found(.follow) { step, memory in
      for (index, fact) in step.decided.enumerated() {
        guard case .assigned(let task, let engine) = fact,
          let follow = (memory.submissions[task] ?? step.submission(of: task))?.follow,
          !follow.isEmpty, follow.all,
          let other = memory.engines.first(where: { $0 != engine && !memory.gone.contains($0) })
        else { continue }
        step.decided[index] = .assigned(task, other)
        return true
      }
      return false
    }
  }

  @Test func `a task on no target of its own`() {
    found(.targets) { step, memory in
      for (index, fact) in step.decided.enumerated() {
        guard case .assigned(let task, _) = fact,
          let targets = (memory.submissions[task] ?? step.submission(of: task))?.targets,
          !targets.isEmpty,
          let other = memory.engines.first(where: { !targets.contains(name(of: $0)) })
        else { continue }
        step.decided[index] = .assigned(task, other)
        return true
      }
      return false
    }
  }

  @Test func `a task on an engine nobody registered`() {
    found(.targets) { step, _ in
      for (index, fact) in step.decided.enumerated() {
        guard case .assigned(let task, _) = fact else { continue }
        step.decided[index] = .assigned(task, EngineName(9_999))
        return true
      }
      return false
    }
  }

  @Test func `a task again where it was not met`() {
    found(.blacklist) { step, memory in
      for (index, fact) in step.decided.enumerated() {
        guard case .assigned(let task, _) = fact, let engine = memory.retired[task] else {
          continue
        }
        step.decided[index] = .assigned(task, engine)
        return true
      }
      return false
    }
  }

  @Test func `an engine over its high-water mark`() {
    found(.highWater, under: { $0.core.hwm == 1 && $0.core.policy == nil }) { step, _ in
      // The reply that made room is not told of.
      for (index, fact) in step.decided.enumerated() {
        guard case .delivered(_, let freed) = fact,
          step.decided.dropFirst(index).contains(where: {
            if case .assigned(_, freed) = $0 { true } else { false }
          })
        else { continue }
        step.decided.remove(at: index)
        return true
      }
      return false
    }
  }

  @Test func `a load that does not add up`() {
    found(.loads) { step, _ in
      step.report.running += 1
      return true
    }
  }

  @Test func `a task that runs twice at once`() {
    found(.retries) { step, _ in
      for fact in step.decided {
        guard case .assigned = fact else { continue }
        step.decided.append(fact)
        return true
      }
      return false
    }
  }

  @Test func `a timeout before its time`() {
    found(.timeouts) { step, _ in
      for case .submitted(let task, let submission) in step.told where submission.timeout_ns > 0 {
        step.decided.insert(
          .failed(task, .taskTimeout, .timedOutWaitingForAnEngine, .none), at: 0)
        return true
      }
      return false
    }
  }

  @Test func `a timeout that never comes`() {
    found(.timeouts) { step, _ in
      let index = step.decided.firstIndex {
        if case .failed(_, .taskTimeout, _, _) = $0 { true } else { false }
      }
      guard let index else { return false }
      step.decided.remove(at: index)
      // A step later than the deadline: this one may be exactly on it.
      step.now_ns += 1
      return true
    }
  }

  @Test func `another decision than the plain model's`() {
    found(.model) { step, memory in
      for (index, fact) in step.decided.enumerated() {
        guard case .assigned(let task, let engine) = fact,
          let other = memory.engines.first(where: { $0 != engine })
        else { continue }
        step.decided[index] = .assigned(task, other)
        return true
      }
      return false
    }
  }

  @Test func `a broken invariant`() {
    found(.invariants) { step, _ in
      step.problem = "an engine has minus one task"
      return true
    }
  }
}

extension Fact {
  fileprivate var isFinal: Bool {
    switch self {
    case .delivered, .failed: true
    default: false
    }
  }
}

extension Step {
  fileprivate func submission(of task: Int) -> Submission? {
    for case .submitted(task, let submission) in told { return submission }
    return nil
  }
}

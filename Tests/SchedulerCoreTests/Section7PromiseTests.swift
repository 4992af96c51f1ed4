/// SEMANTICS section 7: the promises, over random scripts with every scheme.

import PlainModel
import TestSupport
import Testing

@testable import SchedulerCore

@Suite("SEMANTICS 7: promises")
struct Section7PromiseTests {
  /// The commands of a script in which tasks run wherever the core puts them.
  private static func run(seed: UInt64, scheme: Scheme, coreSeed: UInt64) -> [Seen] {
    var dice = Dice(seed: seed)
    let names = ["a", "b", "c", "d"]
    let core = CoreHarness(CoreSettings(hwm: 3, scheme: scheme, seed: coreSeed))
    for name in names { core.register(name) }
    var running: [(Int, String)] = []
    var all: [Seen] = []
    for _ in 0..<150 {
      if dice.chance(60) || running.isEmpty {
        let last = core.taskCount - 1
        let wanted = last >= 0 && dice.chance(40) ? Wanted.any(last, max(0, last - 3)) : .all()
        core.submit(
          after: wanted, targets: dice.chance(30) ? [dice.pick(names), dice.pick(names)] : [],
          retries: dice.below(3), timeout: dice.chance(20) ? 1 : 0)
      } else {
        let (task, engine) = running.remove(at: dice.below(running.count))
        core.step([.result(task, engine, dice.pick([.completed, .failed, .unmet, .completed]))])
      }
      var seen = core.takeSeen()
      if dice.chance(10) {
        core.advance(0.5)
        seen += core.takeSeen()
      }
      for case .assign(let task, let engine) in seen { running.append((task, engine)) }
      all += seen
    }
    #expect(core.problem == nil)
    return all
  }

  @Test("7 the same events and seed give the same decisions", arguments: Scheme.allCases)
  func deterministic(_ scheme: Scheme) {
    for seed in 0..<20 as Range<UInt64> {
      let once = Self.run(seed: seed, scheme: scheme, coreSeed: 7)
      let again = Self.run(seed: seed, scheme: scheme, coreSeed: 7)
      #expect(once == again, "script \(seed)")
    }
  }

  @Test("7 another seed gives other decisions, in the schemes that use chance")
  func seedMatters() {
    for scheme in Scheme.allCases {
      let usesChance = scheme != .lru && scheme != .leastload
      let one = Self.run(seed: 3, scheme: scheme, coreSeed: 1)
      let other = Self.run(seed: 3, scheme: scheme, coreSeed: 2)
      #expect((one != other) == usesChance, "\(scheme)")
    }
  }

  @Test(
    "7 every accepted task gets exactly one final reply, once nothing holds it back",
    arguments: 0..<60 as Range<UInt64>)
  func oneFinalReply(_ offset: UInt64) {
    let seed = SeededGenerator.forcedSeed ?? 77_000 + offset
    var script = Script(seed: seed)
    var model = PlainModel(script.settings)
    let core = CoreHarness(script.settings)
    var replies: [Int: Int] = [:]
    let count = { (seen: [Seen]) in
      for command in seen {
        switch command {
        case .deliver(let task, _), .fail(let task, _, _), .engineDied(let task, _):
          replies[task, default: 0] += 1
        default: break
        }
      }
    }
    func both(_ happenings: [Happening]) {
      _ = model.step(happenings)
      core.step(happenings)
      count(core.takeSeen())
    }
    var refused: Set<Int> = []
    for _ in 0..<120 {
      let happenings = script.next(model)
      var next = model.tasks.count
      for happening in happenings {
        if case .refuse = happening { refused.insert(next) }
        if happening.isNewTask { next += 1 }
      }
      both(happenings)
    }
    // Fresh engines come until nothing waits any more; everything that runs completes.
    for round in 0..<400 where core.core.report().live > 0 {
      both([.register("fresh \(round)"), .register("nobody")])
      for name in script.names { both([.register(name)]) }
      for task in model.tasks.indices where model.tasks[task].state == .running {
        let engine = model.engines[model.tasks[task].engine].name
        both([.result(task, engine, .completed)])
      }
      for name in script.names where round % 20 == 19 { both([.unregister(name)]) }
    }
    let left = model.tasks.indices.filter { model.tasks[$0].state != .done }
    // What may wait for ever by the rules: a follow whose engine its own targets or blacklist
    // exclude, and what depends on it.
    for task in model.tasks.indices where !refused.contains(task) && !left.contains(task) {
      #expect(replies[task] == 1, "task \(task), seed \(seed)")
    }
    for task in left {
      #expect(replies[task] == nil)
      let submission = model.tasks[task].submission
      let mayWait =
        !submission.follow.isEmpty || submission.after.ids.contains { left.contains($0) }
      #expect(mayWait, "task \(task) hangs, seed \(seed)")
    }
  }
}

extension Happening {
  var isNewTask: Bool {
    if case .refuse = self { true } else { isSubmission }
  }
}

/// Scripts: random happenings for the differential test, from a seed.
///
/// A script looks at the plain model to name tasks that run and engines that are there, and now
/// and then ones that do not, as late and misdirected replies do.
///
/// Invariant: the same seed gives the same script, whatever the core answers.

import PlainModel

@testable import SchedulerCore

struct Script {
  var dice: Dice
  let settings: CoreSettings
  let names: [String]
  /// Per cent of submissions that carry each thing; a script has its own taste.
  private let dependencyChance: Int
  private let targetChance: Int
  private let retryChance: Int
  private let timeoutChance: Int
  private let failureChance: Int
  private let churn: Int
  private let clientCount: Int

  init(seed: UInt64) {
    var dice = Dice(seed: seed)
    names = Array(["a", "b", "c", "d", "e", "f"].prefix(2 + dice.below(5)))
    dependencyChance = dice.pick([0, 30, 60, 90])
    targetChance = dice.pick([0, 20, 60])
    retryChance = dice.pick([0, 40, 80])
    timeoutChance = dice.pick([0, 20, 50])
    failureChance = dice.pick([5, 30, 60])
    churn = dice.pick([0, 4, 15])
    var settings = CoreSettings()
    settings.hwm = dice.pick([0, 1, 3])
    settings.scheme = dice.pick([.leastload, .lru])
    settings.retryAnywhere = dice.chance(25)
    settings.policy = dice.pick([
      nil, nil, nil, OutstandingBytes(bytesPerUnit: 100), Sticky(move: .front),
      Sticky(move: .stay),
    ])
    settings.fairClients = dice.chance(50)
    clientCount = dice.pick([1, 2, 5])
    self.settings = settings
    self.dice = dice
  }

  /// The happenings of one step: mostly one.
  mutating func next(_ model: PlainModel) -> [Happening] {
    var happenings = [one(model)]
    while dice.chance(15) {
      // Later ones are drawn from what the model knows before the step, as real turns mix them.
      let another = one(model)
      if case .submit = another, happenings.contains(where: { $0.isSubmission }) { continue }
      happenings.append(another)
    }
    return happenings
  }

  private mutating func one(_ model: PlainModel) -> Happening {
    let roll = dice.below(100)
    if roll < churn { return .unregister(dice.pick(names)) }
    if roll < 2 * churn + 5 { return .register(dice.pick(names)) }
    if roll < 2 * churn + 15 {
      return .advance(dice.pick([1, seconds(0.5), seconds(1), seconds(2.5), seconds(5)]))
    }
    if roll < 2 * churn + 17 { return strayReply(model) }
    if roll < 2 * churn + 18 { return .refuse }
    let running = model.tasks.indices.filter { model.tasks[$0].state == .running }
    if !running.isEmpty && dice.chance(50) {
      let task = dice.pick(running)
      let engine = model.engines[model.tasks[task].engine].name
      if dice.chance(4) { return .undeliverable(task, engine) }
      return .result(task, engine, outcome())
    }
    return .submit(submission(model))
  }

  private mutating func outcome() -> Outcome {
    if dice.chance(failureChance) { return dice.chance(30) ? .unmet : .failed }
    return .completed
  }

  private mutating func strayReply(_ model: PlainModel) -> Happening {
    let task = dice.chance(20) ? Wanted.neverSeen : dice.below(model.tasks.count + 1)
    if dice.chance(15) && task < model.tasks.count { return .undeliverable(task, dice.pick(names)) }
    return .result(task, dice.pick(names), outcome())
  }

  private mutating func submission(_ model: PlainModel) -> Submission {
    var submission = Submission()
    if dice.chance(dependencyChance) { submission.after = wanted(model, count: 4) }
    if dice.chance(dependencyChance / 2) { submission.follow = wanted(model, count: 3) }
    if dice.chance(targetChance) {
      for _ in 0..<(1 + dice.below(3)) {
        submission.targets.append(dice.chance(10) ? "nobody" : dice.pick(names))
      }
    }
    if dice.chance(retryChance) { submission.retries = 1 + dice.below(3) }
    if dice.chance(timeoutChance) {
      submission.timeout_ns = seconds(0.5) * UInt64(1 + dice.below(9))
    }
    submission.bytes = UInt64(dice.below(350))
    // One asks for most, or nobody does.
    submission.client = dice.chance(40) ? 0 : dice.below(clientCount)
    return submission
  }

  private mutating func wanted(_ model: PlainModel, count: Int) -> Wanted {
    let next = model.tasks.count
    var ids: [Int] = []
    for _ in 0..<dice.below(count + 1) {
      if dice.chance(2) {
        ids.append(dice.chance(50) ? next : Wanted.neverSeen)
      } else if next > 0 {
        // Mostly recent ones, which still wait or run.
        ids.append(max(0, next - 1 - dice.below(dice.chance(70) ? 8 : 60)))
      }
    }
    var wanted = Wanted(ids: ids, all: dice.chance(60))
    switch dice.below(4) {
    case 0: wanted = wanted.onEither
    case 1: wanted = wanted.onFailure
    default: break
    }
    return wanted
  }
}

extension Happening {
  var isSubmission: Bool {
    if case .submit = self { true } else { false }
  }
}

/// A policy that does not put the engine at the back.
struct Sticky: LoadPolicy {
  var move: OrderMove
  func cost(of facts: TaskFacts) -> UInt32 { 1 + UInt32(facts.retries % 2) }
  func orderAfterAssignment(of facts: TaskFacts) -> OrderMove { move }
}

/// Workload: random tasks of a run: how they hang together, where they may run, what they weigh.
///
/// Shapes: a bag (no dependencies), chains, fans out and in, diamonds, layers where each task waits
/// for some of the layer before, and anything at all. Rules are those of SEMANTICS 2.2: all or any,
/// on success, failure or either, and now and then ids that nobody knows, or the task itself.

import PlainModel

struct Workload {
  private enum Shape: CaseIterable { case bag, chain, fanOut, fanIn, diamond, layers, anything }

  private let shape: Shape
  private let width: Int
  private let followChance: Double
  private let oddRuleChance: Double
  private let targetChance: Double
  private let retryChance: Double
  private let timeoutChance: Double
  private let largeChance: Double
  private let strangeIDChance: Double
  private let usesOldDialect: Bool
  /// Between two tasks of a client, and how long one runs: some runs last a second, some minutes.
  let gapMax_ns: UInt64
  let runMax_ns: UInt64
  /// Tasks of all clients hang together, whichever the scheduler hears of first.
  let isShared: Bool

  init(_ dice: inout Dice) {
    shape = dice.pick(Shape.allCases)
    width = 2 + dice.below(8)
    followChance = dice.pick([0, 0.1, 0.5])
    oddRuleChance = dice.pick([0, 0.1, 0.4])
    targetChance = dice.pick([0, 0.1, 0.5])
    retryChance = dice.pick([0, 0.3, 0.8])
    timeoutChance = dice.pick([0, 0.1, 0.4])
    largeChance = dice.pick([0, 0.02, 0.1])
    strangeIDChance = dice.pick([0, 0.01, 0.05])
    usesOldDialect = dice.chance(20)
    isShared = dice.chance(25)
    gapMax_ns = dice.pick([20_000_000, 20_000_000, 200_000_000, 2_000_000_000])
    runMax_ns = dice.pick([50_000_000, 50_000_000, 4_000_000_000])
  }

  /// What the next task is: the last of the `numbers` that hang together. `engines`: the uuids
  /// there ever were.
  func submission(_ numbers: [Int], engines: [String], _ dice: inout Dice) -> Submission {
    var submission = Submission()
    let ids = dependencies(numbers.count - 1, &dice)
      .map { $0 == Wanted.neverSeen ? $0 : numbers[$0] }
    if !ids.isEmpty {
      let wanted = rule(ids, &dice)
      if dice.chance(followChance) { submission.follow = wanted } else { submission.after = wanted }
      if dice.chance(followChance * 0.5) { submission.follow = rule(ids, &dice) }
    }
    if dice.chance(targetChance) && !engines.isEmpty {
      for _ in 0..<(1 + dice.below(3)) {
        submission.targets.append(dice.chance(3) ? "nobody" : dice.pick(engines))
      }
    }
    if dice.chance(retryChance) { submission.retries = 1 + dice.below(4) }
    if dice.chance(timeoutChance) {
      submission.timeout_ns = 1_000_000 * dice.spread(1, 4_000)
    }
    return submission
  }

  /// Buffers of a task or a reply.
  func buffers(_ dice: inout Dice) -> [[UInt8]] {
    let count = dice.pick([0, 1, 1, 2, 5])
    return (0..<count).map { _ in
      let isLarge = dice.chance(largeChance)
      let size = isLarge ? Int(dice.spread(4_000, 400_000)) : dice.below(300)
      return [UInt8](repeating: UInt8(dice.below(256)), count: size)
    }
  }

  private func dependencies(_ number: Int, _ dice: inout Dice) -> [Int] {
    guard number > 0 else { return [] }
    let place = number % width
    var ids: [Int]
    switch shape {
    case .bag: ids = []
    case .chain: ids = place == 0 ? [] : [number - 1]
    case .fanOut: ids = place == 0 ? [] : [number - place]
    case .fanIn: ids = place == width - 1 ? Array((number - place)..<number) : []
    case .diamond:
      ids = place == 0 ? [] : [number - place]
      if place == width - 1 { ids = Array((number - place + 1)..<number) }
    case .layers:
      let first = number - place - width
      ids = first < 0 ? [] : (first..<(first + width)).filter { _ in dice.chance(0.4) }
    case .anything:
      ids = (0..<dice.below(4)).map { _ in max(0, number - 1 - Int(dice.spread(1, 40))) }
    }
    if dice.chance(strangeIDChance) { ids.append(dice.chance(0.3) ? number : Wanted.neverSeen) }
    return ids
  }

  private func rule(_ ids: [Int], _ dice: inout Dice) -> Wanted {
    var wanted = Wanted(ids: ids, all: !dice.chance(oddRuleChance))
    guard dice.chance(oddRuleChance) else { return wanted }
    wanted.success = dice.chance(0.4)
    wanted.failure = !wanted.success || dice.chance(0.5)
    return wanted
  }

  // MARK: as JSON

  /// Where the fields stand: in the metadata, or, as in 2011, in the header.
  func write(_ plan: TaskPlan, _ ids: (Int) -> [UInt8], _ dice: inout Dice)
    -> (header: String, metadata: String)
  {
    var fields: [String] = []
    let submission = plan.submission
    if plan.isMalformed {
      fields.append(dice.pick(["\"retries\":-1", "\"targets\":7", "\"timeout\":\"soon\""]))
    }
    for (name, wanted) in [("after", submission.after), ("follow", submission.follow)]
    where !wanted.isEmpty { fields.append("\"\(name)\":\(write(wanted, ids, &dice))") }
    if !submission.targets.isEmpty && !plan.isMalformed {
      let names = submission.targets.map { "\"\($0)\"" }.joined(separator: ",")
      fields.append("\"targets\":[\(names)]")
    }
    if submission.retries > 0 && !plan.isMalformed {
      fields.append("\"retries\":\(submission.retries)")
    }
    if submission.timeout_ns > 0 && !plan.isMalformed {
      // In seconds, without losing a digit.
      let digits = String(submission.timeout_ns % 1_000_000_000 + 1_000_000_000).dropFirst()
      fields.append("\"timeout\":\(submission.timeout_ns / 1_000_000_000).\(digits)")
    }
    let text = fields.joined(separator: ",")
    let inHeader = usesOldDialect && !plan.isMalformed
    let id = String(decoding: plan.id, as: UTF8.self)
    let own = "\"msg_id\":\"\(id)\",\"msg_type\":\"apply_request\",\"version\":\"5.4\""
    return inHeader && !text.isEmpty ? ("{\(own),\(text)}", "{}") : ("{\(own)}", "{\(text)}")
  }

  private func write(_ wanted: Wanted, _ ids: (Int) -> [UInt8], _ dice: inout Dice) -> String {
    let list = wanted.ids.map { "\"\(String(decoding: ids($0), as: UTF8.self))\"" }
      .joined(separator: ",")
    if wanted.all && wanted.success && !wanted.failure && dice.chance(0.5) { return "[\(list)]" }
    return "{\"dependencies\":[\(list)],\"all\":\(wanted.all),\"success\":\(wanted.success),"
      + "\"failure\":\(wanted.failure)}"
  }
}

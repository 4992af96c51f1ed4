/// Rates: how often each thing goes wrong in one run, drawn from its seed. Every run has a taste of
/// its own: some are calm, some know one kind of trouble only, some know all of them.

import PlainModel

struct Rates: Sendable {
  // The network, for each piece of a stream that travels.
  var latency_ns: ClosedRange<UInt64> = 20_000...200_000
  var stall = 0.0
  var cut = 0.0
  var corrupt = 0.0
  /// Streams travel in pieces of a few bytes, or whole.
  var tinyPieces = 0.0
  var smallBuffers = 0.0
  var system = SystemFaults()

  // Engines, for each task they get.
  var engineDies = 0.0
  var connectsAnew = 0.0
  var answersTwice = 0.0
  var answersLate = 0.0
  var neverAnswers = 0.0
  var fails = 0.0
  var unmet = 0.0

  // The hub, for each notification.
  var notificationLate = 0.0
  var notificationDoubled = 0.0
  /// An engine that lives is said to be gone.
  var falseAlarm = 0.0

  // Others.
  var strangers = 0.0
  var resubmits = 0.0
  var malformed = 0.0
  /// The process is not run for a while.
  var pause = 0.0

  // A scheduler with a journal.
  /// On average it lives so long; 0: to the end.
  var life_ns: UInt64 = 0
  /// When it dies, its machine loses power.
  var powerLoss = 0.0
  /// An engine answers no fences.
  var ignoresFences = 0.0

  static let calm = Rates()

  init() {}

  /// `isSigned`: without signatures a corrupted message is another message, not a broken one.
  init(_ dice: inout Dice, isSigned: Bool) {
    if dice.chance(70) { life_ns = dice.pick([300_000_000, 2_000_000_000, 10_000_000_000]) }
    guard !dice.chance(10) else { return }
    let share = dice.pick([0.2, 0.5, 0.9])
    func some(_ dice: inout Dice, _ values: [Double]) -> Double {
      // Thrown in any case: a rate that is off must not change the next ones.
      let value = dice.pick(values)
      return dice.chance(share) ? value : 0
    }
    if dice.chance(30) { latency_ns = 100_000...30_000_000 }
    stall = some(&dice, [0.0005, 0.005])
    cut = some(&dice, [0.0002, 0.002, 0.01])
    let corrupted = some(&dice, [0.0005, 0.005])
    corrupt = isSigned ? corrupted : 0
    tinyPieces = some(&dice, [0.05, 0.5, 0.95])
    smallBuffers = some(&dice, [0.3, 1])
    engineDies = some(&dice, [0.01, 0.05])
    connectsAnew = some(&dice, [0.01, 0.05])
    answersTwice = some(&dice, [0.02, 0.2])
    answersLate = some(&dice, [0.02, 0.1])
    neverAnswers = some(&dice, [0.01, 0.05])
    fails = some(&dice, [0.05, 0.3, 0.7])
    unmet = some(&dice, [0.05, 0.3])
    notificationLate = some(&dice, [0.1, 0.5])
    notificationDoubled = some(&dice, [0.1, 0.5])
    falseAlarm = some(&dice, [0.005, 0.02])
    strangers = some(&dice, [0.2, 1])
    resubmits = some(&dice, [0.02, 0.1])
    malformed = some(&dice, [0.02, 0.1])
    pause = some(&dice, [0.001, 0.01])
    system.acceptWithoutDescriptors = some(&dice, [0.01, 0.2])
    system.acceptAborted = some(&dice, [0.02, 0.2])
    system.interrupted = some(&dice, [0.01, 0.1])
    system.sendWithoutBuffers = some(&dice, [0.005, 0.05])
    system.sendShort = some(&dice, [0.05, 0.5])
    system.connectAtOnce = some(&dice, [0.2, 1])
    system.writeShort = some(&dice, [0.02, 0.3])
    system.diskStall = some(&dice, [0.002, 0.02])
    powerLoss = some(&dice, [0.3, 1])
    ignoresFences = some(&dice, [0.3, 1])
  }
}

/// Case: one thing that is measured. The suites of the plugin and instruction-driver share them.
///
/// Invariant: a case's work depends on nothing but the case and the number of rounds: seeds are
/// fixed, there is no clock and no thread, so two runs execute the same instructions.

/// Operations in a round, where a case does not say another number.
public let operationsARound = 1000

/// State that was prepared, ready to do the same work again and again.
public protocol Workload: AnyObject {
  /// The operations of the case, once.
  func round()
}

public struct Case: Sendable {
  /// The suite's target: Core, Choosers, Names, Sign, Scan, Intake, Codec, Rings.
  public let suite: String
  public let name: String
  /// Operations in a round: what its figures are divided by.
  public let operations: Int
  /// The two numbers of rounds whose difference instructions.sh takes; nil: too many to count.
  public let rounds: (low: Int, high: Int)?
  public let prepare: @Sendable () -> any Workload

  /// The file of its threshold, without `.json`.
  public var id: String { "\(suite).\(name)" }

  init(
    _ suite: String, _ name: String, operations: Int = operationsARound,
    rounds: (low: Int, high: Int)? = (5, 15),
    prepare: @escaping @Sendable () -> any Workload
  ) {
    self.suite = suite
    self.name = name
    self.operations = operations
    self.rounds = rounds
    self.prepare = prepare
  }
}

/// Every case that this CPU can run.
public func allCases() -> [Case] {
  coreCases() + chooserCases() + nameCases() + signCases() + scanCases() + intakeCases()
    + codecCases() + ringCases()
}

/// splitmix64: the same words on every machine.
struct SeededWords {
  private var state: UInt64
  init(seed: UInt64) { state = seed }

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var word = state
    word = (word ^ (word >> 30)) &* 0xBF58_476D_1CE4_E5B9
    word = (word ^ (word >> 27)) &* 0x94D0_49BB_1331_11EB
    return word ^ (word >> 31)
  }
}

/// Event: what happens to the scheduler, as plain values. One turn hands the core a span of them.
///
/// Lists (dependencies, targets) lie in a span of 32-bit values beside the events, so that an
/// event has a fixed size and building one allocates nothing.

/// `count` values from `first` in the turn's lists.
public struct ListRange: BitwiseCopyable, Sendable {
  public var first: UInt32
  public var count: UInt32
  public init(first: UInt32 = 0, count: UInt32 = 0) {
    self.first = first
    self.count = count
  }
}

/// `after` or `follow` (SEMANTICS 2.2): task ids and how they count.
public struct Dependency: BitwiseCopyable, Sendable {
  /// `TaskID` values; `TaskID.unknown` for an id never seen.
  public var tasks: ListRange
  public var rule: DependencyRule
  public init(tasks: ListRange = ListRange(), rule: DependencyRule = .standard) {
    self.tasks = tasks
    self.rule = rule
  }
}

/// Which finished tasks count, and whether all of them must.
public struct DependencyRule: OptionSet, BitwiseCopyable, Sendable {
  public var rawValue: UInt8
  public init(rawValue: UInt8) { self.rawValue = rawValue }
  public static let all = DependencyRule(rawValue: 1)
  public static let success = DependencyRule(rawValue: 2)
  public static let failure = DependencyRule(rawValue: 4)
  /// all, success: what a plain list of ids means.
  public static let standard: DependencyRule = [.all, .success]
}

/// How a task ended on an engine.
public enum Outcome: UInt8, BitwiseCopyable, Sendable {
  case completed
  case failed
  /// `dependencies_met: false`: it did not run, this engine cannot take it.
  case unmet
}

public struct Event: BitwiseCopyable, Sendable {
  public enum Kind: UInt8, BitwiseCopyable, Sendable {
    /// The hub announced `engine`.
    case engineRegistered
    /// The hub says `engine` is gone.
    case engineUnregistered
    /// A new task: everything below applies. The core owns `message` from here on.
    case submitted
    /// A task the wire refused (malformed fields): known as failed from now on.
    case refused
    /// `message` is a reply of `engine` about `task`, with `outcome`. The core owns `message`.
    case finished
    /// `task` did not reach `engine`, or its result was lost on the way: it is placed again, unless
    /// the run that is meant has ended. It is never one that begins in the same step.
    case undeliverable
    /// `engine` has answered everything it was given before the restart: tasks restored as
    /// running there that are still open will get no answer (see Core+Restore.swift).
    case fenced
  }

  public var kind: Kind
  public var outcome: Outcome = .completed
  public var task = TaskID.unknown
  public var message = MessageHandle.none
  public var engine = EngineName.none
  /// Runs allowed after the first (SEMANTICS 4).
  public var retries: UInt32 = 0
  /// Who asks for it: whose turn it takes (`CoreOptions.fairClients`).
  public var client = ClientName.none
  /// Longest wait in ns; 0 means no limit.
  public var timeout_ns: UInt64 = 0
  /// Size of the task's message in bytes, for load policies.
  public var bytes: UInt64 = 0
  public var after = Dependency()
  public var follow = Dependency()
  /// `EngineName` values, each holding a reference of the wire until `Command.releaseName`.
  public var targets = ListRange()

  public init(_ kind: Kind) { self.kind = kind }
}

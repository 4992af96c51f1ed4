/// Command: what the core wants done, in order. The driver carries them out after each step.

/// Why the scheduler itself fails a task; the names of the exceptions clients will see.
public enum FailureReason: UInt8, BitwiseCopyable, Sendable {
  case invalidDependency
  case impossibleDependency
  case taskTimeout
  case engineError
}

/// A sentence for the error reply: which rule made the task fail.
public enum FailureDetail: UInt8, BitwiseCopyable, Sendable {
  case dependencyOnItself
  case dependencyNeverSeen
  case afterCannotBeMet
  case followCannotBeMet
  case followRanOnSeveralEngines
  case followRanNowhere
  case followEngineGone
  case targetsAllBlacklisted
  case targetsNotRegistered
  case timedOutWaitingForDependencies
  case timedOutWaitingForAnEngine
  case engineDied
}

/// Why a reply was not used.
public enum DiscardReason: UInt8, BitwiseCopyable, Sendable {
  case unknownTask
  case alreadyFinished
  case notRunning
  case otherEngine
}

public struct Command: BitwiseCopyable, Sendable {
  public enum Kind: UInt8, BitwiseCopyable, Sendable {
    /// Send `message` to `engine`, tell the monitor. The core keeps the message.
    case assign
    /// Relay `reply` of `engine` to the client of `message`, tell the monitor; the task is done,
    /// well or not (see `outcome`), and both messages are the driver's to release.
    case deliver
    /// The scheduler fails the task: make the reply for `reason`; `message` is the driver's.
    case fail
    /// `reply` was consumed by a retry or an unmet dependency (see `outcome`): release it. The core
    /// keeps the message.
    case retire
    /// `engine` went away with the task, which has retries left and is tried elsewhere.
    case lose
    /// `reply` is of no use (`discard` says why): log it, count it, release it.
    case discard
    /// One reference of the wire to the name `engine` is no longer needed.
    case releaseName
  }

  public var kind: Kind
  public var reason = FailureReason.impossibleDependency
  public var detail = FailureDetail.afterCannotBeMet
  /// `discard` of `.discard`, `outcome` of the others: one byte keeps the command at 20.
  private var detailOfReply: UInt8 = 0
  public var task = TaskID.unknown
  public var message = MessageHandle.none
  public var reply = MessageHandle.none
  public var engine = EngineName.none

  init(_ kind: Kind) { self.kind = kind }

  public var discard: DiscardReason {
    get { DiscardReason(rawValue: detailOfReply)! }
    set { detailOfReply = newValue.rawValue }
  }

  /// `deliver`: how the task ended. `retire`, `lose`: why it is tried elsewhere.
  public var outcome: Outcome {
    get { Outcome(rawValue: detailOfReply)! }
    set { detailOfReply = newValue.rawValue }
  }
}

/// The commands of a step, in order. Kept and reused by the driver.
public struct CommandBuffer: ~Copyable {
  var storage = PlainArray<Command>(minimumCapacity: 256)
  public init() {}
  public var count: Int { storage.count }
  public subscript(index: Int) -> Command { storage[index] }
  public mutating func removeAll() { storage.removeAll() }
}

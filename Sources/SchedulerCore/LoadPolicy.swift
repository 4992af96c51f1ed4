/// LoadPolicy: what a load is, and how engines are ordered.
///
/// The Python scheduler lets a subclass override `add_job` and `finish_job`; here a policy does
/// that. An engine's load is the sum of the costs of its outstanding tasks; `hwm` limits that
/// load; the order decides which of several equally loaded engines a chooser takes.

/// What a policy may look at.
public struct TaskFacts: BitwiseCopyable, Sendable {
  public var task: TaskID
  /// The task's message, all frames, in bytes.
  public var bytes: UInt64
  /// Runs it has left after this one.
  public var retries: UInt32
  public init(task: TaskID, bytes: UInt64, retries: UInt32) {
    self.task = task
    self.bytes = bytes
    self.retries = retries
  }
}

/// Where an engine goes in the order when it gets a task.
public enum OrderMove: Sendable {
  /// Behind all others: least recently used first (the default).
  case back
  /// Before all others: the same engines are filled first.
  case front
  case stay
}

public protocol LoadPolicy: Sendable {
  /// Added to the engine's load while the task is outstanding there; at least 1.
  /// Must depend on `facts` alone: the core remembers it until the task leaves the engine.
  func cost(of facts: TaskFacts) -> UInt32
  func orderAfterAssignment(of facts: TaskFacts) -> OrderMove
}

/// ipyparallel's default: outstanding tasks, LRU order.
public struct OutstandingTasks: LoadPolicy {
  public init() {}
  public func cost(of facts: TaskFacts) -> UInt32 { 1 }
  public func orderAfterAssignment(of facts: TaskFacts) -> OrderMove { .back }
}

/// Outstanding bytes, in units of `bytesPerUnit`, rounded up: for workloads whose cost is the
/// data that they carry. With `leastload` the engine with the least data in flight is taken.
public struct OutstandingBytes: LoadPolicy {
  public var bytesPerUnit: UInt64
  public init(bytesPerUnit: UInt64 = 64 * 1024) { self.bytesPerUnit = max(bytesPerUnit, 1) }
  public func cost(of facts: TaskFacts) -> UInt32 {
    let units = facts.bytes / bytesPerUnit + (facts.bytes % bytesPerUnit == 0 ? 0 : 1)
    return UInt32(clamping: min(max(units, 1), 1 << 24))
  }
  public func orderAfterAssignment(of facts: TaskFacts) -> OrderMove { .back }
}

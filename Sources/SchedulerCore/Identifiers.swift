/// Identifiers: the small integers that name things in the core, one type each.
///
/// The core knows no strings. Message ids, engine uuids and messages are named by whoever drives
/// it (SchedulerWire); equal names mean equal things for as long as the core may ask.

/// A task, dense from 0 in order of first submission, never reused (finished tasks stay known).
public struct TaskID: Hashable, Comparable, BitwiseCopyable, Sendable {
  public var value: UInt32
  public init(_ value: UInt32) { self.value = value }
  /// An id that was never seen: a dependency on it is invalid.
  public static let unknown = TaskID(.max)
  public static func < (a: TaskID, b: TaskID) -> Bool { a.value < b.value }
}

/// An engine's uuid (an atom of the wire). The same uuid registered twice is the same name.
public struct EngineName: Hashable, BitwiseCopyable, Sendable {
  public var value: UInt32
  public init(_ value: UInt32) { self.value = value }
  public static let none = EngineName(0)
}

/// A client (an atom of the wire): one connection. A name may be given to another client once no
/// task of the first one waits or runs.
public struct ClientName: Hashable, BitwiseCopyable, Sendable {
  public var value: UInt32
  public init(_ value: UInt32) { self.value = value }
  public static let none = ClientName(0)
}

/// A message held for the core (a handle of the wire), 0 when there is none.
public struct MessageHandle: Hashable, BitwiseCopyable, Sendable {
  public var value: UInt32
  public init(_ value: UInt32) { self.value = value }
  public static let none = MessageHandle(0)
}

/// No slot, no node, no edge.
let nowhere = UInt32.max

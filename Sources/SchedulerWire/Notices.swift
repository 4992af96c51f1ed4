/// Notices: what the wire has to say to a person, handed to whoever keeps the log.
///
/// Texts are built only when the level is on. Peers can cause drops as fast as they can send, so
/// drops are counted always and told at a bounded rate.

/// Levels with the numbers that Python's logging gives them.
public enum NoticeLevel: Int, Comparable, Sendable {
  case debug = 10
  case info = 20
  case warning = 30
  case error = 40
  case critical = 50
  public static func < (a: NoticeLevel, b: NoticeLevel) -> Bool { a.rawValue < b.rawValue }
}

public protocol NoticeReceiver: AnyObject, Sendable {
  /// Notices below this level are not built.
  var noticeLevel: NoticeLevel { get }
  func notice(_ level: NoticeLevel, _ text: String)
}

/// Why a message was dropped; the raw values are the words in logs and reports.
public enum DropReason: String, CaseIterable, Sendable {
  case noDelimiter = "no <IDS|MSG> delimiter"
  case tooFewFrames = "fewer than five frames after the delimiter"
  case badSignature = "invalid signature"
  case badHeader = "unreadable header"
  case noMessageID = "no usable msg_id in the header"
  case noTaskIndex = "no room for another task id"
  case badReply = "unreadable reply"
  case unknownTask = "a reply about a task never seen"
  case alreadyFinished = "a reply about a task that is finished"
  case notRunning = "a reply about a task that is not running"
  case otherEngine = "a reply from an engine that does not hold the task"
  case badHubMessage = "unreadable message from the hub"
}

/// Counts what happens and decides what of it is told: once a second.
struct DropCounter {
  private static let second_ns: UInt64 = 1_000_000_000

  /// As many at once, and then as many a second.
  private let burst: UInt64

  private(set) var count: UInt64 = 0
  private var untold: UInt64 = 0
  private var allowance: UInt64
  private var refilled_ns: UInt64 = 0

  init(burst: UInt64 = 1) {
    self.burst = burst
    allowance = burst
  }

  /// Counts one drop. Returns how many went untold before it, or nil when this one is, too.
  mutating func drop(now_ns: UInt64) -> UInt64? {
    count += 1
    if now_ns &- refilled_ns >= Self.second_ns {
      allowance = burst
      refilled_ns = now_ns
    }
    guard allowance > 0 else {
      untold += 1
      return nil
    }
    allowance -= 1
    defer { untold = 0 }
    return untold
  }
}

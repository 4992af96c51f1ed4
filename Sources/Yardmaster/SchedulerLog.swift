/// SchedulerLog: notices become log lines like the stock scheduler's, through swift-log, and
/// lines for ipyparallel's log watcher when there is a log url.
///
///     2026-11-23 07:00:00.123 [task] message             stderr
///     scheduler.INFO, "message\n"                        frames on the log url

import Glibc
import Logging
import SchedulerWire
import Synchronization

public final class SchedulerLog: NoticeReceiver {
  public let noticeLevel: NoticeLevel
  private let logger: Logger
  /// Lines not published yet; nil without a log url. Bounded: a log must not eat the memory.
  private let unpublished: Mutex<[LogLine]?>
  private static let unpublishedMax = 10_000

  public init(name: String, level: NoticeLevel, publishes: Bool) {
    noticeLevel = level
    var logger = Logger(label: name) { StockLogHandler(label: $0) }
    logger.logLevel = level.logging
    self.logger = logger
    unpublished = Mutex(publishes ? [] : nil)
  }

  public func notice(_ level: NoticeLevel, _ text: String) {
    guard level >= noticeLevel else { return }
    logger.log(level: level.logging, "\(text)")
    unpublished.withLock { lines in
      guard let count = lines?.count, count < Self.unpublishedMax else { return }
      lines?.append(LogLine(topic: "scheduler.\(level.pythonName)", text: text + "\n"))
    }
  }

  /// The lines to publish, taken once.
  func takeUnpublished() -> [LogLine] {
    unpublished.withLock { lines in
      guard let taken = lines, !taken.isEmpty else { return [] }
      lines = []
      return taken
    }
  }
}

extension NoticeLevel {
  var logging: Logger.Level {
    switch self {
    case .debug: .debug
    case .info: .info
    case .warning: .warning
    case .error: .error
    case .critical: .critical
    }
  }

  var pythonName: String {
    switch self {
    case .debug: "DEBUG"
    case .info: "INFO"
    case .warning: "WARNING"
    case .error: "ERROR"
    case .critical: "CRITICAL"
    }
  }

  /// A name as Python's logging has them, in any case, or a number from 0 to 50 (rounded up to
  /// the next level, as `Logger.isEnabledFor` would).
  public init?(pythonLevel text: String) {
    if let number = Int(text), (0...50).contains(number) {
      self = NoticeLevel(rawValue: max(10, (number + 9) / 10 * 10))!
      return
    }
    switch text.lowercased() {
    case "debug", "notset": self = .debug
    case "info": self = .info
    case "warning", "warn": self = .warning
    case "error": self = .error
    case "critical", "fatal": self = .critical
    default: return nil
    }
  }
}

/// Writes one line to stderr for each record, in local time, in one write.
struct StockLogHandler: LogHandler {
  let label: String
  var logLevel = Logger.Level.info
  var metadata = Logger.Metadata()

  subscript(metadataKey key: String) -> Logger.Metadata.Value? {
    get { metadata[key] }
    set { metadata[key] = newValue }
  }

  func log(event: LogEvent) {
    var now = timespec()
    var local = unsafe tm()
    unsafe clock_gettime(CLOCK_REALTIME, &now)
    unsafe localtime_r(&now.tv_sec, &local)
    func pad(_ value: Int32, _ digits: Int) -> String {
      let text = String(value)
      return String(repeating: "0", count: max(0, digits - text.count)) + text
    }
    let date = unsafe "\(local.tm_year + 1900)-\(pad(local.tm_mon + 1, 2))-\(pad(local.tm_mday, 2))"
    let time = unsafe "\(pad(local.tm_hour, 2)):\(pad(local.tm_min, 2)):\(pad(local.tm_sec, 2))"
    let line =
      "\(date) \(time).\(pad(Int32(now.tv_nsec / 1_000_000), 3)) [\(label)] \(event.message)\n"
    var bytes = line
    bytes.withUTF8 { buffer in
      // A log that cannot be written must not stop the scheduler.
      _ = unsafe Glibc.write(2, buffer.baseAddress, buffer.count)
    }
  }
}

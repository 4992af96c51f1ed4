/// SchedulerOptions: everything a scheduler can be told, checked in one place.
///
/// The command fills it from its arguments and environment; a Swift program fills it by hand.

import SchedulerCore
import SchedulerWire

public struct SchedulerOptions: Sendable {
  /// The sockets; see `TransportOptions`.
  public var links = TransportOptions()
  /// Signing and packing.
  public var session = SessionOptions()
  /// Choosers, high-water mark, retries.
  public var core = CoreOptions()
  /// Where everything is written down, so that a restart goes on where this process ends. Needs the
  /// rich scheduler.
  public var journal = JournalOptions()
  /// A blind round-robin relay instead of the rich scheduler.
  public var isPure = false
  /// End when this process is gone; 0 watches nobody.
  public var parentPID: Int32 = 0
  public var logLevel = NoticeLevel.info
  /// What log lines are tagged with.
  public var logName: String { links.identity }
  /// How long the start waits for the hub to listen before tasks are taken.
  public var monitorWait_ns: UInt64 = 1_000_000_000
  /// How long the end waits for queued messages to leave.
  public var linger_ns: UInt64 = 1_000_000_000

  public init() {
    session.session = Self.freshSessionID()
    core.seed = UInt64.random(in: .min ... .max)
  }

  /// `XXXXXXXX-XXXXXXXXXXXXXXXXXXXXXXXX` in hex, as jupyter_client makes them.
  static func freshSessionID() -> String {
    let digits = Array("0123456789abcdef")
    let text = (0..<32).map { _ in digits[Int.random(in: 0..<16)] }
    return String(text[..<8]) + "-" + String(text[8...])
  }

  /// What cannot be served, before anything is opened.
  public func validate() throws(SchedulerFailure) {
    func refuse(_ text: String) throws(SchedulerFailure) {
      throw SchedulerFailure(exitCode: 2, text: text)
    }
    let required: [(String, String)] =
      isPure
      ? [("client", links.clientURL), ("engine", links.engineURL), ("monitor", links.monitorURL)]
      : [("client", links.clientURL), ("engine", links.engineURL)]
    for (name, url) in required where url.isEmpty {
      try refuse("no \(name) url: give --\(name)-url, for example tcp://127.0.0.1:5000")
    }
    if isPure && !journal.folder.isEmpty {
      try refuse(
        "--journal with --scheme pure: a blind relay has nothing to write down; leave one out")
    }
    let limits = links.limits
    for (name, value) in [
      ("waitingTasks", limits.waitingTasks), ("waitingBytes", limits.waitingBytes),
      ("dependencies", limits.dependencies), ("messageBytes", limits.messageBytes),
      ("peers", limits.peers), ("handshakes", limits.handshakes),
      ("clientBytes", limits.clientBytes), ("engineBytes", limits.engineBytes),
      ("hubBytes", limits.hubBytes),
    ] where value == 0 {
      try refuse("limits.\(name) is 0: give at least 1, or Limits.none")
    }
    guard (0...TransportOptions.ioThreadsMax).contains(links.ioThreads) else {
      return try refuse(
        "--io-threads is \(links.ioThreads): give 0 (the scheduling thread does it all) to "
          + "\(TransportOptions.ioThreadsMax)")
    }
    if links.ioThreads > 0 && links.body == .zmq {
      try refuse(
        "--io-threads \(links.ioThreads) does not go with --transport zmq: "
          + "libzmq has I/O threads of its own")
    }
    if links.curvePublicKey.isEmpty != links.curveSecretKey.isEmpty {
      try refuse(
        "only one CURVE key: set both IPP_CURVE_PUBLICKEY and IPP_CURVE_SECRETKEY, or neither")
    }
  }
}

/// Why a scheduler cannot start or go on: one line for a person and the exit code that fits.
public struct SchedulerFailure: Error, CustomStringConvertible, Sendable {
  /// 2: a bad argument. 69: an address or a system service that cannot be had. 74: a journal that
  /// cannot be read or written.
  public var exitCode: Int32
  public var text: String
  public var description: String { text }

  public init(exitCode: Int32, text: String) {
    self.exitCode = exitCode
    self.text = text
  }

  init(_ failure: TransportFailure) {
    self.init(exitCode: failure.stage == .argument ? 2 : 69, text: failure.text)
  }
}

// The library: options, start and stop on a thread (ipyparallel's in_thread), clear failures.

import SchedulerWire
import Testing

@testable import Yardmaster

private func loopback() -> SchedulerOptions {
  var options = SchedulerOptions()
  options.links.clientURL = "tcp://127.0.0.1:*"
  options.links.engineURL = "tcp://127.0.0.1:*"
  options.session.key = Array("key".utf8)
  options.logLevel = .critical
  return options
}

@Suite struct SchedulerTests {
  @Test func runsOnAThreadAndStops() throws {
    let scheduler = try Scheduler(loopback())
    let thread = try scheduler.runInThread()
    scheduler.stop()
    try thread.join()
  }

  @Test func aStopBeforeTheStartEndsItAtOnce() throws {
    let scheduler = try Scheduler(loopback())
    scheduler.stop()
    try scheduler.run()
  }

  @Test func severalRunSideBySide() throws {
    let schedulers = try (0..<4).map { _ in try Scheduler(loopback()) }
    let threads = try schedulers.map { try $0.runInThread() }
    for scheduler in schedulers { scheduler.stop() }
    for thread in threads { try thread.join() }
  }

  @Test func aMissingAddressIsABadArgument() {
    var options = loopback()
    options.links.clientURL = ""
    let failure = #expect(throws: SchedulerFailure.self) { try Scheduler(options) }
    #expect(failure?.exitCode == 2)
    #expect(failure?.text.contains("--client-url") == true)
  }

  @Test func halfAKeyPairIsABadArgument() {
    var options = loopback()
    options.links.curvePublicKey = String(repeating: "a", count: 40)
    let failure = #expect(throws: SchedulerFailure.self) { try Scheduler(options) }
    #expect(failure?.exitCode == 2)
  }

  @Test func anAddressThatCannotBeBoundSaysSo() throws {
    var options = loopback()
    // 203.0.113.0/24 is reserved for documentation: no machine has it.
    options.links.clientURL = "tcp://203.0.113.7:5555"
    let scheduler = try Scheduler(options)
    let failure = #expect(throws: SchedulerFailure.self) { try scheduler.run() }
    #expect(failure?.exitCode == 69)
    #expect(failure?.text.contains("203.0.113.7") == true)
  }

  @Test func anUnknownDigestIsABadArgument() throws {
    var options = loopback()
    options.session.signatureScheme = "hmac-rot13"
    let scheduler = try Scheduler(options)
    let failure = #expect(throws: SchedulerFailure.self) { try scheduler.run() }
    #expect(failure?.exitCode == 2)
  }

  @Test(arguments: [
    ("10", NoticeLevel.debug), ("20", .info), ("25", .warning), ("0", .debug), ("50", .critical),
    ("WARN", .warning), ("Info", .info), ("critical", .critical),
  ])
  func logLevelsAsPythonHasThem(_ text: String, _ level: NoticeLevel) {
    #expect(NoticeLevel(pythonLevel: text) == level)
  }

  @Test(arguments: ["51", "-1", "loud", ""])
  func otherLogLevelsAreRefused(_ text: String) {
    #expect(NoticeLevel(pythonLevel: text) == nil)
  }

  @Test func sessionIDsLookLikeJupyters() {
    let id = SchedulerOptions.freshSessionID()
    #expect(id.count == 33)
    #expect(id.split(separator: "-").map(\.count) == [8, 24])
    #expect(id != SchedulerOptions.freshSessionID())
  }
}

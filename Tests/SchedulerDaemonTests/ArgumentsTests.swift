/// Random arguments: each either makes a command or gets one clear line and exit status 2.

import ArgumentParser
import TestSupport
import Testing

@testable import SchedulerDaemon
@testable import SchedulerWire
@testable import Yardmaster

@Suite struct ArgumentsTests {
  /// What `yardmaster` would do with these arguments, up to where addresses are opened.
  enum Outcome: Equatable {
    case runs
    case informs  // help, version, completion scripts
    case refuses(String)
  }

  private static let good = [
    "scheduler", "--client-url", "tcp://127.0.0.1:*", "--engine-url", "tcp://127.0.0.1:*",
    "--monitor-url", "tcp://127.0.0.1:1", "--notification-url", "tcp://127.0.0.1:1",
    "--registration-url", "tcp://127.0.0.1:1",
  ]
  private static let options = [
    "--client-url", "--engine-url", "--monitor-url", "--notification-url", "--registration-url",
    "--identity", "--scheme", "--hwm", "--packer", "--signature-scheme", "--session-key-file",
    "--transport", "--io", "--io-threads", "--busy-poll-us", "--journal", "--journal-sync",
    "--retry-anywhere", "--stranded-after", "--seed", "--fair-clients", "--max-waiting-tasks",
    "--max-waiting-bytes", "--max-dependencies", "--max-message-bytes", "--max-peers",
    "--max-handshakes", "--max-client-bytes", "--max-engine-bytes", "--max-hub-bytes",
    "--log-level",
    "--log-url", "--parent-pid", "--help", "-h", "--version", "--generate-completion-script",
    "--no-such-option", "-x", "--", "-", "---", "--=", "help",
  ]
  private static let values = [
    "", " ", "0", "1", "-1", "+1", "007", "1.5", "-0.0", "1e9", "1e10", "1e999", "nan", "inf",
    "0x10", "8G", "64m", "5Q", "99999999999T", "G",
    "2147483647", "2147483648", "9223372036854775808", "18446744073709551615",
    "18446744073709551616", "-9223372036854775809", "leastload", "pure", "fairest", "json",
    "pickle",
    "msgpack", "zmq", "native", "auto", "uring", "hmac-sha256", "hmac-", "debug", "10", "50", "51",
    "bash", "/no/such/file", "/", "/dev/null", "ü☃😀", "a\nb", "\r\n", "\u{1b}[31mred", "\u{7f}",
    "\u{85}", "\u{2028}", "\u{202e}txt", "\u{0}", "%s%n", "\"", "'", "$(true)", "--hwm", "=", "a=b",
    String(repeating: "x", count: 1_000),
  ]

  static func outcome(_ arguments: [String]) -> Outcome {
    do {
      let command = try YardmasterCommand.parseAsRoot(arguments)
      guard let scheduler = command as? SchedulerCommand else { return .informs }
      let options = try scheduler.options()
      try options.validate()
      check(options, arguments)
      return .runs
    } catch {
      guard let ending = YardmasterCommand.ending(for: error) else {
        #expect(YardmasterCommand.exitCode(for: error) == .success, "\(arguments)")
        return .informs
      }
      #expect(ending.status == 2, "\(arguments)")
      check(line: ending.line, arguments)
      return .refuses(ending.line)
    }
  }

  /// What is accepted can be counted with.
  private static func check(_ options: SchedulerOptions, _ arguments: [String]) {
    #expect(options.core.hwm <= UInt32(Int32.max), "\(arguments)")
    #expect(options.core.strandedAfter_ns <= 1_000_000_000_000_000_000, "\(arguments)")
    #expect(options.parentPID >= 0, "\(arguments)")
    #expect(!options.links.clientURL.isEmpty && !options.links.engineURL.isEmpty, "\(arguments)")
  }

  private static func check(line: String, _ arguments: [String]) {
    #expect(line.hasPrefix("yardmaster: ") && line.hasSuffix(")\n"), "\(arguments)")
    #expect(line.unicodeScalars.filter { $0 == "\n" }.count == 1, "\(arguments)")
    let unprintable = line.unicodeScalars.dropLast().filter {
      $0.properties.generalCategory == .control || $0.properties.generalCategory == .format
    }
    #expect(unprintable.isEmpty, "\(arguments)")
    let said = line.dropFirst("yardmaster: ".count).prefix { $0 != "(" }
    #expect(said.contains { $0.isLetter }, "\(arguments)")
  }

  private static func mutate(_ arguments: inout [String], using random: inout SeededGenerator) {
    let at = Int.random(in: 0...arguments.count, using: &random)
    let option = options.randomElement(using: &random)!
    let value = values.randomElement(using: &random)!
    switch Int.random(in: 0..<8, using: &random) {
    case 0 where at < arguments.count: arguments.remove(at: at)
    case 1 where at < arguments.count: arguments[at] = value
    case 2: arguments.insert(value, at: at)
    case 3: arguments.insert("\(option)=\(value)", at: at)
    case 4: arguments.insert(String(option.prefix(Int(random.next() % 12))), at: at)
    default: arguments.insert(contentsOf: [option, value], at: at)
    }
  }

  @Test func randomArgumentsRunOrGetOneClearLine() {
    var random = SeededGenerator.announced("ArgumentsTests")
    var runs = 0
    var refusals: Set<String> = []
    for _ in 0..<500 {
      var arguments = Self.good
      for _ in 0..<Int.random(in: 1...4, using: &random) {
        Self.mutate(&arguments, using: &random)
      }
      switch Self.outcome(arguments) {
      case .runs: runs += 1
      case .informs: break
      case .refuses(let line): refusals.insert(String(line.prefix(40)))
      }
    }
    #expect(runs > 5 && refusals.count > 15, "\(runs) run, \(refusals.count) refusals")
  }

  @Test func everyOptionWithEveryValueRunsOrGetsOneClearLine() {
    // Limits are read in two ways: one of each.
    let limits = Self.options.filter { $0.hasPrefix("--max-") }.dropFirst(2)
    for (number, option) in Self.options.filter({ !limits.contains($0) }).enumerated() {
      for (other, value) in Self.values.enumerated() {
        let isOne = (number + other) % 2 == 0
        _ = Self.outcome(Self.good + (isOne ? ["\(option)=\(value)"] : [option, value]))
      }
    }
  }

  @Test func everyOptionOfTheCommandIsTried() {
    let letters = Set("-abcdefghijklmnopqrstuvwxyz")
    let named = Set(
      SchedulerCommand.helpMessage().split { !letters.contains($0) }.map(String.init)
        .filter { $0.hasPrefix("--") })
    let others: Set = ["--controller"]  // ipcluster's
    #expect(named.count > 15 && named.subtracting(others).subtracting(Self.options).isEmpty)
  }

  @Test func limitsAreReadInBytesAndCounts() throws {
    func limits(_ arguments: String...) throws -> Limits {
      let command = try YardmasterCommand.parseAsRoot(Self.good + arguments)
      return try (#require(command as? SchedulerCommand)).options().links.limits
    }
    #expect(try limits() == Limits())
    var wanted = Limits()
    wanted.waitingTasks = 5
    wanted.waitingBytes = 3 << 20
    wanted.messageBytes = 1 << 40
    wanted.hubBytes = 7
    wanted.peers = Limits.none
    #expect(
      try limits(
        "--max-waiting-tasks", "5", "--max-waiting-bytes=3m", "--max-message-bytes", "1T",
        "--max-hub-bytes", "7", "--max-peers", "0") == wanted)
    for (option, value, says) in [
      ("--max-waiting-tasks", "1G", "a whole number"), ("--max-peers", "-1", "a whole number"),
      ("--max-waiting-bytes", "8 GB", "for example"),
      ("--max-hub-bytes", "99999999T", "for example"),
      ("--max-client-bytes", "", "--max-client-bytes"),
    ] {
      guard case .refuses(let line) = Self.outcome(Self.good + ["\(option)=\(value)"]) else {
        Issue.record("\(option)=\(value) was taken")
        continue
      }
      #expect(line.contains(option) && line.contains(says), "\(line)")
    }
  }

  @Test func busyPollingIsAutoOrMicroseconds() throws {
    for (arguments, wanted) in [
      ([], nil), (["--busy-poll-us", "auto"], nil), (["--busy-poll-us", "0"], 0),
      (["--busy-poll-us=20"], 20_000),
    ] as [([String], UInt64?)] {
      let command = try YardmasterCommand.parseAsRoot(Self.good + arguments)
      let options = try (#require(command as? SchedulerCommand)).options()
      #expect(options.links.busyPoll_ns == wanted, "\(arguments)")
    }
  }

  @Test func whatAnArgumentQuotesCannotBreakTheLine() throws {
    #expect(Self.outcome(Self.good) == .runs)
    guard case .refuses(let line) = Self.outcome(Self.good + ["--scheme", "a\n\u{1b}[2Jb"]) else {
      Issue.record("a scheme with a line break was taken")
      return
    }
    #expect(line.hasPrefix(#"yardmaster: --scheme is "a\n\u{1B}[2Jb": give one of leastload"#))
  }
}

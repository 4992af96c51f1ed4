/// `yardmaster scheduler`: arguments and environment become SchedulerOptions.
/// The command line is fixed: launchers and other people's scripts rely on it.

import ArgumentParser
import Glibc
import SchedulerCore
import SchedulerWire
import Yardmaster

struct SchedulerCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "scheduler",
    abstract: "Run the task scheduler of an ipyparallel cluster.",
    discussion: """
      Takes the place of ipcontroller's TaskScheduler process: clients and engines connect to it, \
      the hub is told what happens. Usually started by the controller \
      (ipcluster start --controller=yardmaster); by hand:

        IPP_SESSION_KEY=... yardmaster scheduler \\
          --client-url tcp://127.0.0.1:5011 --engine-url tcp://127.0.0.1:5003 \\
          --monitor-url tcp://127.0.0.1:5017 --notification-url tcp://127.0.0.1:5013 \\
          --registration-url tcp://127.0.0.1:5000

      Secrets never stand on the command line. IPP_SESSION_KEY (or --session-key-file) is the \
      key that signs messages; IPP_CURVE_PUBLICKEY and IPP_CURVE_SECRETKEY (Z85) turn on \
      encryption. YARDMASTER_KERNEL forces the SIMD kernels (scalar, sse4.2, avx2, avx512, neon).

      SIGTERM and SIGINT end it within two seconds, after queued messages have been sent. \
      Exit status: 0 ended as asked, 2 a bad argument, 69 an address that cannot be had, 74 a \
      journal that cannot be used.
      """)

  @Option(help: ArgumentHelp("ROUTER, bound: where clients connect.", valueName: "url"))
  var clientUrl: String
  @Option(help: ArgumentHelp("ROUTER, bound: where engines connect.", valueName: "url"))
  var engineUrl: String
  @Option(help: ArgumentHelp("PUB, connected to the hub's monitor.", valueName: "url"))
  var monitorUrl: String
  @Option(
    help: ArgumentHelp(
      "SUB, connected to the hub's notifier (not used by --scheme pure).", valueName: "url"))
  var notificationUrl: String?
  @Option(
    help: ArgumentHelp(
      "DEALER, connected to the hub's registrar (not used by --scheme pure).", valueName: "url"))
  var registrationUrl: String?
  @Option(help: "Routing ids announced: NAME_in to clients, NAME_out to engines.")
  var identity = "task"

  @Option(
    help: ArgumentHelp(
      "How an engine is chosen: leastload, lru, twobin, weighted, plainrandom, or pure (a blind "
        + "relay: no dependencies, no retries, nothing is checked)."))
  var scheme = "leastload"
  @Option(parsing: .unconditional, help: "Tasks an engine may have outstanding; 0: no limit.")
  var hwm = 1
  @Option(help: "How messages are packed: json, orjson, msgpack.")
  var packer = "json"
  @Option(help: "How messages are signed: hmac-sha256, hmac-sha512, ...")
  var signatureScheme = "hmac-sha256"
  @Option(
    help: ArgumentHelp(
      "A file with the session key, in place of IPP_SESSION_KEY.", valueName: "file"))
  var sessionKeyFile: String?

  @Option(help: "What carries the messages: native (our own ZMTP), zmq (libzmq), auto (native).")
  var transport = "auto"
  @Option(help: "How the scheduler waits: auto (io_uring, else epoll), uring, epoll.")
  var io = "auto"
  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "Threads that receive, check and send for clients and engines (0 to 64, --transport native); "
        + "0: the scheduling thread does.", valueName: "n"))
  var ioThreads = 0

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "How long to look for messages before sleeping, which saves waking up; 0: not at all; auto: "
        + "100, when messages have come so soon lately and nobody else wants the core.",
      valueName: "auto|microseconds"))
  var busyPollUs = "auto"

  @Option(
    help: ArgumentHelp(
      "Write down every task, assignment and reply there, and go on from it at the next start.",
      valueName: "folder"))
  var journal: String?
  @Option(
    help: ArgumentHelp(
      "When the journal is synced: always (before anything that follows leaves), a number of "
        + "milliseconds, or off. Only a power loss can lose what is not synced.",
      valueName: "always|ms|off"))
  var journalSync = "5"

  @Flag(
    help: ArgumentHelp(
      "A task that failed on every engine it may use starts over on those that merely failed it, "
        + "as long as it has retries left; without this it waits for a new engine."))
  var retryAnywhere = false
  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "How long tasks of an engine that went away wait for a late result.", valueName: "seconds"))
  var strandedAfter = 5.0
  @Option(help: "Seed of the random choosers; a random one is taken and logged by default.")
  var seed: UInt64?

  @Flag(
    help: ArgumentHelp(
      "Clients are served in turn: of those who have tasks that could start, each starts one, "
        + "round by round. Without this waiting tasks start in the order of their submission. "
        + "Needs a --hwm above 0: without one nothing waits here."))
  var fairClients = false
  @OptionGroup(title: "Limits") var limitOptions: LimitOptions

  @Option(help: "debug, info, warning, error, critical, or Python's number for it.")
  var logLevel = "info"
  @Option(help: ArgumentHelp("ipyparallel's iplogger: log lines are published.", valueName: "url"))
  var logUrl: String?
  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("End when this process is gone.", valueName: "pid"))
  var parentPid: Int32 = 0

  func run() throws {
    let scheduler = try Scheduler(options())
    stopOnSignals(scheduler)
    try scheduler.run()
  }

  func options() throws(SchedulerFailure) -> SchedulerOptions {
    var options = SchedulerOptions()
    options.links.clientURL = clientUrl
    options.links.engineURL = engineUrl
    options.links.monitorURL = monitorUrl
    options.links.notificationURL = notificationUrl ?? ""
    options.links.registrationURL = registrationUrl ?? ""
    options.links.logURL = logUrl ?? ""
    options.links.identity = identity
    options.links.body = try pick("--transport", transport)
    options.links.io = try pick("--io", io)
    options.links.ioThreads = ioThreads
    options.links.busyPoll_ns = try busyPoll_ns()
    options.links.curvePublicKey = environment("IPP_CURVE_PUBLICKEY")
    options.links.curveSecretKey = environment("IPP_CURVE_SECRETKEY")

    options.isPure = scheme == "pure"
    if !options.isPure {
      options.core.scheme = try pick("--scheme", scheme, also: ["pure"])
      for (name, url) in [
        ("notification", notificationUrl), ("registration", registrationUrl),
      ] where url == nil {
        throw refusal(
          "--\(name)-url is missing: give the hub's \(name) address "
            + "(only --scheme pure goes without)")
      }
    }
    guard hwm >= 0 && hwm <= Int(Int32.max) else {
      throw refusal("--hwm is \(hwm): give 0 (no limit) or the tasks an engine may have")
    }
    options.core.hwm = UInt32(hwm)
    options.core.retryAnywhere = retryAnywhere
    options.core.fairClients = fairClients
    options.links.limits = try limitOptions.limits()
    guard strandedAfter >= 0 && strandedAfter <= 1e9 else {
      throw refusal("--stranded-after is \(strandedAfter): give seconds from 0 to 1e9")
    }
    options.core.strandedAfter_ns = UInt64(strandedAfter * 1e9)
    if let seed { options.core.seed = seed }
    if let journal {
      guard !journal.isEmpty else { throw refusal("--journal is empty: give a folder") }
      options.journal.folder = journal
    }
    options.journal.sync = try sync()

    if packer == "pickle" {
      throw refusal(
        "--packer pickle is refused: unpickling runs code that a message carries; "
          + "use json, orjson or msgpack in the whole cluster (c.Session.packer)")
    }
    options.session.packer = try pick("--packer", packer)
    options.session.signatureScheme = signatureScheme
    options.session.username = environment("USER", default: "username")
    options.session.key = try sessionKey()

    guard let level = NoticeLevel(pythonLevel: logLevel) else {
      throw refusal(
        "--log-level is \"\(logLevel)\": give debug, info, warning, error, critical or 10 to 50")
    }
    options.logLevel = level
    guard parentPid >= 0 else { throw refusal("--parent-pid is \(parentPid): give a process id") }
    options.parentPID = parentPid
    return options
  }

  private func busyPoll_ns() throws(SchedulerFailure) -> UInt64? {
    if busyPollUs == "auto" { return nil }
    guard let microseconds = UInt64(busyPollUs), microseconds <= 1_000_000 else {
      throw refusal(
        "--busy-poll-us is \"\(busyPollUs)\": give auto, or microseconds from 0 (sleep at once) "
          + "to 1000000")
    }
    return microseconds * 1000
  }

  private func sync() throws(SchedulerFailure) -> JournalSync {
    switch journalSync {
    case "always": return .always
    case "off": return .off
    default:
      guard let milliseconds = Double(journalSync), milliseconds > 0, milliseconds <= 3_600_000
      else {
        throw refusal(
          "--journal-sync is \"\(journalSync)\": give always, off, or milliseconds up to 3600000")
      }
      return .every_ns(UInt64(milliseconds * 1e6))
    }
  }

  private func sessionKey() throws(SchedulerFailure) -> [UInt8] {
    guard let file = sessionKeyFile else { return environmentBytes("IPP_SESSION_KEY") }
    guard var key = readFile(file) else {
      let reason = unsafe String(cString: strerror(errno))
      throw refusal("cannot read the session key from \(file): \(reason)")
    }
    // Session.keyfile is stripped in Python, too.
    let blank: Set<UInt8> = [9, 10, 11, 12, 13, 32]
    while let last = key.last, blank.contains(last) { key.removeLast() }
    key = Array(key.drop { blank.contains($0) })
    guard !key.isEmpty else { throw refusal("the session key file \(file) is empty") }
    return key
  }

  private func pick<T: RawRepresentable & CaseIterable>(
    _ option: String, _ text: String, also: [String] = []
  ) throws(SchedulerFailure) -> T where T.RawValue == String {
    if let value = T(rawValue: text) { return value }
    let names = (T.allCases.map(\.rawValue) + also).joined(separator: ", ")
    throw refusal("\(option) is \"\(text)\": give one of \(names)")
  }

  private func refusal(_ text: String) -> SchedulerFailure {
    SchedulerFailure(exitCode: 2, text: text)
  }
}

private func environment(_ name: String, default fallback: String = "") -> String {
  guard let value = unsafe getenv(name) else { return fallback }
  return unsafe String(cString: value)
}

/// A variable's bytes as they are: a key need not be text.
private func environmentBytes(_ name: String) -> [UInt8] {
  guard let value = unsafe getenv(name) else { return [] }
  return unsafe Array(UnsafeRawBufferPointer(start: value, count: strlen(value)))
}

/// A small file's bytes; nil with errno set when it cannot be read.
private func readFile(_ path: String) -> [UInt8]? {
  guard let file = unsafe fopen(path, "r") else { return nil }
  defer { unsafe fclose(file) }
  var bytes = [UInt8](repeating: 0, count: 64 * 1024)
  let count = unsafe fread(&bytes, 1, bytes.count, file)
  return unsafe ferror(file) == 0 ? Array(bytes[..<count]) : nil
}

/// CoreHarness: drives a SchedulerCore in the words of the tests and holds its commands until the
/// test expects them.
///
///     withCore { core in
///       core.register("a")
///       let task = core.submit()
///       core.expect(.assign(task, "a"))
///     }
///
/// Invariant: after each step the core's own invariants hold, each message that it was given came
/// back at most once, and each name reference too; at the end exactly the live tasks' are out.
/// A command that no test expected is an error at the next event or at the end.

import PlainModel
import Testing

@testable import SchedulerCore

func withCore(
  hwm: UInt32 = 1, scheme: Scheme = .leastload, retryAnywhere: Bool = false,
  fairClients: Bool = false, policy: (any LoadPolicy)? = nil, engines: [String] = [],
  at location: SourceLocation = #_sourceLocation, _ body: (CoreHarness) -> Void
) {
  let core = CoreHarness(
    CoreSettings(
      hwm: hwm, scheme: scheme, retryAnywhere: retryAnywhere, fairClients: fairClients,
      policy: policy))
  // The one registered last stands first: registered in reverse, "a" leads.
  for engine in engines.reversed() { core.register(engine, at: location) }
  body(core)
  core.finish(at: location)
}

final class CoreHarness {
  var core: SchedulerCore
  private(set) var now_ns: UInt64 = 1_000_000_000
  private(set) var taskCount = 0
  /// Commands that no test has expected yet.
  private(set) var unexpected: [Seen] = []
  /// The first thing that was found wrong with the core itself.
  private(set) var problem: String?
  private var buffer = CommandBuffer()

  private var engineNames: [String] = ["(none)"]
  private var numberOfEngine: [String: UInt32] = [:]
  private var ownership = Ownership()

  init(_ settings: CoreSettings) { core = SchedulerCore(settings.options) }

  // MARK: events

  func register(_ engine: String, at location: SourceLocation = #_sourceLocation) {
    step([.register(engine)], at: location)
  }

  func unregister(_ engine: String, at location: SourceLocation = #_sourceLocation) {
    step([.unregister(engine)], at: location)
  }

  @discardableResult
  func submit(
    after: Wanted = Wanted(ids: []), follow: Wanted = Wanted(ids: []), targets: [String] = [],
    retries: Int = 0, timeout: Double = 0, bytes: UInt64 = 200, client: Int = 0,
    at location: SourceLocation = #_sourceLocation
  ) -> Int {
    let submission = Submission(
      after: after, follow: follow, targets: targets, retries: retries,
      timeout_ns: seconds(timeout), bytes: bytes, client: client)
    step([.submit(submission)], at: location)
    return taskCount - 1
  }

  func refuse(at location: SourceLocation = #_sourceLocation) -> Int {
    step([.refuse], at: location)
    return taskCount - 1
  }

  func succeed(_ task: Int, on engine: String, at location: SourceLocation = #_sourceLocation) {
    step([.result(task, engine, .completed)], at: location)
  }

  func fail(_ task: Int, on engine: String, at location: SourceLocation = #_sourceLocation) {
    step([.result(task, engine, .failed)], at: location)
  }

  func unmet(_ task: Int, on engine: String, at location: SourceLocation = #_sourceLocation) {
    step([.result(task, engine, .unmet)], at: location)
  }

  func undeliverable(
    _ task: Int, to engine: String, at location: SourceLocation = #_sourceLocation
  ) {
    step([.undeliverable(task, engine)], at: location)
  }

  func advance(_ time: Double, at location: SourceLocation = #_sourceLocation) {
    step([.advance(seconds(time))], at: location)
  }

  /// One step of the core over all of these. An `advance` moves the clock of the whole step.
  func step(_ happenings: [Happening], at location: SourceLocation = #_sourceLocation) {
    noneUnexpected("before the next event", at: location)
    var events: [Event] = []
    var lists: [UInt32] = []
    for happening in happenings {
      if let event = event(of: happening, &lists) { events.append(event) }
    }
    core.step(now_ns: now_ns, events: events.span, lists: lists.span, commands: &buffer)
    for index in 0..<buffer.count { take(buffer[index], at: location) }
    buffer.removeAll()
    if let problem = core.checkInvariants() { wrong("invariants: \(problem)", at: location) }
    if let problem = ownership.problem(live: core.report().live) {
      wrong("ownership: \(problem)", at: location)
    }
  }

  // MARK: expectations

  func expect(_ commands: Seen..., at location: SourceLocation = #_sourceLocation) {
    #expect(unexpected == commands, sourceLocation: location)
    unexpected.removeAll()
  }

  /// The commands since the last expectation, for tests that compute what they expect.
  func takeSeen() -> [Seen] {
    defer { unexpected.removeAll() }
    return unexpected
  }

  func finish(at location: SourceLocation = #_sourceLocation) {
    noneUnexpected("at the end", at: location)
  }

  private func noneUnexpected(_ moment: String, at location: SourceLocation) {
    for seen in unexpected {
      Issue.record("unexpected \(moment): \(seen)", sourceLocation: location)
    }
    unexpected.removeAll()
  }

  private func wrong(_ what: String, at location: SourceLocation) {
    if problem == nil { problem = what }
    Issue.record("the core: \(what)", sourceLocation: location)
  }

  // MARK: translation

  func name(_ engine: String) -> EngineName {
    if let known = numberOfEngine[engine] { return EngineName(known) }
    engineNames.append(engine)
    numberOfEngine[engine] = UInt32(engineNames.count - 1)
    return EngineName(UInt32(engineNames.count - 1))
  }

  private func event(of happening: Happening, _ lists: inout [UInt32]) -> Event? {
    switch happening {
    case .advance(let duration_ns):
      now_ns += duration_ns
      return nil
    case .register(let engine):
      var event = Event(.engineRegistered)
      event.engine = name(engine)
      return event
    case .unregister(let engine):
      var event = Event(.engineUnregistered)
      event.engine = name(engine)
      return event
    case .refuse:
      var event = Event(.refused)
      event.task = TaskID(UInt32(taskCount))
      taskCount += 1
      return event
    case .undeliverable(let task, let engine):
      var event = Event(.undeliverable)
      event.task = TaskID(UInt32(task))
      event.engine = name(engine)
      return event
    case .result(let task, let engine, let outcome):
      var event = Event(.finished)
      event.task = TaskID(UInt32(task))
      event.engine = name(engine)
      event.outcome = outcome
      event.message = ownership.give(.reply)
      return event
    case .submit(let submission): return self.event(of: submission, &lists)
    }
  }

  private func event(of submission: Submission, _ lists: inout [UInt32]) -> Event {
    var event = Event(.submitted)
    event.task = TaskID(UInt32(taskCount))
    event.retries = UInt32(submission.retries)
    event.timeout_ns = submission.timeout_ns
    event.bytes = submission.bytes
    event.client = ClientName(UInt32(submission.client))
    event.after = dependency(submission.after, &lists)
    event.follow = dependency(submission.follow, &lists)
    event.targets = ListRange(
      first: UInt32(lists.count), count: UInt32(submission.targets.count))
    let targets = submission.targets.map { name($0) }
    lists.append(contentsOf: targets.map(\.value))
    event.message = ownership.give(.task(taskCount, targets))
    taskCount += 1
    return event
  }

  private func dependency(_ wanted: Wanted, _ lists: inout [UInt32]) -> Dependency {
    var rule: DependencyRule = []
    if wanted.all { rule.insert(.all) }
    if wanted.success { rule.insert(.success) }
    if wanted.failure { rule.insert(.failure) }
    let range = ListRange(first: UInt32(lists.count), count: UInt32(wanted.ids.count))
    lists.append(contentsOf: wanted.ids.map { UInt32($0) })
    return Dependency(tasks: range, rule: rule)
  }

  /// Accounts for what the command gives back and keeps the rest for the test.
  private func take(_ command: Command, at location: SourceLocation) {
    if let problem = ownership.take(command) {
      wrong("ownership: \(problem)", at: location)
    }
    // An id no client submitted has no number: the tests' own name for it is the same value.
    let task = Int(command.task.value)
    let engine = engineNames[Int(command.engine.value)]
    switch command.kind {
    case .assign: unexpected.append(.assign(task, engine))
    case .deliver: unexpected.append(.deliver(task, engine))
    case .retire: unexpected.append(.retire(task, engine))
    case .discard: unexpected.append(.discard(task, engine, command.discard))
    // What follows (another assignment, a failure, or nothing) is what a test expects.
    case .releaseName, .lose: break
    case .fail:
      unexpected.append(
        command.detail == .engineDied && command.reason == .engineError
          ? .engineDied(task, engine) : .fail(task, command.reason, command.detail))
    }
  }
}

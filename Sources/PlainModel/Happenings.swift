/// Happenings: what is done to a scheduler, in names a person can read. Both the core (through the
/// tests' CoreHarness and the simulator's Observer) and the plain model take them, and both answer
/// with `Seen` values.
///
/// Invariant: tasks are numbers from 0 in order of submission, engines are strings.

import SchedulerCore

/// A dependency as a client states it.
package struct Wanted: Sendable {
  package var ids: [Int]
  package var all = true
  package var success = true
  package var failure = false

  package init(ids: [Int], all: Bool = true, success: Bool = true, failure: Bool = false) {
    self.ids = ids
    self.all = all
    self.success = success
    self.failure = failure
  }

  /// An id that no client ever submitted.
  package static let neverSeen = Int(TaskID.unknown.value)

  package static func all(_ ids: Int...) -> Wanted { Wanted(ids: ids) }
  package static func any(_ ids: Int...) -> Wanted { Wanted(ids: ids, all: false) }
  package var onFailure: Wanted { Wanted(ids: ids, all: all, success: false, failure: true) }
  package var onEither: Wanted { Wanted(ids: ids, all: all, success: true, failure: true) }

  /// A dependency on no id at all is no dependency, in the reference too.
  package var isEmpty: Bool { ids.isEmpty }
}

package struct Submission: Sendable {
  package var after = Wanted(ids: [])
  package var follow = Wanted(ids: [])
  package var targets: [String] = []
  package var retries = 0
  /// 0: none.
  package var timeout_ns: UInt64 = 0
  package var bytes: UInt64 = 200
  /// Who asks for it.
  package var client = 0

  package init(
    after: Wanted = Wanted(ids: []), follow: Wanted = Wanted(ids: []), targets: [String] = [],
    retries: Int = 0, timeout_ns: UInt64 = 0, bytes: UInt64 = 200, client: Int = 0
  ) {
    self.after = after
    self.follow = follow
    self.targets = targets
    self.retries = retries
    self.timeout_ns = timeout_ns
    self.bytes = bytes
    self.client = client
  }
}

package enum Happening: Sendable {
  case register(String)
  case unregister(String)
  case submit(Submission)
  /// The wire refused the next task: its id is known as failed.
  case refuse
  case result(Int, String, Outcome)
  case undeliverable(Int, String)
  case advance(UInt64)
}

extension Wanted: CustomStringConvertible {
  package var description: String {
    let kind = (success ? "success" : "") + (success && failure ? "+" : "")
    return "\(all ? "all" : "any") \(ids) \(kind)\(failure ? "failure" : "")"
  }
}

extension Happening: CustomStringConvertible {
  package var description: String {
    switch self {
    case .register(let engine): "register \(engine)"
    case .unregister(let engine): "unregister \(engine)"
    case .refuse: "refuse"
    case .result(let task, let engine, let outcome): "\(engine) says \(task) \(outcome)"
    case .undeliverable(let task, let engine): "undeliverable \(task) to \(engine)"
    case .advance(let duration_ns): "advance \(duration_ns) ns"
    case .submit(let submission):
      "submit"
        + (submission.after.isEmpty ? "" : " after \(submission.after)")
        + (submission.follow.isEmpty ? "" : " follow \(submission.follow)")
        + (submission.targets.isEmpty ? "" : " targets \(submission.targets)")
        + (submission.retries == 0 ? "" : " retries \(submission.retries)")
        + (submission.timeout_ns == 0 ? "" : " timeout \(submission.timeout_ns)")
        + " bytes \(submission.bytes)"
        + (submission.client == 0 ? "" : " client \(submission.client)")
    }
  }
}

/// One command, without the handles that the harness accounts for itself.
package enum Seen: Equatable, CustomStringConvertible {
  case assign(Int, String)
  case deliver(Int, String)
  case fail(Int, FailureReason, FailureDetail)
  case engineDied(Int, String)
  case retire(Int, String)
  case discard(Int, String, DiscardReason)

  package static func invalid(_ task: Int, _ detail: FailureDetail) -> Seen {
    .fail(task, .invalidDependency, detail)
  }
  package static func impossible(_ task: Int, _ detail: FailureDetail) -> Seen {
    .fail(task, .impossibleDependency, detail)
  }
  package static func timeout(_ task: Int, _ detail: FailureDetail) -> Seen {
    .fail(task, .taskTimeout, detail)
  }

  package var description: String {
    switch self {
    case .assign(let task, let engine): "assign \(task) to \(engine)"
    case .deliver(let task, let engine): "deliver \(task) from \(engine)"
    case .fail(let task, let reason, let detail): "fail \(task): \(reason), \(detail)"
    case .engineDied(let task, let engine): "fail \(task): \(engine) died"
    case .retire(let task, let engine): "retire a reply of \(engine) about \(task)"
    case .discard(let task, let engine, let reason):
      "discard a reply of \(engine) about \(task): \(reason)"
    }
  }
}

/// What the core and the model are opened with.
package struct CoreSettings: Sendable {
  package var hwm: UInt32
  package var scheme: Scheme
  package var retryAnywhere: Bool
  package var fairClients: Bool
  package var policy: (any LoadPolicy)?
  package var seed: UInt64

  package init(
    hwm: UInt32 = 1, scheme: Scheme = .leastload, retryAnywhere: Bool = false,
    fairClients: Bool = false, policy: (any LoadPolicy)? = nil, seed: UInt64 = 0
  ) {
    self.hwm = hwm
    self.scheme = scheme
    self.retryAnywhere = retryAnywhere
    self.fairClients = fairClients
    self.policy = policy
    self.seed = seed
  }

  package var options: CoreOptions {
    var options = CoreOptions()
    options.hwm = hwm
    options.scheme = scheme
    options.retryAnywhere = retryAnywhere
    options.fairClients = fairClients
    options.loadPolicy = policy
    options.seed = seed
    return options
  }
}

package func seconds(_ count: Double) -> UInt64 { UInt64(count * 1_000_000_000) }

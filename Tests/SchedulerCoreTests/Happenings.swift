/// Happenings: what tests do to a scheduler, in names a person can read. Both the core (through
/// CoreHarness) and the plain model take them, and both answer with `Seen` values.
///
/// Invariant: tasks are numbers from 0 in order of submission, engines are strings.

import SchedulerCore

/// A dependency as a client states it.
struct Wanted: Sendable {
  var ids: [Int]
  var all = true
  var success = true
  var failure = false

  /// An id that no client ever submitted.
  static let neverSeen = Int(TaskID.unknown.value)

  static func all(_ ids: Int...) -> Wanted { Wanted(ids: ids) }
  static func any(_ ids: Int...) -> Wanted { Wanted(ids: ids, all: false) }
  var onFailure: Wanted { Wanted(ids: ids, all: all, success: false, failure: true) }
  var onEither: Wanted { Wanted(ids: ids, all: all, success: true, failure: true) }

  /// A dependency on no id at all is no dependency, in the reference too.
  var isEmpty: Bool { ids.isEmpty }
}

struct Submission: Sendable {
  var after = Wanted(ids: [])
  var follow = Wanted(ids: [])
  var targets: [String] = []
  var retries = 0
  /// 0: none.
  var timeout_ns: UInt64 = 0
  var bytes: UInt64 = 200
}

enum Happening: Sendable {
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
  var description: String {
    let kind = (success ? "success" : "") + (success && failure ? "+" : "")
    return "\(all ? "all" : "any") \(ids) \(kind)\(failure ? "failure" : "")"
  }
}

extension Happening: CustomStringConvertible {
  var description: String {
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
    }
  }
}

/// One command, without the handles that the harness accounts for itself.
enum Seen: Equatable, CustomStringConvertible {
  case assign(Int, String)
  case deliver(Int, String)
  case fail(Int, FailureReason, FailureDetail)
  case engineDied(Int, String)
  case retire(Int, String)
  case discard(Int, String, DiscardReason)

  static func invalid(_ task: Int, _ detail: FailureDetail) -> Seen {
    .fail(task, .invalidDependency, detail)
  }
  static func impossible(_ task: Int, _ detail: FailureDetail) -> Seen {
    .fail(task, .impossibleDependency, detail)
  }
  static func timeout(_ task: Int, _ detail: FailureDetail) -> Seen {
    .fail(task, .taskTimeout, detail)
  }

  var description: String {
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

/// Census: how often each kind of thing happened, so that a person can see what a set of seeds
/// reached, and a test that no corner stays empty.

import SchedulerCore

public struct Census: Sendable {
  public private(set) var counts: [String: Int] = [:]

  public init() {}

  mutating func count(_ kind: String, _ number: Int = 1) { counts[kind, default: 0] += number }

  mutating func count(_ fact: Fact) {
    switch fact {
    case .registered: count("engine registered")
    case .unregistered: count("engine unregistered")
    case .submitted: count("task submitted")
    case .refused: count("task refused")
    case .finished(_, _, let outcome): count("reply: \(outcome)")
    case .undeliverable: count("undeliverable")
    case .assigned: count("assigned")
    case .delivered: count("delivered")
    case .failed(_, _, let detail, _): count("failed: \(detail)")
    case .retired: count("retired")
    case .discarded(_, _, let reason): count("discarded: \(reason)")
    case .fenced: count("fence answered")
    case .restoredEngine: count("restored: engine that answers fences")
    case .restoredFinished: count("restored: task that ended")
    case .restored(_, _, let engine, _, _):
      count(engine == .none ? "restored: task that waited" : "restored: task that ran")
    }
  }

  public mutating func add(_ other: Census) {
    for (kind, number) in other.counts.sorted(by: { $0.key < $1.key }) { count(kind, number) }
  }

  /// `kind number`, a line each.
  public var table: String {
    counts.sorted { $0.key < $1.key }.map { "  \($0.key): \($0.value)" }.joined(separator: "\n")
  }
}

/// Facts: what a run is judged by, in the order it happened: what the core was told and what it
/// decided. Tasks are the core's dense numbers, engines its names.

import PlainModel
import SchedulerCore

enum Fact {
  case registered(EngineName)
  case unregistered(EngineName)
  case submitted(Int, Submission)
  case refused(Int)
  case finished(Int, EngineName, Outcome)
  case undeliverable(Int, EngineName)
  case assigned(Int, EngineName)
  case delivered(Int, EngineName)
  case failed(Int, FailureReason, FailureDetail, EngineName)
  case retired(Int, EngineName)
  case discarded(Int, EngineName, DiscardReason)
  case fenced(EngineName)
  // What a journal told a fresh core.
  case restoredEngine(EngineName)
  case restoredFinished(Int, isCompleted: Bool, EngineName)
  case restored(Int, Submission, EngineName, failedOn: [EngineName], unmetOn: [EngineName])
}

/// One step of the core: all it was told, then all it decided.
struct Step {
  var now_ns: UInt64
  var told: [Fact]
  var decided: [Fact]
  /// The core's own count after the step.
  var report: CoreReport
  /// What its own recount found wrong.
  var problem: String?
}

/// A broken promise.
public struct Violation: Error, Sendable, CustomStringConvertible {
  public var promise: Promise
  public var text: String
  public var description: String { "\(promise.rawValue): \(text)" }
}

/// What is checked; each has an exit code of its own.
public enum Promise: String, CaseIterable, Sendable {
  case oneReply = "exactly one final reply for every accepted task"
  case after = "nothing runs before its `after` is met"
  case follow = "a task runs where its `follow` is met"
  case targets = "a task runs on a registered engine of its targets"
  case blacklist = "no engine gets a task again that failed there or was not met"
  case highWater = "no engine has more outstanding tasks than hwm"
  case loads = "loads and counts equal a recount"
  case retries = "a task runs again only as often as it may"
  case timeouts = "a task times out only while it waits, neither early nor late"
  case monitor = "the monitor hears intask, each tracktask, outtask, in order and once"
  case relay = "what engines and clients get is what was sent"
  case model = "the core decides what the plain model decides"
  case invariants = "the core's own invariants"
  case determinism = "identical decisions for an identical seed"
  case liveness = "what is healthy finishes"
  case memory = "memory at rest is empty"

  /// Whether it can be judged by a history that no longer knows what runs on which registration.
  var isSharp: Bool { [.oneReply, .after, .invariants, .model].contains(self) }

  public var exitCode: Int32 { Int32(10 + Self.allCases.firstIndex(of: self)!) }
}

/// Watches the decisions of a run for one promise. Each answers with the first thing that is wrong.
protocol DecisionChecker: AnyObject {
  var promise: Promise { get }
  /// One decision, before `history` knows of it.
  func check(_ decision: Fact, _ history: History, at now_ns: UInt64) -> Violation?
  /// A whole step, once `history` knows all of it.
  func check(_ step: Step, _ history: History) -> Violation?
  /// When nothing happens any more and all should have finished.
  func checkAtRest(_ history: History) -> Violation?
}

extension DecisionChecker {
  func check(_ decision: Fact, _ history: History, at now_ns: UInt64) -> Violation? { nil }
  func check(_ step: Step, _ history: History) -> Violation? { nil }
  func checkAtRest(_ history: History) -> Violation? { nil }
}

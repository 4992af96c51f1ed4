/// Whole runs: seeds pass, the same seed is the same run, and a set of seeds reaches every corner.
///
/// A failure says which command shows it.

import Testing

@testable import Simulator

@Suite("Simulated runs", .enabled(if: Simulation.isPossible))
struct SimulationTests {
  static let events = 1_000

  /// Always the same, here and in `make test`: a change turns red by what it does. Further ones are
  /// for `make simulate-soak`.
  @Test func `seeds keep all promises`() {
    for seed in 1_001...1_010 as ClosedRange<UInt64> {
      let verdict = Simulation(seed: seed, events: Self.events).run()
      if let violation = verdict.violation {
        Issue.record("\(violation); see it: simulate \(seed) --events \(Self.events)")
      }
    }
  }

  /// Those that are not rare: with more seeds `simulate --census` shows them all.
  @Test func `these seeds reach every corner`() {
    var census = Census()
    for seed in Array(1...40) + [58, 59, 83] as [UInt64] {
      census.add(Simulation(seed: seed, events: Self.events).run().census)
    }
    let corners = [
      "assigned", "delivered", "discarded: alreadyFinished",
      "engine connected anew", "engine registered", "engine unregistered",
      "failed: afterCannotBeMet", "failed: dependencyNeverSeen", "failed: dependencyOnItself",
      "failed: engineDied", "failed: followCannotBeMet", "failed: followEngineGone",
      "failed: followRanNowhere", "failed: followRanOnSeveralEngines",
      "failed: targetsNotRegistered",
      "failed: timedOutWaitingForAnEngine", "failed: timedOutWaitingForDependencies",
      "network: corrupted", "network: ended", "network: reset", "network: stalled",
      "fence answered", "restored: task that ended", "restored: task that ran",
      "restored: task that waited", "scheduler: killed", "scheduler: power lost",
      "scheduler: reply lost, the hub has its record", "task ran more than once",
      "reply: completed", "reply: failed", "reply: unmet", "retired", "task refused",
      "task submitted", "undeliverable",
    ]
    for corner in corners { #expect(census.counts[corner, default: 0] > 0, "\(corner)") }
  }

  /// Seeds that once ended with "the journal is damaged": a segment that a killed scheduler had not
  /// synced, and one whose header was lost; and with an engine that was free while a task waited.
  @Test func `a journal outlives a loss of power`() {
    for seed in [159, 182, 5, 129] as [UInt64] {
      #expect(Simulation(seed: seed, events: 2_000).run().violation == nil, "seed \(seed)")
    }
  }

  /// An engine answered two fences in one turn. Each said that it had lost a task, and the run that
  /// began in between was taken back: the task ran on two engines at once.
  @Test func `a run is lost once`() {
    let violation = Simulation(seed: 580_570_543_984, events: 2_000).run().violation
    #expect(violation == nil)
  }

  @Test func `a run twice is the same run, whatever keys the name tables`() {
    for seed in 1...5 as ClosedRange<UInt64> {
      let simulation = Simulation(seed: seed, events: Self.events)
      let once = simulation.run()
      #expect(Determinism.check(once, simulation.run(hashSeed: 77)) == nil)
      #expect(once.events == simulation.run().events)
    }
  }

  @Test func `another seed is another run`() {
    let one = Simulation(seed: 1, events: Self.events).run()
    let other = Simulation(seed: 2, events: Self.events).run()
    #expect(Determinism.check(one, other)?.promise == .determinism)
  }
}

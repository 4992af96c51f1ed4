import Testing

@testable import Simulator

@Suite("Simulation") struct SimulationTests {
  @Test(.enabled(if: Simulation.isPossible)) func someSeeds() {
    for seed in 1...3 as ClosedRange<UInt64> {
      let outcome = Simulation(seed: seed, events: 500).run()
      #expect(outcome.violation == nil, "simulate \(seed) --events 500")
    }
  }
}

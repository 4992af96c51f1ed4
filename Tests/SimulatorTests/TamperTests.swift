/// What is checked at the peers and at the end can fail, too: messages on their way to a peer are
/// lost, doubled or changed, work is kept from ending, counts are not zero.

import PlainModel
import Testing

@testable import SchedulerWire
@testable import Simulator

@Suite("Tampered worlds are found", .enabled(if: Simulation.isPossible))
struct TamperTests {
  /// Runs calm seeds, where every peer is steady, with messages to `recipient` put through `change`
  /// once it has let the first few pass. `change` answers nil for what is not its occasion.
  private func found(
    _ promise: Promise, to recipient: Recipient,
    _ change: @escaping ([[UInt8]]) -> [[[UInt8]]]?
  ) {
    var hasStruck = false
    expect(promise) { world in
      var count = 0
      world.tamper = { to, message in
        guard to == recipient, !hasStruck else { return [message] }
        count += 1
        guard count > 5, let changed = change(message) else { return [message] }
        hasStruck = true
        return changed
      }
    }
    #expect(hasStruck)
  }

  private func expect(_ promise: Promise, _ prepare: @escaping (World) -> Void) {
    let seed = Self.calmSeed
    var simulation = Simulation(seed: seed, events: 1_000)
    simulation.only = promise
    #expect(simulation.run().violation == nil)
    simulation.prepare = prepare
    #expect(simulation.run().violation?.promise == promise)
  }

  /// Whoever relies on a disk that was not asked to sync loses accepted tasks with the power.
  @Test func `a journal that forgets`() {
    var isFound = false
    for seed in 1...400 as ClosedRange<UInt64> where !isFound {
      var simulation = Simulation(seed: seed, events: 1_000)
      let isRisky = simulation.setting.journal.map { $0.sync == .off } ?? false
      guard isRisky, simulation.setting.rates.powerLoss > 0 else { continue }
      simulation.only = .oneReply
      simulation.prepare = { $0.expectsNoLoss = true }
      isFound = simulation.run().violation?.promise == .oneReply
    }
    #expect(isFound)
  }

  /// A seed under which messages are signed, every peer is steady to the end, and the hub is there
  /// in time.
  private static let calmSeed: UInt64 = {
    for seed in 1...1_000 as ClosedRange<UInt64> {
      var simulation = Simulation(seed: seed, events: 1_000)
      let rates = simulation.setting.rates
      guard rates.life_ns == 0 || simulation.setting.journal == nil, rates.cut == 0,
        rates.corrupt == 0, rates.malformed == 0, rates.neverAnswers == 0,
        simulation.setting.engineCount > 2, !simulation.setting.key.isEmpty
      else { continue }
      var isCalm = false
      simulation.prepare = { world in
        world.after(900_000_000) { [unowned world] in
          isCalm = world.hubHearsAll && world.hub.monitor.isSteady
        }
      }
      _ = simulation.run()
      if isCalm { return seed }
    }
    fatalError("no seed is calm")
  }()

  @Test func `a client is answered twice`() { found(.oneReply, to: .client) { [$0, $0] } }

  @Test func `a client is not answered`() { found(.oneReply, to: .client) { _ in [] } }

  @Test func `a client gets another content`() {
    found(.relay, to: .client) { message in
      var changed = message
      changed[message.count - 1] += [1]
      return [changed]
    }
  }

  @Test func `an engine gets another buffer`() {
    found(.relay, to: .engine) { message in
      // [client] <IDS|MSG> signature and four frames: what follows is not signed.
      guard message.count > 7 else { return nil }
      var changed = message
      changed[7] += [1]
      return [changed]
    }
  }

  @Test func `the hub misses something`() { found(.monitor, to: .monitor) { _ in [] } }
  @Test func `the hub hears something twice`() { found(.monitor, to: .monitor) { [$0, $0] } }

  @Test func `a task sent when nothing fails is not answered`() {
    expect(.liveness) { world in
      world.tamper = { [unowned world] to, message in
        to == .client && world.phase != .safety ? [] : [message]
      }
    }
  }

  @Test func `something never ends`() {
    expect(.liveness) { world in
      func again() { world.after(1_000_000_000) { again() } }
      again()
    }
  }

  @Test func `something happens without end`() {
    expect(.liveness) { world in
      func again() { world.after(1_000) { again() } }
      again()
    }
  }

  @Test func `a task is read with other retries`() {
    expect(.relay) { world in
      func change() {
        guard let plan = world.plans.first else { return world.after(1_000_000) { change() } }
        plan.submission.retries += 1
      }
      change()
    }
  }

  @Test func `something is held at rest`() {
    var report = ExchangeReport()
    #expect(MemoryAtRest.check(report, 0) == nil)
    #expect(MemoryAtRest.check(report, 1)?.promise == .memory)
    report.heldMessages = 1
    #expect(MemoryAtRest.check(report, 0)?.promise == .memory)
    report = ExchangeReport()
    report.heldBytes = 1
    #expect(MemoryAtRest.check(report, 0)?.promise == .memory)
    report = ExchangeReport()
    report.core.live = 1
    #expect(MemoryAtRest.check(report, 0)?.promise == .memory)
  }

  @Test func `every promise has an exit code of its own`() {
    #expect(Set(Promise.allCases.map(\.exitCode)).count == Promise.allCases.count)
    #expect(Promise.allCases.allSatisfy { $0.exitCode > 2 && $0.exitCode < 64 })
  }
}

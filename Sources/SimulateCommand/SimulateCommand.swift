/// The command `simulate`: runs seeds, prints what was found and how to see it again.

import ArgumentParser
import Simulator

@main
struct SimulateCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "simulate",
    abstract: "Runs the scheduler in a simulated world and checks its promises.",
    discussion: """
      Exit codes: 0 nothing found, 64 bad arguments, 77 not possible in this build, 128 and more a
      crash (the seed is printed),
      \(Promise.allCases.map { "\($0.exitCode) \($0.rawValue)" }.joined(separator: ",\n")).
      """)

  @Argument(help: "The first seed; without one it is drawn, and printed.")
  var seed: UInt64?

  @Option(help: "How many seeds, one after the other.")
  var seeds = 1

  @Option(help: "Events of each run until nothing fails any more.")
  var events = 2_000

  @Option(help: "Run further seeds until this many seconds have passed.")
  var duration: Double?

  @Option(help: "Run every n-th seed twice and compare; 0: none.")
  var twice = 10

  @Option(help: "Lines shown of what happened before a violation.")
  var lines = 40

  @Flag(help: "Say something about each seed.")
  var verbose = false

  @Flag(help: "Show at the end how often each kind of thing happened.")
  var census = false

  func validate() throws {
    guard seeds > 0 else { throw ValidationError("--seeds \(seeds): give 1 or more") }
    guard events > 0 else { throw ValidationError("--events \(events): give 1 or more") }
    guard twice >= 0 else { throw ValidationError("--twice \(twice): give 0 or more") }
    guard lines >= 0 else { throw ValidationError("--lines \(lines): give 0 or more") }
  }

  func run() throws {
    guard Simulation.isPossible else {
      print("this build cannot replace system calls (ThreadSanitizer): nothing was simulated")
      throw ExitCode(77)
    }
    var tally = Tally(first: seed ?? UInt64.random(in: 0..<(1 << 40)))
    let clock = ContinuousClock()
    let start = clock.now
    print("simulate: seed \(tally.first)\(seeds > 1 ? " and on" : ""), \(events) events each")
    while duration.map({ clock.now - start < .seconds($0) }) ?? (tally.runs < seeds) {
      let each = tally.next
      let verdict = simulate(each)
      tally.add(verdict)
      if verbose { print("seed \(each): \(tally.line(verdict))") }
      if let violation = verdict.violation {
        report(violation, seed: each)
      }
    }
    if census { print(tally.census.table) }
    print(tally.summary)
  }

  private func simulate(_ seed: UInt64) -> Verdict {
    sayOnCrash("\nbroken: the scheduler crashed\n\(replay(seed))\n")
    var simulation = Simulation(seed: seed, events: events)
    simulation.onViolation = { violation, _ in report(violation, seed: seed) }
    var verdict = simulation.run()
    guard verdict.violation == nil, twice > 0, seed % UInt64(twice) == 0 else { return verdict }
    verdict.violation = Determinism.check(verdict, simulation.run(hashSeed: seed | 1))
    return verdict
  }

  private func replay(_ seed: UInt64) -> String {
    "replay: swift run -c release simulate \(seed) --events \(events) --twice 1"
  }

  /// Runs the seed once more for the lines before it broke, and ends the program.
  private func report(_ violation: Violation, seed: UInt64) -> Never {
    if lines > 0 {
      var again = Simulation(seed: seed, events: events, linesMax: lines)
      again.onViolation = { _, lines in leave(violation, seed: seed, lines) }
      leave(violation, seed: seed, again.run().lines)
    }
    leave(violation, seed: seed, [])
  }

  private func leave(_ violation: Violation, seed: UInt64, _ lines: [String]) -> Never {
    for line in lines { print("  \(line)") }
    print("broken: \(violation)")
    print(replay(seed))
    Self.exit(withError: ExitCode(violation.promise.exitCode))
  }
}

/// Sums over the runs.
private struct Tally {
  let first: UInt64
  var runs = 0
  var events = 0
  var facts: UInt64 = 0
  var calls: UInt64 = 0
  var tasks = 0
  var simulated_ns: UInt64 = 0
  var census = Census()

  init(first: UInt64) { self.first = first }

  var next: UInt64 { first &+ UInt64(runs) }

  mutating func add(_ verdict: Verdict) {
    runs += 1
    events += verdict.events
    facts += verdict.facts
    calls += verdict.calls
    tasks += verdict.tasks
    simulated_ns += verdict.simulated_ns
    census.add(verdict.census)
  }

  func line(_ verdict: Verdict) -> String {
    "\(verdict.tasks) tasks, \(verdict.events) events, \(verdict.facts) facts, "
      + "\(verdict.simulated_ns / 1_000_000_000) s, fingerprint \(verdict.fingerprint)"
  }

  var summary: String {
    "\(runs) passed: \(tasks) tasks, \(events) events of the world, \(facts) of the core, "
      + "\(calls) system calls, \(simulated_ns / 1_000_000_000) simulated seconds; "
      + "no promise was broken"
  }
}

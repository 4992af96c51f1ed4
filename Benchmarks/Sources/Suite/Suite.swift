/// registerSuite: the cases of one suite, as benchmarks of the plugin.

import Benchmark
import Workloads

/// Figures are shown an operation (the `*` of the table says so): an iteration is a thousand of
/// them, or a million of a case with more of them in a round.
public func registerSuite(_ name: String) {
  for each in allCases() where each.suite == name {
    let scale: BenchmarkScalingFactor = each.operations <= 1000 ? .kilo : .mega
    precondition(scale.rawValue % each.operations == 0)
    let rounds = scale.rawValue / each.operations
    var configuration = Benchmark.Configuration()
    configuration.metrics = [.wallClock, .throughput]
    configuration.scalingFactor = scale
    configuration.warmupIterations = scale == .kilo ? 5 : 1
    configuration.maxDuration = scale == .kilo ? .seconds(1) : .seconds(5)
    configuration.timeUnits = .nanoseconds
    Benchmark(each.name, configuration: configuration) { (_, workload: any Workload) in
      for _ in 0..<rounds { workload.round() }
    } setup: {
      each.prepare()
    }
  }
}

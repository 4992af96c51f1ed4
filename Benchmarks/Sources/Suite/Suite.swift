/// registerSuite: the cases of one suite, as benchmarks of the plugin.

import Benchmark
import Workloads

/// Figures are shown an operation (the `*` of the table says so): a round is a thousand.
public func registerSuite(_ name: String) {
  precondition(BenchmarkScalingFactor.kilo.rawValue == operationsARound)
  var configuration = Benchmark.Configuration()
  configuration.metrics = [.wallClock, .throughput]
  configuration.scalingFactor = .kilo
  configuration.warmupIterations = 5
  configuration.timeUnits = .nanoseconds
  for each in allCases() where each.suite == name {
    Benchmark(each.name, configuration: configuration) { (_, workload: any Workload) in
      workload.round()
    } setup: {
      each.prepare()
    }
  }
}

/// The suite Codec; its cases are in Sources/Workloads.

import Benchmark
import Suite

let benchmarks: @Sendable () -> Void = { registerSuite("Codec") }

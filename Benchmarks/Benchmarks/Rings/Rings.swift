/// The suite Rings; its cases are in Sources/Workloads.

import Benchmark
import Suite

let benchmarks: @Sendable () -> Void = { registerSuite("Rings") }

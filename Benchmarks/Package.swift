// swift-tools-version: 6.1
//
// Micro-benchmarks of Yardmaster: what is measured (Workloads), a suite of ordo-one/benchmark for
// each part, and instruction-driver, which instructions.sh runs under callgrind. See README.md.

import PackageDescription

let strict: [SwiftSetting] = [.swiftLanguageMode(.v6)]

/// One suite of `swift package benchmark`. The plugin finds suites in the folder Benchmarks/.
func suite(_ name: String) -> Target {
  .executableTarget(
    name: name,
    dependencies: ["Workloads", "Suite", .product(name: "Benchmark", package: "benchmark")],
    path: "Benchmarks/\(name)", swiftSettings: strict,
    plugins: [.plugin(name: "BenchmarkPlugin", package: "benchmark")])
}

func yardmaster(_ product: String) -> Target.Dependency {
  .product(name: product, package: "yardmaster")
}

let package = Package(
  name: "yardmaster-benchmarks",
  products: [.executable(name: "instruction-driver", targets: ["InstructionDriver"])],
  dependencies: [
    // Named, because the folder of a clone may be called anything.
    .package(name: "yardmaster", path: ".."),
    // No traits: its hooks into malloc and the Swift runtime cost what is being measured.
    .package(url: "https://github.com/ordo-one/benchmark", from: "1.38.1", traits: []),
  ],
  targets: [
    .target(
      name: "Workloads",
      dependencies: [
        yardmaster("SchedulerCore"), yardmaster("CBase"), yardmaster("CLoads"),
        yardmaster("CSign"), yardmaster("CScan"), yardmaster("CQueue"),
      ],
      // The workloads are classes: checks of exclusive access would be a fourth of the figures.
      swiftSettings: strict + [.unsafeFlags(["-enforce-exclusivity=unchecked"])]),
    .target(
      name: "Suite",
      dependencies: ["Workloads", .product(name: "Benchmark", package: "benchmark")],
      swiftSettings: strict),
    .executableTarget(
      name: "InstructionDriver", dependencies: ["Workloads"], swiftSettings: strict),
    suite("Core"), suite("Choosers"), suite("Names"), suite("Sign"), suite("Scan"),
    suite("Rings"),
  ]
)

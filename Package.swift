// swift-tools-version: 6.2
//
// Yardmaster: a native task scheduler for ipyparallel clusters.
// C targets live in CSources/, Swift targets in Sources/. ARCHITECTURE.md is the guided tour.

import Foundation
import PackageDescription

/// The C library of MessagePack is packaged as `msgpack` (Debian 12) or `msgpack-c` (Ubuntu 24.04).
let msgpackModule: String = {
  let folders = [
    "/usr/lib/x86_64-linux-gnu/pkgconfig", "/usr/lib/aarch64-linux-gnu/pkgconfig",
    "/usr/lib/pkgconfig", "/usr/share/pkgconfig", "/usr/local/lib/pkgconfig",
  ]
  let found = folders.contains { FileManager.default.fileExists(atPath: "\($0)/msgpack-c.pc") }
  return found ? "msgpack-c" : "msgpack"
}()
let msgpackLibrary = msgpackModule == "msgpack-c" ? "msgpack-c" : "msgpackc"

let swiftStrict: [SwiftSetting] = [
  .swiftLanguageMode(.v6), .strictMemorySafety(), .treatAllWarnings(as: .error),
]
/// Tests poke at C structures all the time: strict memory safety would only add noise there.
let swiftTest: [SwiftSetting] = [.swiftLanguageMode(.v6), .treatAllWarnings(as: .error)]
/// Warnings are errors; `_GNU_SOURCE` for accept4, eventfd, pidfd and the like.
let cStrict: [CSetting] = [
  .define("_GNU_SOURCE"), .treatAllWarnings(as: .error), .enableWarning("all"),
  .enableWarning("extra"),
]
let cxxStrict: [CXXSetting] = [
  .treatAllWarnings(as: .error), .enableWarning("all"), .enableWarning("extra"),
]

func system(_ name: String, _ pkgConfig: String, apt: [String]) -> Target {
  .systemLibrary(
    name: name, path: "Sources/System/\(name)", pkgConfig: pkgConfig, providers: [.apt(apt)])
}

func c(_ name: String, _ dependencies: [Target.Dependency] = [], link: [LinkerSetting] = [])
  -> Target
{
  .target(
    name: name, dependencies: dependencies, path: "CSources/\(name)", cSettings: cStrict,
    cxxSettings: cxxStrict, linkerSettings: link)
}

func swift(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
  .target(
    name: name, dependencies: dependencies, path: "Sources/\(name)", swiftSettings: swiftStrict)
}

/// `exclude`: scripts that write fixtures, and fixtures that tests read where they lie.
func tests(_ name: String, _ dependencies: [Target.Dependency], exclude: [String] = []) -> Target {
  .testTarget(
    name: name, dependencies: dependencies, path: "Tests/\(name)", exclude: exclude,
    swiftSettings: swiftTest)
}

let package = Package(
  name: "yardmaster",
  products: [
    .executable(name: "yardmaster", targets: ["SchedulerDaemon"]),
    .library(name: "Yardmaster", targets: ["Yardmaster"]),
    .library(name: "SchedulerCore", targets: ["SchedulerCore"]),
    // For Benchmarks/ only.
    .library(name: "CBase", targets: ["CBase"]),
    .library(name: "CLoads", targets: ["CLoads"]),
    .library(name: "CSign", targets: ["CSign"]),
    .library(name: "CScan", targets: ["CScan"]),
    .library(name: "CIntake", targets: ["CIntake"]),
    .library(name: "CTransport", targets: ["CTransport"]),
    .library(name: "CQueue", targets: ["CQueue"]),
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
    .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
  ],
  targets: [
    system("CZeroMQ", "libzmq", apt: ["libzmq3-dev"]),
    system("CURing", "liburing", apt: ["liburing-dev"]),
    system("CCrypto", "libcrypto", apt: ["libssl-dev"]),
    system("CMsgpack", msgpackModule, apt: ["libmsgpack-dev", "libmsgpack-c-dev"]),
    system("CSimdJSON", "simdjson", apt: ["libsimdjson-dev"]),
    system("CSodium", "libsodium", apt: ["libsodium-dev"]),

    c("CBase"),
    c("CLoads"),
    c("CQueue"),
    c("CSign", ["CCrypto"]),
    c("CScan", ["CMsgpack", "CSimdJSON"], link: [.linkedLibrary(msgpackLibrary)]),
    c("CIntake", ["CBase", "CSign", "CScan"]),
    c("CJournal", ["CBase", "CURing"]),
    c("CTransport", ["CBase", "CQueue", "CZeroMQ", "CURing", "CSodium"]),

    swift("SchedulerCore", ["CLoads"]),
    swift(
      "SchedulerWire",
      ["SchedulerCore", "CBase", "CSign", "CScan", "CIntake", "CTransport", "CJournal"]),
    swift("Yardmaster", ["SchedulerWire", .product(name: "Logging", package: "swift-log")]),
    .executableTarget(
      name: "SchedulerDaemon",
      dependencies: [
        "Yardmaster", .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ],
      path: "Sources/SchedulerDaemon", swiftSettings: swiftStrict),

    // The simulator: nothing of it is in the products above.
    swift("PlainModel", ["SchedulerCore"]),
    c("CSimulatedKernel"),
    swift(
      "Simulator",
      ["SchedulerWire", "SchedulerCore", "PlainModel", "CSimulatedKernel", "CSign"]),
    .executableTarget(
      name: "simulate",
      dependencies: [
        "Simulator", .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ],
      path: "Sources/SimulateCommand", swiftSettings: swiftStrict),

    .executableTarget(
      name: "embedded-scheduler", dependencies: ["Yardmaster", "SchedulerCore"],
      path: "examples/EmbeddedScheduler", swiftSettings: swiftStrict),

    // What the tests share: one seeded generator.
    .target(
      name: "TestSupport", dependencies: ["SchedulerCore"], path: "Tests/TestSupport",
      swiftSettings: swiftTest),
    tests("CBaseTests", ["CBase", "TestSupport"]),
    tests("CLoadsTests", ["CLoads", "TestSupport"]),
    tests("CQueueTests", ["CQueue", "TestSupport"]),
    tests("CSignTests", ["CSign", "TestSupport"], exclude: ["generate_vectors.py"]),
    tests("CScanTests", ["CScan", "TestSupport"], exclude: ["generate_cases.py", "cases.jsonl"]),
    // Refused system calls and full tables, for the tests alone.
    .target(
      name: "CTransportSupport", dependencies: ["CBase", "CSodium", "CURing"],
      path: "Tests/CTransportSupport",
      cSettings: cStrict),
    tests("CIntakeTests", ["CIntake", "CBase", "CScan", "CSign"]),
    tests(
      "CTransportTests", ["CTransport", "CBase", "CZeroMQ", "CTransportSupport", "TestSupport"]),
    tests("CJournalTests", ["CJournal", "TestSupport"]),
    tests("SchedulerCoreTests", ["SchedulerCore", "PlainModel", "TestSupport"]),
    tests("SchedulerWireTests", ["SchedulerWire", "CTransport"]),
    .target(
      name: "CSimulatorSupport", path: "Tests/CSimulatorSupport", cSettings: cStrict),
    tests(
      "SimulatorTests",
      ["Simulator", "SchedulerWire", "SchedulerCore", "PlainModel", "CSimulatorSupport"]),
    tests("YardmasterTests", ["Yardmaster"]),
    tests(
      "SchedulerDaemonTests",
      [
        "SchedulerDaemon", "Yardmaster", "TestSupport",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ]),
  ],
  cxxLanguageStandard: .cxx17
)

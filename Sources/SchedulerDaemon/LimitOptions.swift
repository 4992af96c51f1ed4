/// The options that bound what peers may make the scheduler hold: arguments become `Limits`.

import ArgumentParser
import SchedulerWire
import Yardmaster

struct LimitOptions: ParsableArguments {
  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "Tasks that may wait or run, over all clients. A client that has more than there is room "
        + "left is not read until tasks have ended. 0, here and below: no limit.", valueName: "n"))
  var maxWaitingTasks = text(Limits().waitingTasks)
  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "Bytes of their messages, as --max-waiting-tasks. Bytes may be written 512M, 8G.",
      valueName: "bytes"))
  var maxWaitingBytes = text(bytes: Limits().waitingBytes)
  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "Ids that one task may name in after, or in follow, or engines in targets; it is refused "
        + "with more.", valueName: "n"))
  var maxDependencies = text(Limits().dependencies)
  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "Bytes of one message; a larger one closes its connection.", valueName: "bytes"))
  var maxMessageBytes = text(bytes: Limits().messageBytes)
  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "Connections of clients, and as many of engines; others wait until one ends "
        + "(--transport native).", valueName: "n"))
  var maxPeers = text(Limits().peers)
  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "Connections in their handshake; with one more the oldest is closed (--transport native).",
      valueName: "n"))
  var maxHandshakes = text(Limits().handshakes)
  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "Bytes of replies that one client does not read: at a sixteenth it is not read in turn, "
        + "above it is closed; all clients together four times as much (--transport native).",
      valueName: "bytes"))
  var maxClientBytes = text(bytes: Limits().clientBytes)
  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "Bytes of tasks that one engine does not read: above, they are placed elsewhere; at four "
        + "times as much for all engines clients are not read (--transport native).",
      valueName: "bytes"))
  var maxEngineBytes = text(bytes: Limits().engineBytes)
  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "Bytes of records that the hub does not read: above, clients are not read, at twice as much "
        + "nor are engines (--transport native).", valueName: "bytes"))
  var maxHubBytes = text(bytes: Limits().hubBytes)

  func limits() throws(SchedulerFailure) -> Limits {
    var limits = Limits()
    limits.waitingTasks = try Self.count("--max-waiting-tasks", maxWaitingTasks)
    limits.waitingBytes = try Self.bytes("--max-waiting-bytes", maxWaitingBytes)
    limits.dependencies = try Self.count("--max-dependencies", maxDependencies)
    limits.messageBytes = try Self.bytes("--max-message-bytes", maxMessageBytes)
    limits.peers = try Self.count("--max-peers", maxPeers)
    limits.handshakes = try Self.count("--max-handshakes", maxHandshakes)
    limits.clientBytes = try Self.bytes("--max-client-bytes", maxClientBytes)
    limits.engineBytes = try Self.bytes("--max-engine-bytes", maxEngineBytes)
    limits.hubBytes = try Self.bytes("--max-hub-bytes", maxHubBytes)
    return limits
  }

  /// Largest first.
  private static let units: [(name: Character, shift: Int)] = [
    ("T", 40), ("G", 30), ("M", 20), ("K", 10),
  ]

  private static func text(_ count: UInt64) -> String { "\(count)" }

  /// As `bytes` reads it, in the largest unit that says it whole.
  private static func text(bytes: UInt64) -> String {
    guard let unit = units.first(where: { bytes % (1 << UInt64($0.shift)) == 0 }) else {
      return text(bytes)
    }
    return "\(bytes >> UInt64(unit.shift))\(unit.name)"
  }

  private static func count(_ option: String, _ text: String) throws(SchedulerFailure) -> UInt64 {
    guard let value = UInt64(text) else {
      throw refusal("\(option) is \"\(text)\": give a whole number, or 0 for no limit")
    }
    return value == 0 ? Limits.none : value
  }

  private static func bytes(_ option: String, _ text: String) throws(SchedulerFailure) -> UInt64 {
    let shift = text.last.flatMap { last in
      units.first { $0.name == Character(last.uppercased()) }?.shift
    }
    let digits = shift == nil ? text[...] : text.dropLast()
    guard let value = UInt64(digits), value <= UInt64.max >> UInt64(shift ?? 0) else {
      throw refusal(
        "\(option) is \"\(text)\": give bytes, for example 268435456, 256M or 8G, "
          + "or 0 for no limit")
    }
    return value == 0 ? Limits.none : value << UInt64(shift ?? 0)
  }

  private static func refusal(_ text: String) -> SchedulerFailure {
    SchedulerFailure(exitCode: 2, text: text)
  }
}

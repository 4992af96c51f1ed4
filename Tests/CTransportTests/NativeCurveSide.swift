// NativeCurveSide.swift: one side of the mechanism CURVE, driven by hand. Used by NativeCurveTests.

import CTransportSupport

/// What a side made of a command.
struct CurveStep {
  let reason: String?
  let out: [UInt8]
  let done: Bool
  let metadata: [UInt8]?
}

struct CurveFrame: Equatable {
  var plain: [UInt8]
  var flags: UInt8
}

final class CurveSide {
  private let handle: OpaquePointer

  init(
    server: Bool, secret: [UInt8] = CurveSide.longTermSecret, seed: UInt8 = 1,
    metadata: [UInt8] = CurveSide.metadata
  ) {
    handle = support_curve_create(server, secret, seed, metadata, metadata.count)
  }

  deinit { support_curve_destroy(handle) }

  static let longTermSecret = [UInt8](repeating: 0x5a, count: 32)
  static let metadata = Wire.property("Socket-Type", bytes("DEALER"))

  static func publicKey(_ secret: [UInt8]) -> [UInt8] {
    var out = [UInt8](repeating: 0, count: 32)
    support_curve_public(secret, &out)
    return out
  }

  func setSecret(_ key: [UInt8]) { support_curve_set_secret(handle, key) }
  func setServer(_ key: [UInt8]) { support_curve_set_server(handle, key) }

  func start() -> [UInt8] {
    var out = [UInt8](repeating: 0xee, count: Int(SUPPORT_CURVE_COMMAND_MAX))
    let step = support_curve_start(handle, &out)
    return step.reason == nil ? Array(out.prefix(step.out_size)) : []
  }

  func take(_ body: [UInt8]) -> CurveStep {
    var out = [UInt8](repeating: 0xee, count: Int(SUPPORT_CURVE_COMMAND_MAX))
    var metadata = out
    let step = support_curve_take(handle, body, body.count, &out, &metadata)
    return CurveStep(
      reason: step.reason.map { String(cString: $0) }, out: Array(out.prefix(step.out_size)),
      done: step.done,
      metadata: step.has_metadata ? Array(metadata.prefix(step.metadata_size)) : nil)
  }

  func seal(_ plain: [UInt8], flags: UInt8 = 0) -> [UInt8] {
    var out = [UInt8](repeating: 0xee, count: plain.count + 33)
    support_curve_seal(handle, flags, plain, plain.count, &out)
    return out
  }

  func open(_ body: [UInt8]) -> (frame: CurveFrame?, reason: String?) {
    var body = body
    var offset = 0
    var size = 0
    var flags: UInt8 = 0
    if let reason = support_curve_open(handle, &body, body.count, &offset, &size, &flags) {
      return (nil, String(cString: reason))
    }
    return (CurveFrame(plain: Array(body[offset..<offset + size]), flags: flags), nil)
  }
}

/// A handshake between two sides, command by command, the same bytes each time.
struct CurveExchange {
  let client: CurveSide
  let server: CurveSide
  private(set) var commands: [[UInt8]] = []  // HELLO, WELCOME, INITIATE, READY
  private(set) var clientMetadata: [UInt8]?
  private(set) var serverMetadata: [UInt8]?

  /// Runs until `count` commands have been made; the last one has not been taken yet.
  init(
    _ count: Int, clientMetadata: [UInt8] = CurveSide.metadata,
    serverMetadata: [UInt8] = CurveSide.metadata
  ) {
    client = CurveSide(server: false, seed: 1, metadata: clientMetadata)
    server = CurveSide(server: true, seed: 100, metadata: serverMetadata)
    commands.append(client.start())
    for index in 1..<4 where index < count {
      let step = (index % 2 == 1 ? server : client).take(commands[index - 1])
      commands.append(step.out)
      if index == 3 { self.clientMetadata = step.metadata }
    }
  }

  /// The side that takes command `index`.
  func taker(_ index: Int) -> CurveSide { index % 2 == 0 ? server : client }

  /// Both sides in traffic.
  static func finished() -> CurveExchange {
    var all = CurveExchange(4)
    let step = all.client.take(all.commands[3])
    all.serverMetadata = step.done ? step.metadata : nil
    return all
  }
}

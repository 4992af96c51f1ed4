/// What the scheduling thread does with each received message before the core hears of it: find the
/// delimiter, check the signature (HMAC-SHA256), scan. JSON frames of known shape, as in a cluster
/// that has run for a while.

import CBase
import CIntake
import CSign

func intakeCases() -> [Case] {
  [
    Case("Intake", "task-signed", rounds: (1, 3)) {
      Checking(INTAKE_TASK, taskMessage(bufferSize: 300, signature: signed))
    },
    Case("Intake", "reply-signed", rounds: (1, 3)) {
      Checking(INTAKE_REPLY, replyMessage(bufferSize: 300, signature: signed))
    },
  ]
}

private let scheme = "hmac-sha256"
private let key = Array("a key of a client and its engines".utf8)

private func signed(_ frames: [[UInt8]]) -> [UInt8] {
  guard let signer = signer_create(scheme, key, key.count, nil, 0) else {
    preconditionFailure("OpenSSL has no sha256")
  }
  defer { signer_destroy(signer) }
  let bytes = frames.flatMap { $0 }
  var hex = [CChar](repeating: 0, count: Int(SIGNER_HEX_MAX))
  let size = bytes.withUnsafeBufferPointer { buffer in
    var at = buffer.baseAddress!
    let parts = frames.map { frame in
      defer { at += frame.count }
      return signer_part(data: at, size: UInt64(frame.count))
    }
    return signer_sign(signer, parts, parts.count, &hex)
  }
  return hex.prefix(size).map { UInt8(bitPattern: $0) }
}

final class Checking: Workload {
  private let intake: OpaquePointer
  private let kind: intake_kind
  private let bytes: UnsafeMutableBufferPointer<UInt8>
  private let frames: [message_frame]

  init(_ kind: intake_kind, _ message: [[UInt8]]) {
    var options = intake_options(
      packer: SCAN_JSON, signature_scheme: nil, key: nil, key_size: key.count)
    let intake = scheme.withCString { scheme in
      key.withUnsafeBytes { key in
        options.signature_scheme = scheme
        options.key = key.baseAddress
        return intake_create(&options, nil, 0)
      }
    }
    guard let intake else { preconditionFailure("memory is short, or OpenSSL has no sha256") }
    self.intake = intake
    self.kind = kind
    let flat = message.flatMap { $0 }
    let bytes = UnsafeMutableBufferPointer<UInt8>.allocate(capacity: flat.count)
    _ = bytes.initialize(from: flat)
    self.bytes = bytes
    var at = 0
    frames = message.map { frame in
      defer { at += frame.count }
      return message_frame(data: bytes.baseAddress! + at, size: UInt64(frame.count))
    }
  }

  deinit {
    intake_destroy(intake)
    bytes.deallocate()
  }

  func round() {
    var out = intake_message()
    for _ in 0..<operationsARound {
      intake_reset(intake)
      intake_check(intake, kind, frames, UInt32(frames.count), &out)
      precondition(out.status == INTAKE_OK.rawValue)
      precondition(kind == INTAKE_TASK ? out.task.status == SCAN_OK.rawValue : out.reply.ok == 1)
    }
  }
}

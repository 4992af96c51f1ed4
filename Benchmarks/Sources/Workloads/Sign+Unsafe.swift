/// Signatures: HMAC-SHA256 over the four frames of a message, 500 bytes each; and of many at once,
/// as a turn brings them.

import CSign

func signCases() -> [Case] {
  [
    Case("Sign", "sign-sha256-4x500", rounds: (1, 3)) { Signing(verifies: false) },
    Case("Sign", "verify-sha256-4x500", rounds: (1, 3)) { Signing(verifies: true) },
    Case("Sign", "sign-many-32", rounds: (1, 3)) { SigningMany(32) },
    Case("Sign", "sign-many-8", rounds: (1, 3)) { SigningMany(8) },
  ]
}

final class Signing: Workload {
  private let signer: OpaquePointer
  private let frames: UnsafeMutableBufferPointer<UInt8>
  private let parts: [signer_part]
  private var hex = [CChar](repeating: 0, count: Int(SIGNER_HEX_MAX))
  private let verifies: Bool
  private let size: Int

  init(verifies: Bool) {
    let key = Array("a key of a client and its engines".utf8)
    guard let signer = signer_create("hmac-sha256", key, key.count, nil, 0) else {
      preconditionFailure("OpenSSL has no sha256")
    }
    self.signer = signer
    self.verifies = verifies
    let frameSize = 500
    let bytes = UnsafeMutableBufferPointer<UInt8>.allocate(capacity: 4 * frameSize)
    for index in bytes.indices { bytes.initializeElement(at: index, to: UInt8(index % 251)) }
    frames = bytes
    parts = (0..<4).map {
      signer_part(data: bytes.baseAddress! + $0 * frameSize, size: UInt64(frameSize))
    }
    size = signer_sign(signer, parts, parts.count, &hex)
    precondition(size == 64)
  }

  deinit {
    signer_destroy(signer)
    frames.deallocate()
  }

  func round() {
    if verifies {
      hex.withUnsafeBytes { bytes in
        let signature = bytes.assumingMemoryBound(to: UInt8.self).baseAddress
        for _ in 0..<operationsARound {
          precondition(signer_verify(signer, parts, parts.count, signature, size))
        }
      }
    } else {
      for _ in 0..<operationsARound {
        precondition(signer_sign(signer, parts, parts.count, &hex) == size)
      }
    }
  }
}

/// Tasks and replies by turns, in the sizes that they have without buffers.
final class SigningMany: Workload {
  private let signer: OpaquePointer
  private let texts: UnsafeMutableBufferPointer<UInt8>
  private let parts: UnsafeMutableBufferPointer<signer_part>
  private let hex: UnsafeMutableBufferPointer<CChar>
  private let jobs: [signer_job]

  init(_ count: Int) {
    let key = Array("a key of a client and its engines".utf8)
    guard let signer = signer_create("hmac-sha256", key, key.count, nil, 0) else {
      preconditionFailure("OpenSSL has no sha256")
    }
    self.signer = signer
    let frames = [[230, 2, 120, 100], [250, 230, 290, 120]]
    let room = 1024
    texts = .allocate(capacity: count * room)
    for index in texts.indices { texts.initializeElement(at: index, to: UInt8(index % 251)) }
    parts = .allocate(capacity: count * 4)
    hex = .allocate(capacity: count * 64)
    hex.initialize(repeating: 0)
    var jobs: [signer_job] = []
    for index in 0..<count {
      var at = texts.baseAddress! + index * room
      for (part, size) in frames[index % 2].enumerated() {
        parts.initializeElement(
          at: index * 4 + part, to: signer_part(data: at, size: UInt64(size)))
        at += size
      }
      jobs.append(
        signer_job(
          parts: parts.baseAddress! + index * 4, count: 4, hex: hex.baseAddress! + index * 64))
    }
    self.jobs = jobs
  }

  deinit {
    signer_destroy(signer)
    texts.deallocate()
    parts.deallocate()
    hex.deallocate()
  }

  func round() {
    var left = operationsARound
    while left > 0 {
      let some = min(left, jobs.count)
      precondition(signer_sign_all(signer, jobs, some))
      left -= some
    }
  }
}

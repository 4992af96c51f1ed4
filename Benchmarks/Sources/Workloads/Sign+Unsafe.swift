/// Signatures: HMAC-SHA256 over the four frames of a message, 500 bytes each.

import CSign

func signCases() -> [Case] {
  [
    Case("Sign", "sign-sha256-4x500", rounds: (1, 3)) { Signing(verifies: false) },
    Case("Sign", "verify-sha256-4x500", rounds: (1, 3)) { Signing(verifies: true) },
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

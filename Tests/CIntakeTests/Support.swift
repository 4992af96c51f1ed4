// Support.swift: messages and intakes for the tests of this module.

import CBase
import CIntake
import CScan
import Glibc

/// Frames in memory of their own, as a transport holds them.
final class Frames {
  let frames: UnsafeMutablePointer<message_frame>
  let count: Int

  init(_ texts: [String]) {
    count = texts.count
    frames = .allocate(capacity: texts.count)
    for (index, text) in texts.enumerated() {
      let bytes = UnsafeMutablePointer<UInt8>.allocate(capacity: max(1, text.utf8.count))
      for (offset, byte) in text.utf8.enumerated() { bytes[offset] = byte }
      frames[index] = message_frame(data: bytes, size: UInt64(text.utf8.count))
    }
  }

  deinit {
    for index in 0..<count { frames[index].data.deallocate() }
    frames.deallocate()
  }
}

func makeIntake(key: String = "") -> OpaquePointer {
  var reason = [CChar](repeating: 0, count: 512)
  return "hmac-sha256".withCString { scheme in
    key.withCString { key in
      var options = intake_options(
        packer: SCAN_JSON, signature_scheme: scheme, key: key, key_size: strlen(key))
      return intake_create(&options, &reason, reason.count)!
    }
  }
}

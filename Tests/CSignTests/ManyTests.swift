/// Signatures of many messages at once, by each body that this CPU has: as OpenSSL's one by one.
import CSign
import TestSupport
import Testing

private let bodies = [
  SIGNER_BEST, SIGNER_AVX512, SIGNER_AVX512_ALONE, SIGNER_PAIRS, SIGNER_OPENSSL,
]

/// A message in memory of its own, no byte more: AddressSanitizer finds what is read beyond.
private final class Message {
  let parts: UnsafeMutablePointer<signer_part>
  let count: Int
  private var memory: [UnsafeMutablePointer<UInt8>] = []

  /// `together`: the parts lie one after the other, as a transport keeps them, `shift` bytes into
  /// the allocation; else each somewhere.
  init(_ sizes: [Int], together: Bool, shift: Int = 0, _ random: inout SeededGenerator) {
    parts = .allocate(capacity: max(1, sizes.count))
    count = sizes.count
    func take(_ size: Int) -> UnsafeMutablePointer<UInt8> {
      let bytes = UnsafeMutablePointer<UInt8>.allocate(capacity: size)
      for index in 0..<size { bytes[index] = UInt8(truncatingIfNeeded: random.next()) }
      memory.append(bytes)
      return bytes
    }
    var at = together ? take(sizes.reduce(shift, +)) + shift : nil
    for (index, size) in sizes.enumerated() {
      let data = at ?? (size == 0 ? nil : take(size))
      parts[index] = signer_part(data: data, size: UInt64(size))
      if let start = at { at = start + size }
    }
  }

  deinit {
    for bytes in memory { bytes.deallocate() }
    parts.deallocate()
  }

  var sizes: [UInt64] { (0..<count).map { parts[$0].size } }
}

private final class Signer {
  let handle: OpaquePointer
  init(_ scheme: String = "hmac-sha256") {
    let key = Array("another key".utf8)
    handle = signer_create(scheme, key, key.count, nil, 0)!
  }
  deinit { signer_destroy(handle) }

  /// One by one, which is OpenSSL whatever the body.
  func sign(_ message: Message) -> [CChar] {
    var hex = [CChar](repeating: 0, count: Int(SIGNER_HEX_MAX))
    let size = signer_sign(handle, message.parts, message.count, &hex)
    return Array(hex.prefix(size))
  }

  /// Signs `messages` with each body, and expects what OpenSSL makes of them.
  func compare(_ messages: [Message], _ what: @autoclosure () -> String) {
    let expected = messages.map(sign)
    for body in bodies where signer_use_body(handle, body) {
      // Each signature exactly where it belongs, with nothing written between them.
      var hex = [CChar](repeating: 1, count: messages.count * 65)
      let done = hex.withUnsafeMutableBufferPointer { hex in
        let jobs = messages.enumerated().map { index, message in
          signer_job(
            parts: message.parts, count: message.count, hex: hex.baseAddress! + index * 65)
        }
        return signer_sign_all(handle, jobs, jobs.count)
      }
      var wrong: [Int] = []
      for index in messages.indices {
        let written: ArraySlice<CChar> = hex[(index * 65)..<(index * 65 + 65)]
        if written.dropLast() != expected[index][...] || written.last != 1 { wrong.append(index) }
      }
      let sizes = wrong.map { "message \($0) of sizes \(messages[$0].sizes)" }
      #expect(done && wrong.isEmpty, "body \(body.rawValue), \(what()): \(sizes)")
    }
  }
}

@Suite struct ManyTests {
  @Test func theBestBodyIsOneThatTheCPUHas() {
    let signer = Signer()
    let best = signer_body_of(signer.handle)
    for body in bodies where body != SIGNER_BEST && signer_use_body(signer.handle, body) {
      #expect(signer_body_of(signer.handle) == body)
    }
    #expect(best != SIGNER_BEST && signer_use_body(signer.handle, best))
    #expect(signer_use_body(signer.handle, SIGNER_OPENSSL))
    // Another digest has OpenSSL alone.
    let other = Signer("hmac-sha512")
    #expect(!signer_use_body(other.handle, best) || best == SIGNER_OPENSSL)
    #expect(signer_body_of(other.handle) == SIGNER_OPENSSL)
  }

  @Test func everySizeInEveryBody() {
    var random = SeededGenerator.announced("CSignTests.ManyTests")
    let signer = Signer()
    let limits = [4095, 4096, 4097, 16383, 16384, 16385, 20000]
    let sizes = Array(0...300) + limits.flatMap { [$0, $0] }
    let together = sizes.map { Message([$0], together: true, shift: $0 % 7, &random) }
    signer.compare(together, "one part")
    let cut = sizes.map {
      Message([$0 / 3, 0, $0 / 5, $0 - $0 / 3 - $0 / 5], together: true, shift: 3, &random)
    }
    signer.compare(cut, "parts side by side")
    let scattered = sizes.map {
      Message([$0 / 3, 0, $0 / 5, $0 - $0 / 3 - $0 / 5], together: false, &random)
    }
    signer.compare(scattered, "scattered parts")
    // Each size in company of its like: all lanes end at once.
    for size in [0, 55, 56, 63, 64, 119, 120, 256] {
      let like = (0..<33).map { _ in Message([size], together: true, &random) }
      signer.compare(like, "33 of \(size)")
    }
  }

  @Test func everyBatchInEveryBody() {
    var random = SeededGenerator.announced("CSignTests.ManyTests")
    let signer = Signer()
    for count in Array(0...40) + [63, 64, 65, 127, 128, 129, 200] {
      let messages = (0..<count).map { _ in
        let parts = Int.random(in: 0...5, using: &random)
        let most = random.oneIn(8) ? 3000 : 300
        let sizes = (0..<parts).map { _ in
          random.oneIn(5) ? 0 : Int.random(in: 0...most, using: &random)
        }
        let shift = Int.random(in: 0..<64, using: &random)
        return Message(sizes, together: random.oneIn(2), shift: shift, &random)
      }
      signer.compare(messages, "a batch of \(count)")
    }
  }

  @Test func aWrongSignatureIsFoundInEveryLane() {
    var random = SeededGenerator.announced("CSignTests.ManyTests")
    let signer = Signer()
    for count in [1, 2, 3, 7, 16, 17, 40, 64, 70] {
      let messages = (0..<count).map { _ in
        let size = Int.random(in: 0...700, using: &random)
        return Message([size], together: true, &random)
      }
      var signatures = messages.map { signer.sign($0).map(UInt8.init(bitPattern:)) }
      for body in bodies where signer_use_body(signer.handle, body) {
        for wrong in -1..<count {
          let place = Int.random(in: 0..<64, using: &random)
          if wrong >= 0 { signatures[wrong][place] ^= 1 }
          let valid = verify(signer, messages, signatures)
          let expected = (0..<count).map { $0 != wrong }
          #expect(valid == expected, "body \(body.rawValue), \(wrong) of \(count)")
          if wrong >= 0 { signatures[wrong][place] ^= 1 }
        }
      }
    }
  }

  private func verify(
    _ signer: Signer, _ messages: [Message], _ signatures: [[UInt8]]
  ) -> [Bool] {
    let joined = signatures.flatMap { $0 }
    return joined.withUnsafeBufferPointer { joined in
      var checks = messages.indices.map {
        signer_check(
          parts: messages[$0].parts, count: messages[$0].count,
          signature: joined.baseAddress! + 64 * $0, signature_size: 64, valid: false)
      }
      signer_verify_all(signer.handle, &checks, checks.count)
      return checks.map(\.valid)
    }
  }

  /// RFC 4231, cases 1, 2 and 6, each in every lane among others.
  @Test func theVectorsOfTheRFC() {
    let vectors: [(key: [UInt8], text: String, hex: String)] = [
      (
        Array(repeating: 0x0b, count: 20), "Hi There",
        "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"
      ),
      (
        Array("Jefe".utf8), "what do ya want for nothing?",
        "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
      ),
      (
        Array(repeating: 0xaa, count: 131),
        "Test Using Larger Than Block-Size Key - Hash Key First",
        "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"
      ),
    ]
    for vector in vectors {
      let signer = signer_create("hmac-sha256", vector.key, vector.key.count, nil, 0)!
      defer { signer_destroy(signer) }
      let text = Array(vector.text.utf8)
      for body in bodies where signer_use_body(signer, body) {
        var hex = [CChar](repeating: 0, count: 20 * 64)
        text.withUnsafeBufferPointer { text in
          let part = [signer_part(data: text.baseAddress, size: UInt64(text.count))]
          part.withUnsafeBufferPointer { part in
            hex.withUnsafeMutableBufferPointer { hex in
              let jobs = (0..<20).map {
                signer_job(parts: part.baseAddress, count: 1, hex: hex.baseAddress! + 64 * $0)
              }
              #expect(signer_sign_all(signer, jobs, jobs.count))
            }
          }
        }
        let all = String(decoding: hex.map(UInt8.init(bitPattern:)), as: UTF8.self)
        #expect(all == String(repeating: vector.hex, count: 20), "body \(body.rawValue)")
      }
    }
  }
}

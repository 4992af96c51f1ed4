/// Signatures: against Python's hmac, and everything that must not verify.
import CSign
import Testing

/// Bytes as generate_vectors.py makes them.
private func pattern(_ size: Int, _ start: Int) -> [UInt8] {
  (0..<size).map { UInt8(truncatingIfNeeded: start + $0 * 7 + ($0 >> 8)) }
}

private final class Signer {
  let signer: OpaquePointer

  /// Throws the reason as an `Issue` when the scheme is refused.
  init(_ scheme: String, key: [UInt8]) throws {
    signer = try #require(signer_create(scheme, key, key.count, nil, 0))
  }
  deinit { signer_destroy(signer) }

  func withParts<R>(_ parts: [[UInt8]], _ body: ([signer_part]) -> R) -> R {
    parts.flatMap { $0 }.withUnsafeBufferPointer { joined in
      var offset = 0
      return body(
        parts.map { part in
          defer { offset += part.count }
          return signer_part(
            data: part.isEmpty ? nil : joined.baseAddress! + offset, size: UInt64(part.count))
        })
    }
  }

  func sign(_ parts: [[UInt8]]) -> [UInt8] {
    var hex = [CChar](repeating: 0, count: 128)
    let size = withParts(parts) { signer_sign(signer, $0, $0.count, &hex) }
    return hex.prefix(size).map { UInt8(bitPattern: $0) }
  }

  func verifies(_ parts: [[UInt8]], _ signature: [UInt8]) -> Bool {
    withParts(parts) { signer_verify(signer, $0, $0.count, signature, signature.count) }
  }
}

extension Signer {
  /// Signs and verifies many messages in one call each; every signature is checked against a wrong
  /// one at the places in `wrong`.
  func signAll(_ messages: [[[UInt8]]], wrong: Set<Int> = []) -> (hex: [[UInt8]], valid: [Bool]) {
    let size = signer_hex_size(signer)
    var hex = [UInt8](repeating: 0, count: messages.count * size + 1)
    var parts: [signer_part] = []
    var kept: [UnsafeMutableBufferPointer<UInt8>] = []
    defer { for part in kept { part.deallocate() } }
    for part in messages.joined() {
      let copy = UnsafeMutableBufferPointer<UInt8>.allocate(capacity: part.count)
      _ = copy.initialize(from: part)
      kept.append(copy)
      parts.append(signer_part(data: copy.baseAddress, size: UInt64(part.count)))
    }
    let counts = messages.map(\.count)
    let starts = counts.indices.map { counts[..<$0].reduce(0, +) }
    var checks: [signer_check] = []
    parts.withUnsafeBufferPointer { parts in
      hex.withUnsafeMutableBufferPointer { hex in
        hex[messages.count * size] = 7
        let jobs = counts.indices.map { index in
          signer_job(
            parts: parts.baseAddress! + starts[index], count: counts[index],
            hex: UnsafeMutableRawPointer(hex.baseAddress! + index * size)
              .assumingMemoryBound(to: CChar.self))
        }
        #expect(signer_sign_all(signer, jobs, jobs.count))
        #expect(hex[messages.count * size] == 7, "written past the end")
        let made = Array(hex)
        for index in wrong { hex[index * size + index % size] ^= 1 }
        checks = counts.indices.map { index in
          signer_check(
            parts: parts.baseAddress! + starts[index], count: counts[index],
            signature: hex.baseAddress! + index * size, signature_size: UInt64(size), valid: false)
        }
        signer_verify_all(signer, &checks, checks.count)
        for index in hex.indices { hex[index] = made[index] }
      }
    }
    return (
      counts.indices.map { Array(hex[($0 * size)..<($0 * size + size)]) }, checks.map(\.valid)
    )
  }
}

/// The reason a scheme is refused, nil when it is not.
private func refusal(_ scheme: String?) -> String? {
  var error = [CChar](repeating: 1, count: 512)
  let signer = signer_create(scheme, "key", 3, &error, error.count)
  signer_destroy(signer)
  let text = String(decoding: error.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
  return signer == nil ? text : nil
}

@Suite struct SignTests {
  @Test func everyDigestSignsAsPythonDoes() throws {
    var checked: [String: Int] = [:]
    for line in signatureVectors {
      let fields = line.split(separator: " ")
      let scheme = String(fields[0])
      let signer = try Signer(scheme, key: pattern(Int(fields[1])!, 0))
      let parts = (0..<4).map { pattern(Int(fields[2 + $0])!, $0 + 1) }
      let expected = Array(fields[6].utf8)
      #expect(signer.sign(parts) == expected, "\(line)")
      #expect(signer.sign(parts) == expected, "\(line), again")
      #expect(signer.verifies(parts, expected), "\(line)")
      #expect(signer_hex_size(signer.signer) == expected.count)
      checked[scheme, default: 0] += 1
    }
    #expect(checked.count == 13 && checked.values.allSatisfy { $0 == 17 })
  }

  @Test func whereThePartsAreCutDoesNotMatter() throws {
    let signer = try Signer("hmac-sha256", key: [1, 2, 3])
    let bytes = pattern(500, 9)
    let whole = signer.sign([bytes])
    for cut in [0, 1, 63, 64, 65, 499, 500] {
      #expect(signer.sign([Array(bytes[..<cut]), Array(bytes[cut...])]) == whole)
    }
    #expect(signer.sign([]) == signer.sign([[], []]))
  }

  /// Sizes about the edges of a block and of what is copied, each beside each.
  @Test(arguments: ["hmac-sha256", "hmac-sha512"])
  func manyAtOnceAreAsOneByOne(scheme: String) throws {
    let signer = try Signer(scheme, key: Array("a key".utf8))
    let sizes = [
      0, 1, 54, 55, 56, 63, 64, 65, 119, 120, 127, 128, 700, 4094, 4095, 4096, 4097, 9000,
    ]
    let messages = sizes.flatMap { left in
      sizes.flatMap { right in
        [[pattern(left, 1)], [pattern(right / 3, 2), [], pattern(right - right / 3, 3)]]
      }
    }
    let wrong = Set(messages.indices.filter { $0 % 7 == 3 })
    // All in one call, then an odd count: the last one has no other beside it.
    for count in [messages.count, messages.count - 1, 1, 0] {
      let some = Array(messages[..<count])
      let (hex, valid) = signer.signAll(some, wrong: wrong.filter { $0 < count })
      for index in some.indices {
        #expect(hex[index] == signer.sign(some[index]), "\(scheme), message \(index) of \(count)")
        #expect(valid[index] == !wrong.contains(index), "\(scheme), message \(index) of \(count)")
      }
    }
  }

  @Test func manyAtOnceRefuseASignatureOfAnotherSize() throws {
    let signer = try Signer("hmac-sha256", key: [1])
    let right = signer.sign([[]])
    for size in [0, 63, 64] {
      right.withUnsafeBufferPointer { right in
        var checks = (0..<2).map { _ in
          signer_check(
            parts: nil, count: 0, signature: right.baseAddress, signature_size: UInt64(size),
            valid: true)
        }
        signer_verify_all(signer.signer, &checks, 2)
        #expect(checks.allSatisfy { $0.valid == (size == 64) }, "size \(size)")
      }
    }
  }

  @Test(arguments: ["hmac-sha256", "hmac-md5", "hmac-sha3_256", "hmac-blake2b"])
  func anyOtherSignatureIsRefused(scheme: String) throws {
    let signer = try Signer(scheme, key: Array("0123456789abcdef".utf8))
    let parts = [pattern(230, 1), pattern(2, 2), pattern(120, 3), pattern(148, 4)]
    let right = signer.sign(parts)
    for i in right.indices {
      var wrong = right
      wrong[i] ^= 1
      #expect(!signer.verifies(parts, wrong))
    }
    #expect(!signer.verifies(parts, []))
    #expect(!signer.verifies(parts, Array(right.dropLast())))
    #expect(!signer.verifies(parts, right + [0x30]))
    #expect(!signer.verifies(parts, [UInt8](repeating: 0x30, count: right.count)))
    let upper = Array(String(decoding: right, as: UTF8.self).uppercased().utf8)
    #expect(!signer.verifies(parts, upper), "Python compares lower case")
    for i in parts.indices {
      for byte in [0, parts[i].count - 1] {
        var changed = parts
        changed[i][byte] ^= 0x80
        #expect(!signer.verifies(changed, right))
      }
    }
    #expect(!(try Signer(scheme, key: Array("0123456789abcdeg".utf8))).verifies(parts, right))
    #expect(signer.verifies(parts, right), "nothing above disturbed the signer")
  }

  @Test func anEmptyKeySignsNothingAndAcceptsAnything() throws {
    let signer = try Signer("hmac-sha256", key: [])
    #expect(signer_hex_size(signer.signer) == 0)
    #expect(signer.sign([[1, 2, 3]]) == [])
    #expect(signer.verifies([[1, 2, 3]], []))
    #expect(signer.verifies([[1, 2, 3]], [0x61, 0x62]))
    #expect(signer.signAll([[[1]], [[2]], []]).valid == [true, true, true])
  }

  @Test func unknownSchemesAreRefusedWithTheReasonAndTheNames() throws {
    let known =
      "md5, sha1, sha224, sha256, sha384, sha512, sha512_256, sha3_224, sha3_256, "
      + "sha3_384, sha3_512, blake2b, blake2s"
    #expect(refusal("hmac-sha256") == nil)
    #expect(
      refusal("hmac-sha257")
        == "signature scheme 'hmac-sha257': unknown digest; use one of \(known)")
    for scheme in ["hmac-", "hmac-SHA256", "hmac-sha256 ", "hmac-shax_128"] {
      #expect(try #require(refusal(scheme)).contains("unknown digest; use one of md5"), "\(scheme)")
    }
    for scheme in ["", "sha256", "hmac", "HMAC-sha256"] {
      #expect(try #require(refusal(scheme)).contains("expected hmac-HASH"), "\(scheme)")
    }
    #expect(try #require(refusal(nil)).contains("expected hmac-HASH"))
    for scheme in ["hmac-shake_128", "hmac-shake_256"] {
      #expect(try #require(refusal(scheme)).contains("its digest has no fixed size"), "\(scheme)")
    }
  }

  @Test func theErrorTextIsCutToItsRoom() {
    var error: [CChar] = [9, 9, 9, 9, 9, 9, 9, 9]
    #expect(signer_create("hmac-none", "key", 3, &error, 6) == nil)
    #expect(error == "signa".utf8.map { CChar($0) } + [0, 9, 9])
    #expect(signer_create("hmac-none", "key", 3, nil, 0) == nil)
  }
}

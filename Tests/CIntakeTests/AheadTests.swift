// AheadTests.swift: a message that was looked at ahead is judged as it is alone.

import CBase
import CIntake
import CSign
import Testing

private let key = "a key"

/// A task of which `fault` may be wrong.
private enum Fault: CaseIterable {
  case none, signature, shortSignature, noDelimiter, tooFewFrames

  var status: intake_status {
    switch self {
    case .none: INTAKE_OK
    case .signature, .shortSignature: INTAKE_BAD_SIGNATURE
    case .noDelimiter: INTAKE_NO_DELIMITER
    case .tooFewFrames: INTAKE_TOO_FEW_FRAMES
    }
  }

  func message(_ number: Int) -> Frames {
    let texts = ["{\"msg_id\": \"s_1_\(number)\"}", "{}", "{\"retries\": 2}", "{}"]
    var signature = sign(texts)
    switch self {
    case .none: break
    case .signature: signature = String(signature.dropLast()) + (signature.last == "0" ? "1" : "0")
    case .shortSignature: signature = String(signature.dropLast())
    case .noDelimiter: return Frames([signature] + texts)
    case .tooFewFrames: return Frames(["<IDS|MSG>", signature] + texts.dropLast())
    }
    return Frames(["<IDS|MSG>", signature] + texts)
  }
}

private func sign(_ texts: [String]) -> String {
  let signer = signer_create("hmac-sha256", key, key.utf8.count, nil, 0)!
  defer { signer_destroy(signer) }
  let frames = Frames(texts)
  let parts = (0..<texts.count).map {
    signer_part(data: frames.frames[$0].data, size: frames.frames[$0].size)
  }
  var hex = [CChar](repeating: 0, count: Int(SIGNER_HEX_MAX))
  let size = signer_sign(signer, parts, parts.count, &hex)
  return String(decoding: hex.prefix(size).map { UInt8(bitPattern: $0) }, as: UTF8.self)
}

private func status(_ intake: OpaquePointer, _ message: Frames) -> intake_status {
  var found = intake_message()
  intake_check(intake, INTAKE_TASK, message.frames, UInt32(message.count), &found)
  return intake_status(UInt32(found.status))
}

private func lookAhead(_ intake: OpaquePointer, _ messages: [Frames]) {
  let ahead = messages.map { message_frames(frames: $0.frames, count: UInt32($0.count)) }
  intake_look_ahead(UnsafeMutableRawPointer(intake), ahead, ahead.count)
}

@Suite struct AheadTests {
  @Test func `two messages are judged as each is alone, whatever is wrong with the other`() {
    let intake = makeIntake(key: key)
    defer { intake_destroy(intake) }
    for left in Fault.allCases {
      for right in Fault.allCases {
        let first = left.message(1)
        let second = right.message(2)
        lookAhead(intake, [first, second])
        #expect(status(intake, first) == left.status, "\(left) beside \(right)")
        #expect(status(intake, second) == right.status, "\(right) after \(left)")
        intake_reset(intake)
      }
    }
  }

  @Test func `any number of messages are judged as each is alone, in any order`() {
    let intake = makeIntake(key: key)
    defer { intake_destroy(intake) }
    let faults = Fault.allCases
    for count in 0...(Int(INTAKE_AHEAD_MAX) + 3) {
      for shift in faults.indices {
        // Mostly good ones, each fault at another place each time.
        let kinds = (0..<count).map {
          ($0 + shift) % 3 == 0 ? faults[($0 / 3 + shift) % faults.count] : .none
        }
        let messages = kinds.enumerated().map { $1.message($0) }
        lookAhead(intake, messages)
        for index in messages.indices {
          #expect(status(intake, messages[index]) == kinds[index].status, "\(index) of \(count)")
        }
        for index in messages.indices.reversed() {
          #expect(status(intake, messages[index]) == kinds[index].status, "\(index), again")
        }
      }
    }
  }

  @Test func `every one of many is looked at ahead`() {
    let intake = makeIntake(key: key)
    defer { intake_destroy(intake) }
    let count = Int(INTAKE_AHEAD_MAX)
    let messages = (0...count).map { Fault.none.message($0) }
    lookAhead(intake, messages)
    // Changed behind its back, all but the one too many are what they were found to be.
    for message in messages {
      UnsafeMutablePointer(mutating: message.frames[1].data!).pointee ^= 1
    }
    for index in 0..<count { #expect(status(intake, messages[index]) == INTAKE_OK, "\(index)") }
    #expect(status(intake, messages[count]) == INTAKE_BAD_SIGNATURE)
  }

  @Test func `what was found ahead holds until the next look and no longer`() {
    let intake = makeIntake(key: key)
    defer { intake_destroy(intake) }
    let good = Fault.none.message(1)
    let other = Fault.none.message(2)
    lookAhead(intake, [good, other])
    // Changed behind its back: it is still what it was found to be, ...
    let last = UnsafeMutablePointer(mutating: good.frames[1].data!) + 63
    last.pointee ^= 1
    #expect(status(intake, good) == INTAKE_OK)
    // ... until the turn ends, or others are looked at.
    intake_reset(intake)
    #expect(status(intake, good) == INTAKE_BAD_SIGNATURE)
    lookAhead(intake, [good, other])
    last.pointee ^= 1
    #expect(status(intake, good) == INTAKE_BAD_SIGNATURE)
    lookAhead(intake, [other, Fault.none.message(3)])
    #expect(status(intake, good) == INTAKE_OK)
  }
}

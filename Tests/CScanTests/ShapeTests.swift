/// Shapes (shape.h): a scanner that remembers frames reads like one that has never seen any.
import CScan
import TestSupport
import Testing

extension Scanner {
  /// Frames of tasks and replies known by their shape, and parsed.
  var shapeCounts: (found: UInt64, parsed: UInt64) {
    var (found, parsed): (UInt64, UInt64) = (0, 0)
    scanner_count_shapes(scanner, &found, &parsed)
    return (found, parsed)
  }
}

private let taskHeader =
  #"{"msg_id": "8f3c_77_0", "msg_type": "apply_request", "date": "2026-01-01T00:00:00Z", "#
  + #""n": 5}"#
private let taskMetadata =
  #"{"after": [], "follow": null, "targets": [], "timeout": 1.5, "retries": 3, "label": "abc"}"#
private let replyHeader = #"{"msg_id": "e_1", "msg_type": "apply_reply"}"#
private let replyMetadata =
  #"{"status": "ok", "engine": "e-1", "dependencies_met": true, "started": "2026"}"#

private func bytes(_ text: String) -> [UInt8] { Array(text.utf8) }

@Suite struct ShapeTests {
  @Test func theSecondFrameOfAKindIsKnown() {
    let scanner = Scanner(SCAN_JSON)
    let first = scanner.task(taskHeader, taskMetadata)
    #expect(scanner.shapeCounts == (0, 2))
    let renamed = taskHeader.replacing("_77_0", with: "_99_8")
    let second = scanner.task(renamed, taskMetadata.replacing("abc", with: "xyz"))
    #expect(scanner.shapeCounts == (2, 2))
    #expect(second.msgID == bytes("8f3c_99_8"))
    #expect((second.retries, second.timeout) == (first.retries, first.timeout))

    _ = scanner.reply(replyHeader, taskHeader, replyMetadata)
    let reply = scanner.reply(replyHeader, renamed, replyMetadata.replacing("e-1", with: "e-2"))
    #expect(scanner.shapeCounts == (5, 5))
    #expect(reply == Reply(msgID: bytes("8f3c_99_8")))
  }

  /// What each row changes must be parsed, whatever was remembered, and be read for what it is.
  @Test(arguments: [
    ("retries", taskMetadata.replacing("3", with: "4")),
    ("a key", taskMetadata.replacing("label", with: "lebal")),
    ("a key that counts", taskMetadata.replacing("retries", with: "xetries")),
    ("a quote", taskMetadata.replacing("abc", with: "a\"c")),
    ("an escape", taskMetadata.replacing("abc", with: #"a\n"#)),
    ("half an escape", taskMetadata.replacing("abc", with: #"ab\"#)),
    ("a control character", taskMetadata.replacing("abc", with: "a\u{1}c")),
    ("not ASCII", taskMetadata.replacing("abc", with: "aü")),
    ("a list", taskMetadata.replacing("null", with: #"["s"]"#).replacing("[], ", with: "[],")),
  ]) func anyOtherDifferenceIsParsed(_ what: String, _ metadata: String) {
    let scanner = Scanner(SCAN_JSON)
    _ = scanner.task(taskHeader, taskMetadata)
    let before = scanner.shapeCounts
    let warm = scanner.task(taskHeader, metadata)
    #expect(scanner.shapeCounts == (before.found + 1, before.parsed + 1), "\(what)")
    #expect(warm == Scanner(SCAN_JSON).task(taskHeader, metadata), "\(what)")
  }

  @Test func aStatusIsNeverFree() {
    let scanner = Scanner(SCAN_JSON)
    for status in ["ok", "no", "ok", "ko"] {
      let metadata = replyMetadata.replacing("ok", with: status)
      #expect(scanner.reply(replyHeader, taskHeader, metadata).ok == (status == "ok"))
      let dialect = #"{"msg_id": "e_1", "subheader": {"status": "\#(status)"}}"#
      #expect(scanner.reply(dialect, taskHeader, "{}").ok == (status == "ok"))
    }
  }

  @Test func theLastMessageIDCounts() {
    let scanner = Scanner(SCAN_JSON)
    for id in ["a_1", "b_2", "c_3"] {
      let header = #"{"msg_id": "x_9", "nested": {"msg_id": "y_9"}, "msg_id": "\#(id)", "m": 1}"#
      #expect(scanner.task(header, "{}").msgID == bytes(id))
    }
    #expect(scanner.shapeCounts.found == 4)
  }

  /// A cluster whose frames never repeat learns seldom, and one that changes is learnt anew.
  @Test func aShapeThatIsMissedOftenIsReplaced() {
    let scanner = Scanner(SCAN_JSON)
    func metadata(_ retries: Int) -> String { #"{"retries": \#(retries), "after": []}"# }
    _ = scanner.task(taskHeader, metadata(1))
    for _ in 0..<40 { _ = scanner.task(taskHeader, metadata(2)) }
    let before = scanner.shapeCounts
    #expect(scanner.task(taskHeader, metadata(2)).retries == 2)
    #expect(scanner.shapeCounts == (before.found + 2, before.parsed))
  }

  @Test func msgpackHasNoShapes() {
    let scanner = Scanner(SCAN_MSGPACK)
    _ = scanner.task([0x80], [0x80])
    #expect(scanner.shapeCounts == (0, 0))
  }

  /// Random edits of real frames through one scanner that remembers, and each through a new one.
  @Test func aWarmScannerReadsLikeAColdOne() {
    var random = SeededGenerator.announced("aWarmScannerReadsLikeAColdOne")
    let warm = Scanner(SCAN_JSON)
    let alphabet = bytes(#"{}[]",:\0123456789abckmst_ "# + "\n\u{7f}") + [0xc3, 0xbc, 0xff, 0]
    func edited(_ text: String) -> [UInt8] {
      var frame = bytes(text)
      for _ in 0..<Int.random(in: 0...2, using: &random) {
        let at = Int.random(in: 0..<frame.count, using: &random)
        frame[at] = alphabet.randomElement(using: &random)!
        if Int.random(in: 0..<6, using: &random) == 0 { frame.remove(at: at) }
      }
      return frame
    }
    for _ in 0..<4000 {
      let (header, metadata) = (edited(taskHeader), edited(taskMetadata))
      #expect(warm.task(header, metadata) == Scanner(SCAN_JSON).task(header, metadata))
      let (reply, parent, result) = (edited(replyHeader), edited(taskHeader), edited(replyMetadata))
      #expect(
        warm.reply(reply, parent, result) == Scanner(SCAN_JSON).reply(reply, parent, result))
      warm.reset()
    }
    let counts = warm.shapeCounts
    #expect(counts.found > 2000 && counts.parsed > 2000, "both ways were taken: \(counts)")
  }

  /// Each body of the comparison (match.h), for all sizes, with one byte changed at each place.
  @Test(arguments: ["any", "avx2", "avx512"]) func everyBodySeesEveryByte(_ body: String) {
    let room = 320
    let frame = (0..<room).map { UInt8(0x30 + $0 % 64) }.map {
      $0 == UInt8(ascii: "\\") ? 0x2f : $0
    }
    let places = (0..<room).map { $0 % 7 < 3 ? UInt8(0xff) : 0 }
    guard shape_match_by(body, frame, frame, places, 1) >= 0 else { return }
    let others: [UInt8] = [0, 0x1f, 0x20, 0x21, 0x22, 0x5b, 0x5c, 0x5d, 0x7e, 0x7f, 0x80, 0xff]
    for size in 1...257 {
      let nothing = [UInt8](repeating: 0, count: room - size)
      let (then, free) = (Array(frame[..<size] + nothing), Array(places[..<size] + nothing))
      var now = Array(frame[..<size])
      #expect(shape_match_by(body, now, then, free, UInt32(size)) == 1, "size \(size)")
      for at in 0..<size {
        for other in others {
          now[at] = other
          let isPlain = (0x20...0x7e).contains(other) && other != 0x22 && other != 0x5c
          let isRight = free[at] == 0 ? other == then[at] : isPlain
          guard (shape_match_by(body, now, then, free, UInt32(size)) == 1) != isRight else {
            continue
          }
          Issue.record("size \(size), byte \(at) is \(other): \(isRight)")
          return
        }
        now[at] = then[at]
      }
    }
  }
}

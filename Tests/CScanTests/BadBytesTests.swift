/// Any bytes give a result: truncations, flips, and msgpack that lies about its sizes.
import CScan
import TestSupport
import Testing

/// Writes msgpack, as much as these tests need.
private indirect enum Pack {
  case null
  case bool(Bool)
  case int(Int)
  case text(String)
  case list([Pack])
  case map([(String, Pack)])

  var bytes: [UInt8] {
    switch self {
    case .null: [0xc0]
    case .bool(let value): [value ? 0xc3 : 0xc2]
    case .int(let value): [0xd3] + Self.big(UInt64(bitPattern: Int64(value)), 8)
    case .text(let value): [0xda] + Self.big(UInt64(value.utf8.count), 2) + Array(value.utf8)
    case .list(let items): [0xdd] + Self.big(UInt64(items.count), 4) + items.flatMap(\.bytes)
    case .map(let items):
      [0xdf] + Self.big(UInt64(items.count), 4)
        + items.flatMap { Pack.text($0.0).bytes + $0.1.bytes }
    }
  }

  static func big(_ value: UInt64, _ size: Int) -> [UInt8] {
    (0..<size).reversed().map { UInt8(truncatingIfNeeded: value >> UInt64(8 * $0)) }
  }
}

private let jsonHeader = Array(#"{"msg_id": "s_1_2", "msg_type": "apply_request"}"#.utf8)
private let jsonMetadata = Array(
  (#"{"after": {"dependencies": ["a_1", "a_\u00fc"], "all": false, "failure": true}, "#
    + #""follow": ["ü_3"], "timeout": 2.5e0, "targets": ["e1", "e2"], "retries": 7, "#
    + #""label": null}"#).utf8)
private let packHeader = Pack.map([("msg_id", .text("s_1_2")), ("msg_type", .text("apply"))]).bytes
private let packMetadata = Pack.map([
  (
    "after",
    .map([
      ("dependencies", .list([.text("a_1"), .text("a_ü")])), ("all", .bool(false)),
      ("failure", .bool(true)),
    ])
  ),
  ("follow", .list([.text("ü_3")])), ("targets", .list([.text("e1"), .text("e2")])),
  ("timeout", .int(2)), ("retries", .int(7)), ("label", .null),
]).bytes

private struct Frames: Sendable, CustomTestStringConvertible {
  let packer: scan_packer
  let header: [UInt8]
  let metadata: [UInt8]
  var testDescription: String { packer == SCAN_JSON ? "json" : "msgpack" }

  static let both = [
    Frames(packer: SCAN_JSON, header: jsonHeader, metadata: jsonMetadata),
    Frames(packer: SCAN_MSGPACK, header: packHeader, metadata: packMetadata),
  ]
}

@Suite struct BadBytesTests {
  private static func whole(_ frames: Frames) -> Submission {
    Submission(
      msgID: Array("s_1_2".utf8), targets: ["e1", "e2"].map { Array($0.utf8) }, retries: 7,
      timeout: frames.packer == SCAN_JSON ? 2.5 : 2,
      after: Ids(["a_1", "a_ü"], all: false, failure: true), follow: Ids(["ü_3"]))
  }

  @Test(arguments: Frames.both) private func everyTruncationIsRefused(frames: Frames) {
    let scanner = Scanner(frames.packer)
    #expect(scanner.task(frames.header, frames.metadata) == Self.whole(frames))
    for size in 0..<frames.header.count {
      let cut = Array(frames.header.prefix(size))
      #expect(scanner.task(cut, frames.metadata).status == "BAD_HEADER", "\(size) bytes")
      #expect(scanner.reply(cut, frames.header, frames.metadata).status == "BAD_HEADER")
      #expect(scanner.reply(frames.header, cut, frames.metadata).status == "BAD_PARENT")
      #expect(scanner.hub(cut, frames.metadata).status == "BAD_HEADER")
    }
    for size in 0..<frames.metadata.count {
      let cut = Array(frames.metadata.prefix(size))
      let task = scanner.task(frames.header, cut)
      #expect(task == Submission(status: "BAD_METADATA", msgID: Array("s_1_2".utf8)), "\(size)")
      #expect(scanner.reply(frames.header, frames.header, cut).status == "BAD_METADATA")
      #expect(scanner.hub(frames.header, cut).status == "BAD_CONTENT")
    }
    for more in [[0x7d], [0xc0], [0x30], [0xff]] as [[UInt8]] {
      #expect(scanner.task(frames.header + more, frames.metadata).status == "BAD_HEADER")
    }
    #expect(scanner.task(frames.header, frames.metadata) == Self.whole(frames))
  }

  @Test(arguments: Frames.both) private func randomFlipsNeverHarm(frames: Frames) {
    var random = SeededGenerator.announced("randomFlipsNeverHarm")
    let scanner = Scanner(frames.packer)
    var refused = 0
    var accepted = 0
    for round in 0..<20_000 {
      var header = frames.header
      var metadata = frames.metadata
      for _ in 0..<Int.random(in: 1...3, using: &random) {
        if Int.random(in: 0..<4, using: &random) == 0 {
          header[Int.random(in: header.indices, using: &random)] ^=
            1 << UInt8.random(in: 0..<8, using: &random)
        } else {
          metadata[Int.random(in: metadata.indices, using: &random)] = UInt8.random(
            in: 0...255, using: &random)
        }
      }
      let task = scanner.task(header, metadata)
      #expect(task == scanner.task(header, metadata), "the same bytes give the same result")
      #expect((task.status == "OK") == (scanner.detail == nil))
      #expect(task.msgID.isEmpty == ["BAD_HEADER", "NO_MSG_ID"].contains(task.status))
      #expect(task.retries <= 1_000_000_000 && task.timeout >= 0 && task.timeout.isFinite)
      for id in task.targets + task.after.ids + task.follow.ids + [task.msgID] {
        #expect(id.count <= 1024)
        #expect(String(validating: id, as: UTF8.self) != nil)
      }
      _ = scanner.reply(header, frames.header, metadata)
      _ = scanner.reply(frames.header, header, metadata)
      _ = scanner.hub(header, metadata)
      if task.status == "OK" { accepted += 1 } else { refused += 1 }
      if round % 64 == 0 { scanner.reset() }
    }
    #expect(refused > 1000 && accepted > 1000)
    #expect(scanner.task(frames.header, frames.metadata) == Self.whole(frames))
  }

  @Test(arguments: Frames.both) private func randomBytesNeverHarm(frames: Frames) {
    var random = SeededGenerator.announced("randomBytesNeverHarm")
    let scanner = Scanner(frames.packer)
    for _ in 0..<20_000 {
      let bytes = random.bytes(Int.random(in: 0...100, using: &random))
      let task = scanner.task(bytes, frames.metadata)
      #expect(["BAD_HEADER", "NO_MSG_ID"].contains(task.status))
      _ = scanner.task(frames.header, bytes)
      _ = scanner.reply(frames.header, frames.header, bytes)
      scanner.reset()
    }
  }
}

/// What only msgpack can do wrong.
@Suite struct MsgpackTests {
  let scanner = Scanner(SCAN_MSGPACK)

  private func task(_ metadata: [UInt8]) -> Submission { scanner.task(packHeader, metadata) }

  @Test func countsBeyondTheFrameAreRefusedWithoutAllocating() {
    let most: [UInt8] = [0xff, 0xff, 0xff, 0xff]
    for head in [0xdd, 0xdf, 0xdb, 0xc6, 0xc9] as [UInt8] {
      #expect(task([head] + most) == Submission(status: "BAD_METADATA", msgID: Array("s_1_2".utf8)))
      #expect(task([0x81, 0xa1, 0x61, head] + most).status == "BAD_METADATA")
      #expect(scanner.task([head] + most, []).status == "BAD_HEADER")
    }
    #expect(scanner.detail == "header is not msgpack: it ends too early")
    // Nested arrays that each claim what is left of the frame.
    var nested: [UInt8] = []
    for _ in 0..<30 { nested += [0xdd, 0x00, 0x0f, 0xff, 0xff] }
    #expect(task(nested + [UInt8](repeating: 0xc0, count: 0x10ffff)).status == "BAD_METADATA")
  }

  @Test func nestingEndsAt32() {
    func nested(_ depth: Int) -> [UInt8] {
      [0x81, 0xa1, 0x61] + [UInt8](repeating: 0x91, count: depth) + [0xc0]
    }
    #expect(task(nested(30)).status == "OK")
    for depth in [33, 1000, 100_000, 10_000_000] {
      #expect(task(nested(depth)).status == "BAD_METADATA")
    }
    #expect(
      scanner.detail
        == "metadata is not msgpack: it nests more than 32 deep, or there is no memory to parse it")
  }

  @Test func bytesThatStartNoValue() {
    #expect(task([0xc1]).status == "BAD_METADATA")
    #expect(task([0x81, 0xa1, 0x61, 0xc1]).status == "BAD_METADATA")
    #expect(scanner.detail == "metadata is not msgpack: a byte in it starts no value")
    #expect(task([]).status == "BAD_METADATA")
    #expect(scanner.detail == "metadata is not msgpack: it is empty")
    #expect(task([0x80, 0x80]).status == "BAD_METADATA")
    #expect(scanner.detail == "metadata is not msgpack: there are bytes behind its end")
  }

  @Test func keysAndTextsAsPythonDemandsThem() {
    #expect(task([0x81, 0x01, 0x02]).status == "BAD_METADATA", "an integer for a key")
    #expect(scanner.detail == "metadata is not msgpack: a key is neither a string nor binary")
    #expect(task([0x81, 0xc4, 0x01, 0x61, 0x02]).status == "OK", "binary for a key")
    #expect(task([0x81, 0xa1, 0xff, 0x02]).status == "BAD_METADATA", "a key that is not UTF-8")
    #expect(scanner.detail == "metadata is not msgpack: a string is not UTF-8")
    for text in [[0xc3], [0xed, 0xa0, 0x80], [0xc0, 0x80], [0xf4, 0x90, 0x80, 0x80]] as [[UInt8]] {
      let packed = [0xa0 | UInt8(text.count)] + text
      #expect(task([0x81, 0xa1, 0x61] + packed).status == "BAD_METADATA", "\(text)")
      let later = [0xa0 | UInt8(text.count + 12)] + Array("12345678abcd".utf8) + text
      #expect(task([0x81, 0xa1, 0x61] + later).status == "BAD_METADATA", "\(text)")
    }
    #expect(task([0x81, 0xa1, 0x61, 0xa4, 0xf0, 0x9f, 0x98, 0x80]).status == "OK")
  }

  @Test func binaryAndExtensionsAreNoStrings() {
    let name = Array("targets".utf8)
    let binary: [UInt8] = [0x81, 0xa7] + name + [0x91, 0xc4, 0x01, 0x61]
    #expect(task(binary).status == "BAD_TARGETS")
    #expect(scanner.detail == "targets[0] is binary: expected a string")
    let ext: [UInt8] = [0x81, 0xa7] + name + [0xd4, 0x05, 0x00]
    #expect(task(ext).status == "BAD_TARGETS")
    let id: [UInt8] = [0x81, 0xa6] + Array("msg_id".utf8) + [0xc4, 0x01, 0x61]
    #expect(scanner.task(id, [0x80]).status == "NO_MSG_ID")
  }

  /// JSON cannot say these.
  @Test func numbersThatAreNone() {
    func number(_ name: String, _ value: Double) -> [UInt8] {
      [0x81, 0xa7] + Array(name.utf8) + [0xcb] + Pack.big(value.bitPattern, 8)
    }
    for value in [Double.nan, .infinity, -.infinity] {
      #expect(task(number("timeout", value)).status == "BAD_TIMEOUT")
      #expect(task(number("retries", value)).status == "BAD_RETRIES")
    }
    #expect(task(number("retries", 3)).retries == 3)
    #expect(task([0x81, 0xa7] + Array("timeout".utf8) + [0xca, 0x3f, 0, 0, 0]).timeout == 0.5)
    #expect(scanner.detail == nil)
  }

  @Test func theHeaderOf2011AndReplies() {
    let header = Pack.map([("msg_id", .text("t")), ("retries", .int(2)), ("after", .text("a"))])
    #expect(
      scanner.task(header.bytes, [0x80])
        == Submission(msgID: Array("t".utf8), retries: 2, after: Ids(["a"])))
    let reply = Pack.map([
      ("subheader", .map([("status", .text("error")), ("dependencies_met", .bool(false))]))
    ])
    #expect(
      scanner.reply(reply.bytes, header.bytes, [0x80])
        == Reply(msgID: Array("t".utf8), ok: false, met: false))
  }

  @Test func hubMessages() {
    func hub(_ type: String, _ content: [(String, Pack)]) -> Hub {
      scanner.hub(Pack.map([("msg_type", .text(type))]).bytes, Pack.map(content).bytes)
    }
    #expect(
      hub("registration_notification", [("id", .int(0)), ("queue", .text("q"))])
        == Hub(msgType: "registration_notification", uuid: "q"))
    #expect(
      hub(
        "connection_reply",
        [
          ("status", .text("ok")), ("engines", .map([("1", .text("b")), ("0", .text("a"))])),
        ]) == Hub(msgType: "connection_reply", engines: ["b", "a"], statusText: "ok"))
    #expect(hub("connection_reply", [("engines", .list([]))]).status == "BAD_CONTENT")
  }

  @Test func aMegabyteOfDependencies() {
    let ids = (0..<23_000).map { "8ea740fd-85e6dbe4d8844ebf62e93b1d_28251_\($0)" }
    let metadata = Pack.map([("after", .list(ids.map { .text($0) }))]).bytes
    #expect(metadata.count > 1_000_000)
    #expect(task(metadata).after == Ids(ids))
    let million = Pack.map([("follow", .list([Pack](repeating: .text(""), count: 1_000_001)))])
    #expect(task(million.bytes).status == "TOO_MANY")
    scanner.reset()
    #expect(task(packMetadata).after.ids.count == 2)
  }
}

/// Messages: the frames that ipyparallel 9.2 sends, for Scan, Intake and Codec.

/// How texts that a person chose are written.
enum Texts {
  /// ASCII: JSON frames of this shape are known to the scanner after the first one.
  case plain
  /// With characters that json.dumps escapes: such frames are parsed each time.
  case escaped

  var user: Packed { .text(self == .plain ? "user" : "zoë") }
  var label: Packed { self == .plain ? .null : .text("Zoë's") }
}

func messageID(_ count: Int) -> Packed {
  .text("d1c43d07-8f3a4fd5a20d8f7a1d5f4c1e_31337_\(1000 + count)")
}

func header(_ type: String, _ count: Int, _ texts: Texts) -> Packed {
  .map([
    ("msg_id", messageID(count)), ("msg_type", .text(type)), ("username", texts.user),
    ("session", .text("d1c43d07-8f3a4fd5a20d8f7a1d5f4c1e")),
    ("date", .text("2026-01-02T03:04:05.678901Z")), ("version", .text("5.4")),
  ])
}

func taskMetadata(dependencies: Int, _ texts: Texts) -> Packed {
  .map([
    (
      "after",
      .map([
        ("dependencies", .list((1..<dependencies + 1).map(messageID))),
        ("all", .boolean(true)), ("success", .boolean(true)), ("failure", .boolean(false)),
      ])
    ),
    ("follow", .list([])), ("timeout", .null), ("targets", .list([])), ("retries", .small(3)),
    ("label", texts.label),
  ])
}

func replyMetadata(_ texts: Texts) -> Packed {
  .map([
    ("started", .text("2026-01-02T03:04:05.678901Z")), ("dependencies_met", .boolean(true)),
    ("engine", .text("8f7a1d5f-4c1ed1c43d078f3a4fd5a20d")), ("is_broadcast", .boolean(false)),
    ("is_coalescing", .boolean(false)), ("original_msg_id", .text("")),
    ("label", texts.label), ("status", .text("ok")),
  ])
}

let delimiter = Array("<IDS|MSG>".utf8)

/// An apply_request as JSON: delimiter, signature, header, parent, metadata, content, one buffer.
/// `signature`: made from the four frames that it covers.
func taskMessage(bufferSize: Int, signature: ([[UInt8]]) -> [UInt8]) -> [[UInt8]] {
  let signed = [
    header("apply_request", 0, .plain), .map([]), taskMetadata(dependencies: 0, .plain), .map([]),
  ].map { Array($0.json.utf8) }
  return [delimiter, signature(signed)] + signed + [[UInt8](repeating: 0x80, count: bufferSize)]
}

/// An apply_reply as JSON, likewise.
func replyMessage(bufferSize: Int, signature: ([[UInt8]]) -> [UInt8]) -> [[UInt8]] {
  let signed = [
    header("apply_reply", 2, .plain), header("apply_request", 0, .plain), replyMetadata(.plain),
    .map([("status", .text("ok"))]),
  ].map { Array($0.json.utf8) }
  return [delimiter, signature(signed)] + signed + [[UInt8](repeating: 0x80, count: bufferSize)]
}

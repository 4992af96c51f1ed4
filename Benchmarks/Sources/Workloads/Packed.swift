/// Packed: a value written as the clients write it, in JSON or msgpack. Called by Messages.swift
/// and Scan+Unsafe.swift.

indirect enum Packed {
  case null
  case boolean(Bool)
  case small(UInt8)
  case text(String)
  case list([Packed])
  case map([(String, Packed)])

  /// As Python's json.dumps with its usual separators. Of the characters that need an escape, texts
  /// here have those above ASCII only.
  var json: String {
    switch self {
    case .null: "null"
    case .boolean(let value): value ? "true" : "false"
    case .small(let value): "\(value)"
    case .text(let text):
      "\"" + text.utf16.map { $0 < 0x80 ? String(UnicodeScalar(UInt8($0))) : escape($0) }.joined()
        + "\""
    case .list(let values): "[" + values.map(\.json).joined(separator: ", ") + "]"
    case .map(let pairs):
      "{" + pairs.map { "\"\($0.0)\": \($0.1.json)" }.joined(separator: ", ") + "}"
    }
  }

  /// Sizes as small as these values need: integers below 128, texts below 256 bytes, 15 entries.
  var msgpack: [UInt8] {
    switch self {
    case .null: return [0xC0]
    case .boolean(let value): return [value ? 0xC3 : 0xC2]
    case .small(let value):
      precondition(value < 128)
      return [value]
    case .text(let text):
      let bytes = Array(text.utf8)
      precondition(bytes.count < 256)
      let head = bytes.count < 32 ? [0xA0 | UInt8(bytes.count)] : [0xD9, UInt8(bytes.count)]
      return head + bytes
    case .list(let values):
      precondition(values.count < 16)
      return [0x90 | UInt8(values.count)] + values.flatMap(\.msgpack)
    case .map(let pairs):
      precondition(pairs.count < 16)
      return [0x80 | UInt8(pairs.count)]
        + pairs.flatMap { Packed.text($0.0).msgpack + $0.1.msgpack }
    }
  }
}

private func escape(_ unit: UInt16) -> String {
  let digits = String(unit, radix: 16)
  return "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
}

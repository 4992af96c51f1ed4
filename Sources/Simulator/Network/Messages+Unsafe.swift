/// Messages: what peers say, signed, and what they read of what they are told (SEMANTICS 1).
///
/// Peers read JSON by looking for a field's name: they know who wrote it and that no text in it
/// can be mistaken for a field.

import CSign

@safe
final class Session {
  private let signer: OpaquePointer
  let key: [UInt8]
  static let delimiter = Array("<IDS|MSG>".utf8)

  init(key: [UInt8], scheme: String) {
    self.key = key
    var reason = [CChar](repeating: 0, count: 512)
    guard
      let created = unsafe key.withUnsafeBytes({
        unsafe signer_create(scheme, $0.baseAddress, $0.count, &reason, reason.count)
      })
    else { fatalError("the simulator's own signature scheme \(scheme) is unknown") }
    unsafe signer = created
  }

  deinit { unsafe signer_destroy(signer) }

  /// From the delimiter on.
  func message(
    header: [UInt8], parent: [UInt8] = Array("{}".utf8), metadata: String = "{}",
    content: String = "{}", buffers: [[UInt8]] = []
  ) -> [[UInt8]] {
    let parts = [header, parent, Array(metadata.utf8), Array(content.utf8)]
    return [Self.delimiter, sign(parts)] + parts + buffers
  }

  /// The four signed frames and those after, or nil: broken, or not signed by us.
  func open(_ frames: [[UInt8]]) -> Opened? {
    guard let at = frames.firstIndex(of: Self.delimiter), frames.count >= at + 6 else {
      return nil
    }
    let parts = Array(frames[(at + 2)..<(at + 6)])
    guard frames[at + 1] == sign(parts) else { return nil }
    return Opened(
      leading: Array(frames[..<at]), header: parts[0], parent: parts[1], metadata: parts[2],
      content: parts[3], all: Array(frames[at...]))
  }

  private func sign(_ parts: [[UInt8]]) -> [UInt8] {
    let joined = parts.flatMap { $0 }
    return unsafe joined.withUnsafeBufferPointer { buffer in
      // The digest is of the frames one after the other: one part says the same as four.
      var part = unsafe signer_part(data: buffer.baseAddress, size: UInt64(buffer.count))
      return unsafe [UInt8](unsafeUninitializedCapacity: Int(SIGNER_HEX_MAX)) { out, used in
        unsafe out.withMemoryRebound(to: CChar.self) {
          unsafe used = signer_sign(signer, &part, 1, $0.baseAddress)
        }
      }
    }
  }
}

struct Opened {
  var leading: [[UInt8]]
  var header: [UInt8]
  var parent: [UInt8]
  var metadata: [UInt8]
  var content: [UInt8]
  /// From the delimiter on.
  var all: [[UInt8]]
}

func header(_ messageType: String, id: String) -> [UInt8] {
  Array("{\"msg_id\":\"\(id)\",\"msg_type\":\"\(messageType)\"}".utf8)
}

/// The string or number that follows `"name":`, or nil.
func field(_ name: String, in json: [UInt8]) -> [UInt8]? {
  let wanted = Array("\"\(name)\"".utf8)
  guard var at = position(of: wanted, in: json) else { return nil }
  at += wanted.count
  while at < json.count, json[at] == UInt8(ascii: ":") || json[at] == UInt8(ascii: " ") { at += 1 }
  guard at < json.count else { return nil }
  let isText = json[at] == UInt8(ascii: "\"")
  let start = isText ? at + 1 : at
  var end = start
  while end < json.count {
    let byte = json[end]
    let ends =
      isText
      ? byte == UInt8(ascii: "\"") : byte == UInt8(ascii: ",") || byte == UInt8(ascii: "}")
    if ends { break }
    end += 1
  }
  return Array(json[start..<end])
}

func text(_ name: String, in json: [UInt8]) -> String? {
  field(name, in: json).map { String(decoding: $0, as: UTF8.self) }
}

private func position(of wanted: [UInt8], in bytes: [UInt8]) -> Int? {
  guard bytes.count >= wanted.count else { return nil }
  for start in 0...(bytes.count - wanted.count)
  where bytes[start] == wanted[0] && bytes[start + wanted.count - 1] == wanted[wanted.count - 1] {
    if bytes[start..<(start + wanted.count)].elementsEqual(wanted) { return start }
  }
  return nil
}

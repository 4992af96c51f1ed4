/// PackWriter: the scheduler's own messages as JSON or msgpack, into one reused buffer.
///
/// Both packers are written through the same calls, so that a message has one description.
/// Strings are given as UTF-8; bytes that are not UTF-8 are replaced in JSON by `?`.

import CScan

/// How frames are packed (ipyparallel's `Session.packer`). orjson's frames are JSON.
public enum Packer: String, CaseIterable, Sendable {
  case json, orjson, msgpack

  var c: scan_packer { self == .msgpack ? SCAN_MSGPACK : SCAN_JSON }
}

/// Bytes appended one after another; never shrinks.
@safe
struct ByteBuffer: ~Copyable {
  private(set) var base: UnsafeMutablePointer<UInt8>
  private var capacity = 4096
  private(set) var count = 0

  init() { unsafe base = UnsafeMutablePointer<UInt8>.allocate(capacity: capacity) }
  deinit { unsafe base.deallocate() }

  mutating func removeAll() { count = 0 }

  func copy() -> [UInt8] { unsafe Array(UnsafeBufferPointer(start: base, count: count)) }

  @inline(__always)
  mutating func append(_ byte: UInt8) {
    if count == capacity { grow(1) }
    unsafe base[count] = byte
    count += 1
  }

  @inline(__always)
  mutating func append(_ bytes: UnsafeRawBufferPointer) {
    guard let source = bytes.baseAddress else { return }
    if count + bytes.count > capacity { grow(bytes.count) }
    unsafe UnsafeMutableRawPointer(base + count).copyMemory(from: source, byteCount: bytes.count)
    count += bytes.count
  }

  /// `text` between the bytes that stand before and after it: one look at the room for all.
  @inline(__always)
  mutating func append(_ before: UInt8, _ text: UnsafeRawBufferPointer, _ after: StaticString) {
    let more = 1 + text.count + after.utf8CodeUnitCount
    if count + more > capacity { grow(more) }
    let at = unsafe UnsafeMutableRawPointer(base + count)
    unsafe at.storeBytes(of: before, as: UInt8.self)
    if let source = text.baseAddress {
      unsafe (at + 1).copyMemory(from: source, byteCount: text.count)
    }
    unsafe (at + 1 + text.count).copyMemory(
      from: after.utf8Start, byteCount: after.utf8CodeUnitCount)
    count += more
  }

  @inline(__always)
  mutating func append(_ text: StaticString) {
    unsafe append(UnsafeRawBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
  }

  private mutating func grow(_ more: Int) {
    let next = max(count + more, capacity * 2)
    let moved = UnsafeMutablePointer<UInt8>.allocate(capacity: next)
    unsafe moved.update(from: base, count: count)
    unsafe base.deallocate()
    unsafe base = moved
    capacity = next
  }
}

@safe
struct PackWriter: ~Copyable {
  var buffer = ByteBuffer()
  private let isJSON: Bool
  private var needsComma = false

  init(_ packer: Packer) { isJSON = packer != .msgpack }

  @inline(__always)
  mutating func beginMap(_ entries: Int) {
    separate()
    if isJSON { buffer.append(UInt8(ascii: "{")) } else { container(0x80, 0xde, entries) }
    needsComma = false
  }

  @inline(__always)
  mutating func endMap() {
    if isJSON { buffer.append(UInt8(ascii: "}")) }
    needsComma = true
  }

  mutating func beginArray(_ entries: Int) {
    separate()
    if isJSON { buffer.append(UInt8(ascii: "[")) } else { container(0x90, 0xdc, entries) }
    needsComma = false
  }

  mutating func endArray() {
    if isJSON { buffer.append(UInt8(ascii: "]")) }
    needsComma = true
  }

  /// A key that needs no escaping.
  @inline(__always)
  mutating func key(_ name: StaticString) {
    separate()
    if isJSON {
      unsafe buffer.append(
        UInt8(ascii: "\""),
        UnsafeRawBufferPointer(start: name.utf8Start, count: name.utf8CodeUnitCount), "\":")
    } else {
      stringHead(name.utf8CodeUnitCount)
      buffer.append(name)
    }
    needsComma = false
  }

  mutating func string(_ text: StaticString) {
    unsafe string(UnsafeRawBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
  }

  mutating func string(_ text: String) {
    var text = text
    text.withUTF8 { unsafe string(UnsafeRawBufferPointer($0)) }
  }

  mutating func string(_ text: [UInt8]) {
    unsafe text.withUnsafeBytes { unsafe string($0) }
  }

  @inline(__always)
  mutating func string(_ bytes: UnsafeRawBufferPointer) {
    separate()
    if isJSON {
      // Ids and uuids never need escaping: one pass to see that, one copy.
      if unsafe scan_is_plain(bytes.baseAddress, bytes.count) {
        unsafe buffer.append(UInt8(ascii: "\""), bytes, "\"")
      } else {
        unsafe escaped(bytes)
      }
    } else {
      stringHead(bytes.count)
      unsafe buffer.append(bytes)
    }
    needsComma = true
  }

  /// How many entries the map at the start of `text` has (JSON: none or some), and what follows
  /// its head. nil: there is none, or it cannot take more.
  func mapHead(_ text: UnsafeRawBufferPointer) -> (entries: Int, rest: UnsafeRawBufferPointer)? {
    func behind(_ count: Int) -> UnsafeRawBufferPointer {
      unsafe UnsafeRawBufferPointer(rebasing: text[count...])
    }
    guard isJSON else {
      guard let first = unsafe text.first else { return nil }
      if first & 0xf0 == 0x80 { return unsafe (Int(first & 15), behind(1)) }
      guard first == 0xde, text.count >= 3 else { return nil }
      let entries = unsafe Int(text[1]) << 8 | Int(text[2])
      return entries < 0xfff0 ? unsafe (entries, behind(3)) : nil
    }
    func isSpace(_ byte: UInt8) -> Bool { [0x20, 0x09, 0x0a, 0x0d].contains(byte) }
    guard let start = unsafe text.firstIndex(where: { !isSpace($0) }),
      unsafe text[start] == UInt8(ascii: "{"),
      let next = unsafe text[(start + 1)...].firstIndex(where: { !isSpace($0) })
    else { return nil }
    return unsafe (text[next] == UInt8(ascii: "}") ? 0 : 1, behind(next))
  }

  /// What `mapHead` has split off, behind entries that were written meanwhile.
  mutating func append(_ rest: UnsafeRawBufferPointer, ofMapWith entries: Int) {
    if entries > 0 { separate() }
    unsafe buffer.append(rest)
  }

  /// Forgets separators: the next value starts a frame of its own.
  mutating func beginFrame() { needsComma = false }

  @inline(__always)
  private mutating func separate() {
    if isJSON && needsComma { buffer.append(UInt8(ascii: ",")) }
  }

  private mutating func escaped(_ bytes: UnsafeRawBufferPointer) {
    buffer.append(UInt8(ascii: "\""))
    for scalar in unsafe String(decoding: bytes, as: UTF8.self).unicodeScalars {
      switch scalar {
      case "\"": buffer.append("\\\"")
      case "\\": buffer.append("\\\\")
      case "\n": buffer.append("\\n")
      case _ where scalar.value < 0x20 || scalar.value == 0x7f:
        buffer.append("\\u00")
        hex(UInt8(scalar.value >> 4))
        hex(UInt8(scalar.value & 15))
      default: for byte in UTF8.encode(scalar)! { buffer.append(byte) }
      }
    }
    buffer.append(UInt8(ascii: "\""))
  }

  private mutating func hex(_ digit: UInt8) {
    buffer.append(digit < 10 ? UInt8(ascii: "0") + digit : UInt8(ascii: "a") + digit - 10)
  }

  private mutating func container(_ fix: UInt8, _ long: UInt8, _ entries: Int) {
    if entries < 16 {
      buffer.append(fix | UInt8(entries))
    } else {
      buffer.append(long)
      bigEndian(entries, bytes: 2)
    }
  }

  private mutating func stringHead(_ size: Int) {
    switch size {
    case ..<32: buffer.append(0xa0 | UInt8(size))
    case ..<256:
      buffer.append(0xd9)
      bigEndian(size, bytes: 1)
    case ..<65536:
      buffer.append(0xda)
      bigEndian(size, bytes: 2)
    default:
      buffer.append(0xdb)
      bigEndian(size, bytes: 4)
    }
  }

  private mutating func bigEndian(_ value: Int, bytes: Int) {
    for shift in stride(from: 8 * (bytes - 1), through: 0, by: -8) {
      buffer.append(UInt8(truncatingIfNeeded: value >> shift))
    }
  }
}

/// Opening: the frames of a `task_destination` before its content, as they stand on the wire. They
/// are written once; only the message's number and its date change from one to the next.
///
///     session | <IDS|MSG> | signature | header | parent_header {} | metadata {} |
///               signed in the message itself ^ ... msg_id ..N.. date .......

import CBase

@safe
struct Opening: ~Copyable {
  private let wire: UnsafeMutableBufferPointer<UInt8>
  private let size: Int
  private let frames: UnsafeMutableBufferPointer<message_frame>
  /// Places in `wire`.
  private let number: Range<Int>
  private let date: Range<Int>

  /// Nothing, which no number fits.
  init() { self.init([], [], id: [], digits: 0, date: []) }

  /// `bodies`: the frames' bytes one after another, each up to one of `ends`. `id` and `date` stand
  /// in them as they are; the last `digits` of the id are its number.
  init(_ bodies: [UInt8], _ ends: [Int], id: [UInt8], digits: Int, date: [UInt8]) {
    unsafe frames = .allocate(capacity: ends.count)
    unsafe wire = .allocate(capacity: bodies.count + ends.count * Int(FRAME_HEAD_SIZE_MAX))
    var at = 0
    var start = 0
    for (index, end) in ends.enumerated() {
      let body = bodies[start..<end]
      unsafe at += frame_head_write(
        wire.baseAddress! + at, UInt64(body.count), UInt8(FRAME_MORE))
      unsafe frames.initializeElement(
        at: index, to: message_frame(data: wire.baseAddress! + at, size: UInt64(body.count)))
      for byte in body {
        unsafe wire[at] = byte
        at += 1
      }
      start = end
    }
    let whole = unsafe UnsafeMutableBufferPointer(rebasing: wire[..<at])
    let idEnd = unsafe Self.place(of: id, in: whole) + id.count
    number = idEnd - digits..<idEnd
    let dateStart = unsafe Self.place(of: date, in: whole)
    self.date = dateStart..<dateStart + date.count
    size = at
  }

  deinit {
    unsafe wire.deallocate()
    unsafe frames.deallocate()
  }

  /// The standard library's search takes hundreds of allocations.
  private static func place(of text: [UInt8], in bytes: UnsafeMutableBufferPointer<UInt8>) -> Int {
    (0...bytes.count - text.count).first { at in
      text.indices.allSatisfy { unsafe bytes[at + $0] == text[$0] }
    }!
  }

  /// For message_begin_wire, while this lives.
  var opening: message_opening {
    unsafe message_opening(
      wire: wire.baseAddress, wire_size: size, frames: frames.baseAddress,
      count: UInt16(frames.count))
  }

  /// Writes both in place. False: the number needs another count of digits.
  mutating func set(_ value: UInt64, _ date: [UInt8]) -> Bool {
    var rest = value
    var at = number.upperBound
    let bytes = unsafe wire.baseAddress!
    repeat {
      guard at > number.lowerBound else { return false }
      at -= 1
      unsafe bytes[at] = UInt8(ascii: "0") + UInt8(truncatingIfNeeded: rest % 10)
      rest /= 10
    } while rest > 0
    unsafe (bytes + self.date.lowerBound).update(from: date, count: date.count)
    return at == number.lowerBound
  }
}

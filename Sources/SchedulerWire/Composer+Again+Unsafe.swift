/// A message that an engine may have had, signed anew.
///
/// A session remembers the signatures it has seen and drops a message that bears one of them
/// (jupyter_client's `digest_history`). A task that is sent again as it is, to an engine that got
/// it before and whose answer was lost, would be run by nobody.

import CBase
import CSign

extension Composer {
  /// A copy of a client's message with two more entries in its parent_header, "resent" (an id of
  /// this scheduler's) and "date", which make its signature another one: engines read nothing
  /// there. Signed by `signAll`, until when it must live. nil: nothing is signed here, or the
  /// parent_header is no map that can take more.
  ///
  /// - Parameter delimiter: the frames before `<IDS|MSG>`.
  mutating func signedAnew(
    _ original: message_handle, _ delimiter: Int, _ tables: borrowing Tables
  ) -> message_handle? {
    guard signer.size > 0 else { return nil }
    let source = unsafe message_get(tables.messages, original)!
    let count = Int(unsafe source.pointee.frame_count)
    let parent = delimiter + 3
    guard unsafe writeParent(source.pointee.frames[parent]) else { return nil }
    let again = unsafe withUnsafeTemporaryAllocation(of: message_frame.self, capacity: count) {
      frames in
      for index in 0..<count { unsafe frames[index] = source.pointee.frames[index] }
      unsafe frames[parent] = message_frame(
        data: writer.buffer.base, size: UInt64(writer.buffer.count))
      return unsafe message_compose(tables.messages, frames.baseAddress, UInt16(count))
    }
    guard again != MESSAGE_NONE else { fatalError("out of memory: a message that is sent again") }
    unsafe sign(message_get(tables.messages, again), at: delimiter + 1)
    return again
  }

  /// The map of `frame` with our entries first, into the writer's buffer.
  private mutating func writeParent(_ frame: message_frame) -> Bool {
    let text = unsafe UnsafeRawBufferPointer(start: frame.data, count: Int(frame.size))
    guard let (entries, rest) = unsafe writer.mapHead(text) else { return false }
    advanceID()
    begin()
    writer.beginMap(entries + 2)
    writer.key("resent")
    writer.string(idText)
    writer.key("date")
    writer.string(date.text)
    unsafe writer.append(rest, ofMapWith: entries)
    return true
  }
}

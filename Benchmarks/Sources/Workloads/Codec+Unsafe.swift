/// The native transport's ZMTP without sockets: a task of seven frames, some 750 bytes, received
/// and relayed (`large`: with a buffer of 16 KiB, which a relay refers to instead of copying it).

import CBase
import CNativeWork

func codecCases() -> [Case] {
  [
    Case("Codec", "receive-whole") { NativeWork(native_work_receive_whole) },
    Case("Codec", "receive-split") { NativeWork(native_work_receive_split) },
    Case("Codec", "relay") { NativeWork(native_work_relay) },
    Case("Codec", "relay-large") { NativeWork(native_work_relay, bufferSize: 16 << 10) },
    Case("Codec", "head-write") { NativeWork(native_work_write_heads) },
    Case("Codec", "head-read") { NativeWork(native_work_read_heads) },
  ]
}

/// Longer than 255 bytes: one of the seven heads is a long one.
private let usualBufferSize = 300

final class NativeWork: Workload {
  typealias Work = @convention(c) (OpaquePointer?, UInt32) -> Bool

  private let state: OpaquePointer
  private let work: Work

  init(_ work: @escaping Work, bufferSize: Int = usualBufferSize) {
    let frames = taskMessage(bufferSize: bufferSize) { _ in [UInt8](repeating: 0x61, count: 64) }
    let bytes = frames.flatMap { $0 }
    let state = bytes.withUnsafeBufferPointer { buffer in
      var at = buffer.baseAddress!
      let spans = frames.map { frame in
        defer { at += frame.count }
        return message_frame(data: at, size: UInt64(frame.count))
      }
      return native_work_create(spans, UInt32(spans.count))
    }
    guard let state else { preconditionFailure("memory is short") }
    self.state = state
    self.work = work
    // What `head-read` reads.
    precondition(native_work_write_heads(state, UInt32(frames.count)))
  }
  deinit { native_work_destroy(state) }

  func round() { precondition(work(state, UInt32(operationsARound))) }
}

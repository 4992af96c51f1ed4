/// Scanner: what CScan finds in a message's frames (see scan.h), and the checks before it.

import CBase
import CScan
import CSign
import CTransport

@safe
struct Scanner: ~Copyable {
  let handle: OpaquePointer

  init(_ packer: Packer) {
    guard let created = unsafe scanner_create(packer.c) else {
      fatalError("out of memory: scanner")
    }
    unsafe handle = created
  }
  deinit { unsafe scanner_destroy(handle) }

  /// The spans that the scans of this turn found; ask only when one of them says it has some.
  var spans: UnsafePointer<scan_span> {
    var count = 0
    return unsafe scanner_spans(handle, &count)!
  }

  /// Forgets the spans of earlier scans.
  func reset() { unsafe scanner_reset(handle) }
}

/// A message's frames with the delimiter found and the signature checked.
@safe
struct CheckedMessage {
  /// At the signature frame: [0] signature [1] header [2] parent [3] metadata [4] content.
  private let frames: UnsafePointer<message_frame>
  let delimiter: Int

  /// Nil, with the reason, when the frames are not a signed message.
  init?(_ event: transport_event, _ signer: borrowing Signer, _ reason: inout DropReason) {
    let count = unsafe Int(event.frame_count)
    guard count > 0, let base = unsafe event.frames,
      let delimiter = unsafe Delimiter.index(in: base, count)
    else {
      reason = .noDelimiter
      return nil
    }
    guard delimiter + 6 <= count else {
      reason = .tooFewFrames
      return nil
    }
    unsafe frames = base + delimiter + 1
    self.delimiter = delimiter
    // signer_part and message_frame are the same pair of pointer and size.
    let parts = unsafe UnsafeRawPointer(frames + 1).assumingMemoryBound(to: signer_part.self)
    guard unsafe signer_verify(signer.handle, parts, 4, frames[0].data, Int(frames[0].size)) else {
      reason = .badSignature
      return nil
    }
  }

  var header: scan_span { unsafe span(1) }
  var parent: scan_span { unsafe span(2) }
  var metadata: scan_span { unsafe span(3) }
  var content: scan_span { unsafe span(4) }

  private func span(_ index: Int) -> scan_span {
    unsafe scan_span(data: frames[index].data, size: frames[index].size)
  }
}

/// A scanner as the tests see it: results copied out into Swift values, statuses by name.
import CScan
import Foundation

/// Python's spelling of a status, as in the fixtures.
func statusName(_ status: UInt32) -> String {
  let names = [
    "OK", "BAD_HEADER", "NO_MSG_ID", "BAD_METADATA", "BAD_TARGETS", "BAD_RETRIES", "BAD_TIMEOUT",
    "BAD_AFTER", "BAD_FOLLOW", "TOO_MANY", "BAD_PARENT", "BAD_CONTENT", "NO_NEITHER",
    "LONG_MSG_ID",
  ]
  return Int(status) < names.count ? names[Int(status)] : "status \(status)"
}

struct Ids: Equatable {
  var ids: [[UInt8]] = []
  var all = true
  var success = true
  var failure = false

  init(_ ids: [String] = [], all: Bool = true, success: Bool = true, failure: Bool = false) {
    self.ids = ids.map { Array($0.utf8) }
    (self.all, self.success, self.failure) = (all, success, failure)
  }
}

struct Submission: Equatable {
  var status = "OK"
  var msgID: [UInt8] = []
  var targets: [[UInt8]] = []
  var retries: UInt32 = 0
  var timeout = 0.0
  var after = Ids()
  var follow = Ids()
}

struct Reply: Equatable {
  var status = "OK"
  var msgID: [UInt8] = []
  var ok = true
  var met = true
  var hasStatus = true
}

struct Hub: Equatable {
  var status = "OK"
  var msgType = ""
  var uuid = ""
  var engines: [String] = []
  var statusText = ""
}

final class Scanner {
  let scanner: OpaquePointer
  /// The sentence of the latest task, if it was refused.
  private(set) var detail: String?

  init(_ packer: scan_packer) { scanner = scanner_create(packer) }
  deinit { scanner_destroy(scanner) }

  func reset() { scanner_reset(scanner) }
  var spanCount: Int {
    var count = 0
    _ = scanner_spans(scanner, &count)
    return count
  }

  private func bytes(_ span: scan_span) -> [UInt8] {
    Array(UnsafeBufferPointer(start: span.data, count: Int(span.size)))
  }
  private func text(_ span: scan_span) -> String { String(decoding: bytes(span), as: UTF8.self) }

  private func list(_ list: scan_list) -> [[UInt8]] {
    var count = 0
    let spans = scanner_spans(scanner, &count)
    precondition(Int(list.first) + Int(list.count) <= count)
    return (0..<Int(list.count)).map { bytes(spans![Int(list.first) + $0]) }
  }

  private func ids(_ dependency: scan_dependency) -> Ids {
    var result = Ids()
    result.ids = list(dependency.ids)
    result.all = dependency.all == 1
    result.success = dependency.success == 1
    result.failure = dependency.failure == 1
    return result
  }

  /// Frames in exactly sized allocations of their own, so that reading past one is seen.
  private func withSpans<R>(_ frames: [[UInt8]], _ body: ([scan_span]) -> R) -> R {
    let copies = frames.map { frame in
      let copy = UnsafeMutableBufferPointer<UInt8>.allocate(capacity: frame.count)
      _ = copy.initialize(from: frame)
      return copy
    }
    defer { for copy in copies { copy.deallocate() } }
    return body(copies.map { scan_span(data: $0.baseAddress, size: UInt64($0.count)) })
  }

  func task(_ header: [UInt8], _ metadata: [UInt8]) -> Submission {
    withSpans([header, metadata]) { frames in
      var out = scan_submission()
      scan_task(scanner, frames[0], frames[1], &out)
      detail = out.detail.map { String(cString: $0) }
      return Submission(
        status: statusName(out.status), msgID: bytes(out.msg_id), targets: list(out.targets),
        retries: out.retries, timeout: out.timeout_s, after: ids(out.after),
        follow: ids(out.follow))
    }
  }

  func reply(_ header: [UInt8], _ parent: [UInt8], _ metadata: [UInt8]) -> Reply {
    withSpans([header, parent, metadata]) { frames in
      var out = scan_result()
      scan_reply(scanner, frames[0], frames[1], frames[2], &out)
      return Reply(
        status: statusName(out.status), msgID: bytes(out.msg_id), ok: out.ok == 1,
        met: out.dependencies_met == 1, hasStatus: out.has_status == 1)
    }
  }

  func hub(_ header: [UInt8], _ content: [UInt8]) -> Hub {
    withSpans([header, content]) { frames in
      var out = scan_hub()
      scan_hub_message(scanner, frames[0], frames[1], &out)
      return Hub(
        status: statusName(out.status), msgType: text(out.msg_type), uuid: text(out.uuid),
        engines: list(out.engines).map { String(decoding: $0, as: UTF8.self) },
        statusText: text(out.status_text))
    }
  }
}

extension Scanner {
  func task(_ header: String, _ metadata: String) -> Submission {
    task(Array(header.utf8), Array(metadata.utf8))
  }
  /// A task `t` with this metadata, as JSON.
  func task(_ metadata: String) -> Submission { task(#"{"msg_id": "t"}"#, metadata) }
  func reply(_ header: String, _ parent: String, _ metadata: String) -> Reply {
    reply(Array(header.utf8), Array(parent.utf8), Array(metadata.utf8))
  }
  func hub(_ header: String, _ content: String) -> Hub {
    hub(Array(header.utf8), Array(content.utf8))
  }
}

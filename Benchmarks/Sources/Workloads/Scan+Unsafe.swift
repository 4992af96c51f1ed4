/// The scans of a task and of a reply. JSON frames of a shape that the scanner has met are compared
/// (shape.h): that is `json`. `json-parsed` is what every other frame costs.

import CScan

func scanCases() -> [Case] {
  [("json", SCAN_JSON), ("msgpack", SCAN_MSGPACK)].flatMap { (name, packer) in
    [
      Case("Scan", "task-\(name)") { TaskScan(packer, dependencies: 0, .plain) },
      Case("Scan", "task-after-10-\(name)") { TaskScan(packer, dependencies: 10, .plain) },
      Case("Scan", "reply-\(name)") { ReplyScan(packer, .plain) },
    ]
  } + [
    Case("Scan", "task-json-parsed") { TaskScan(SCAN_JSON, dependencies: 0, .escaped) },
    Case("Scan", "reply-json-parsed") { ReplyScan(SCAN_JSON, .escaped) },
  ]
}

/// A scanner and the frames of one message, at addresses that stay.
final class Frames {
  let scanner: OpaquePointer
  private var buffers: [UnsafeMutableBufferPointer<UInt8>] = []
  private let packer: scan_packer
  /// Of each message's frames, those that are to be known by their shape.
  private let known: Int
  private var foundBefore: UInt64 = 0

  init(_ packer: scan_packer, known: Int) {
    guard let scanner = scanner_create(packer) else { preconditionFailure("memory is short") }
    self.scanner = scanner
    self.packer = packer
    self.known = packer == SCAN_JSON ? known : 0
  }

  deinit {
    scanner_destroy(scanner)
    for buffer in buffers { buffer.deallocate() }
  }

  func add(_ value: Packed) -> scan_span {
    let bytes = packer == SCAN_JSON ? Array(value.json.utf8) : value.msgpack
    let buffer = UnsafeMutableBufferPointer<UInt8>.allocate(capacity: bytes.count)
    _ = buffer.initialize(from: bytes)
    buffers.append(buffer)
    return scan_span(data: buffer.baseAddress, size: UInt64(bytes.count))
  }

  /// That a round took the path that its case is named for; its first message may teach the shapes.
  func checkRound() {
    var found: UInt64 = 0
    var parsed: UInt64 = 0
    scanner_count_shapes(scanner, &found, &parsed)
    let wanted = known * operationsARound
    precondition((wanted - known...wanted).contains(Int(found - foundBefore)))
    foundBefore = found
  }
}

final class TaskScan: Workload {
  private let frames: Frames
  private let header: scan_span
  private let metadata: scan_span
  private let dependencies: Int

  init(_ packer: scan_packer, dependencies: Int, _ texts: Texts) {
    self.dependencies = dependencies
    // A list of ids is never remembered: that frame is parsed.
    frames = Frames(packer, known: texts == .escaped ? 0 : dependencies == 0 ? 2 : 1)
    header = frames.add(Workloads.header("apply_request", 0, texts))
    metadata = frames.add(taskMetadata(dependencies: dependencies, texts))
  }

  func round() {
    var out = scan_submission()
    for _ in 0..<operationsARound {
      scanner_reset(frames.scanner)
      scan_task(frames.scanner, header, metadata, &out)
      precondition(out.status == SCAN_OK.rawValue && Int(out.after.ids.count) == dependencies)
    }
    frames.checkRound()
  }
}

final class ReplyScan: Workload {
  private let frames: Frames
  private let header: scan_span
  private let parent: scan_span
  private let metadata: scan_span

  init(_ packer: scan_packer, _ texts: Texts) {
    frames = Frames(packer, known: texts == .escaped ? 0 : 3)
    header = frames.add(Workloads.header("apply_reply", 2, texts))
    parent = frames.add(Workloads.header("apply_request", 0, texts))
    metadata = frames.add(replyMetadata(texts))
  }

  func round() {
    var out = scan_result()
    for _ in 0..<operationsARound {
      scanner_reset(frames.scanner)
      scan_reply(frames.scanner, header, parent, metadata, &out)
      precondition(out.status == SCAN_OK.rawValue && out.ok == 1)
    }
    frames.checkRound()
  }
}

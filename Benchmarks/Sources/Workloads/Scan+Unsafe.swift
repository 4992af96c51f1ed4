/// The scans of a task and of a reply, with the fields that ipyparallel 9.2 sends.

import CScan

func scanCases() -> [Case] {
  [("json", SCAN_JSON), ("msgpack", SCAN_MSGPACK)].flatMap { (name, packer) in
    [
      Case("Scan", "task-\(name)") { TaskScan(packer, dependencies: 0) },
      Case("Scan", "task-after-10-\(name)") { TaskScan(packer, dependencies: 10) },
      Case("Scan", "reply-\(name)") { ReplyScan(packer) },
    ]
  }
}

private func messageID(_ count: Int) -> Packed {
  .text("d1c43d07-8f3a4fd5a20d8f7a1d5f4c1e_31337_\(1000 + count)")
}

private func header(_ type: String, _ count: Int) -> Packed {
  .map([
    ("msg_id", messageID(count)), ("msg_type", .text(type)), ("username", .text("user")),
    ("session", .text("d1c43d07-8f3a4fd5a20d8f7a1d5f4c1e")),
    ("date", .text("2026-01-02T03:04:05.678901Z")), ("version", .text("5.4")),
  ])
}

/// A scanner and the frames of one message, at addresses that stay.
final class Frames {
  let scanner: OpaquePointer
  private var buffers: [UnsafeMutableBufferPointer<UInt8>] = []
  private let packer: scan_packer

  init(_ packer: scan_packer) {
    guard let scanner = scanner_create(packer) else { preconditionFailure("memory is short") }
    self.scanner = scanner
    self.packer = packer
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
}

final class TaskScan: Workload {
  private let frames: Frames
  private let header: scan_span
  private let metadata: scan_span
  private let dependencies: Int

  init(_ packer: scan_packer, dependencies: Int) {
    self.dependencies = dependencies
    frames = Frames(packer)
    header = frames.add(Workloads.header("apply_request", 0))
    metadata = frames.add(
      .map([
        (
          "after",
          .map([
            ("dependencies", .list((1..<dependencies + 1).map(messageID))),
            ("all", .boolean(true)), ("success", .boolean(true)), ("failure", .boolean(false)),
          ])
        ),
        ("follow", .list([])), ("timeout", .null), ("targets", .list([])), ("retries", .small(3)),
      ]))
  }

  func round() {
    var out = scan_submission()
    for _ in 0..<operationsARound {
      scanner_reset(frames.scanner)
      scan_task(frames.scanner, header, metadata, &out)
      precondition(out.status == SCAN_OK.rawValue && Int(out.after.ids.count) == dependencies)
    }
  }
}

final class ReplyScan: Workload {
  private let frames: Frames
  private let header: scan_span
  private let parent: scan_span
  private let metadata: scan_span

  init(_ packer: scan_packer) {
    frames = Frames(packer)
    header = frames.add(Workloads.header("apply_reply", 2))
    parent = frames.add(Workloads.header("apply_request", 0))
    metadata = frames.add(
      .map([
        ("started", .text("2026-01-02T03:04:05.678901Z")), ("dependencies_met", .boolean(true)),
        ("engine", .text("8f7a1d5f-4c1ed1c43d078f3a4fd5a20d")), ("is_broadcast", .boolean(false)),
        ("is_coalescing", .boolean(false)), ("original_msg_id", .text("")),
        ("status", .text("ok")),
      ]))
  }

  func round() {
    var out = scan_result()
    for _ in 0..<operationsARound {
      scanner_reset(frames.scanner)
      scan_reply(frames.scanner, header, parent, metadata, &out)
      precondition(out.status == SCAN_OK.rawValue && out.ok == 1)
    }
  }
}

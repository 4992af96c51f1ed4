// ApartTests.swift: what an intake finds for another thread is what it finds for its own, and owes
// nothing to the intake afterwards.

import CBase
import CIntake
import CScan
import Glibc
import Testing

/// Everything that a task says, copied out.
private struct Said: Equatable {
  var status: UInt32
  var id: String
  var place: [UInt16]
  var lists: [[String]]
  var rules: [UInt8]
  var retries: UInt32
  var timeout: Double
  var detail: String?

  init(_ found: intake_message) {
    func text(_ span: scan_span) -> String {
      String(decoding: UnsafeBufferPointer(start: span.data, count: Int(span.size)), as: UTF8.self)
    }
    let task = found.task
    status = task.status
    id = text(task.msg_id)
    place = [found.delimiter, found.id_at, found.id_size]
    lists = [task.targets, task.after.ids, task.follow.ids].map { list in
      (0..<list.count).map { text(found.spans[Int(list.first + $0)]) }
    }
    rules = [
      task.after.all, task.after.success, task.after.failure, task.follow.all,
      task.follow.success, task.follow.failure,
    ]
    retries = task.retries
    timeout = task.timeout_s
    detail = task.detail.map { String(cString: $0) }
  }
}

private func task(_ header: String, _ metadata: String) -> Frames {
  Frames(["<IDS|MSG>", "", header, "{}", metadata, "{}"])
}

private func apart(_ intake: OpaquePointer, _ kind: intake_kind, _ message: Frames) -> (
  intake_message, UnsafeMutableRawPointer?
) {
  var found = intake_message()
  var kept: UnsafeMutableRawPointer?
  #expect(
    intake_check_apart(
      UnsafeMutableRawPointer(intake), kind.rawValue, message.frames, UInt32(message.count),
      &found, &kept))
  return (found, kept)
}

private let cases: [(header: String, metadata: String)] = [
  (#"{"msg_id": "s_1_1"}"#, "{}"),
  // Written with escapes, it exists only in the scanner's memory.
  (#"{"msg_id": "s\u00e9_\n_1"}"#, "{}"),
  (
    #"{"msg_id": "s_1_2"}"#,
    #"{"targets": ["a", "b\u0041"], "after": ["s_1_1", "x", "y"], "follow": {"dependencies": "#
      + #"["s_1_1"], "all": false, "failure": true}, "retries": 3, "timeout": 1.5}"#
  ),
  (#"{"msg_id": "s_1_3"}"#, #"{"targets": [], "after": "one", "follow": null}"#),
  // What is wrong is said in the scanner's memory, too.
  (#"{"msg_id": "s_1_4"}"#, #"{"retries": -1}"#),
  (#"{"msg_id": "s_1_5"}"#, #"{"targets": [1]}"#),
  (#"{"msg_id": 7}"#, "{}"),
  ("not JSON", "{}"),
]

@Suite struct ApartTests {
  @Test func `the same is found, and outlives its intake`() {
    let own = makeIntake()
    let lane = makeIntake()
    var found: [(intake_message, UnsafeMutableRawPointer?, Frames, Said)] = []
    // Twice over: what was parsed at first may be known by its shape then.
    for each in cases + cases {
      let message = task(each.header, each.metadata)
      var direct = intake_message()
      intake_check(own, INTAKE_TASK, message.frames, UInt32(message.count), &direct)
      #expect(direct.status == INTAKE_OK.rawValue)
      let (other, kept) = apart(lane, INTAKE_TASK, message)
      #expect(other.status == INTAKE_OK.rawValue && other.kind == INTAKE_TASK.rawValue)
      found.append((other, kept, message, Said(direct)))
    }
    // Later checks have reused the intake's memory, and then it goes.
    for _ in 0..<100 {
      let (_, kept) = apart(lane, INTAKE_TASK, task(cases[2].header, cases[2].metadata))
      free(kept)
    }
    intake_destroy(lane)
    for (other, kept, _, said) in found {
      #expect(Said(other) == said)
      free(kept)
    }
    intake_destroy(own)
  }

  @Test func `what is known by its shape costs no memory`() {
    let intake = makeIntake()
    defer { intake_destroy(intake) }
    let header = #"{"msg_id": "0123abcd-0123456789abcdef_17_%", "msg_type": "apply_request"}"#
    var without = 0
    for number in 0..<20 {
      let message = task(header.replacing("%", with: "\(number + 100)"), "{}")
      let (found, kept) = apart(intake, INTAKE_TASK, message)
      #expect(Said(found).id == "0123abcd-0123456789abcdef_17_\(number + 100)")
      if kept == nil { without += 1 }
      free(kept)
    }
    #expect(without > 10)
  }

  @Test func `replies keep their task's id`() {
    let intake = makeIntake()
    defer { intake_destroy(intake) }
    for id in ["s_1_1", #"s\u00e9"#, "s_1_2"] {
      let message = Frames([
        "client", "<IDS|MSG>", "", #"{"msg_id": "r", "msg_type": "apply_reply"}"#,
        "{\"msg_id\": \"\(id)\"}", #"{"status": "ok"}"#, "{}",
      ])
      let (found, kept) = apart(intake, INTAKE_REPLY, message)
      let span = found.reply.msg_id
      let text = String(
        decoding: UnsafeBufferPointer(start: span.data, count: Int(span.size)), as: UTF8.self)
      #expect(found.delimiter == 1 && found.reply.ok == 1)
      #expect(text == id.replacing(#"\u00e9"#, with: "é"))
      free(kept)
    }
  }

  @Test func `what is not in order is told, and keeps nothing`() {
    let intake = makeIntake(key: "secret")
    defer { intake_destroy(intake) }
    for (frames, status) in [
      (["no delimiter"], INTAKE_NO_DELIMITER), (["<IDS|MSG>", "", "{}"], INTAKE_TOO_FEW_FRAMES),
      (["<IDS|MSG>", "wrong", #"{"msg_id": "a"}"#, "{}", "{}", "{}"], INTAKE_BAD_SIGNATURE),
      ([], INTAKE_NO_DELIMITER),
    ] {
      let (found, kept) = apart(intake, INTAKE_TASK, Frames(frames))
      #expect(found.status == status.rawValue && kept == nil)
    }
  }
}

/// The cases of generate_cases.py: what Python's json and msgpack make of random frames.
import CScan
import Foundation
import Testing

private struct Case: Decodable {
  struct Dependency: Decodable {
    let ids: [String]
    let all, success, failure: Bool
  }
  struct TaskCase: Decodable {
    let status, msg_id: String
    let targets: [String]?
    let retries: UInt32?
    let timeout: Double?
    let after, follow: Dependency?
  }
  struct ReplyCase: Decodable {
    let status, msg_id: String
    let ok, met, has_status: Bool
  }
  let packer: String
  let frames: [String]
  let task: TaskCase?
  let reply: ReplyCase?

  static func all() throws -> [Case] {
    let file = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
      .appendingPathComponent("cases.jsonl")
    return try String(contentsOf: file, encoding: .utf8).split(separator: "\n").map {
      try JSONDecoder().decode(Case.self, from: Data($0.utf8))
    }
  }

  var bytes: [[UInt8]] {
    frames.map { hex in
      let digits = Array(hex.utf8).map { UInt8($0 < 0x3a ? $0 - 0x30 : $0 - 0x57) }
      return stride(from: 0, to: digits.count, by: 2).map { digits[$0] << 4 | digits[$0 + 1] }
    }
  }
}

extension Ids {
  fileprivate init(_ dependency: Case.Dependency?) {
    guard let dependency else {
      self.init()
      return
    }
    self.init(
      dependency.ids, all: dependency.all, success: dependency.success,
      failure: dependency.failure)
  }
}

@Suite struct PythonCasesTests {
  @Test func everyCaseComesOutAsPythonJudgesIt() throws {
    let scanners = ["json": Scanner(SCAN_JSON), "msgpack": Scanner(SCAN_MSGPACK)]
    var checked: [String: Int] = [:]
    // Each case twice: the second time its frames may be known by their shape.
    for (line, each) in try Case.all().enumerated().flatMap({ [$0, $0] }) {
      let scanner = try #require(scanners[each.packer])
      let frames = each.bytes
      if let expected = each.task {
        let task = scanner.task(frames[0], frames[1])
        #expect(task.status == expected.status, "line \(line + 1): \(scanner.detail ?? "")")
        #expect(task.msgID == Array(expected.msg_id.utf8), "line \(line + 1)")
        #expect((scanner.detail == nil) == (task.status == "OK"), "line \(line + 1)")
        if expected.status == "OK" {
          var whole = Submission(msgID: Array(expected.msg_id.utf8))
          whole.targets = (expected.targets ?? []).map { Array($0.utf8) }
          whole.retries = expected.retries ?? 0
          whole.timeout = expected.timeout ?? 0
          whole.after = Ids(expected.after)
          whole.follow = Ids(expected.follow)
          #expect(task == whole, "line \(line + 1)")
        }
        checked["\(each.packer) task", default: 0] += 1
      }
      if let expected = each.reply {
        var whole = Reply(status: expected.status, msgID: Array(expected.msg_id.utf8))
        (whole.ok, whole.met, whole.hasStatus) = (expected.ok, expected.met, expected.has_status)
        #expect(scanner.reply(frames[0], frames[1], frames[2]) == whole, "line \(line + 1)")
        checked["\(each.packer) reply", default: 0] += 1
      }
      if line % 7 == 0 { scanner.reset() }
    }
    #expect(
      checked == ["json task": 600, "msgpack task": 600, "json reply": 200, "msgpack reply": 200])
  }
}

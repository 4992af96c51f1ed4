/// Tasks in JSON, rule by rule (SEMANTICS.md 2.2, 2.6 and 6).
import CScan
import Testing

private let id = "8ea740fd-85e6dbe4d8844ebf62e93b1d_28251_14"
private let header =
  #"{"msg_id": "8ea740fd-85e6dbe4d8844ebf62e93b1d_28251_14", "msg_type": "apply_request", "#
  + #""username": "username", "session": "8ea740fd-85e6dbe4d8844ebf62e93b1d", "#
  + #""date": "2026-11-23T06:58:17.739690Z", "version": "5.4"}"#

@Suite struct JSONTaskTests {
  let scanner = Scanner(SCAN_JSON)

  /// The status of a task with this metadata, and that its sentence is `detail`.
  private func expect(
    _ metadata: String, _ status: String, _ detail: String,
    location: SourceLocation = #_sourceLocation
  ) {
    let task = scanner.task(metadata)
    var expected = Submission(status: status, msgID: Array("t".utf8))
    // What was read before the fault stays; lists never do.
    (expected.retries, expected.timeout) = (task.retries, task.timeout)
    (expected.after, expected.follow) = (task.after, task.follow)
    #expect(task == expected, sourceLocation: location)
    #expect(task.after.ids.isEmpty && task.follow.ids.isEmpty, sourceLocation: location)
    #expect(scanner.detail == detail, sourceLocation: location)
    #expect(scanner.spanCount == 0, sourceLocation: location)
  }

  @Test func aTaskAsTheClientSendsIt() {
    let task = scanner.task(
      header,
      #"{"after": [], "follow": [], "timeout": 0.0, "targets": [], "retries": 0, "label": null}"#)
    #expect(task == Submission(msgID: Array(id.utf8)))
    #expect(scanner.detail == nil)
  }

  @Test func everyField() {
    let task = scanner.task(
      header,
      #"{"after": {"dependencies": ["a_1", "a_2"], "all": false, "success": false, "#
        + #""failure": true}, "#
        + #""follow": ["a_3"], "timeout": 2.5, "targets": ["e1", "e2", "e3"], "retries": 7}"#)
    #expect(
      task
        == Submission(
          msgID: Array(id.utf8), targets: ["e1", "e2", "e3"].map { Array($0.utf8) }, retries: 7,
          timeout: 2.5, after: Ids(["a_1", "a_2"], all: false, success: false, failure: true),
          follow: Ids(["a_3"])))
  }

  @Test func aResubmitHasNothingInItsMetadata() {
    #expect(scanner.task(header, "{}") == Submission(msgID: Array(id.utf8)))
  }

  @Test func spansOfATurnStayUntilTheReset() {
    // Each result is read at once by the wrapper; here two are read after both scans.
    var first = scan_submission()
    var second = scan_submission()
    func scan(_ metadata: String, into out: inout scan_submission) {
      let h = Array(header.utf8)
      let m = Array(metadata.utf8)
      h.withUnsafeBufferPointer { h in
        m.withUnsafeBufferPointer { m in
          scan_task(
            scanner.scanner, scan_span(data: h.baseAddress, size: UInt64(h.count)),
            scan_span(data: m.baseAddress, size: UInt64(m.count)), &out)
        }
      }
    }
    scan(#"{"after": ["x", "y"]}"#, into: &first)
    scan(#"{"after": ["z"]}"#, into: &second)
    var count = 0
    let spans = scanner_spans(scanner.scanner, &count)!
    #expect(count == 3)
    #expect(first.after.ids.first == 0 && first.after.ids.count == 2)
    #expect(second.after.ids.first == 2 && second.after.ids.count == 1)
    #expect((0..<3).map { spans[$0].data[0] } == Array("xyz".utf8))
    #expect(first.msg_id.size == second.msg_id.size && first.msg_id.data != second.msg_id.data)
    scanner.reset()
    #expect(scanner.spanCount == 0)
  }

  @Test func headersThatCannotNameATask() {
    let bad = [
      "", " ", "{", "[]", "null", "1", "\"x\"", "{]", "{\"msg_id\" \"a\"}", "{\"msg_id\": \"a\"} x",
      "{'msg_id': 'a'}", "{\"msg_id\": \"a\",}", "\u{feff}x", "{\"a\": NaN}", "nul",
    ]
    for header in bad {
      #expect(scanner.task(header, "{}") == Submission(status: "BAD_HEADER"), "\(header)")
    }
    _ = scanner.task("[]", "{}")
    #expect(scanner.detail == "header is a list: expected a map")
    for header in [
      "{}", #"{"msg_id": null}"#, #"{"msg_id": 1}"#, #"{"msg_id": ""}"#, #"{"msg_id": ["a"]}"#,
      #"{"msg_id": "a", "msg_id": 1}"#, #"{"msg_type": "apply_request"}"#,
    ] {
      #expect(scanner.task(header, "{}") == Submission(status: "NO_MSG_ID"), "\(header)")
    }
    #expect(scanner.detail == "msg_id is missing: expected a string of 1 to 1024 bytes")
    _ = scanner.task(#"{"msg_id": "\#(String(repeating: "x", count: 1025))"}"#, "{}")
    #expect(scanner.detail == "msg_id has 1025 bytes: expected at most 1024")
    let longest = String(repeating: "x", count: 1024)
    #expect(
      scanner.task(#"{"msg_id": "\#(longest)"}"#, "{}") == Submission(msgID: Array(longest.utf8)))
  }

  @Test func metadataThatIsNoMap() {
    for metadata in ["", "{", "[]", "null", "3", "{\"a\": Infinity}", "{\"a\": 1e999}"] {
      #expect(scanner.task(metadata) == Submission(status: "BAD_METADATA", msgID: Array("t".utf8)))
    }
    _ = scanner.task("null")
    #expect(scanner.detail == "metadata is null: expected a map")
  }

  @Test func ofEqualKeysTheLastWins() {
    #expect(scanner.task(#"{"retries": -1, "retries": 3}"#).retries == 3)
    #expect(scanner.task(#"{"retries": 3, "retries": -1}"#).status == "BAD_RETRIES")
    #expect(scanner.task(#"{"msg_id": "a", "msg_id": "b"}"#, "{}").msgID == Array("b".utf8))
    #expect(scanner.task(#"{"after": ["x"], "after": null}"#).after == Ids())
  }

  @Test func escapesAreDecoded() {
    #expect(
      scanner.task(#"{"msg_\u0069d": "\u00fc\ud83d\ude00\u0000\n\/"}"#, "{}").msgID
        == Array("ü😀\0\n/".utf8))
    #expect(scanner.task(#"{"ret\u0072ies": 2}"#).retries == 2)
    #expect(scanner.task(#"{"msg_id": "\ud83d"}"#, "{}").status == "BAD_HEADER", "a lone surrogate")
    #expect(
      scanner.task(Array(#"{"msg_id": ""#.utf8) + [0xff] + Array(#""}"#.utf8), [0x7b, 0x7d])
        .status == "BAD_HEADER", "not UTF-8")
  }

  @Test func targets() {
    #expect(scanner.task(#"{"targets": null}"#).targets == [])
    #expect(scanner.task(#"{"targets": ["ü", ""]}"#).targets == [Array("ü".utf8), []])
    scanner.reset()
    let wanted = "expected a list of engine uuids"
    expect(#"{"targets": "e1"}"#, "BAD_TARGETS", "targets is a string: \(wanted)")
    expect(#"{"targets": 1}"#, "BAD_TARGETS", "targets is 1: \(wanted)")
    expect(#"{"targets": {"a": 1}}"#, "BAD_TARGETS", "targets is a map: \(wanted)")
    expect(#"{"targets": false}"#, "BAD_TARGETS", "targets is false: \(wanted)")
    expect(#"{"targets": ["a", 1]}"#, "BAD_TARGETS", "targets[1] is 1: expected a string")
    expect(#"{"targets": ["a", ["b"]]}"#, "BAD_TARGETS", "targets[1] is a list: expected a string")
    expect(#"{"targets": [null]}"#, "BAD_TARGETS", "targets[0] is null: expected a string")
  }

  @Test func retries() {
    for (text, value) in [
      ("0", 0), ("1", 1), ("1000000000", 1_000_000_000), ("1.0", 1), ("3e2", 300), ("-0.0", 0),
      ("-0", 0), ("1e9", 1_000_000_000), ("null", 0),
    ] as [(String, UInt32)] {
      #expect(
        scanner.task("{\"retries\": \(text)}") == Submission(msgID: [0x74], retries: value),
        "\(text)")
    }
    for (text, shown) in [
      ("-1", "-1"), ("1000000001", "1000000001"), ("1e99", "1e+99"), ("0.5", "0.5"),
      ("true", "true"), ("false", "false"), ("\"3\"", "a string"), ("[3]", "a list"),
      ("{}", "a map"), ("-1.0", "-1"), ("9223372036854775808", "9223372036854775808"),
      ("-9223372036854775808", "-9223372036854775808"),
    ] {
      expect(
        "{\"retries\": \(text)}", "BAD_RETRIES",
        "retries is \(shown): expected an integer from 0 to 1000000000")
    }
  }

  @Test func timeouts() {
    for (text, value) in [
      ("0", 0), ("0.0", 0), ("-0.0", 0), ("null", 0), ("0.2", 0.2), ("5", 5), ("1e300", 1e300),
      ("18446744073709551615", 0x1p64), ("1e-300", 1e-300),
    ] as [(String, Double)] {
      let task = scanner.task("{\"timeout\": \(text)}")
      #expect(task == Submission(msgID: [0x74], timeout: value), "\(text)")
      #expect(task.timeout.sign == .plus)
    }
    for (text, shown) in [
      ("-1", "-1"), ("-0.5", "-0.5"), ("true", "true"), ("false", "false"), ("\"1\"", "a string"),
      ("[]", "a list"), ("-1e300", "-1e+300"),
    ] {
      expect(
        "{\"timeout\": \(text)}", "BAD_TIMEOUT",
        "timeout is \(shown): expected seconds, from 0 (none) on")
    }
  }

  @Test(arguments: ["after", "follow"]) func dependencies(field: String) {
    func read(_ value: String) -> Ids {
      let task = scanner.task("{\"\(field)\": \(value)}")
      #expect(task.status == "OK", "\(value)")
      #expect((field == "after" ? task.follow : task.after) == Ids())
      return field == "after" ? task.after : task.follow
    }
    for nothing in ["null", "false", "0", "0.0", "\"\"", "[]", "{}", #"{"dependencies": null}"#] {
      #expect(read(nothing) == Ids(), "\(nothing)")
    }
    #expect(read("\"a_1\"") == Ids(["a_1"]))
    #expect(read(#"["a_1", "b", "a_1", ""]"#) == Ids(["a_1", "b", "a_1", ""]))
    #expect(read(#"{"dependencies": "a_1"}"#) == Ids(["a_1"]))
    #expect(read(#"{"dependencies": ["a_1"], "all": 0}"#) == Ids(["a_1"], all: false))
    #expect(
      read(#"{"failure": 1, "success": 0, "all": true, "dependencies": ["a"]}"#)
        == Ids(["a"], success: false, failure: true))
    #expect(read(#"{"all": false, "unknown": [1]}"#) == Ids(all: false))
    scanner.reset()
    let bad = field == "after" ? "BAD_AFTER" : "BAD_FOLLOW"
    let wanted = "expected a list of message ids, one id, or a map with \"dependencies\""
    for (value, shown) in [("1", "1"), ("true", "true"), ("-0.5", "-0.5")] {
      expect("{\"\(field)\": \(value)}", bad, "\(field) is \(shown): \(wanted)")
    }
    expect(
      #"{"\#(field)": {"dependencies": {}}}"#, bad, "\(field).dependencies is a map: \(wanted)")
    expect(#"{"\#(field)": {"dependencies": 0}}"#, bad, "\(field).dependencies is 0: \(wanted)")
    expect(#"{"\#(field)": ["a", 2]}"#, bad, "\(field)[1] is 2: expected a string")
    expect(
      #"{"\#(field)": {"dependencies": [null]}}"#, bad,
      "\(field).dependencies[0] is null: expected a string")
    for name in ["all", "success", "failure"] {
      for (value, shown) in [("2", "2"), ("null", "null"), ("\"true\"", "a string"), ("1.0", "1")] {
        expect(
          #"{"\#(field)": {"dependencies": ["a"], "\#(name)": \#(value)}}"#, bad,
          "\(field).\(name) is \(shown): expected true or false")
      }
    }
    let long = String(repeating: "x", count: 1025)
    expect(
      #"{"\#(field)": ["\#(long)"]}"#, bad, "\(field)[0] has 1025 bytes: expected at most 1024")
    expect(#"{"\#(field)": "\#(long)"}"#, bad, "\(field)[0] has 1025 bytes: expected at most 1024")
    for dependencies in ["[]", "[\"a\"]", "\"a\"", "null"] {
      expect(
        #"{"\#(field)": {"dependencies": \#(dependencies), "success": false}}"#, "NO_NEITHER",
        "\(field) has success and failure both false: expected at least one of them to be true")
    }
  }

  @Test func theHeaderOf2011CarriesTheFields() {
    let header =
      #"{"msg_id": "t", "targets": ["e"], "retries": 2, "after": ["a"], "#
      + #""follow": "f", "timeout": 3}"#
    let task = Submission(
      msgID: Array("t".utf8), targets: [Array("e".utf8)], retries: 2, timeout: 3,
      after: Ids(["a"]), follow: Ids(["f"]))
    #expect(scanner.task(header, "{}") == task)
    #expect(scanner.task(header, #"{"label": 1}"#) == task)
    // A metadata too large for its slot's first memory leaves the header's values alone.
    let label = String(repeating: "l", count: 3_000_000)
    #expect(scanner.task(header, #"{"label": "\#(label)"}"#) == task)
    for name in ["targets", "retries", "after", "follow", "timeout"] {
      #expect(scanner.task(header, #"{"\#(name)": null}"#) == Submission(msgID: [0x74]), "\(name)")
    }
    let bad = #"{"msg_id": "t", "retries": -1}"#
    #expect(scanner.task(bad, "{}").status == "BAD_RETRIES")
    #expect(scanner.task(bad, #"{"timeout": 1}"#) == Submission(msgID: [0x74], timeout: 1))
  }

  @Test func deepAndHugeFramesAreAnswered() {
    for depth in [2000, 100_000, 1_000_000] {
      let open = String(repeating: "[", count: depth)
      let close = String(repeating: "]", count: depth)
      #expect(scanner.task(#"{"after": \#(open)\#(close)}"#).status == "BAD_METADATA")
      #expect(scanner.task(open, "{}").status == "BAD_HEADER")
      #expect(
        scanner.task(#"{"a": \#(String(repeating: "{\"a\":", count: depth))"#).status
          == "BAD_METADATA")
    }
    let deepest = String(repeating: "[", count: 1000) + String(repeating: "]", count: 1000)
    #expect(scanner.task(#"{"label": \#(deepest)}"#).status == "OK")
  }

  @Test func aMegabyteOfDependencies() {
    let ids = (0..<23_000).map { "8ea740fd-85e6dbe4d8844ebf62e93b1d_28251_\($0)" }
    let list = "[\"" + ids.joined(separator: "\", \"") + "\"]"
    #expect(list.utf8.count > 1_000_000)
    let task = scanner.task(
      #"{"after": \#(list), "follow": {"dependencies": \#(list), "all": false}}"#)
    #expect(task == Submission(msgID: [0x74], after: Ids(ids), follow: Ids(ids, all: false)))
    scanner.reset()
    #expect(scanner.task(#"{"after": ["a"]}"#).after == Ids(["a"]))
  }

  @Test func listsEndAtAMillion() {
    let million = String(repeating: "\"\",", count: 999_999) + "\"\""
    #expect(scanner.task("{\"after\": [\(million)]}").after.ids.count == 1_000_000)
    scanner.reset()
    for field in ["targets", "after", "follow"] {
      expect(
        "{\"\(field)\": [\(million),\"\"]}", "TOO_MANY",
        "\(field) has more than 1000000 entries: expected fewer")
    }
  }

  @Test func aFrameAboveTheLimitIsNotParsed() {
    let huge = [UInt8](repeating: 0x20, count: 134_217_729)
    #expect(scanner.task(Array(#"{"msg_id": "t"}"#.utf8), huge).status == "BAD_METADATA")
    #expect(scanner.detail == "metadata has 134217729 bytes: expected at most 134217728")
    #expect(scanner.task(huge, []).status == "BAD_HEADER")
  }
}

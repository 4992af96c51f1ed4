/// Replies and hub messages in JSON (SEMANTICS.md 1, 4 and 6).
import CScan
import Testing

@Suite struct JSONReplyTests {
  let scanner = Scanner(SCAN_JSON)

  /// A reply of task `t` with this metadata.
  private func reply(_ metadata: String, header: String = "{}") -> Reply {
    scanner.reply(header, #"{"msg_id": "t"}"#, metadata)
  }
  private let answered = Reply(msgID: [0x74])

  @Test func aReplyAsTheEngineSendsIt() {
    let metadata =
      #"{"started": "2026-11-23T06:58:17.746104Z", "dependencies_met": true, "#
      + #""engine": "72d4cfda-885938c59da7ad98fecfe90d", "label": null, "status": "ok"}"#
    #expect(reply(metadata) == answered)
    var failed = answered
    failed.ok = false
    #expect(reply(#"{"status": "error", "engine_info": {"status": "ok"}}"#) == failed)
    #expect(reply(#"{"status": "aborted"}"#) == failed)
    failed.met = false
    #expect(reply(#"{"status": "error", "dependencies_met": false}"#) == failed)
  }

  @Test func aStatusThatIsNoString() {
    var none = answered
    (none.ok, none.hasStatus) = (false, false)
    for metadata in ["{}", #"{"status": null}"#, #"{"status": 1}"#, #"{"status": ["ok"]}"#] {
      #expect(reply(metadata) == none, "\(metadata)")
    }
  }

  @Test func dependenciesMetIsATruthOfPython() {
    for (value, truth) in [
      ("true", true), ("false", false), ("null", false), ("0", false), ("1", true), ("0.0", false),
      ("0.5", true), ("\"\"", false), ("\"no\"", true), ("[]", false), ("[0]", true), ("{}", false),
      (#"{"a": 0}"#, true), ("18446744073709551615", true), ("-1", true),
    ] {
      var expected = answered
      expected.met = truth
      #expect(reply(#"{"status": "ok", "dependencies_met": \#(value)}"#) == expected, "\(value)")
    }
  }

  @Test func repliesOf2011CarryThemInTheHeaderOrItsSubheader() {
    var unmet = answered
    (unmet.ok, unmet.met) = (false, false)
    let fields = #""status": "error", "dependencies_met": false"#
    #expect(reply("{}", header: "{\(fields)}") == unmet)
    #expect(reply(#"{"engine": "e"}"#, header: #"{"subheader": {\#(fields)}}"#) == unmet)
    #expect(reply("{}", header: #"{"status": "ok", "subheader": {\#(fields)}}"#) == answered)
    #expect(reply(#"{"status": "ok"}"#, header: "{\(fields)}") == answered)
    var none = answered
    (none.ok, none.hasStatus) = (false, false)
    #expect(reply(#"{"dependencies_met": true}"#, header: "{\(fields)}") == none)
    #expect(reply("{}", header: #"{"subheader": [1]}"#) == none)
  }

  @Test func repliesThatCannotBeRead() {
    let nothing = Reply(status: "", ok: false, met: false, hasStatus: false)
    func expect(_ reply: Reply, _ status: String, _ msgID: String = "") {
      var expected = nothing
      (expected.status, expected.msgID) = (status, Array(msgID.utf8))
      #expect(reply == expected)
    }
    for bad in ["", "[]", "{", "1"] {
      expect(scanner.reply(bad, #"{"msg_id": "t"}"#, "{}"), "BAD_HEADER")
      expect(scanner.reply("{}", bad, "{}"), "BAD_PARENT")
      expect(scanner.reply("{}", #"{"msg_id": "t"}"#, bad), "BAD_METADATA", "t")
    }
    for parent in ["{}", #"{"msg_id": 1}"#, #"{"msg_id": ""}"#] {
      expect(scanner.reply("{}", parent, #"{"status": "ok"}"#), "BAD_PARENT")
    }
  }

  @Test func notifications() {
    let type = #"{"msg_type": "registration_notification"}"#
    #expect(
      scanner.hub(type, #"{"id": 0, "uuid": "72d4"}"#)
        == Hub(msgType: "registration_notification", uuid: "72d4"))
    #expect(scanner.hub(type, #"{"id": 0, "queue": "72d4"}"#).uuid == "72d4")
    #expect(scanner.hub(type, #"{"queue": "old", "uuid": "new"}"#).uuid == "new")
    for content in ["{}", #"{"uuid": 1}"#, #"{"uuid": ""}"#, #"{"uuid": null, "queue": "q"}"#] {
      #expect(
        scanner.hub(type, content)
          == Hub(status: "BAD_CONTENT", msgType: "registration_notification"), "\(content)")
    }
    #expect(
      scanner.hub(#"{"msg_type": "unregistration_notification"}"#, "{}").status == "BAD_CONTENT")
    #expect(
      scanner.hub(#"{"msg_type": "shutdown_notification"}"#, "{}")
        == Hub(msgType: "shutdown_notification"))
  }

  @Test func theConnectionReply() {
    let type = #"{"msg_type": "connection_reply"}"#
    #expect(
      scanner.hub(type, #"{"status": "ok", "engines": {"0": "a", "10": "c", "2": "b"}}"#)
        == Hub(msgType: "connection_reply", engines: ["a", "c", "b"], statusText: "ok"))
    for content in [
      #"{"status": "ok", "engines": {}}"#, #"{"status": "ok"}"#,
      #"{"status": "ok", "engines": null}"#,
    ] {
      #expect(scanner.hub(type, content) == Hub(msgType: "connection_reply", statusText: "ok"))
    }
    scanner.reset()
    for engines in [#"["a"]"#, #"{"0": 1}"#, #"{"0": "a", "1": null}"#, #"{"0": ""}"#, "\"a\""] {
      #expect(scanner.hub(type, #"{"engines": \#(engines)}"#).status == "BAD_CONTENT")
      #expect(scanner.spanCount == 0)
    }
  }

  @Test func hubMessagesThatCannotBeRead() {
    for header in ["", "[]", "{}", #"{"msg_type": 1}"#, #"{"msg_type": ""}"#] {
      #expect(scanner.hub(header, "{}") == Hub(status: "BAD_HEADER"))
    }
    for content in ["", "[]", "null"] {
      #expect(
        scanner.hub(#"{"msg_type": "x"}"#, content) == Hub(status: "BAD_CONTENT", msgType: "x"))
    }
  }
}

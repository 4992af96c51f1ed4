/// The harness itself: it must fail on what no test expected, and on handles that come back twice.

import PlainModel
import Testing

@testable import SchedulerCore

@Suite("The harness")
struct HarnessTests {
  @Test("a command that no test expected is an error, at the next event and at the end")
  func unexpected() {
    withKnownIssue {
      withCore(engines: ["a"]) { core in
        core.submit()
        core.advance(1)
      }
    } matching: {
      "\($0)".contains("unexpected before the next event: assign 0 to a")
    }
    withKnownIssue {
      withCore(engines: ["a"]) { core in core.submit() }
    } matching: {
      "\($0)".contains("unexpected at the end: assign 0 to a")
    }
  }

  @Test("an expected command that does not come is an error") func missing() {
    withKnownIssue { withCore { core in core.expect(.assign(0, "a")) } }
  }

  @Test("messages and names that come back twice, never, or unasked are told") func ownership() {
    var ownership = Ownership()
    let name = EngineName(4)
    let task = ownership.give(.task(0, [name, name]))
    let reply = ownership.give(.reply)
    #expect(ownership.problem(live: 1) == "2 messages are out, 1 tasks live")

    var release = Command(.releaseName)
    release.engine = name
    #expect(ownership.take(release) != nil, "released while its task lives")

    var deliver = Command(.deliver)
    deliver.task = TaskID(0)
    deliver.message = task
    deliver.reply = reply
    #expect(ownership.take(deliver) == nil)
    #expect(ownership.take(deliver) != nil, "delivered twice")
    #expect(ownership.problem(live: 0) != nil, "names that were not released")
    for expected in [true, true, false] { #expect((ownership.take(release) == nil) == expected) }
  }
}

/// SEMANTICS section 4: timeouts.

import PlainModel
import Testing

@testable import SchedulerCore

@Suite("SEMANTICS 4: timeouts")
struct Section4TimeoutTests {
  @Test("4 a timeout starts when the task begins to wait for an engine") func forAnEngine() {
    withCore { core in
      core.submit(timeout: 2)
      #expect(core.core.nextDeadline_ns == core.now_ns + seconds(2))
      core.advance(1.999)
      core.expect()
      core.advance(0.001)
      core.expect(.timeout(0, .timedOutWaitingForAnEngine))
      #expect(core.core.nextDeadline_ns == nil)
    }
  }

  @Test("4 it runs on while the task moves from its dependencies to an engine")
  func notRestarted() {
    withCore(hwm: 1, engines: ["a"]) { core in
      core.submit()
      core.expect(.assign(0, "a"))
      core.submit()
      core.submit(after: .all(0), timeout: 2)
      core.advance(1.5)
      core.succeed(0, on: "a")
      core.expect(.deliver(0, "a"), .assign(1, "a"))
      core.advance(0.5)
      core.expect(.timeout(2, .timedOutWaitingForAnEngine))
    }
  }

  @Test("4 waiting for dependencies times out as such, and fails what depends on it")
  func forDependencies() {
    withCore(hwm: 1, engines: ["a"]) { core in
      core.submit()
      core.expect(.assign(0, "a"))
      core.submit(after: .all(0), timeout: 2)
      core.submit(after: .all(1))
      core.submit(after: .all(1).onFailure)
      core.advance(2)
      core.expect(
        .timeout(1, .timedOutWaitingForDependencies), .impossible(2, .afterCannotBeMet))
      core.succeed(0, on: "a")
      core.expect(.deliver(0, "a"), .assign(3, "a"))
    }
  }

  @Test("4 a running task never times out; it starts again when it waits again") func restarted() {
    withCore(hwm: 1, engines: ["a"]) { core in
      core.submit(retries: 1, timeout: 2)
      core.expect(.assign(0, "a"))
      core.advance(100)
      core.expect()
      core.fail(0, on: "a")
      core.expect(.retire(0, "a"))
      core.advance(1.5)
      core.expect()
      core.advance(0.5)
      core.expect(.timeout(0, .timedOutWaitingForAnEngine))
      core.register("b")
    }
  }

  @Test("4 due tasks fail in order of time, then of submission, before the step's events")
  func dueInOrder() {
    withCore { core in
      core.submit(timeout: 3)
      core.submit(timeout: 1)
      core.submit(timeout: 3)
      core.submit(timeout: 2)
      core.step([.register("a"), .advance(seconds(3))])
      core.expect(
        .timeout(1, .timedOutWaitingForAnEngine), .timeout(3, .timedOutWaitingForAnEngine),
        .timeout(0, .timedOutWaitingForAnEngine), .timeout(2, .timedOutWaitingForAnEngine))
    }
  }

  @Test("4 and 5 due at the same time: what died first, then what waited too long")
  func engineFirst() {
    withCore(hwm: 1, engines: ["a"]) { core in
      core.submit()
      core.expect(.assign(0, "a"))
      core.unregister("a")
      core.submit(after: .all(0).onFailure, timeout: 5)
      core.advance(5)
      core.expect(.engineDied(0, "a"), .timeout(1, .timedOutWaitingForAnEngine))
    }
  }

  @Test("4 a timeout past the end of time is none; time does not go backwards") func farAway() {
    var options = CoreOptions()
    options.strandedAfter_ns = .max
    var core = SchedulerCore(options)
    var commands = CommandBuffer()
    var submitted = Event(.submitted)
    submitted.task = TaskID(0)
    submitted.timeout_ns = .max
    var registered = Event(.engineRegistered)
    registered.engine = EngineName(1)
    let none: [UInt32] = []
    let events = [submitted]
    core.step(now_ns: 10, events: events.span, lists: none.span, commands: &commands)
    #expect(core.nextDeadline_ns == .max && commands.count == 0)
    let more = [registered]
    core.step(now_ns: 5, events: more.span, lists: none.span, commands: &commands)
    #expect(core.now_ns == 10 && commands.count == 1)
    registered.kind = .engineUnregistered
    let gone = [registered]
    core.step(now_ns: 20, events: gone.span, lists: none.span, commands: &commands)
    #expect(core.nextDeadline_ns == .max && core.checkInvariants() == nil)
  }
}

/// SEMANTICS section 5: engines coming and going.

import PlainModel
import Testing

@testable import SchedulerCore

@Suite("SEMANTICS 5: engines")
struct Section5EngineTests {
  @Test("5 with no engines, tasks are accepted and wait, in order") func noEngines() {
    withCore(hwm: 0) { core in
      for _ in 0..<3 { core.submit() }
      core.submit(after: .all(0))
      core.register("a")
      core.expect(.assign(0, "a"), .assign(1, "a"), .assign(2, "a"))
      core.succeed(0, on: "a")
      core.expect(.deliver(0, "a"), .assign(3, "a"))
    }
  }

  @Test("5 an engine that is gone gets nothing; its late result counts for 5 s") func lateResult() {
    withCore(hwm: 0, engines: ["a", "b"]) { core in
      core.submit()
      core.expect(.assign(0, "a"))
      core.submit(after: .all(0))
      core.unregister("a")
      #expect(core.core.nextDeadline_ns == core.now_ns + seconds(5))
      core.submit()
      core.expect(.assign(2, "b"))
      core.advance(4.9)
      core.succeed(0, on: "a")
      core.expect(.deliver(0, "a"), .assign(1, "b"))
      #expect(core.core.nextDeadline_ns == nil)
      core.advance(5)
      core.expect()
    }
  }

  @Test("5 after 5 s each of its tasks gets an EngineError; a later result is dropped")
  func engineError() {
    withCore(hwm: 0, engines: ["a"]) { core in
      for task in 0...2 {
        core.submit()
        core.expect(.assign(task, "a"))
      }
      core.submit(after: .any(0, 2).onFailure)
      core.unregister("a")
      core.succeed(1, on: "a")
      core.expect(.deliver(1, "a"))
      core.advance(5)
      core.expect(.engineDied(0, "a"), .engineDied(2, "a"))
      core.succeed(0, on: "a")
      core.expect(.discard(0, "a", .alreadyFinished))
      core.register("b")
      core.expect(.assign(3, "b"))
    }
  }

  @Test("5 EngineError counts as a failure: retries run elsewhere") func retriesElsewhere() {
    withCore(hwm: 1, engines: ["a", "b"]) { core in
      core.submit(retries: 1)
      core.expect(.assign(0, "a"))
      core.submit(retries: 1)
      core.expect(.assign(1, "b"))
      core.unregister("a")
      core.unregister("b")
      core.advance(5)
      core.expect()
      core.succeed(0, on: "a")
      core.expect(.discard(0, "a", .notRunning))
      // Each avoids the engine that died under it, even when that one is back.
      core.register("a")
      core.expect(.assign(1, "a"))
      core.register("b")
      core.expect(.assign(0, "b"))
      core.fail(0, on: "b")
      core.expect(.deliver(0, "b"))
      core.succeed(1, on: "b")
      core.expect(.discard(1, "b", .otherEngine))
    }
  }

  @Test("5 the dead engine's only targets: ImpossibleDependency at once") func targetDied() {
    withCore(hwm: 1, engines: ["a", "b"]) { core in
      core.submit(targets: ["a"], retries: 3)
      core.expect(.assign(0, "a"))
      core.unregister("a")
      core.advance(5)
      core.expect(.impossible(0, .targetsAllBlacklisted))
    }
  }

  @Test("5 the same uuid again: a new engine; the old one's results still count") func again() {
    withCore(hwm: 1, engines: ["a"]) { core in
      core.submit()
      core.expect(.assign(0, "a"))
      core.unregister("a")
      core.register("a")
      core.submit()
      // Its load starts at nothing.
      core.expect(.assign(1, "a"))
      core.succeed(0, on: "a")
      core.expect(.deliver(0, "a"))
      core.submit(follow: .all(0))
      core.expect(.impossible(2, .followEngineGone))
      core.submit()
      core.succeed(1, on: "a")
      core.expect(.deliver(1, "a"), .assign(3, "a"))
      core.advance(5)
      core.expect()
    }
  }

  @Test("5 the same uuid again does not save the old one's tasks from their 5 s")
  func againStranded() {
    withCore(hwm: 1, engines: ["a"]) { core in
      core.submit()
      core.expect(.assign(0, "a"))
      core.unregister("a")
      core.advance(3)
      core.register("a")
      core.unregister("a")
      core.register("a")
      core.advance(2)
      core.expect(.engineDied(0, "a"))
      core.submit()
      core.expect(.assign(1, "a"))
    }
  }

  @Test("5 announced twice, or gone twice, is once") func twice() {
    withCore(hwm: 1, engines: ["a"]) { core in
      core.register("a")
      core.submit()
      core.expect(.assign(0, "a"))
      core.register("a")
      core.submit()
      core.expect()
      #expect(core.core.report().engines == 1)
      core.unregister("a")
      core.advance(4)
      core.unregister("a")
      core.unregister("nobody")
      core.advance(1)
      core.expect(.engineDied(0, "a"))
    }
  }

  @Test("5 undeliverable: placed again, on another engine if there is one") func undeliverable() {
    withCore(hwm: 0, engines: ["a", "b"]) { core in
      core.submit(retries: 0)
      core.expect(.assign(0, "a"))
      core.undeliverable(0, to: "a")
      core.expect(.assign(0, "b"))
      // It neither failed there nor used up a retry.
      core.unregister("a")
      core.undeliverable(0, to: "b")
      core.expect(.assign(0, "b"))
      core.undeliverable(0, to: "a")
      core.undeliverable(7, to: "a")
      core.expect()
      core.succeed(0, on: "b")
      core.expect(.deliver(0, "b"))
      core.undeliverable(0, to: "b")
      core.expect()
    }
  }

  @Test("5 undeliverable is never a run that begins in the same step")
  func undeliverableBeforeItBegan() {
    withCore(hwm: 1, engines: ["a"]) { core in
      core.submit()
      core.expect(.assign(0, "a"))
      core.submit()
      // Said twice of one run: a connection that is given up, and the answer to a fence.
      core.step([.undeliverable(0, "a"), .undeliverable(0, "a")])
      core.expect(.assign(0, "a"))
      // Task 1 has not been sent to anybody before this step.
      core.step([.result(0, "a", .completed), .undeliverable(1, "a")])
      core.expect(.deliver(0, "a"), .assign(1, "a"))
      core.register("b")
      core.undeliverable(1, to: "a")
      core.expect(.assign(1, "b"))
    }
  }

  @Test("5 undeliverable with a target named twice goes to the other target")
  func undeliverableTarget() {
    withCore(hwm: 1, engines: ["a", "b"]) { core in
      core.submit(targets: ["a", "a", "b"])
      core.expect(.assign(0, "a"))
      core.undeliverable(0, to: "a")
      core.expect(.assign(0, "b"))
    }
  }

  @Test("5 undeliverable takes its turn: an older waiting task gets the engine")
  func undeliverableInTurn() {
    withCore(hwm: 1, engines: ["a"]) { core in
      core.submit()
      core.expect(.assign(0, "a"))
      core.submit()
      core.submit()
      core.succeed(0, on: "a")
      core.expect(.deliver(0, "a"), .assign(1, "a"))
      core.undeliverable(1, to: "a")
      core.expect(.assign(1, "a"))
      core.submit()
      core.register("b")
      core.expect(.assign(2, "b"))
      core.undeliverable(2, to: "b")
      core.expect(.assign(2, "b"))
      core.unregister("b")
      core.undeliverable(2, to: "b")
      core.expect()
      core.succeed(1, on: "a")
      core.expect(.deliver(1, "a"), .assign(2, "a"))
    }
  }

  @Test("5 names that were only targeted are forgotten with their last task") func targetedNames() {
    withCore(hwm: 1, engines: ["a"]) { core in
      for task in 0..<50 {
        core.submit(targets: ["nobody \(task)", "no one \(task)"])
        core.expect(.impossible(task, .targetsNotRegistered))
      }
      // The engine's, and two that are used again.
      #expect(core.core.names.count == 3)
      #expect(core.core.lists.used == 0)
    }
  }

  @Test("5 slots of engines that left are used again, with nothing left over") func slots() {
    withCore(hwm: 1) { core in
      for round in 0..<30 {
        let name = "engine \(round)"
        core.register(name)
        let task = core.submit()
        core.expect(.assign(task, name))
        core.unregister(name)
        core.succeed(task, on: name)
        core.expect(.deliver(task, name))
      }
      #expect(core.core.engineOfSlot.count == 1)
      #expect(core.core.report().engines == 0)
    }
  }
}

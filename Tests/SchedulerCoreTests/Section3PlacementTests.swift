/// SEMANTICS section 3: placement. The choosers themselves are tested with CLoads.

import PlainModel
import Testing

@testable import SchedulerCore

@Suite("SEMANTICS 3: placement")
struct Section3PlacementTests {
  @Test("3 an engine is available below hwm; 0 is no limit", arguments: [0, 1, 3] as [UInt32])
  func highWaterMark(_ hwm: UInt32) {
    withCore(hwm: hwm, engines: ["a"]) { core in
      for task in 0..<5 {
        core.submit()
        if hwm == 0 || task < Int(hwm) { core.expect(.assign(task, "a")) } else { core.expect() }
      }
      core.succeed(0, on: "a")
      if hwm == 0 {
        core.expect(.deliver(0, "a"))
      } else {
        core.expect(.deliver(0, "a"), .assign(Int(hwm), "a"))
      }
    }
  }

  @Test("3 a new engine goes to the front, one that gets a task to the back") func order() {
    withCore(hwm: 0, scheme: .lru) { core in
      core.register("a")
      core.register("b")
      for (task, engine) in ["b", "a", "b"].enumerated() {
        core.submit()
        core.expect(.assign(task, engine))
      }
      core.register("c")
      for (index, engine) in ["c", "a", "b", "c"].enumerated() {
        core.submit()
        core.expect(.assign(3 + index, engine))
      }
      // A result moves nothing.
      core.succeed(3, on: "c")
      core.expect(.deliver(3, "c"))
      core.submit()
      core.expect(.assign(7, "a"))
    }
  }

  @Test("3 leastload takes the lowest load, first in order of equals") func leastload() {
    withCore(hwm: 0, scheme: .leastload, engines: ["a", "b", "c"]) { core in
      for (task, engine) in ["a", "b", "c", "a"].enumerated() {
        core.submit()
        core.expect(.assign(task, engine))
      }
      core.succeed(2, on: "c")
      core.expect(.deliver(2, "c"))
      for (index, engine) in ["c", "b", "c", "a"].enumerated() {
        core.submit()
        core.expect(.assign(4 + index, engine))
      }
    }
  }

  @Test("3 every scheme keeps to the eligible engines", arguments: Scheme.allCases)
  func schemes(_ scheme: Scheme) {
    let engines = ["a", "b", "c", "d", "e"]
    withCore(hwm: 1, scheme: scheme, engines: engines) { core in
      for _ in 0..<40 {
        core.submit(targets: ["b", "d"])
        let seen = core.takeSeen()
        guard case .assign(let task, let engine) = seen.first, seen.count == 1 else {
          Issue.record("\(seen)")
          return
        }
        #expect(engine == "b" || engine == "d")
        core.submit(follow: .all(task))
        core.succeed(task, on: engine)
        core.expect(.deliver(task, engine), .assign(task + 1, engine))
        core.unmet(task + 1, on: engine)
        core.expect(.retire(task + 1, engine))
        core.advance(0)
        core.unregister(engine)
        core.expect(.impossible(task + 1, .followEngineGone))
        core.register(engine)
      }
    }
  }

  @Test("3 targets: only these, wherever they stand in the order") func targets() {
    withCore(hwm: 1, engines: ["a", "b", "c"]) { core in
      core.submit(targets: ["c", "b"])
      core.expect(.assign(0, "b"))
      core.submit(targets: ["b"])
      core.submit()
      core.expect(.assign(2, "a"))
      core.submit(targets: ["b", "b", "a"])
      core.succeed(2, on: "a")
      core.expect(.deliver(2, "a"), .assign(3, "a"))
      core.succeed(0, on: "b")
      core.expect(.deliver(0, "b"), .assign(1, "b"))
    }
  }

  @Test("3 waiting tasks run in order of submission, whatever they wait for") func oldestFirst() {
    withCore(hwm: 1, engines: ["a", "b"]) { core in
      core.submit()
      core.expect(.assign(0, "a"))
      core.submit()
      core.expect(.assign(1, "b"))
      core.submit(targets: ["a"])
      core.submit()
      core.submit(targets: ["a", "b"])
      core.submit(follow: .all(0))
      core.submit(after: .all(0))
      core.succeed(0, on: "a")
      core.expect(.deliver(0, "a"), .assign(2, "a"))
      core.succeed(1, on: "b")
      core.expect(.deliver(1, "b"), .assign(3, "b"))
      core.succeed(3, on: "b")
      core.expect(.deliver(3, "b"), .assign(4, "b"))
      core.succeed(2, on: "a")
      core.expect(.deliver(2, "a"), .assign(5, "a"))
      core.succeed(5, on: "a")
      core.expect(.deliver(5, "a"), .assign(6, "a"))
    }
  }

  @Test("3 a retried task keeps the place of its submission") func retriedKeepsItsPlace() {
    withCore(hwm: 1, engines: ["a", "b"]) { core in
      core.submit(retries: 1)
      core.expect(.assign(0, "a"))
      core.submit()
      core.expect(.assign(1, "b"))
      core.submit()
      core.submit()
      core.fail(0, on: "a")
      core.expect(.retire(0, "a"), .assign(2, "a"))
      core.succeed(1, on: "b")
      core.expect(.deliver(1, "b"), .assign(0, "b"))
    }
  }

  @Test("3 nothing is impossible while no engine is available (reference)") func unchecked() {
    withCore(hwm: 1, engines: ["a"]) { core in
      core.submit()
      core.expect(.assign(0, "a"))
      core.submit(targets: ["nobody"])
      core.submit()
      core.submit(targets: ["later"])
      core.register("later")
      // One is available: the oldest is looked at first, and it cannot run.
      core.expect(.impossible(1, .targetsNotRegistered), .assign(2, "later"))
      core.succeed(2, on: "later")
      core.expect(.deliver(2, "later"), .assign(3, "later"))
    }
  }

  @Test("3 an impossible task takes its turn by age: a busy cluster does not hide it")
  func uncheckedInTurn() {
    withCore(hwm: 1, engines: ["a"]) { core in
      core.submit()
      core.expect(.assign(0, "a"))
      core.submit()
      core.submit(targets: ["nobody"])
      core.submit()
      core.submit()
      core.succeed(0, on: "a")
      core.expect(.deliver(0, "a"), .assign(1, "a"))
      core.succeed(1, on: "a")
      core.expect(
        .deliver(1, "a"), .impossible(2, .targetsNotRegistered), .assign(3, "a"))
    }
  }

  @Test("3 with an engine available, targets that nobody registered fail at once")
  func targetsNotRegistered() {
    withCore(hwm: 0, engines: ["a"]) { core in
      core.submit(targets: ["nobody", "no one"])
      core.expect(.impossible(0, .targetsNotRegistered))
      core.submit(targets: ["nobody", "a"])
      core.expect(.assign(1, "a"))
      core.unregister("a")
      core.advance(5)
      core.expect(.engineDied(1, "a"))
      // No engine at all: it waits for one.
      core.submit(targets: ["a"])
      core.register("b")
      core.expect(.impossible(2, .targetsNotRegistered))
    }
  }

  @Test("3 targets that register while the task waits take it") func targetsRegisterLater() {
    withCore { core in
      core.submit(targets: ["a", "b"])
      core.submit()
      core.register("b")
      core.expect(.assign(0, "b"))
      core.register("a")
      core.expect(.assign(1, "a"))
    }
  }

  @Test("3 losing the last registered target makes the task impossible") func targetLost() {
    withCore(hwm: 1, engines: ["a", "b"]) { core in
      core.submit(targets: ["a"])
      core.expect(.assign(0, "a"))
      core.submit(targets: ["a"])
      core.submit(targets: ["a", "b"])
      core.expect(.assign(2, "b"))
      core.register("c")
      core.unregister("a")
      core.expect(.impossible(1, .targetsNotRegistered))
      core.advance(5)
      core.expect(.engineDied(0, "a"))
    }
  }

  @Test("3 after hundreds of stale hints nothing is lost: heaps are compacted") func hints() {
    withCore(hwm: 1, engines: ["a", "b"]) { core in
      core.submit(targets: ["a"])
      core.expect(.assign(0, "a"))
      core.submit(targets: ["b"])
      core.expect(.assign(1, "b"))
      let count = 400
      for task in 2..<count {
        core.submit(targets: ["a", "b"], timeout: task % 3 == 0 ? 0 : 1)
      }
      core.advance(1)
      #expect(core.takeSeen().count == (2..<count).count { $0 % 3 != 0 })
      for task in 0..<10 {
        let engine = task % 2 == 0 ? "a" : "b"
        let running = task < 2 ? task : 3 * (task - 1)
        core.succeed(running, on: engine)
        core.expect(.deliver(running, engine), .assign(3 * (task + 1), engine))
      }
    }
  }
}

/// SEMANTICS section 3: where a task with a follow may run.

import PlainModel
import Testing

@testable import SchedulerCore

@Suite("SEMANTICS 3: follow")
struct Section3FollowTests {
  @Test("3 follow (all): tasks that ran on two engines are impossible") func split() {
    withCore(hwm: 0, engines: ["a", "b"]) { core in
      core.submit()
      core.expect(.assign(0, "a"))
      core.submit()
      core.expect(.assign(1, "b"))
      core.submit()
      core.expect(.assign(2, "a"))
      core.submit(follow: .all(0, 1, 2))
      core.submit(follow: .any(0, 1))
      core.succeed(0, on: "a")
      core.expect(.deliver(0, "a"), .assign(4, "a"))
      // Impossible as soon as two of them show it, while the third runs (reference).
      core.succeed(1, on: "b")
      core.expect(.deliver(1, "b"), .impossible(3, .followRanOnSeveralEngines))
      core.submit(follow: .all(0, 1))
      core.expect(.impossible(5, .followRanOnSeveralEngines))
    }
  }

  @Test("3 a follow with targets: losing the target is noticed before the follow finishes")
  func targetOfFollowLost() {
    withCore(hwm: 0, engines: ["a", "b"]) { core in
      core.submit()
      core.expect(.assign(0, "a"))
      core.submit(follow: .all(0), targets: ["b"])
      core.unregister("b")
      core.expect(.impossible(1, .targetsNotRegistered))
    }
  }

  @Test("3 follow whose only engine has gone is impossible (deliberate difference)")
  func followEngineGone() {
    withCore(hwm: 1, engines: ["a", "b"]) { core in
      core.submit()
      core.expect(.assign(0, "a"))
      core.succeed(0, on: "a")
      core.expect(.deliver(0, "a"))
      core.submit(targets: ["a"])
      core.expect(.assign(1, "a"))
      core.submit(follow: .all(0))
      core.unregister("a")
      core.expect(.impossible(2, .followEngineGone))
      core.submit(follow: .all(0))
      core.expect(.impossible(3, .followEngineGone))
      // The uuid that comes back is another engine (reference: its sets start empty).
      core.register("a")
      core.submit(follow: .any(0))
      core.expect(.impossible(4, .followEngineGone))
      core.succeed(1, on: "a")
      core.expect(.deliver(1, "a"))
    }
  }

  @Test("3 follow (all) whose engine goes while another id still runs is impossible")
  func followEngineGoneEarly() {
    withCore(hwm: 0, engines: ["a", "b"]) { core in
      core.submit()
      core.expect(.assign(0, "a"))
      core.submit()
      core.expect(.assign(1, "b"))
      core.submit(follow: .all(0, 1))
      core.submit(follow: .any(0, 1), targets: ["b"])
      core.succeed(0, on: "a")
      core.expect(.deliver(0, "a"))
      // A freed engine looked at both and could not take them: they still watch it.
      core.submit(targets: ["a"])
      core.expect(.assign(4, "a"))
      core.succeed(4, on: "a")
      core.expect(.deliver(4, "a"))
      core.unregister("a")
      core.expect(.impossible(2, .followEngineGone))
      core.succeed(1, on: "b")
      core.expect(.deliver(1, "b"), .assign(3, "b"))
    }
  }

  @Test("3 follow (any) takes any engine where one of them ran") func followAny() {
    withCore(hwm: 1, engines: ["a", "b"]) { core in
      core.submit()
      core.expect(.assign(0, "a"))
      core.submit()
      core.expect(.assign(1, "b"))
      core.submit(follow: .any(0, 1))
      core.submit(targets: ["a"])
      core.succeed(1, on: "b")
      core.expect(.deliver(1, "b"), .assign(2, "b"))
      core.submit(follow: .any(0, 1))
      core.succeed(0, on: "a")
      core.expect(.deliver(0, "a"), .assign(3, "a"))
      core.succeed(3, on: "a")
      core.expect(.deliver(3, "a"), .assign(4, "a"))
    }
  }

  @Test("3 split is told before targets, as the reference looks at them") func checksOrder() {
    withCore(hwm: 0, engines: ["a", "b"]) { core in
      core.submit()
      core.expect(.assign(0, "a"))
      core.submit()
      core.expect(.assign(1, "b"))
      core.succeed(0, on: "a")
      core.expect(.deliver(0, "a"))
      core.succeed(1, on: "b")
      core.expect(.deliver(1, "b"))
      core.submit(follow: .all(0, 1), targets: ["nobody"])
      core.expect(.impossible(2, .followRanOnSeveralEngines))
    }
  }
}

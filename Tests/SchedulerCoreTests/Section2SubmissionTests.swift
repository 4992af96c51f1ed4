/// SEMANTICS section 2: submission and dependencies.

import PlainModel
import Testing

@testable import SchedulerCore

@Suite("SEMANTICS 2: submission")
struct Section2SubmissionTests {
  /// Rule by state of two ids (C completed, F failed, U unfinished): R runs, W waits,
  /// X impossible.
  static let table: [(rule: String, wanted: Wanted, outcomes: [String: Character])] = [
    (
      "all success", .all(0, 1),
      ["CC": "R", "CF": "X", "CU": "W", "FF": "X", "FU": "X", "UU": "W"]
    ),
    (
      "all failure", .all(0, 1).onFailure,
      ["CC": "X", "CF": "X", "CU": "X", "FF": "R", "FU": "W", "UU": "W"]
    ),
    (
      "all either", .all(0, 1).onEither,
      ["CC": "R", "CF": "R", "CU": "W", "FF": "R", "FU": "W", "UU": "W"]
    ),
    (
      "any success", .any(0, 1),
      ["CC": "R", "CF": "R", "CU": "R", "FF": "X", "FU": "W", "UU": "W"]
    ),
    (
      "any failure", .any(0, 1).onFailure,
      ["CC": "X", "CF": "R", "CU": "W", "FF": "R", "FU": "R", "UU": "W"]
    ),
    (
      "any either", .any(0, 1).onEither,
      ["CC": "R", "CF": "R", "CU": "R", "FF": "R", "FU": "R", "UU": "W"]
    ),
  ]
  static let states = ["CC", "CF", "FC", "CU", "UC", "FF", "FU", "UF", "UU"]

  /// Submits two tasks, ends them as `state` says, before or after a third that depends on them,
  /// and expects what the table says of the third.
  private func check(isFollow: Bool, isLate: Bool) {
    for (rule, wanted, outcomes) in Self.table {
      for state in Self.states {
        let outcome = outcomes[state] ?? outcomes[String(state.reversed())]
        withCore(hwm: 0, engines: ["a"]) { core in
          for task in 0...1 {
            core.submit()
            core.expect(.assign(task, "a"))
          }
          var seen: [Seen] = []
          let submit = {
            if isFollow { core.submit(follow: wanted) } else { core.submit(after: wanted) }
            seen += core.takeSeen()
          }
          if isLate { submit() }
          for (task, letter) in state.enumerated() where letter != "U" {
            core.step([.result(task, "a", letter == "C" ? .completed : .failed)])
            let commands = core.takeSeen()
            #expect(commands.first == .deliver(task, "a"))
            seen += commands.dropFirst()
          }
          if !isLate { submit() }
          let impossible: FailureDetail = isFollow ? .followCannotBeMet : .afterCannotBeMet
          let expected: [Seen] =
            switch outcome {
            case "R": [.assign(2, "a")]
            case "X": [.impossible(2, impossible)]
            default: []
            }
          #expect(seen == expected, "\(rule), \(state), follow \(isFollow), late \(isLate)")
        }
      }
    }
  }

  @Test("2.4 after, ids already finished") func afterFinished() {
    check(isFollow: false, isLate: false)
  }
  @Test("2.4 after, ids finish later") func afterLater() { check(isFollow: false, isLate: true) }
  @Test("2.4 follow, ids already finished") func followFinished() {
    check(isFollow: true, isLate: false)
  }
  @Test("2.4 follow, ids finish later") func followLater() { check(isFollow: true, isLate: true) }

  @Test("2.2 no dependency, an engine free: it runs at once") func plain() {
    withCore(engines: ["a"]) { core in
      let task = core.submit()
      core.expect(.assign(task, "a"))
      core.succeed(task, on: "a")
      core.expect(.deliver(task, "a"))
    }
  }

  @Test("2.2 lists with duplicates count each id once") func duplicates() {
    withCore(hwm: 0, engines: ["a"]) { core in
      for task in 0...1 {
        core.submit()
        core.expect(.assign(task, "a"))
      }
      core.submit(after: .all(0, 0, 1, 0), follow: .all(1, 1))
      core.submit(after: .any(0, 0), follow: .any(0, 0, 0))
      core.fail(0, on: "a")
      core.expect(
        .deliver(0, "a"), .impossible(2, .afterCannotBeMet), .impossible(3, .afterCannotBeMet))
      core.succeed(1, on: "a")
      core.expect(.deliver(1, "a"))
    }
  }

  @Test("2.2 finished and unfinished ids mixed, after and follow at once") func mixed() {
    withCore(hwm: 0, engines: ["a", "b"]) { core in
      core.submit()
      core.expect(.assign(0, "a"))
      core.submit()
      core.expect(.assign(1, "b"))
      core.succeed(0, on: "a")
      core.expect(.deliver(0, "a"))
      core.submit(after: .all(0, 1), follow: .all(0))
      core.submit(after: .all(0), follow: .any(0, 1).onFailure)
      core.fail(1, on: "b")
      // 3 follows the failed one to b.
      core.expect(.deliver(1, "b"), .impossible(2, .afterCannotBeMet), .assign(3, "b"))
    }
  }

  @Test("2.3 a dependency on itself is invalid") func itself() {
    withCore(engines: ["a"]) { core in
      core.submit(after: .all(0))
      core.expect(.invalid(0, .dependencyOnItself))
      core.submit(follow: .any(1, 0))
      core.expect(.invalid(1, .dependencyOnItself))
      core.submit(after: .any(2, Wanted.neverSeen))
      core.expect(.invalid(2, .dependencyOnItself))
    }
  }

  @Test("2.3 a dependency on an id never seen is invalid") func neverSeen() {
    withCore(engines: ["a"]) { core in
      core.submit(after: .all(Wanted.neverSeen))
      core.expect(.invalid(0, .dependencyNeverSeen))
      core.submit(follow: .any(0, Wanted.neverSeen).onEither)
      core.expect(.invalid(1, .dependencyNeverSeen))
      // One that is submitted only later was not seen either.
      core.submit(after: .all(7))
      core.expect(.invalid(2, .dependencyNeverSeen))
    }
  }

  @Test("2.3 an after that is met already is not validated (reference)") func metIsNotValidated() {
    withCore(hwm: 0, engines: ["a"]) { core in
      core.submit()
      core.expect(.assign(0, "a"))
      core.succeed(0, on: "a")
      core.expect(.deliver(0, "a"))
      core.submit(after: .any(Wanted.neverSeen, 0))
      core.expect(.assign(1, "a"))
      // A follow is: the engine is chosen by looking at it.
      core.submit(follow: .any(Wanted.neverSeen, 0))
      core.expect(.invalid(2, .dependencyNeverSeen))
    }
  }

  @Test("2.3 invalid comes before impossible, after before follow") func order() {
    withCore(hwm: 0, engines: ["a"]) { core in
      core.submit(after: .all(Wanted.neverSeen))
      core.expect(.invalid(0, .dependencyNeverSeen))
      core.submit(after: .all(0, Wanted.neverSeen), follow: .all(1))
      core.expect(.invalid(1, .dependencyNeverSeen))
      core.submit(after: .all(0), follow: .all(Wanted.neverSeen))
      core.expect(.impossible(2, .afterCannotBeMet))
      core.submit(follow: .all(0))
      core.expect(.impossible(3, .followCannotBeMet))
    }
  }

  @Test("2.3 failing a task fails what depends on it, and what runs on its failure runs")
  func cascade() {
    //  0 -- 1 -- 2 -- 4 (on failure)
    //         \- 3 (any of 1, 5)
    withCore(hwm: 0, engines: ["a"]) { core in
      core.submit(retries: 0)
      core.expect(.assign(0, "a"))
      core.submit(after: .all(0))
      core.submit(after: .all(1))
      core.submit(after: .any(1, 0))
      core.submit(after: .all(2).onFailure)
      core.fail(0, on: "a")
      core.expect(
        .deliver(0, "a"), .impossible(1, .afterCannotBeMet), .impossible(2, .afterCannotBeMet),
        .impossible(3, .afterCannotBeMet), .assign(4, "a"))
    }
  }

  @Test("2.3 a task that named the failed id twice, in after and follow, fails once") func twice() {
    withCore(engines: ["a"]) { core in
      core.submit()
      core.expect(.assign(0, "a"))
      core.submit(after: .all(0, 0), follow: .all(0, 0))
      core.submit(after: .any(0, 1), follow: .any(1, 0))
      core.submit(after: .all(0))
      core.fail(0, on: "a")
      core.expect(
        .deliver(0, "a"), .impossible(1, .afterCannotBeMet), .impossible(3, .afterCannotBeMet),
        .impossible(2, .afterCannotBeMet))
    }
  }

  @Test("2.3 a waiting follow that becomes impossible fails even if after is not met")
  func followFirst() {
    withCore(hwm: 0, engines: ["a"]) { core in
      for task in 0...1 {
        core.submit()
        core.expect(.assign(task, "a"))
      }
      core.submit(after: .all(0), follow: .all(1))
      core.fail(1, on: "a")
      core.expect(.deliver(1, "a"), .impossible(2, .followCannotBeMet))
      core.succeed(0, on: "a")
      core.expect(.deliver(0, "a"))
    }
  }

  @Test("2.6 a task that the wire refused is known as failed") func refused() {
    withCore(engines: ["a"]) { core in
      let task = core.refuse()
      core.submit(after: .all(task))
      core.expect(.impossible(1, .afterCannotBeMet))
      core.submit(after: .all(task).onFailure)
      core.expect(.assign(2, "a"))
      // It ran nowhere: nothing can follow it.
      core.succeed(2, on: "a")
      core.expect(.deliver(2, "a"))
      core.submit(follow: .all(task).onFailure)
      core.expect(.impossible(3, .followRanNowhere))
      core.submit(follow: .any(task, 2).onEither)
      core.expect(.assign(4, "a"))
    }
  }
}

/// World, deaths: the scheduler is killed, or its machine loses power, and another one starts on
/// the same journal some time later. See World.swift.
///
/// What has been seen outside was accepted: a task that the hub heard of, that an engine got, or
/// whose client was answered. A kill never loses one of these; a loss of power does not when the
/// journal is synced before anything leaves.

import SchedulerWire

extension World {
  /// What leaves the scheduler is taken to have left after `JournalState.leave_ns`; less what its
  /// turns take.
  private static let leave_ns: UInt64 = 400_000_000

  func planDeath() {
    guard rates.life_ns > 0 else { return }
    after(dice.spread(rates.life_ns / 20, 2 * rates.life_ns)) { [self] in
      guard phase == .safety else { return }
      // At a moment of its own: while it sleeps, or in the middle of a turn.
      let calls = dice.chance(0.3) ? 0 : dice.spread(1, 400)
      let losesPower = dice.chance(rates.powerLoss)
      deathLosesPower = losesPower
      kernel.kill(afterCalls: calls, losesPower: losesPower)
    }
  }

  /// The ghost is gone. Returns when the next scheduler starts.
  func bury() {
    deaths += 1
    census.count(deathLosesPower ? "scheduler: power lost" : "scheduler: killed")
    if deathLosesPower {
      powerLosses += 1
      if journal?.sync != .always && !expectsNoLoss { mayForget = true }
    }
    // What is told once may have been lost by a slow link: nobody can know.
    if hub.monitor.link.map({ $0.isBusy(longerThan: Self.leave_ns) }) ?? false {
      hubHearsAll = false
    }
    kernel.revive()
    spend(dice.spread(1_000_000, 5_000_000_000))
    planDeath()
  }

  /// Once the journal's tasks are in the core.
  func checkRestored(_ exchange: borrowing Exchange) {
    guard !mayForget else { return }
    for plan in plans where plan.wasAccepted && exchange.task(named: plan.id) == nil {
      return broken(
        .oneReply,
        "task \(plan.number) was accepted, and the next scheduler does not know it: the hub heard "
          + "\(plan.intasks) intask, engines got it \(plan.arrivals) times, "
          + "its client \(plan.replies) replies")
    }
  }

  /// In place of `checkAtRest` of clients and of what the hub heard, once somebody has died: one
  /// final reply, or the hub's record.
  func checkAfterDeaths(isRefused: (TaskPlan) -> Bool) {
    guard !mayForget else { return }
    for plan in plans where plan.wasAccepted && !isRefused(plan) {
      if plan.replies == 0 { census.count("scheduler: reply lost, the hub has its record") }
      if plan.arrivals > 1 { census.count("task ran more than once", plan.arrivals - 1) }
      let mustHear = hubHearsAll && hub.monitor.isSteady
      if mustHear && plan.outtasks == 0 {
        return broken(
          .oneReply,
          "task \(plan.number) was accepted, and the hub never heard how it ended; its client got "
            + "\(plan.replies) replies")
      }
    }
  }
}

/// What the hub heard of each task by the end: its intask, a tracktask for each of its runs, its
/// outtask, once. While it came it was checked for order (`World.heard`). A hub that was late, or
/// whose connection was cut or changed, may have missed something.

import SchedulerWire

enum MonitorHears {
  static func check(
    _ exchange: borrowing Exchange, _ world: World, _ history: History
  ) -> Violation? {
    guard world.hubHearsAll && world.hub.monitor.isSteady && world.deaths == 0 else { return nil }
    for plan in world.plans {
      let task = exchange.task(named: plan.id)
      let runs = task.map { history.tasks[Int($0.value)].runs } ?? 0
      let isKnown = task == nil ? 0 : 1
      if (plan.intasks, plan.tracktasks, plan.outtasks) != (isKnown, runs, isKnown) {
        return Violation(
          promise: .monitor,
          text: "task \(plan.number), run \(runs) times: the hub heard \(plan.intasks) intask, "
            + "\(plan.tracktasks) tracktask, \(plan.outtasks) outtask")
      }
    }
    return nil
  }
}

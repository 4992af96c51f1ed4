/// What the tests with two threads share.

import Foundation

/// Looks again a few times, then lets the other thread have the core.
struct Patience {
  private var attempts = 0
  mutating func wait() {
    attempts += 1
    if attempts % 64 == 0 { sched_yield() }
  }
}

/// Runs `other` in a thread of its own and `this` in the caller's; what `other` returned.
func together(_ other: @escaping @Sendable () -> Int, _ this: () -> Void) -> Int {
  final class Box: @unchecked Sendable { var value = 0 }
  let box = Box()
  let done = DispatchSemaphore(value: 0)
  Thread {
    box.value = other()
    done.signal()
  }.start()
  this()
  done.wait()
  return box.value
}

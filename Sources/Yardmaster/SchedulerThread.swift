/// SchedulerThread: a scheduler on a thread of its own, what ipyparallel calls `in_thread`.

import Glibc
import Synchronization

extension Scheduler {
  /// Starts `run` on a new thread. Keep the result and `join` it after `stop`.
  public func runInThread() throws(SchedulerFailure) -> SchedulerThread {
    try SchedulerThread(self)
  }
}

public final class SchedulerThread: Sendable {
  private let outcome: Outcome
  private let thread: pthread_t

  /// What the thread leaves behind; read after it was joined.
  private final class Outcome: Sendable {
    let failure = Mutex<SchedulerFailure?>(nil)
    let scheduler: Scheduler
    init(_ scheduler: Scheduler) { self.scheduler = scheduler }
  }

  fileprivate init(_ scheduler: Scheduler) throws(SchedulerFailure) {
    let outcome = Outcome(scheduler)
    let context = unsafe Unmanaged.passRetained(outcome)
    var thread = pthread_t()
    let status = unsafe pthread_create(
      &thread, nil,
      { context in
        let outcome = unsafe Unmanaged<Outcome>.fromOpaque(context!).takeRetainedValue()
        do throws(SchedulerFailure) {
          try outcome.scheduler.run()
        } catch {
          outcome.failure.withLock { $0 = error }
        }
        return nil
      }, unsafe context.toOpaque())
    guard status == 0 else {
      unsafe context.release()
      let reason = unsafe String(cString: strerror(status))
      throw SchedulerFailure(exitCode: 69, text: "cannot start a thread: \(reason)")
    }
    self.outcome = outcome
    self.thread = thread
  }

  /// Waits for the scheduler to end; throws what ended it, if it was not `stop`. Call it once.
  public func join() throws(SchedulerFailure) {
    pthread_join(thread, nil)
    if let failure = outcome.failure.withLock({ $0 }) { throw failure }
  }
}

/// SIGTERM and SIGINT end the scheduler in good order.

import Glibc
import Yardmaster

/// Blocks both signals in every thread and waits for them in one of its own, so that no code
/// ever runs inside a signal handler. Call before any other thread is started.
func stopOnSignals(_ scheduler: Scheduler) {
  // A reader of our log that goes away must not end us.
  signal(SIGPIPE, SIG_IGN)
  // Nor a journal's file that has grown as large as is allowed: the write fails, and is told.
  signal(SIGXFSZ, SIG_IGN)
  var signals = sigset_t()
  unsafe sigemptyset(&signals)
  unsafe sigaddset(&signals, SIGTERM)
  unsafe sigaddset(&signals, SIGINT)
  unsafe pthread_sigmask(SIG_BLOCK, &signals, nil)
  var thread = pthread_t()
  let context = unsafe Unmanaged.passRetained(scheduler)
  let status = unsafe pthread_create(
    &thread, nil,
    { context in
      let scheduler = unsafe Unmanaged<Scheduler>.fromOpaque(context!).takeRetainedValue()
      var signals = sigset_t()
      unsafe sigemptyset(&signals)
      unsafe sigaddset(&signals, SIGTERM)
      unsafe sigaddset(&signals, SIGINT)
      var number: Int32 = 0
      // Every further signal asks again: harmless.
      while unsafe sigwait(&signals, &number) == 0 { scheduler.stop() }
      return nil
    }, unsafe context.toOpaque())
  // Without the thread, fall back to the default action: at least the process ends.
  if status != 0 { unsafe pthread_sigmask(SIG_UNBLOCK, &signals, nil) }
}

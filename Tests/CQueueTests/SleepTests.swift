// The answers of the sleep and wake functions, one by one; ThreadTests has the races.

import CQueue
import Testing

@Suite struct SleepTests {
  private let ring = Ring(capacity: 2)

  private func push() { #expect(queue_push(ring.queue, [1] as [UInt64], 1) == 1) }
  private func pop() {
    var word: UInt64 = 0
    #expect(queue_pop(ring.queue, &word, 1) == 1)
  }

  @Test func aConsumerAtWorkIsNotWoken() {
    #expect(!queue_needs_wake(ring.queue))
    push()
    #expect(!queue_needs_wake(ring.queue))
  }

  @Test func aSleeperIsWokenOnce() {
    #expect(queue_will_sleep(ring.queue))
    push()
    #expect(queue_needs_wake(ring.queue))
    push()
    #expect(!queue_needs_wake(ring.queue))
    queue_awake(ring.queue)
    #expect(!queue_needs_wake(ring.queue))
  }

  @Test func whoHasElementsDoesNotSleep() {
    push()
    #expect(!queue_will_sleep(ring.queue))
    #expect(!queue_needs_wake(ring.queue), "nothing stays announced")
    pop()
    #expect(queue_will_sleep(ring.queue))
  }

  /// Read but not given back: the consumer is not done with them.
  @Test func whoHasNotReleasedDoesNotSleep() {
    push()
    #expect(ring.peek(1).got == 1)
    #expect(!queue_will_sleep(ring.queue))
    queue_release(ring.queue, 1)
    #expect(queue_will_sleep(ring.queue))
  }

  @Test func aFullRingIsNotEmpty() {
    push()
    push()
    #expect(!queue_will_sleep(ring.queue))
  }

  @Test func whoWokeForAnotherReasonIsNotWokenAgain() {
    #expect(queue_will_sleep(ring.queue))
    queue_awake(ring.queue)
    push()
    #expect(!queue_needs_wake(ring.queue))
    #expect(!queue_will_sleep(ring.queue))
  }

  @Test func sleepMayBeAnnouncedTwice() {
    #expect(queue_will_sleep(ring.queue))
    #expect(queue_will_sleep(ring.queue))
    push()
    #expect(queue_needs_wake(ring.queue))
    #expect(!queue_needs_wake(ring.queue))
  }
}

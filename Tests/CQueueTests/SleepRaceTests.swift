// The race of falling asleep, without the sleep: one thread looks at a ring and announces that it
// will sleep while the other pushes and asks whether to wake. Whatever the order, one of the two
// has to notice. Without either fence both miss the other hundreds of times in a run on x86,
// provided that the threads have a core each: on one core there is no such race.

import CQueue
import Foundation
import Synchronization
import TestSupport
import Testing

/// Rings that two threads go through in step, and what each has found at every one.
private final class Race: @unchecked Sendable {
  static let count = 500
  private let rings = (0..<Race.count).map { _ in Ring(capacity: 1) }
  private let queues: UnsafeMutablePointer<OpaquePointer>
  private let sleeps = UnsafeMutablePointer<Bool>.allocate(capacity: Race.count)
  private let wakes = UnsafeMutablePointer<Bool>.allocate(capacity: Race.count)
  private let arrivals = Atomic<Int>(0)

  init() {
    queues = .allocate(capacity: Race.count)
    for (index, ring) in rings.enumerated() { (queues + index).initialize(to: ring.queue) }
  }
  deinit {
    queues.deallocate()
    sleeps.deallocate()
    wakes.deallocate()
  }

  /// Returns when both threads have called it `times` times, and after a delay that differs: which
  /// of the two is first, and by how little, is what the races are about.
  private func meet(_ times: inout Int, _ random: inout SeededGenerator) {
    let delay = Int(random.next() % 16)
    times += 1
    arrivals.add(1, ordering: .acquiringAndReleasing)
    var patience = Patience()
    while arrivals.load(ordering: .acquiring) < 2 * times { patience.wait() }
    for _ in 0..<delay { _ = queue_capacity(queues[0]) }
  }

  func produce(rounds: Int, _ random: SeededGenerator) {
    var random = random
    var (meetings, element) = (0, UInt64(1))
    for _ in 0..<rounds {
      for index in 0..<Race.count {
        meet(&meetings, &random)
        _ = queue_push(queues[index], &element, 1)
        wakes[index] = queue_needs_wake(queues[index])
      }
      meet(&meetings, &random)
    }
  }

  /// How many wake-ups were lost, and in how many races the consumer announced its sleep in time.
  func consume(rounds: Int, _ random: SeededGenerator) -> (lost: Int, slept: Int) {
    var random = random
    var (lost, slept, meetings, element) = (0, 0, 0, UInt64(0))
    for _ in 0..<rounds {
      for index in 0..<Race.count {
        meet(&meetings, &random)
        var got: UInt32 = 0
        _ = queue_peek(queues[index], 1, &got)
        sleeps[index] = got == 0 && queue_will_sleep(queues[index])
      }
      meet(&meetings, &random)
      for index in 0..<Race.count {
        if sleeps[index] { slept += 1 }
        if sleeps[index] && !wakes[index] { lost += 1 }
        queue_awake(queues[index])
        if queue_pop(queues[index], &element, 1) != 1 { lost += 1 }
      }
    }
    return (lost, slept)
  }
}

@Suite struct SleepRaceTests {
  @Test func oneOfTheTwoNotices() {
    var random = SeededGenerator.announced("oneOfTheTwoNotices")
    let race = Race()
    let rounds = 200
    let (mine, other) = (SeededGenerator(seed: random.next()), SeededGenerator(seed: random.next()))
    var found = (lost: 0, slept: 0)
    _ = together({ [race, other] in
      race.produce(rounds: rounds, other)
      return 0
    }) { found = race.consume(rounds: rounds, mine) }
    #expect(found.lost == 0)
    print("\(found.slept) of \(rounds * Race.count) races found the consumer asleep")
  }
}

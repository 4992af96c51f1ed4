// Two threads on a ring: order and content of millions of elements, with a consumer that looks
// again and again and with one that sleeps. A wake-up that is lost shows as a sleep without end.

import CQueue
import Foundation
import TestSupport
import Testing

/// After this much time asleep with elements in the ring, a wake-up was lost. Not a measure of
/// anything: whoever wakes takes microseconds.
private let patienceMilliseconds: Int32 = 20_000

/// What a consumer sleeps on: a pipe stands for the eventfd, which Swift does not see.
private final class Bell: Sendable {
  private let (reading, writing): (Int32, Int32)

  init() {
    var ends: [Int32] = [0, 0]
    precondition(pipe(&ends) == 0)
    (reading, writing) = (ends[0], ends[1])
  }
  deinit {
    close(reading)
    close(writing)
  }

  func ring() {
    var byte: UInt8 = 1
    precondition(write(writing, &byte, 1) == 1)
  }

  /// False when nobody rang.
  func sleep() -> Bool {
    var item = pollfd(fd: reading, events: Int16(POLLIN), revents: 0)
    guard poll(&item, 1, patienceMilliseconds) == 1 else { return false }
    var bytes = [UInt8](repeating: 0, count: 64)
    return read(reading, &bytes, 64) > 0
  }
}

/// Pushes the elements 0, 1 and so on in batches, copied or in place.
private struct Producer {
  let ring: Ring
  let bell: Bell?
  var random: SeededGenerator
  var rings = 0

  mutating func run(_ total: UInt64) {
    if bell != nil { wakeForNothing() }
    var patience = Patience()
    var copies = [UInt64](repeating: 0, count: 64 * ring.words)
    var next: UInt64 = 0
    while next < total {
      let want = UInt32(min(total - next, UInt64.random(in: 1...64, using: &random)))
      var got: UInt32
      if Bool.random(using: &random) {
        copies.withUnsafeMutableBufferPointer {
          ring.fill($0.baseAddress!, from: next, count: want)
        }
        got = queue_push(ring.queue, copies, want)
      } else {
        let slots: UnsafeMutablePointer<UInt64>?
        (slots, got) = ring.reserve(want)
        if let slots {
          ring.fill(slots, from: next, count: got)
          queue_commit(ring.queue, got)
        }
      }
      guard got > 0 else {
        patience.wait()
        continue
      }
      next += UInt64(got)
      ringIfNeeded()
    }
  }

  /// The first sleep is certain, and so is a wake-up that brings nothing.
  private mutating func wakeForNothing() {
    while rings == 0 {
      ringIfNeeded()
      sched_yield()
    }
  }

  private mutating func ringIfNeeded() {
    guard let bell, queue_needs_wake(ring.queue) else { return }
    rings += 1
    bell.ring()
  }
}

/// Takes elements in batches, copied or in place, and compares each with what it has to be.
private struct Consumer {
  let ring: Ring
  var bell: Bell?
  var random: SeededGenerator
  var announcements = 0
  var sleeps = 0
  var wrong = 0
  var lost = 0

  mutating func run(_ total: UInt64) {
    var patience = Patience()
    var copies = [UInt64](repeating: 0, count: 64 * ring.words)
    var next: UInt64 = 0
    while next < total {
      let want = UInt32.random(in: 1...64, using: &random)
      var got: UInt32
      if Bool.random(using: &random) {
        got = queue_pop(ring.queue, &copies, want)
        wrong += ring.wrong(copies, from: next, count: got)
      } else {
        let slots: UnsafePointer<UInt64>?
        (slots, got) = ring.peek(want)
        if let slots {
          wrong += ring.wrong(slots, from: next, count: got)
          queue_release(ring.queue, got)
        }
      }
      next += UInt64(got)
      if got > 0 { continue }
      if bell == nil { patience.wait() } else { sleep() }
    }
  }

  private mutating func sleep() {
    announcements += 1
    guard queue_will_sleep(ring.queue) else { return }
    sleeps += 1
    if !bell!.sleep() {
      lost += 1
      bell = nil
    }
    queue_awake(ring.queue)
  }
}

/// Passes `total` elements from a thread of its own to this one.
private func pass(_ total: UInt64, capacity: UInt32, bell: Bell?, _ random: SeededGenerator)
  -> (rings: Int, consumer: Consumer)
{
  var random = random
  // From an index that passes 2^64 on the way.
  let ring = Ring(capacity: capacity, words: 3, firstIndex: 0 &- total / 2)
  let producer = Producer(ring: ring, bell: bell, random: SeededGenerator(seed: random.next()))
  var consumer = Consumer(ring: ring, bell: bell, random: SeededGenerator(seed: random.next()))
  let rings = together({ [producer] in
    var producer = producer
    producer.run(total)
    return producer.rings
  }) { consumer.run(total) }
  return (rings, consumer)
}

/// Small rings, where the threads take turns, pass fewer: each element there is a hand-over.
private let passes: [(capacity: UInt32, total: UInt64)] = [
  (1, 20_000), (2, 50_000), (8, 200_000), (64, 1_000_000), (1024, 2_000_000),
]

@Suite(.serialized) struct ThreadTests {
  @Test(arguments: passes)
  func millionsPassToAConsumerThatLooks(capacity: UInt32, total: UInt64) {
    let random = SeededGenerator.announced("millionsPassToAConsumerThatLooks")
    let (_, consumer) = pass(total, capacity: capacity, bell: nil, random)
    #expect(consumer.wrong == 0)
    #expect(consumer.ring.isSound && consumer.ring.peek(1).got == 0)
  }

  @Test(arguments: passes)
  func millionsPassToAConsumerThatSleeps(capacity: UInt32, total: UInt64) {
    let random = SeededGenerator.announced("millionsPassToAConsumerThatSleeps")
    let (rings, consumer) = pass(total, capacity: capacity, bell: Bell(), random)
    #expect(consumer.wrong == 0 && consumer.lost == 0)
    #expect(consumer.ring.isSound && consumer.ring.peek(1).got == 0)
    #expect(consumer.sleeps > 0 && rings > 0 && rings <= consumer.announcements)
    print("capacity \(capacity): \(consumer.sleeps) sleeps, \(rings) wake-ups")
  }

  /// One number goes to and fro between two threads that both sleep: a single lost wake-up, in
  /// either direction, leaves both asleep.
  @Test func aDialogueNeverFallsAsleep() {
    let (there, back) = (Ring(capacity: 1), Ring(capacity: 1))
    let (thereBell, backBell) = (Bell(), Bell())
    let rounds: UInt64 = 50_000
    let lostThere = together({ [there, back, thereBell, backBell] in
      relay(from: there, thereBell, to: back, backBell, rounds: rounds)
    }) {
      #expect(queue_push(there.queue, [0] as [UInt64], 1) == 1)
      if queue_needs_wake(there.queue) { thereBell.ring() }
      let lost = relay(from: back, backBell, to: there, thereBell, rounds: rounds)
      #expect(lost == 0)
    }
    #expect(lostThere == 0)
    // The last answer of all.
    var number: UInt64 = 0
    #expect(queue_pop(there.queue, &number, 1) == 1 && number == 2 * rounds)
  }
}

/// Takes a number and gives back the next, `rounds` times; how often nobody rang.
private func relay(from source: Ring, _ bell: Bell, to target: Ring, _ other: Bell, rounds: UInt64)
  -> Int
{
  for _ in 0..<rounds {
    var number: UInt64 = 0
    while queue_pop(source.queue, &number, 1) == 0 {
      guard queue_will_sleep(source.queue) else { continue }
      let isWoken = bell.sleep()
      queue_awake(source.queue)
      if !isWoken { return 1 }
    }
    number += 1
    guard queue_push(target.queue, &number, 1) == 1 else { return 1 }
    if queue_needs_wake(target.queue) { other.ring() }
  }
  return 0
}

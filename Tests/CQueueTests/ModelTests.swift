// Random operations against a plain array, one thread playing both sides: every answer is known.

import CQueue
import TestSupport
import Testing

@Suite struct ModelTests {
  @Test func randomOperationsMatchAnArray() {
    var random = SeededGenerator.announced("randomOperationsMatchAnArray")
    for round in 0..<400 {
      var model = Model(&random)
      for step in 0..<500 {
        let (operation, isRight) = model.act(&random)
        if !isRight || !model.ring.isSound {
          Issue.record("round \(round), step \(step): \(operation) of \(model.ring.capacity)")
          return
        }
      }
    }
  }
}

/// The ring, and the numbers of the elements that it has to hold.
private struct Model {
  let ring: Ring
  var numbers: [UInt64] = []
  var next: UInt64 = 0
  var isAsleep = false
  /// The place in the ring of the oldest element and of the next one.
  var (headOffset, tailOffset): (UInt64, UInt64)

  init(_ random: inout SeededGenerator) {
    let capacity = UInt32(1) << UInt32.random(in: 0...9, using: &random)
    let index =
      Bool.random(using: &random)
      ? 0 &- UInt64.random(in: 0...4 * UInt64(capacity), using: &random) : random.next()
    ring = Ring(
      capacity: capacity, words: Int.random(in: 1...9, using: &random), firstIndex: index)
    (headOffset, tailOffset) = (index % UInt64(capacity), index % UInt64(capacity))
  }

  private var room: UInt64 { ring.capacity - UInt64(numbers.count) }

  private func amount(_ random: inout SeededGenerator) -> UInt32 {
    switch UInt32.random(in: 0..<8, using: &random) {
    case 0: .max
    case 1: 0
    case 2: UInt32.random(in: 0...2 * UInt32(ring.capacity), using: &random)
    default: UInt32.random(in: 1...max(1, UInt32(ring.capacity) / 3), using: &random)
    }
  }

  private mutating func append(_ count: UInt32) {
    for _ in 0..<count {
      numbers.append(next)
      next += 1
    }
    tailOffset = (tailOffset + UInt64(count)) % ring.capacity
  }

  private mutating func removeFirst(_ count: UInt32) {
    numbers.removeFirst(Int(count))
    headOffset = (headOffset + UInt64(count)) % ring.capacity
  }

  /// One operation: its name, and whether the ring did what the array says.
  mutating func act(_ random: inout SeededGenerator) -> (String, Bool) {
    switch UInt32.random(in: 0..<11, using: &random) {
    case 0...2: return ("reserve and commit", produce(&random))
    case 3, 4: return ("push", push(&random))
    case 5, 6: return ("peek and release", consume(&random))
    case 7: return ("pop", pop(&random))
    case 8:
      let sleeps = queue_will_sleep(ring.queue)
      isAsleep = numbers.isEmpty
      return ("will sleep", sleeps == numbers.isEmpty)
    case 9:
      queue_awake(ring.queue)
      isAsleep = false
      return ("awake", true)
    default:
      let wasAsleep = isAsleep
      isAsleep = false
      return ("needs wake", queue_needs_wake(ring.queue) == wasAsleep)
    }
  }

  private mutating func produce(_ random: inout SeededGenerator) -> Bool {
    let want = amount(&random)
    let (slots, got) = ring.reserve(want)
    guard UInt64(got) == min(UInt64(want), room, ring.capacity - tailOffset) else { return false }
    guard let slots else { return got == 0 }
    let count = UInt32.random(in: 0...got, using: &random)
    ring.fill(slots, from: next, count: count)
    queue_commit(ring.queue, count)
    append(count)
    return true
  }

  private mutating func push(_ random: inout SeededGenerator) -> Bool {
    let count = min(amount(&random), 2 * UInt32(ring.capacity))
    var elements = [UInt64](repeating: 0, count: Int(count) * ring.words)
    elements.withUnsafeMutableBufferPointer {
      if let slots = $0.baseAddress { ring.fill(slots, from: next, count: count) }
    }
    let fits = UInt32(min(UInt64(count), room))
    let pushed = queue_push(ring.queue, elements, count)
    append(pushed)
    return pushed == fits
  }

  private mutating func consume(_ random: inout SeededGenerator) -> Bool {
    let want = amount(&random)
    let (slots, got) = ring.peek(want)
    guard UInt64(got) == min(UInt64(want), UInt64(numbers.count), ring.capacity - headOffset)
    else { return false }
    guard let slots else { return got == 0 }
    let isRight = ring.wrong(slots, from: numbers[0], count: got) == 0
    let count = UInt32.random(in: 0...got, using: &random)
    queue_release(ring.queue, count)
    removeFirst(count)
    return isRight
  }

  private mutating func pop(_ random: inout SeededGenerator) -> Bool {
    let count = min(amount(&random), 2 * UInt32(ring.capacity))
    var elements = [UInt64](repeating: 0, count: Int(count) * ring.words)
    let held = UInt32(min(Int(count), numbers.count))
    guard queue_pop(ring.queue, &elements, count) == held else { return false }
    let isRight = held == 0 || ring.wrong(elements, from: numbers[0], count: held) == 0
    removeFirst(held)
    return isRight
  }
}

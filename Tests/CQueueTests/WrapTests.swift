// Every small capacity, every place where a ring can begin, indexes that pass 2^64, batches across
// the end of the ring. An element's number is its index.

import CQueue
import Testing

private let capacities: [UInt32] = [1, 2, 4, 8, 16, 32, 64]

/// Every offset of the ring, and every index from which the next two rounds pass 2^64.
private func firstIndexes(_ capacity: UInt32) -> [UInt64] {
  (0..<UInt64(capacity)).map { $0 } + (1...2 * UInt64(capacity)).map { 0 &- $0 }
}

/// Batches from one element to more than fit; all of them where the ring is small.
private func batches(_ capacity: UInt32) -> [UInt32] {
  if capacity <= 16 { return Array(1...capacity + 2) + [.max] }
  return [1, 2, 3, 5, capacity / 2, capacity - 1, capacity, capacity + 1, .max]
}

/// Both indexes of a ring, and the spans that it has to give.
private struct Walk {
  let ring: Ring
  let base: UnsafePointer<UInt64>
  var head: UInt64
  var tail: UInt64

  init(_ capacity: UInt32, from first: UInt64) {
    ring = Ring(capacity: capacity, words: 2, firstIndex: first)
    (head, tail) = (first, first)
    base = UnsafePointer(ring.reserve(1).slots!) - Int(first % ring.capacity) * ring.words
  }

  private func span(at index: UInt64, _ batch: UInt32, of available: UInt64) -> UInt32 {
    UInt32(min(UInt64(batch), available, ring.capacity - index % ring.capacity))
  }

  private func isPlace(_ slots: UnsafePointer<UInt64>?, of index: UInt64) -> Bool {
    slots == base + Int(index % ring.capacity) * ring.words
  }

  /// Fills in place until the ring is full; false when a span is not what it has to be.
  mutating func fill(by batch: UInt32) -> Bool {
    while tail &- head < ring.capacity {
      let (slots, got) = ring.reserve(batch)
      guard got == span(at: tail, batch, of: ring.capacity - (tail &- head)),
        isPlace(slots, of: tail)
      else { return false }
      ring.fill(slots!, from: tail, count: got)
      queue_commit(ring.queue, got)
      tail &+= UInt64(got)
    }
    let more = ring.reserve(batch)
    return more.slots == nil && more.got == 0 && queue_push(ring.queue, base, 1) == 0
  }

  /// Reads in place until the ring is empty, or `left` elements are left.
  mutating func drain(by batch: UInt32, left: UInt64 = 0) -> Bool {
    while tail &- head > left {
      let want = UInt32(min(UInt64(batch), tail &- head - left))
      let (slots, got) = ring.peek(want)
      guard got == span(at: head, want, of: tail &- head), isPlace(slots, of: head),
        ring.wrong(slots!, from: head, count: got) == 0
      else { return false }
      queue_release(ring.queue, got)
      head &+= UInt64(got)
    }
    if left > 0 { return true }
    let more = ring.peek(batch)
    return more.slots == nil && more.got == 0
  }
}

@Suite struct WrapTests {
  @Test(arguments: capacities) func spansInPlace(capacity: UInt32) {
    for first in firstIndexes(capacity) {
      for batch in batches(capacity) {
        var walk = Walk(capacity, from: first)
        for left in [0, UInt64(capacity) / 2, UInt64(capacity) - 1, 0] {
          guard walk.fill(by: batch), walk.drain(by: batch, left: left), walk.ring.isSound else {
            Issue.record("from \(first) by \(batch): head \(walk.head), tail \(walk.tail)")
            return
          }
        }
      }
    }
  }

  /// Copies of every size that fits, and of more, whole in one call wherever they begin.
  @Test(arguments: capacities) func copiesAcrossTheEnd(capacity: UInt32) {
    let room = Int(capacity) + 2
    var (given, taken) = ([UInt64](repeating: 0, count: room * 3), [UInt64]())
    for first in firstIndexes(capacity) {
      let ring = Ring(capacity: capacity, words: 3, firstIndex: first)
      var index = first
      for count in 1...UInt32(room) {
        let fits = min(count, capacity)
        given.withUnsafeMutableBufferPointer {
          ring.fill($0.baseAddress!, from: index, count: count)
        }
        taken = [UInt64](repeating: 0xdead, count: room * 3)
        let pushed = queue_push(ring.queue, given, count)
        let popped = queue_pop(ring.queue, &taken, count)
        let end = Int(fits) * 3
        guard pushed == fits, popped == fits, taken[..<end] == given[..<end],
          taken[end...].allSatisfy({ $0 == 0xdead }), ring.isSound
        else {
          Issue.record("from \(index), \(count) elements: \(pushed) in, \(popped) out")
          return
        }
        index &+= UInt64(fits)
      }
    }
  }
}

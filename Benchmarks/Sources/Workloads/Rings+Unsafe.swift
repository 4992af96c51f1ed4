/// Rings between threads, both sides played by one: what the code takes. What the cache lines that
/// travel between two cores add, no case here shows.

import CQueue

func ringCases() -> [Case] {
  [1, 10, 100].flatMap { (batch: UInt32) in
    [
      Case("Rings", "in-place-\(batch)") { Passing(batch, inPlace: true) },
      Case("Rings", "copied-\(batch)") { Passing(batch, inPlace: false) },
    ]
  } + [
    Case("Rings", "wake-awake") { Waking(sleeps: false) },
    Case("Rings", "wake-asleep") { Waking(sleeps: true) },
  ]
}

/// Words of an element: as large as an event of the transport, 32 bytes.
private let elementWords = 4

private func makeRing(_ capacity: UInt32) -> OpaquePointer {
  guard let queue = queue_create(UInt32(elementWords * 8), capacity) else {
    preconditionFailure("memory is short")
  }
  return queue
}

/// An element goes in and comes out, in batches that the end of the ring cuts now and then.
final class Passing: Workload {
  private let queue = makeRing(128)
  private let batch: UInt32
  private let inPlace: Bool
  private var elements: [UInt64]

  init(_ batch: UInt32, inPlace: Bool) {
    precondition(operationsARound % Int(batch) == 0)
    self.batch = batch
    self.inPlace = inPlace
    elements = (0..<UInt64(Int(batch) * elementWords)).map { $0 }
  }
  deinit { queue_destroy(queue) }

  func round() {
    if inPlace { passInPlace() } else { passCopies() }
  }

  /// One word of each element is written and read: the rest is the caller's business.
  private func passInPlace() {
    var sum: UInt64 = 0
    var left = UInt32(operationsARound)
    while left > 0 {
      var got: UInt32 = 0
      let slots = queue_reserve(queue, min(batch, left), &got)!
        .assumingMemoryBound(to: UInt64.self)
      for element in 0..<Int(got) { slots[element * elementWords] = UInt64(left) }
      queue_commit(queue, got)
      left -= got
      let filled = queue_peek(queue, got, &got)!.assumingMemoryBound(to: UInt64.self)
      for element in 0..<Int(got) { sum &+= filled[element * elementWords] }
      queue_release(queue, got)
    }
    precondition(sum > 0)
  }

  private func passCopies() {
    for _ in 0..<operationsARound / Int(batch) {
      precondition(queue_push(queue, elements, batch) == batch)
      precondition(queue_pop(queue, &elements, batch) == batch)
    }
  }
}

/// What a producer pays to learn whether its consumer sleeps, without the element and the wake-up.
/// `sleeps`: the consumer announces it before each question.
final class Waking: Workload {
  private let queue = makeRing(1)
  private let sleeps: Bool

  init(sleeps: Bool) { self.sleeps = sleeps }
  deinit { queue_destroy(queue) }

  func round() {
    for _ in 0..<operationsARound {
      if sleeps { precondition(queue_will_sleep(queue)) }
      precondition(queue_needs_wake(queue) == sleeps)
    }
  }
}

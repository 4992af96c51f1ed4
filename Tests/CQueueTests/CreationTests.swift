// What a ring is made of, which sizes are refused, and misuse that ends the process.

import CQueue
import Foundation
import Testing

/// The allocators of the sanitizers end the process instead of running out of memory.
private let isSanitized = dlsym(nil, "__asan_init") != nil || dlsym(nil, "__tsan_init") != nil

/// What creation said, with an errno that was clean before.
private func creationError(_ size: UInt32, _ capacity: UInt32) -> Int32 {
  errno = 0
  let queue = queue_create(size, capacity)
  let error = errno
  if queue == nil { return error }
  queue_destroy(queue)
  return 0
}

@Suite struct CreationTests {
  @Test func sizesThatCannotBeAreRefused() {
    for size: UInt32 in [0, 1, 4, 7, 9, 12, 63, 65, .max, .max - 3] {
      #expect(creationError(size, 8) == EINVAL, "element size \(size)")
    }
    for capacity: UInt32 in [0, 3, 5, 6, 7, 9, 100, 1023, 1 << 31 + 1, .max] {
      #expect(creationError(8, capacity) == EINVAL, "capacity \(capacity)")
    }
    for capacity: UInt32 in [1, 2, 4, 1024, 1 << 20] {
      #expect(creationError(24, capacity) == 0, "capacity \(capacity)")
    }
  }

  @Test(.enabled(if: !isSanitized)) func shortMemoryIsTold() {
    #expect(creationError(.max - 7, QUEUE_CAPACITY_MAX) == ENOMEM)
  }

  @Test func elementsAreAligned() {
    for words in [1, 2, 3, 7, 8, 16, 24] {
      let ring = Ring(capacity: 8, words: words)
      #expect(queue_capacity(ring.queue) == 8)
      let alignment: UInt = words % 8 == 0 ? 64 : 8
      for _ in 0..<8 {
        let slot = ring.reserve(1).slots
        #expect(UInt(bitPattern: slot) % alignment == 0)
        queue_commit(ring.queue, 1)
      }
    }
  }

  @Test func nothingIsNothing() {
    let ring = Ring(capacity: 4)
    #expect(ring.peek(.max).slots == nil && ring.peek(.max).got == 0)
    #expect(ring.reserve(0).slots == nil && ring.reserve(0).got == 0)
    #expect(queue_push(ring.queue, [1], 0) == 0)
    var word: UInt64 = 7
    #expect(queue_pop(ring.queue, &word, 1) == 0 && word == 7)
    queue_commit(ring.queue, 0)
    queue_release(ring.queue, 0)
    #expect(ring.peek(.max).got == 0 && ring.isSound)
  }

  @Test func committingMoreThanIsFreeTraps() async {
    await #expect(processExitsWith: .failure) {
      let ring = Ring(capacity: 4)
      _ = ring.reserve(4)
      queue_commit(ring.queue, 5)
    }
  }

  @Test func committingPastTheEndOfTheRingTraps() async {
    await #expect(processExitsWith: .failure) {
      let ring = Ring(capacity: 4, firstIndex: 3)
      _ = ring.reserve(4)
      queue_commit(ring.queue, 2)
    }
  }

  @Test func releasingMoreThanThereIsTraps() async {
    await #expect(processExitsWith: .failure) {
      let ring = Ring(capacity: 4)
      _ = queue_push(ring.queue, [1, 2] as [UInt64], 2)
      _ = ring.peek(4)
      queue_release(ring.queue, 3)
    }
  }

  @Test func releasingPastTheEndOfTheRingTraps() async {
    await #expect(processExitsWith: .failure) {
      let ring = Ring(capacity: 4, firstIndex: 3)
      _ = queue_push(ring.queue, [1, 2] as [UInt64], 2)
      _ = ring.peek(4)
      queue_release(ring.queue, 2)
    }
  }
}

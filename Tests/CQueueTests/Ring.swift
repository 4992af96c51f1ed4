/// Ring: what the tests of this module see of a queue. An element is some 64-bit words that all
/// follow from its number, so that one which is torn, stale or out of place shows.

import CQueue

/// One thread produces and one consumes, or one does both: what `queue.h` asks for.
final class Ring: @unchecked Sendable {
  let queue: OpaquePointer
  let capacity: UInt64
  /// 64-bit words an element.
  let words: Int

  init(capacity: UInt32, words: Int = 1, firstIndex: UInt64 = 0) {
    queue = queue_create_at(UInt32(words * 8), capacity, firstIndex)!
    self.capacity = UInt64(capacity)
    self.words = words
  }
  deinit { queue_destroy(queue) }

  var isSound: Bool { queue_check(queue) }

  func reserve(_ want: UInt32) -> (slots: UnsafeMutablePointer<UInt64>?, got: UInt32) {
    var got: UInt32 = 0
    let slots = queue_reserve(queue, want, &got)
    return (slots?.assumingMemoryBound(to: UInt64.self), got)
  }

  func peek(_ want: UInt32) -> (slots: UnsafePointer<UInt64>?, got: UInt32) {
    var got: UInt32 = 0
    let slots = queue_peek(queue, want, &got)
    return (slots?.assumingMemoryBound(to: UInt64.self), got)
  }

  /// Word `word` of the element of this number.
  static func content(_ number: UInt64, _ word: Int) -> UInt64 {
    word == 0 ? number : (number &+ UInt64(word)) &* 0x9e37_79b9_7f4a_7c15
  }

  /// Writes the elements `first`, `first + 1` and so on.
  func fill(_ slots: UnsafeMutablePointer<UInt64>, from first: UInt64, count: UInt32) {
    for element in 0..<Int(count) {
      for word in 0..<words {
        slots[element * words + word] = Ring.content(first &+ UInt64(element), word)
      }
    }
  }

  /// How many of the elements are not `first`, `first + 1` and so on, whole.
  func wrong(_ slots: UnsafePointer<UInt64>, from first: UInt64, count: UInt32) -> Int {
    var wrong = 0
    for element in 0..<Int(count) {
      for word in 0..<words
      where slots[element * words + word] != Ring.content(first &+ UInt64(element), word) {
        wrong += 1
        break
      }
    }
    return wrong
  }
}

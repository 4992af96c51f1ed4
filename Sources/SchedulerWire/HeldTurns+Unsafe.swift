/// HeldTurns: what turns want to send, until the journal has what they rest on.
///
///     turn k: records k -> writer        sends k, spent k -> held
///     later:  released >= sequence k     sends of all turns up to k leave, spent ones are released
///
/// Invariant: sends leave in the order of their turns; `marks` is in order of `sequence`.

import CBase
import CTransport

@safe
struct HeldTurns: ~Copyable {
  struct Mark: BitwiseCopyable {
    var sequence: UInt64
    /// How many of each, counted from the first that is held.
    var sends: Int
    var spent: Int
  }

  private var marks: [Mark] = []
  private var firstMark = 0
  private var sends = SendBuffer()
  private var firstSend = 0
  private var spent: [message_handle] = []
  private var firstSpent = 0

  var isEmpty: Bool { firstMark == marks.count }

  /// Takes what a turn wants to send and what it is done with; both are empty afterwards.
  mutating func append(
    _ sequence: UInt64, _ outbox: inout SendBuffer, _ done: inout [message_handle]
  ) {
    if outbox.count == 0 && done.isEmpty { return }
    for index in 0..<outbox.count { unsafe sends.append(outbox.base[index]) }
    spent += done
    marks.append(Mark(sequence: sequence, sends: sends.count, spent: spent.count))
    outbox.removeAll()
    done.removeAll(keepingCapacity: true)
  }

  /// The latest turn that may leave; nil when none may.
  mutating func ready(_ released: UInt64) -> Mark? {
    var last: Mark?
    while firstMark < marks.count && marks[firstMark].sequence <= released {
      last = marks[firstMark]
      firstMark += 1
    }
    return last
  }

  /// Hands over everything up to the mark.
  mutating func release(
    _ mark: Mark, _ transport: borrowing Transport, _ tables: borrowing Tables
  ) {
    unsafe transport_send_all(
      transport.handle, sends.base + firstSend, UInt32(mark.sends - firstSend))
    forget(mark, tables)
  }

  /// The sends up to the mark, for a caller that looks at each of them; `forget` ends it.
  func indices(upTo mark: Mark) -> Range<Int> { firstSend..<mark.sends }
  subscript(index: Int) -> transport_send { unsafe sends.base[index] }

  /// Everything up to the mark has been handed over.
  mutating func forget(_ mark: Mark, _ tables: borrowing Tables) {
    for index in firstSpent..<mark.spent { unsafe message_release(tables.messages, spent[index]) }
    firstSend = mark.sends
    firstSpent = mark.spent
    if isEmpty || firstMark > 4096 { compact() }
  }

  /// Forgets what has left.
  private mutating func compact() {
    let keptSends = sends.count - firstSend
    sends.removeFirst(firstSend)
    spent.removeFirst(firstSpent)
    marks.removeFirst(firstMark)
    for index in marks.indices {
      marks[index].sends -= firstSend
      marks[index].spent -= firstSpent
    }
    precondition(sends.count == keptSends, "sends were lost")
    firstMark = 0
    firstSend = 0
    firstSpent = 0
  }

  /// Releases what will never be sent: the end.
  mutating func abandon(_ tables: borrowing Tables) {
    for index in firstSpent..<spent.count { unsafe message_release(tables.messages, spent[index]) }
    firstSpent = spent.count
  }
}

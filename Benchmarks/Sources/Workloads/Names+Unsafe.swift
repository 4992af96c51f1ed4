/// Task ids and atoms: the names of the wire, made small.

import CBase

func nameCases() -> [Case] {
  [
    Case("Names", "task-id-new") { TaskIDs(counted, known: false) },
    Case("Names", "task-id-known") { TaskIDs(counted, known: true) },
    Case("Names", "task-id-hashed-new") { TaskIDs(unlike, known: false) },
    Case("Names", "task-id-hashed-known") { TaskIDs(unlike, known: true) },
    Case("Names", "atom-known") { Atoms(known: true) },
    Case("Names", "atom-new") { Atoms(known: false) },
  ]
}

/// How a client of ipyparallel names its messages: session, process, count.
private let counted = "d1c43d07-8f3a4fd5a20d8f7a1d5f4c1e_31337_100000000"
/// An id that does not end in `_` and a count, and so is kept as a hash.
private let unlike = "d1c43d07-8f3a-4fd5-a20d-8f7a100000000"

/// Bytes that end in decimal digits and can count.
private struct Counter {
  var bytes: [UInt8]

  init(_ text: String) { bytes = Array(text.utf8) }

  mutating func increment() {
    var index = bytes.count - 1
    while bytes[index] == UInt8(ascii: "9") {
      bytes[index] = UInt8(ascii: "0")
      index -= 1
    }
    bytes[index] += 1
  }
}

/// How many names are known in the cases that look one up.
private let knownCount = 100_000
/// A step that visits all known names in an order that is not theirs: coprime to their number.
private let stride = 61_803

/// `known`: looks up one of 100,000; else interns one that was never seen.
final class TaskIDs: Workload {
  private let table: OpaquePointer
  private var fresh: Counter
  private var ids: [UInt8] = []
  private let size: Int
  private let known: Bool
  private var position = 0

  init(_ first: String, known: Bool) {
    guard let table = task_ids_create(0x5EED) else { preconditionFailure("memory is short") }
    self.table = table
    self.known = known
    fresh = Counter(first)
    size = fresh.bytes.count
    for _ in 0..<(known ? knownCount : 0) {
      var isNew = false
      _ = task_ids_intern(table, fresh.bytes, size, &isNew)
      ids += fresh.bytes
      fresh.increment()
    }
  }
  deinit { task_ids_destroy(table) }

  func round() {
    if known { lookUp() } else { intern() }
  }

  private func lookUp() {
    ids.withUnsafeBytes { bytes in
      for _ in 0..<operationsARound {
        let found = task_ids_find(table, bytes.baseAddress! + position * size, size)
        precondition(found == UInt32(position))
        position = (position + stride) % knownCount
      }
    }
  }

  private func intern() {
    for _ in 0..<operationsARound {
      var isNew = false
      _ = task_ids_intern(table, fresh.bytes, size, &isNew)
      precondition(isNew)
      fresh.increment()
    }
  }
}

/// A reference taken and given back, with 5,000 names alive: of one of them, or of a new name.
final class Atoms: Workload {
  private let table: OpaquePointer
  private var fresh = Counter("8f7a1d5f-4c1e-d1c4-3d07-000000000000")
  private var names: [UInt8] = []
  private let size: Int
  private let known: Bool
  private var position = 0
  private let aliveCount = 5000

  init(known: Bool) {
    guard let table = atoms_create(0x5EED) else { preconditionFailure("memory is short") }
    self.table = table
    self.known = known
    size = fresh.bytes.count
    for _ in 0..<aliveCount {
      _ = atoms_intern(table, fresh.bytes, size)
      names += fresh.bytes
      fresh.increment()
    }
  }
  deinit { atoms_destroy(table) }

  func round() {
    if known {
      names.withUnsafeBytes { bytes in
        for _ in 0..<operationsARound {
          atoms_release(table, atoms_intern(table, bytes.baseAddress! + position * size, size))
          position = (position + 1237) % aliveCount
        }
      }
    } else {
      for _ in 0..<operationsARound {
        atoms_release(table, atoms_intern(table, fresh.bytes, size))
        fresh.increment()
      }
    }
  }
}

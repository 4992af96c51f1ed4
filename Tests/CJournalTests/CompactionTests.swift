/// Compaction: what it keeps, how much it leaves, and a crash at each of its steps.
import CJournal
import Foundation
import TestSupport
import Testing

/// 6,000 finished tasks, one that waits, one that runs on its second engine, a parked reply.
private func longRun(_ folder: Folder) throws -> [Known] {
  let journal = try Journal(folder, segment: 16384)
  try journal.start()
  journal.accept(0, "waits", frames: ["for", "ever"])
  journal.accept(1, "runs", frames: ["and", "runs"])
  journal.name(JOURNAL_ASSIGNED, 1, "engine-0")
  journal.name(JOURNAL_RETURNED, 1, "engine-0", flags: JOURNAL_FLAG_FAILED.rawValue)
  journal.name(JOURNAL_ASSIGNED, 1, "engine-1")
  journal.accept(2, "parked")
  journal.message(
    JOURNAL_FINISHED, 2, flags: JOURNAL_FLAG_PARKED.rawValue, name: "engine-1", frames: ["late"])
  for task in 3..<6003 as Range<UInt32> {
    let engine = "engine-\(task % 5)"
    journal.accept(task, "session\(task % 3)_12_\(task / 3)", frames: ["some", "content"])
    journal.name(JOURNAL_ASSIGNED, task, engine)
    journal.message(
      JOURNAL_FINISHED, task, flags: JOURNAL_FLAG_COMPLETED.rawValue, name: engine, frames: ["done"]
    )
    if task % 100 == 0 {
      let sequence = journal.settle()
      journal_note_sending(journal.handle, sequence)
      journal_note_sent(journal.handle, sequence)
    }
  }
  let sequence = journal.settle()
  journal_note_sending(journal.handle, sequence)
  journal_note_sent(journal.handle, sequence)
  #expect(journal.close())
  var expected = [
    Known(id: "waits", state: waiting, accepted: ["client", "for", "ever"]),
    Known(
      id: "runs", state: running, engine: "engine-1", accepted: ["client", "and", "runs"],
      attempts: ["engine-0 \(JOURNAL_FLAG_FAILED.rawValue)"]),
    Known(
      id: "parked", state: failed, engine: "engine-1", reply: ["engine-1", "late"], parked: true),
  ]
  for task in 3..<6003 {
    expected.append(
      Known(
        id: "session\(task % 3)_12_\(task / 3)", state: completed, engine: "engine-\(task % 5)"))
  }
  return expected
}

@Test func compactionKeepsWhatCountsAndLittleElse() throws {
  let folder = Folder()
  let expected = try longRun(folder)
  #expect(folder.names("base").count == 1)
  let total = (folder.names("base") + folder.names("log")).reduce(0) { $0 + folder.read($1).count }
  // About two megabytes were appended.
  #expect(total < 400_000, "\(total) bytes are left")
  #expect(try Journal(folder).tasks == expected)
  // A base of a base, with pages that are taken over as they lie.
  for round in 0..<40 {
    let journal = try Journal(folder, segment: 4096)
    try journal.start()
    for step in 0..<20 {
      journal.message(
        JOURNAL_REFUSED, UInt32(6003 + round * 20 + step), name: "c", id: "more \(round) \(step)")
    }
    let sequence = journal.settle()
    journal_note_sending(journal.handle, sequence)
    journal_note_sent(journal.handle, sequence)
    journal.close()
  }
  let last = try Journal(folder)
  #expect(Array(last.tasks.prefix(expected.count)) == expected)
  #expect(last.tasks.count == expected.count + 800)
  #expect(folder.names("log").count < 40)
}

@Test func aCrashWithinCompactionLosesNothing() throws {
  let before = Folder()
  let journal = try Journal(before, segment: 1 << 20)
  try journal.start()
  for task in 0..<50 as Range<UInt32> { journal.accept(task, "s_1_\(task)") }
  let sequence = journal.settle()
  journal_note_sending(journal.handle, sequence)
  journal_note_sent(journal.handle, sequence)
  journal.close()
  // Seventeen starts make seventeen files: the last start compacts them.
  while before.names("base").isEmpty {
    let again = try Journal(before)
    let beforeStart = before.copy()
    try again.start()
    again.close()
    guard let base = before.names("base").first else { continue }
    // Written and not renamed; renamed and nothing deleted; deleted in part.
    let unfinished = beforeStart.copy()
    unfinished.write(
      base.replacingOccurrences(of: ".base", with: ".new"), Array(before.read(base).prefix(99)))
    let renamed = beforeStart.copy()
    renamed.write(base, before.read(base))
    let partly = renamed.copy()
    try FileManager.default.removeItem(atPath: partly.path + "/" + partly.names("log")[0])
    for crashed in [unfinished, renamed, partly, before] {
      let reopened = try Journal(crashed)
      #expect(reopened.tasks.count == 50)
      #expect(reopened.tasks.allSatisfy { $0.state == waiting && $0.accepted == ["client", "f"] })
      #expect(crashed.names("new").isEmpty)
      #expect(crashed.names("base").count <= 1)
    }
  }
}

@Test func aDamagedBaseStops() throws {
  let folder = Folder()
  _ = try longRun(folder)
  let name = folder.names("base")[0]
  let bytes = folder.read(name)
  var bits = SeededGenerator.announced("aDamagedBaseStops")
  for _ in 0..<200 {
    var changed = bytes
    changed[Int.random(in: 0..<bytes.count, using: &bits)] ^=
      1 << UInt8.random(in: 0...7, using: &bits)
    folder.write(name, changed)
    #expect(throws: Refused.self) { _ = try Journal(folder) }
    folder.write(name, Array(bytes[..<Int.random(in: 0..<bytes.count, using: &bits)]))
    #expect(throws: Refused.self) { _ = try Journal(folder) }
  }
}

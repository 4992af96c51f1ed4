/// Torn ends are cut and told, damage stops with a reason: every byte, one after the other.
import CJournal
import Foundation
import Testing

/// Five tasks in every state, one batch each, the last one not known to be synced.
private func sample(sync: UInt64 = JOURNAL_SYNC_OFF) throws -> (Folder, [Known]) {
  let folder = Folder()
  let journal = try Journal(folder, sync: sync)
  try journal.start()
  journal.accept(0, "s_1_0")
  journal.settle()
  journal.accept(1, "s_1_1", frames: ["header", "", "content"])
  journal.name(JOURNAL_ASSIGNED, 1, "engine-a")
  journal.settle()
  journal.message(JOURNAL_REFUSED, 2, name: "client", id: "odd id")
  journal.accept(3, "s_1_2")
  journal.name(JOURNAL_ASSIGNED, 3, "engine-a")
  journal.message(
    JOURNAL_FINISHED, 3, flags: JOURNAL_FLAG_COMPLETED.rawValue, name: "engine-a", frames: ["r"])
  journal.settle()
  let end = journal.settle()
  journal_note_sending(journal.handle, end)
  journal_note_sent(journal.handle, end)
  journal.close()
  let reopened = try Journal(folder)
  let tasks = reopened.tasks
  #expect(
    tasks == [
      Known(id: "s_1_0", state: waiting, accepted: ["client", "f"]),
      Known(
        id: "s_1_1", state: running, engine: "engine-a",
        accepted: ["client", "header", "", "content"]),
      Known(id: "odd id", state: failedNowhere),
      Known(id: "s_1_2", state: completed, engine: "engine-a"),
    ])
  return (folder, tasks)
}

/// What a prefix of the sample may look like: states before later records had their effect.
private func isPrefix(_ found: [Known], of whole: [Known]) -> Bool {
  found.count <= whole.count
    && zip(found, whole).allSatisfy { $0.id == $1.id && ($0 == $1 || $0.state != $1.state) }
}

@Test func tornAtEveryByte() throws {
  let (folder, whole) = try sample()
  let name = folder.names("log")[0]
  let bytes = folder.read(name)
  var wholeEnds = 0
  for size in 0..<bytes.count {
    let torn = folder.copy()
    torn.write(name, Array(bytes[..<size]))
    let journal = try Journal(torn)
    #expect(isPrefix(journal.tasks, of: whole), "cut at \(size)")
    // A cut between two records leaves nothing torn.
    let isWhole = journal.found.cut_bytes == 0
    #expect(isWhole || journal.cutNote.contains(name), "cut at \(size)")
    if size > 64 && isWhole { wholeEnds += 1 }
    // It goes on from there, and the next start finds nothing torn. Not each time: every start
    // syncs the folder.
    guard size % 32 == 7 else { continue }
    try journal.start()
    journal.close()
    let again = try Journal(torn)
    #expect(again.found.cut_bytes == 0, "still torn after a cut at \(size)")
  }
  // Seven records and three COMMITs, less the last.
  #expect(wholeEnds == 9)
}

@Test func aFlippedBitAtEveryByteIsNeverTaken() throws {
  let (folder, whole) = try sample(sync: JOURNAL_SYNC_ALWAYS)
  let name = folder.names("log")[0]
  let bytes = folder.read(name)
  var stopped = 0
  var cut = 0
  for offset in bytes.indices {
    let flipped = folder.copy()
    var changed = bytes
    changed[offset] ^= 1 << UInt8(offset % 8)
    flipped.write(name, changed)
    do {
      let journal = try Journal(flipped)
      #expect(journal.found.cut_bytes > 0, "a flipped bit at \(offset) went unnoticed")
      #expect(isPrefix(journal.tasks, of: whole))
      cut += 1
    } catch let refused as Refused {
      #expect(refused.description.contains(name))
      #expect(refused.description.contains("Nothing was changed"))
      #expect(flipped.read(name) == changed)
      stopped += 1
    }
  }
  // What a later COMMIT calls synced is damage; only the end behind it can be torn.
  #expect(stopped > cut)
  #expect(cut > 0)
}

@Test func damageInTheMiddleSaysWhatToDo() throws {
  let (folder, _) = try sample(sync: JOURNAL_SYNC_ALWAYS)
  let name = folder.names("log")[0]
  var bytes = folder.read(name)
  bytes[100] ^= 1
  folder.write(name, bytes)
  do {
    _ = try Journal(folder)
    Issue.record("a damaged journal was opened")
  } catch let refused as Refused {
    #expect(refused.description.contains("byte 64"))
    #expect(refused.description.contains("truncate -s 64 \(name)"))
    #expect(refused.description.contains("checksum"))
  }
}

@Test func aMissingSegmentIsDamage() throws {
  let folder = Folder()
  for round in 0..<3 {
    let journal = try Journal(folder)
    try journal.start()
    journal.accept(UInt32(round), "s_1_\(round)")
    journal.close()
  }
  try FileManager.default.removeItem(atPath: folder.path + "/" + folder.names("log")[1])
  #expect(throws: Refused.self) { _ = try Journal(folder) }
}

@Test func aSegmentOfAnotherJournalIsDamage() throws {
  let (folder, _) = try sample()
  let name = folder.names("log")[0]
  var bytes = folder.read(name)
  var header = journal_file_header()
  bytes.withUnsafeBufferPointer {
    _ = journal_file_header_read(
      journal_bytes(data: $0.baseAddress, size: UInt64($0.count)), &header)
  }
  header.number = 2
  header.id.0 ^= 0xff
  bytes.withUnsafeMutableBufferPointer { journal_file_header_write($0.baseAddress, &header) }
  folder.write("0000000000000002.log", bytes)
  #expect(throws: Refused.self) { _ = try Journal(folder) }
}

@Test func anEmptySegmentIsATornOne() throws {
  // The crash came between making the second segment and its first byte, or its header.
  let (folder, whole) = try sample()
  for size in [0, 1, 63] {
    let crashed = folder.copy()
    crashed.write("0000000000000002.log", Array(repeating: 0, count: size))
    let journal = try Journal(crashed)
    #expect(journal.tasks == whole)
    try journal.start()
    journal.accept(4, "next")
    journal.close()
    #expect(try Journal(crashed).tasks.count == 5)
  }
}

@Test func aNewerVersionIsNotCut() throws {
  let (folder, _) = try sample()
  let name = folder.names("log")[0]
  var bytes = folder.read(name)
  bytes[8] = 2
  let crc = journal_crc32c(0, Array(bytes[..<60]), 60)
  withUnsafeBytes(of: crc) { bytes.replaceSubrange(60..<64, with: $0) }
  folder.write(name, bytes)
  #expect(throws: Refused.self) { _ = try Journal(folder) }
  #expect(folder.read(name) == bytes)
}

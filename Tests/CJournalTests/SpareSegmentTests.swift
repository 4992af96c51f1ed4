/// Segments that a base covers are written over: what stood in them before is never taken for what
/// was appended, wherever the process was killed.
import CJournal
import Foundation
import TestSupport
import Testing

/// Where the records of a segment end.
private func end(of bytes: [UInt8]) throws -> (offset: Int, lastBatch: Int) {
  try bytes.withUnsafeBufferPointer { buffer in
    let file = journal_bytes(data: buffer.baseAddress, size: UInt64(buffer.count))
    var header = journal_file_header()
    try #require(journal_file_header_read(file, &header) == nil)
    var reader = journal_reader_of(file, &header)
    var record = journal_record()
    var batch = 64
    var lastBatch = 64
    while journal_read(&reader, &record) == JOURNAL_RECORD {
      guard record.type == JOURNAL_COMMIT.rawValue else { continue }
      (lastBatch, batch) = (batch, Int(reader.offset))
    }
    return (Int(reader.offset), lastBatch)
  }
}

/// The folder as it is now; nil when the compactor changed it meanwhile.
private func snapshot(_ folder: Folder) -> Folder? {
  let copy = Folder()
  func names(_ folder: Folder) -> [String] { ["log", "base", "spare"].flatMap(folder.names) }
  let before = names(folder)
  guard (try? FileManager.default.copyItem(atPath: folder.path, toPath: copy.path)) != nil,
    names(folder) == before && names(copy) == before
  else { return nil }
  return copy
}

/// A journal that was killed in the middle of a segment that is written over, and how many tasks it
/// was told of.
private func killed(sync: UInt64) throws -> (Folder, UInt32) {
  let folder = Folder()
  let journal = try Journal(folder, sync: sync, segment: 16384)
  try journal.start()
  var count: UInt32 = 0
  let limit = Date(timeIntervalSinceNow: 60)
  while Date() < limit {
    for _ in 0..<5 {
      journal.accept(count, "s_1_\(count)", frames: [String(repeating: "a", count: 99)])
      journal.message(
        JOURNAL_FINISHED, count, flags: JOURNAL_FLAG_COMPLETED.rawValue, name: "engine",
        frames: ["r"])
      count += 1
    }
    let last = journal.settle()
    journal_note_sending(journal.handle, last)
    journal_note_sent(journal.handle, last)
    guard let copy = snapshot(folder), let name = copy.names("log").last else { continue }
    let bytes = copy.read(name)
    let stop = try end(of: bytes)
    if stop.offset + 4096 < bytes.count && stop.lastBatch > 64 { return (copy, count) }
  }
  throw Refused(description: "no segment was written over")
}

@Test(arguments: [JOURNAL_SYNC_ALWAYS, 1_000_000, JOURNAL_SYNC_OFF])
func whatStoodInASpareSegmentIsNotRead(sync: UInt64) throws {
  let (folder, count) = try killed(sync: sync)
  let name = try #require(folder.names("log").last)
  let bytes = folder.read(name)
  let stop = try end(of: bytes)
  #expect(!bytes[(stop.offset + 32)...].allSatisfy { $0 == 0 }, "nothing stood there")
  let journal = try Journal(folder)
  #expect(journal.tasks.count == Int(count))
  #expect(journal.tasks.allSatisfy { $0.state == completed })
  #expect(journal.found.cut_bytes == 0 && journal.cutNote.isEmpty, "\(journal.cutNote)")
  #expect(folder.read(name).count == stop.offset)
  // The next life goes on behind it.
  try journal.start()
  journal.accept(count, "more")
  journal.settle()
  journal.close()
  #expect(try Journal(folder).tasks.count == Int(count) + 1)
  #expect(folder.names("spare").isEmpty)
}

/// The last batch came to the disk in part: before it what is kept, behind it what stood there.
@Test func aTornBatchOverOldRecordsIsCut() throws {
  let (folder, count) = try killed(sync: JOURNAL_SYNC_OFF)
  let name = try #require(folder.names("log").last)
  let bytes = folder.read(name)
  let stop = try end(of: bytes)
  for at in stop.lastBatch..<stop.offset {
    let torn = folder.copy()
    var changed = bytes
    changed[at] ^= 1
    torn.write(name, changed)
    let journal = try Journal(torn)
    #expect(journal.found.cut_bytes > 0 && journal.cutNote.contains(name), "at \(at)")
    #expect(journal.tasks.count <= Int(count) && journal.tasks.count >= Int(count) - 5)
    #expect(torn.read(name).count < stop.offset)
  }
}

/// Once something later says that it was synced, it is damage there as in any segment.
@Test func damageInASegmentThatWasWrittenOverStops() throws {
  let (folder, _) = try killed(sync: JOURNAL_SYNC_ALWAYS)
  let name = try #require(folder.names("log").last)
  var bytes = folder.read(name)
  let stop = try end(of: bytes)
  bytes.replaceSubrange(64..<96, with: [UInt8](repeating: 0, count: 32))
  #expect(stop.lastBatch > 96)
  folder.write(name, bytes)
  #expect(throws: Refused.self) { _ = try Journal(folder) }
  #expect(folder.read(name) == bytes)
}

@Test func spareSegmentsAreFew() throws {
  let folder = Folder()
  let journal = try Journal(folder, segment: 16384)
  try journal.start()
  for task in 0..<4000 as Range<UInt32> {
    journal.message(JOURNAL_REFUSED, task, name: "client", id: "s_1_\(task)")
    if task % 20 == 0 {
      let last = journal.settle()
      journal_note_sending(journal.handle, last)
      journal_note_sent(journal.handle, last)
    }
    #expect(task % 100 != 0 || folder.names("spare").count <= 8)
  }
  journal.close()
  #expect(folder.names("spare").isEmpty)
  #expect(try Journal(folder).tasks.count == 4000)
}

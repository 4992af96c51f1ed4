/// The folder: one scheduler at a time, clear words when it cannot be used, sync settings.
import CJournal
import Foundation
import Testing

private func refusal(_ folder: Folder) -> String {
  do {
    let journal = try Journal(folder)
    try journal.start()
    return "it was opened"
  } catch let refused as Refused {
    return refused.description
  } catch {
    return "\(error)"
  }
}

@Test func aSecondSchedulerIsToldWhoHasIt() throws {
  let folder = Folder()
  let journal = try Journal(folder)
  let text = refusal(folder)
  #expect(text.contains("in use by another scheduler (process \(getpid()))"))
  #expect(text.contains("stop that one first"))
  journal.close()
  #expect(refusal(folder) == "it was opened")
}

@Test func aFolderThatCannotBeWrittenIsNamed() throws {
  let folder = Folder()
  try Journal(folder).close()
  try FileManager.default.setAttributes([.posixPermissions: 0o500], ofItemAtPath: folder.path)
  // Root may write anywhere.
  if geteuid() != 0 {
    #expect(refusal(folder).contains("Permission denied; give the scheduler's user the right"))
  }
}

@Test func aFileInThePlaceOfTheFolderIsNamed() throws {
  let folder = Folder()
  try Data().write(to: URL(fileURLWithPath: folder.path))
  #expect(refusal(folder).contains("Not a directory; give a folder of its own"))
}

@Test func aParentThatIsMissingIsNamed() throws {
  let parent = Folder()
  let child = Folder()
  _ = child
  var config = journal_config()
  var error = journal_error()
  (parent.path + "/below").withCString {
    config.folder = $0
    #expect(journal_open(&config, &error) == nil)
  }
  let text = withUnsafeBytes(of: &error.text) {
    String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
  }
  #expect(text.contains("its parent folder must be there"))
}

@Test(arguments: [JOURNAL_SYNC_ALWAYS, 2_000_000, JOURNAL_SYNC_OFF], [false, true])
func everySettingKeepsWhatWasClosed(sync: UInt64, plain: Bool) throws {
  let folder = Folder()
  let journal = try Journal(folder, sync: sync, segment: 4096, plain: plain)
  try journal.start()
  for task in 0..<200 as Range<UInt32> {
    journal.accept(task, "s_1_\(task)", frames: [String(repeating: "x", count: Int(task))])
    let sequence = journal.commit()
    if task % 50 == 0 {
      journal.settle()
      #expect(journal_released(journal.handle) >= sequence)
      if sync == JOURNAL_SYNC_ALWAYS { #expect(journal_synced(journal.handle) >= sequence) }
    }
  }
  #expect(journal.close())
  let reopened = try Journal(folder)
  #expect(reopened.tasks.count == 200)
  #expect(reopened.tasks[199].accepted[1].utf8.count == 199)
  #expect(reopened.found.cut_bytes == 0)
}

@Test func timedSyncComesWithoutAnotherRecord() throws {
  let folder = Folder()
  let journal = try Journal(folder, sync: 1_000_000)
  try journal.start()
  journal.accept(0, "s_1_0")
  let sequence = journal.commit()
  // No time is measured: the test ends when the sync has come.
  while journal_synced(journal.handle) < sequence { usleep(500) }
  #expect(journal_released(journal.handle) >= sequence)
}

@Test func aHugeMessageIsOneRecord() throws {
  let folder = Folder()
  let journal = try Journal(folder, segment: 4096)
  try journal.start()
  let frame = String(repeating: "0123456789abcdef", count: 3 << 20)
  journal.accept(0, "s_1_0", frames: [frame, "tail"])
  journal.accept(1, "s_1_1")
  journal.settle()
  journal.close()
  let tasks = try Journal(folder).tasks
  #expect(tasks[0].accepted == ["client", frame, "tail"])
  #expect(tasks[1].accepted == ["client", "f"])
}

@Test func whatHasLeftIsNotToldAgain() throws {
  let folder = Folder()
  let journal = try Journal(folder)
  try journal.start()
  var ends: [UInt64] = []
  for task in 0..<3 as Range<UInt32> {
    journal.accept(task, "s_1_\(task)")
    journal.message(JOURNAL_FINISHED, task, flags: 0, name: "", frames: ["reply \(task)"])
    ends.append(journal.settle())
  }
  journal_note_sending(journal.handle, ends[1])
  journal_note_sent(journal.handle, ends[0])
  journal.close()
  let reopened = try Journal(folder)
  #expect(reopened.tasks.map(\.reply) == [[], ["", "reply 1"], ["", "reply 2"]])
  #expect(reopened.found.sending_sequence == ends[1])
  #expect(reopened.found.sent_sequence == ends[0])
}

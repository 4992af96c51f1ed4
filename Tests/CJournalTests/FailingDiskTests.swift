/// A write that the disk refuses: told once, with what to do, and nothing is released any more.
///
/// The kernel is made to say EIO: in the place of the segment's descriptor comes one of
/// /proc/self/mem, where no byte of a file's beginning can be written.
import CJournal
import Foundation
import Testing

/// The descriptor that this process has open on the file.
private func descriptor(of path: String) throws -> Int32 {
  let file = (path as NSString).resolvingSymlinksInPath
  for name in try FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd") {
    let link = try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/fd/\(name)")
    if link == file, let number = Int32(name) { return number }
  }
  throw Refused(description: "\(path) is not open")
}

@Test(arguments: [JOURNAL_SYNC_ALWAYS, 2_000_000, JOURNAL_SYNC_OFF], [false, true])
func aDiskThatFailsIsToldAndNothingIsReleased(sync_ns: UInt64, plain: Bool) throws {
  let folder = Folder()
  let journal = try Journal(folder, sync: sync_ns, plain: plain)
  try journal.start()
  journal.accept(0, "first")
  let kept = journal.settle()
  let segment = try #require(folder.names("log").last)
  let broken = open("/proc/self/mem", O_RDWR | O_CLOEXEC)
  #expect(broken >= 0)
  #expect(dup2(broken, try descriptor(of: folder.path + "/" + segment)) >= 0)
  close(broken)
  journal.accept(1, "second")
  let refused = journal.commit()
  let end = Date(timeIntervalSinceNow: 20)
  while journal.failure == nil && Date() < end { usleep(1000) }
  let said = journal.failure ?? "nothing"
  #expect(said.contains("cannot write: Input/output error; the disk fails"), "\(said)")
  #expect(journal_released(journal.handle) < refused)
  #expect(journal_released(journal.handle) >= kept)
  #expect(!journal.close())
  // What was promised before is there.
  let next = try Journal(folder)
  #expect(journal_ledger_count(journal_recovered(next.handle)) == 1)
  next.close()
}

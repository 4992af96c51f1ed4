/// Random lives of a journal against a plain model: restarts, compactions, power losses.
import CJournal
import Foundation
import TestSupport
import Testing

/// What a journal should know: a list of what was appended, replayed up to any sequence.
private struct Model {
  enum Step {
    case accepted(String, [String])
    case refused(String)
    case assigned(Int, String)
    case returned(Int, String, UInt32)
    case finished(Int, String, UInt32, [String], sequence: UInt64)
    case delivered(Int)
  }
  var steps: [(UInt64, Step)] = []
  var sequence: UInt64 = 0

  mutating func add(_ step: Step) {
    sequence += 1
    steps.append((sequence, step))
  }

  mutating func cut(behind last: UInt64) {
    steps.removeAll { $0.0 > last }
    sequence = last
  }

  func tasks(sent: UInt64) -> [Known] {
    var known: [Known] = []
    for (sequence, step) in steps {
      switch step {
      case .accepted(let id, let accepted):
        known.append(Known(id: id, state: waiting, accepted: accepted))
      case .refused(let id): known.append(Known(id: id, state: failedNowhere))
      case .assigned(let task, let engine):
        known[task].state = running
        known[task].engine = engine
      case .returned(let task, let engine, let why):
        known[task].state = waiting
        known[task].engine = ""
        if why != 0 { known[task].attempts.append("\(engine) \(why)") }
      case .finished(let task, let engine, let flags, let frames, let sequence):
        let ended =
          engine.isEmpty
          ? failedNowhere : flags & JOURNAL_FLAG_COMPLETED.rawValue != 0 ? completed : failed
        let parked = flags & JOURNAL_FLAG_PARKED.rawValue != 0
        let kept = parked || sequence > sent
        known[task] = Known(
          id: known[task].id, state: ended, engine: engine, reply: kept ? [engine] + frames : [],
          parked: parked)
      case .delivered(let task):
        if sequence <= sent { known[task].reply = [] }
        known[task].parked = false
      }
    }
    return known
  }
}

private struct Life {
  var bits: SeededGenerator
  var model = Model()
  var folder = Folder()
  var accepted = 0
  let engines = (0..<7).map { "engine-\($0)" }

  mutating func pick(_ range: Range<Int>) -> Int { Int.random(in: range, using: &bits) }

  /// One random step that makes sense after the ones before.
  mutating func step(_ journal: Journal, _ known: inout [Known]) {
    let live = known.indices.filter { known[$0].state == waiting || known[$0].state == running }
    if live.count < 3 || pick(0..<3) == 0 {
      let number = known.count
      let id = pick(0..<5) == 0 ? "odd \(number)" : "session\(pick(0..<4))_77_\(number)"
      if pick(0..<9) == 0 {
        model.add(.refused(id))
        known.append(Known(id: id, state: failedNowhere))
        journal.message(JOURNAL_REFUSED, UInt32(number), name: "c", id: id)
        return
      }
      let frames = (0..<pick(0..<4)).map { _ in String(repeating: "x", count: pick(0..<200)) }
      model.add(.accepted(id, ["c"] + frames))
      known.append(Known(id: id, state: waiting))
      journal.message(JOURNAL_ACCEPTED, UInt32(number), name: "c", id: id, frames: frames)
      return
    }
    // Mostly old ones end, so that some stay for long and many do not.
    let task = live[min(pick(0..<live.count), pick(0..<live.count))]
    if known[task].state == waiting {
      let engine = engines[pick(0..<7)]
      known[task].state = running
      known[task].engine = engine
      model.add(.assigned(task, engine))
      journal.name(JOURNAL_ASSIGNED, UInt32(task), engine)
    } else if pick(0..<4) == 0 {
      let why = [0, JOURNAL_FLAG_FAILED.rawValue, JOURNAL_FLAG_UNMET.rawValue][pick(0..<3)]
      known[task].state = waiting
      model.add(.returned(task, known[task].engine, why))
      journal.name(JOURNAL_RETURNED, UInt32(task), known[task].engine, flags: why)
    } else {
      finish(journal, &known, task)
    }
  }

  private mutating func finish(_ journal: Journal, _ known: inout [Known], _ task: Int) {
    let engine = pick(0..<5) == 0 ? "" : known[task].engine
    var flags: UInt32 = pick(0..<3) > 0 ? JOURNAL_FLAG_COMPLETED.rawValue : 0
    let isParked = pick(0..<6) == 0
    if isParked { flags |= JOURNAL_FLAG_PARKED.rawValue }
    let frames = ["reply \(task)"]
    known[task].state = completed
    model.add(.finished(task, engine, flags, frames, sequence: model.sequence + 1))
    journal.message(JOURNAL_FINISHED, UInt32(task), flags: flags, name: engine, frames: frames)
    if isParked && pick(0..<2) == 0 {
      model.add(.delivered(task))
      journal.name(JOURNAL_DELIVERED, UInt32(task))
    }
  }

  mutating func live(steps: Int, sync: UInt64, replay: String) throws {
    let journal = try Journal(folder, sync: sync, segment: 8192, plain: pick(0..<2) == 0)
    var sent = journal.found.sent_sequence
    #expect(journal.found.last_sequence == model.sequence, "\(replay)")
    #expect(journal.tasks == model.tasks(sent: sent), "\(replay)")
    var known = model.tasks(sent: sent)
    try journal.start()
    for _ in 0..<steps {
      step(journal, &known)
      if pick(0..<4) == 0 { model.sequence = journal.commit() }
      if pick(0..<40) == 0 {
        model.sequence = journal.settle()
        if pick(0..<2) == 0 {
          sent = model.sequence
          journal_note_sending(journal.handle, sent)
          journal_note_sent(journal.handle, sent)
        }
      }
    }
    model.sequence = journal.settle()
    #expect(journal.failure == nil)
    let synced = journal_synced(journal.handle)
    // Everything is written: closing adds nothing but the last sync, which is then taken back.
    journal.close()
    if pick(0..<2) == 0 {
      loseUnsynced(folder, synced)
      let reopened = try Journal(folder, segment: 8192)
      #expect(reopened.found.last_sequence >= synced, "\(replay)")
      model.cut(behind: reopened.found.last_sequence)
      reopened.close()
    }
  }

  /// What a power loss may do: bytes behind the last sync are cut off, or some pages never came.
  private mutating func loseUnsynced(_ folder: Folder, _ synced: UInt64) {
    guard let name = folder.names("log").last else { return }
    var bytes = folder.read(name)
    var header = journal_file_header()
    var firstUnsynced = 64
    bytes.withUnsafeBufferPointer { buffer in
      let file = journal_bytes(data: buffer.baseAddress, size: UInt64(buffer.count))
      guard journal_file_header_read(file, &header) == nil else { return }
      var reader = journal_reader_of(file, &header)
      var record = journal_record()
      while journal_read(&reader, &record) == JOURNAL_RECORD, record.sequence <= synced {
        firstUnsynced = Int(reader.offset)
      }
    }
    guard firstUnsynced < bytes.count else { return }
    if pick(0..<2) == 0 {
      bytes.removeSubrange(pick(firstUnsynced..<bytes.count)...)
    } else {
      for page in stride(from: firstUnsynced / 512 * 512, to: bytes.count, by: 512)
      where pick(0..<3) == 0 {
        for index in max(page, firstUnsynced)..<min(page + 512, bytes.count) { bytes[index] = 0 }
      }
    }
    folder.write(name, bytes)
  }
}

@Test(arguments: [JOURNAL_SYNC_ALWAYS, 1_000_000, JOURNAL_SYNC_OFF])
func aJournalKnowsWhatItsModelKnows(sync: UInt64) throws {
  let seed = SeededGenerator.announcedSeed("aJournalKnowsWhatItsModelKnows")
  var life = Life(bits: SeededGenerator(seed: seed))
  for round in 0..<30 {
    try life.live(
      steps: life.pick(0..<400), sync: sync, replay: "seed \(seed), sync \(sync), life \(round)")
  }
}

/// A journal in a folder of its own, and what its ledger says, as plain values.
import CJournal
import Foundation

/// A folder that is gone when its owner is.
final class Folder {
  let path: String

  init() {
    path = NSTemporaryDirectory() + "journal-" + UUID().uuidString
  }
  deinit {
    try? FileManager.default.setAttributes([.posixPermissions: 0o700], ofItemAtPath: path)
    try? FileManager.default.removeItem(atPath: path)
  }

  func copy() -> Folder {
    let copied = Folder()
    try! FileManager.default.copyItem(atPath: path, toPath: copied.path)
    return copied
  }

  func names(_ suffix: String) -> [String] {
    let all = (try? FileManager.default.contentsOfDirectory(atPath: path)) ?? []
    return all.filter { $0.hasSuffix("." + suffix) }.sorted()
  }

  func read(_ name: String) -> [UInt8] {
    [UInt8](FileManager.default.contents(atPath: path + "/" + name)!)
  }

  func write(_ name: String, _ bytes: [UInt8]) {
    try! Data(bytes).write(to: URL(fileURLWithPath: path + "/" + name))
  }
}

struct Refused: Error, CustomStringConvertible {
  var description: String
}

/// One known task, as a ledger shows it.
struct Known: Equatable, CustomStringConvertible {
  var id: String
  var state: UInt32
  var engine: String = ""
  /// The client's name and the first frame of what was accepted.
  var accepted: [String] = []
  var attempts: [String] = []
  var reply: [String] = []
  var parked = false
  var description: String {
    "\(id) \(state) \(engine) \(accepted) \(attempts) \(reply) \(parked)"
  }
}

final class Journal {
  private(set) var handle: OpaquePointer?
  let folder: Folder

  init(
    _ folder: Folder, sync: UInt64 = JOURNAL_SYNC_OFF, segment: UInt64 = 0, plain: Bool = false
  ) throws {
    self.folder = folder
    var error = journal_error()
    handle = folder.path.withCString { path in
      var config = journal_config()
      config.folder = path
      config.sync_ns = sync
      config.segment_size_max = segment
      config.plain_io = plain
      withUnsafeMutableBytes(of: &config.id) { $0.copyBytes(from: (1...16).map { UInt8($0) }) }
      return journal_open(&config, &error)
    }
    if handle == nil { throw Refused(description: Self.text(&error)) }
  }

  deinit { if handle != nil { journal_close(handle) } }

  private static func text(_ error: inout journal_error) -> String {
    withUnsafeBytes(of: &error.text) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
  }

  func start() throws {
    journal_forget_recovered(handle)
    var error = journal_error()
    guard journal_start(handle, { _ in }, nil, &error) else {
      throw Refused(description: Self.text(&error))
    }
  }

  @discardableResult
  func close() -> Bool {
    defer { handle = nil }
    return journal_close(handle)
  }

  var found: journal_findings { journal_found(handle).pointee }
  var cutNote: String {
    var found = self.found
    return withUnsafeBytes(of: &found.cut_note) {
      String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
    }
  }
  var failure: String? {
    var text = [CChar](repeating: 0, count: 1024)
    guard journal_failed(handle, &text, text.count) else { return nil }
    return String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }

  // MARK: records

  private func withBytes<R>(_ text: String, _ body: (journal_bytes) -> R) -> R {
    var copy = text
    return copy.withUTF8 { body(journal_bytes(data: $0.baseAddress, size: UInt64($0.count))) }
  }

  func message(
    _ type: journal_type, _ task: UInt32, flags: UInt32 = 0, name: String, id: String = "",
    frames: [String] = []
  ) {
    let bytes = frames.map { Array($0.utf8) }
    let joined = bytes.flatMap { $0 }
    withBytes(name) { name in
      withBytes(id) { id in
        joined.withUnsafeBufferPointer { buffer in
          var offset = 0
          let list = bytes.map { frame in
            defer { offset += frame.count }
            return journal_frame(
              data: buffer.baseAddress.map { $0 + offset }, size: UInt64(frame.count))
          }
          journal_append_message(
            handle, type, UInt8(flags), task, name, id, list, UInt32(list.count))
        }
      }
    }
  }

  func accept(_ task: UInt32, _ id: String, client: String = "client", frames: [String] = ["f"]) {
    message(JOURNAL_ACCEPTED, task, name: client, id: id, frames: frames)
  }

  func name(_ type: journal_type, _ task: UInt32, _ name: String = "", flags: UInt32 = 0) {
    withBytes(name) { journal_append_name(handle, type, UInt8(flags), task, $0) }
  }

  @discardableResult
  func commit() -> UInt64 { journal_commit(handle) }

  /// Commits again and again until everything is written (or synced, with `always`).
  @discardableResult
  func settle() -> UInt64 {
    var last = commit()
    while journal_released(handle) < last && failure == nil {
      usleep(200)
      last = commit()
    }
    return last
  }

  // MARK: what was recovered

  var tasks: [Known] {
    let ledger = journal_recovered(handle)
    var known: [Known] = []
    var next: UInt32 = 0
    var task = journal_task()
    func engine(_ index: UInt32) -> String {
      index == JOURNAL_ENGINE_NONE ? "" : Self.text(journal_ledger_engine(ledger, index))
    }
    while journal_ledger_next(ledger, &next, &task) {
      var one = Known(id: Self.text(task.id), state: UInt32(task.state))
      one.engine = engine(task.engine)
      // Of an ended task it is kept for the hub, as long as that may not know of it.
      let isLive = one.state == waiting || one.state == running
      one.accepted = isLive ? Self.frames(task.accepted) : []
      one.reply = Self.frames(task.reply)
      one.parked = task.parked != 0
      for index in 0..<Int(task.attempt_count) {
        let attempt = task.attempts[index]
        one.attempts.append("\(engine(attempt.engine)) \(attempt.flags)")
      }
      known.append(one)
    }
    return known
  }

  private static func text(_ bytes: journal_bytes) -> String {
    String(decoding: UnsafeBufferPointer(start: bytes.data, count: Int(bytes.size)), as: UTF8.self)
  }

  private static func frames(_ payload: journal_bytes) -> [String] {
    var message = journal_message()
    guard payload.size > 0, journal_message_read(payload, &message) else { return [] }
    var texts = [text(message.name)]
    var at = message.frames!
    for index in 0..<Int(message.frame_count) {
      let size = UnsafeRawPointer(message.sizes!).loadUnaligned(
        fromByteOffset: index * 8, as: UInt64.self)
      texts.append(text(journal_bytes(data: at, size: size)))
      at += Int(size)
    }
    return texts
  }
}

let waiting = JOURNAL_WAITING.rawValue
let running = JOURNAL_RUNNING.rawValue
let completed = JOURNAL_COMPLETED.rawValue
let failed = JOURNAL_FAILED.rawValue
let failedNowhere = JOURNAL_FAILED_NOWHERE.rawValue

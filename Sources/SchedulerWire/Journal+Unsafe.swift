/// Journal: the Swift face of CJournal (see journal.h), and its configuration.

import CBase
import CJournal
import CTransport

/// When what was written down is synced to the disk.
public enum JournalSync: Sendable, Equatable {
  /// Before anything that follows from it leaves the process.
  case always
  /// At most so many nanoseconds later.
  case every_ns(UInt64)
  /// Whenever the kernel likes, and when a segment is full.
  case off
}

public struct JournalOptions: Sendable {
  /// Empty: no journal is kept.
  public var folder = ""
  public var sync = JournalSync.every_ns(5_000_000)
  /// For simulations: a segment's size (0: as journal.h says), and no io_uring.
  package var segmentSizeMax: UInt64 = 0
  package var isPlainIO = false
  public init() {}
}

/// A journal that cannot be used or written any more, in one line for a person.
public struct JournalFailure: Error, Sendable { public var text: String }

@safe
struct Journal: ~Copyable {
  /// nil: no journal is kept.
  private(set) var handle: OpaquePointer?
  /// The folder, for the log.
  let folder: String

  var isOn: Bool { unsafe handle != nil }

  /// `id`: random; `wall_us` goes into file headers.
  init(_ options: JournalOptions, id: (UInt64, UInt64), wall_us: Int64) throws(JournalFailure) {
    folder = options.folder
    unsafe handle = nil
    guard !options.folder.isEmpty else { return }
    var config = unsafe journal_config()
    unsafe config.sync_ns =
      switch options.sync {
      case .always: JOURNAL_SYNC_ALWAYS
      case .every_ns(let interval): interval
      case .off: JOURNAL_SYNC_OFF
      }
    unsafe config.segment_size_max = options.segmentSizeMax
    unsafe config.plain_io = options.isPlainIO
    unsafe config.now_us = UInt64(max(0, wall_us))
    unsafe withUnsafeMutableBytes(of: &config.id) { bytes in
      unsafe bytes.storeBytes(of: id.0, as: UInt64.self)
      unsafe bytes.storeBytes(of: id.1, toByteOffset: 8, as: UInt64.self)
    }
    var error = journal_error()
    let opened = unsafe options.folder.withCString { folder in
      unsafe config.folder = folder
      return unsafe journal_open(&config, &error)
    }
    guard unsafe opened != nil else { throw JournalFailure(error) }
    unsafe handle = opened
  }

  /// From here on records can be appended; the writer wakes the transport.
  func start(waking transport: borrowing Transport) throws(JournalFailure) {
    var error = journal_error()
    let started = unsafe journal_start(
      handle, { context in unsafe transport_wake(OpaquePointer(context!)) },
      UnsafeMutableRawPointer(transport.handle), &error)
    if !started { throw JournalFailure(error) }
  }

  /// Writes and syncs everything; nothing else may follow. Before the transport is closed.
  mutating func close() {
    guard isOn else { return }
    unsafe journal_close(handle)
    unsafe handle = nil
  }

  deinit { if unsafe handle != nil { unsafe journal_close(handle) } }

  // MARK: appending

  func append(
    _ type: journal_type, flags: UInt32 = 0, _ task: UInt32, name: journal_bytes,
    id: journal_bytes, frames: UnsafePointer<message_frame>?, count: Int
  ) {
    // journal_frame and message_frame are the same pair of pointer and size.
    let list = unsafe UnsafeRawPointer(frames)?.assumingMemoryBound(to: journal_frame.self)
    unsafe journal_append_message(
      handle, type, UInt8(flags), task, name, id, list, UInt32(count))
  }

  func append(
    _ type: journal_type, flags: UInt32 = 0, _ task: UInt32, name: journal_bytes
  ) {
    unsafe journal_append_name(handle, type, UInt8(flags), task, name)
  }

  /// A parked reply has been handed over, or given up.
  func appendDelivered(_ task: UInt32) {
    unsafe append(JOURNAL_DELIVERED, task, name: journal_bytes())
  }

  /// The end of a turn: its latest sequence.
  func commit() -> UInt64 { unsafe journal_commit(handle) }
  var released: UInt64 { unsafe journal_released(handle) }
  func noteSending(_ sequence: UInt64) { unsafe journal_note_sending(handle, sequence) }
  func noteSent(_ sequence: UInt64) { unsafe journal_note_sent(handle, sequence) }

  /// Throws when writing has failed: nothing is released any more.
  func check() throws(JournalFailure) {
    var error = journal_error()
    let failed = unsafe withUnsafeMutableBytes(of: &error.text) { text in
      unsafe journal_failed(
        handle, text.baseAddress!.assumingMemoryBound(to: CChar.self), text.count)
    }
    if failed { throw JournalFailure(error) }
  }

  /// What there is to say about old segments.
  func nextNotice() -> String? {
    var error = journal_error()
    let isNew = unsafe withUnsafeMutableBytes(of: &error.text) { text in
      unsafe journal_next_notice(
        handle, text.baseAddress!.assumingMemoryBound(to: CChar.self), text.count)
    }
    return isNew ? JournalFailure(error).text : nil
  }

  // MARK: what was found

  var found: journal_findings { unsafe journal_found(handle).pointee }
  var ledger: OpaquePointer? { unsafe journal_recovered(handle) }
  func forgetRecovered() { unsafe journal_forget_recovered(handle) }

  /// Where and why the torn end was cut off; nil when nothing was torn.
  var cutNote: String? {
    var found = self.found
    guard found.cut_bytes > 0 else { return nil }
    let place = unsafe withUnsafeBytes(of: &found.cut_note) { bytes in
      unsafe String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
    }
    return "its end was torn and \(found.cut_bytes) bytes were cut off: \(place)"
  }
}

extension JournalFailure {
  fileprivate init(_ error: journal_error) {
    text = unsafe withUnsafeBytes(of: error.text) { bytes in
      unsafe String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
    }
  }
}

extension Tables {
  /// The bytes of a live atom; empty for none.
  func bytes(of name: atom) -> journal_bytes {
    guard name != ATOM_NONE else { return unsafe journal_bytes() }
    var size = 0
    let data = unsafe atoms_bytes(atoms, name, &size)
    return unsafe journal_bytes(data: data, size: UInt64(size))
  }

  /// A message of the frames in a journal's record, one reference.
  func compose(_ recorded: journal_message) -> message_handle {
    let count = unsafe Int(recorded.frame_count)
    return unsafe withUnsafeTemporaryAllocation(of: message_frame.self, capacity: count) { frames in
      var data = unsafe recorded.frames
      for index in 0..<count {
        let size = unsafe UnsafeRawPointer(recorded.sizes!).loadUnaligned(
          fromByteOffset: index * 8, as: UInt64.self)
        unsafe frames.initializeElement(at: index, to: message_frame(data: data, size: size))
        unsafe data = data.map { unsafe $0 + Int(size) }
      }
      return unsafe message_compose(messages, frames.baseAddress, UInt16(count))
    }
  }

  func intern(_ name: journal_bytes) -> atom {
    unsafe atoms_intern(atoms, name.data, Int(name.size))
  }
}

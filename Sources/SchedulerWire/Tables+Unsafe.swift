/// Tables: names, messages and task ids, owned by one exchange (see CBase's headers).

import CBase
import SchedulerCore

/// Where a held task message keeps what the scheduler needs again: its id, its delimiter.
struct MessageNote: BitwiseCopyable {
  /// The id's bytes inside the header frame; size 0 when it is written with escapes there.
  var idOffset: UInt16 = 0
  var idSize: UInt16 = 0
  /// Frames before `<IDS|MSG>`.
  var delimiter: UInt16 = 0
  /// An engine has it, and has not answered.
  var isOut = false
  /// It may be given to an engine that had it before.
  var mayBeKnown = false
  /// Its client, when it was accepted in a former life (`RecoveredClients`); 0: this life.
  var recovered: UInt32 = 0
}

@safe
struct Tables: ~Copyable {
  let atoms: OpaquePointer
  let messages: OpaquePointer
  let taskIDs: OpaquePointer
  /// By message index.
  private var notes: [MessageNote] = []

  init(hashSeed: UInt64) {
    guard let atoms = unsafe atoms_create(hashSeed),
      let messages = unsafe message_table_create(atoms),
      let taskIDs = unsafe task_ids_create(hashSeed)
    else { fatalError("out of memory: name tables") }
    unsafe self.atoms = atoms
    unsafe self.messages = messages
    unsafe self.taskIDs = taskIDs
  }

  deinit {
    unsafe message_table_destroy(messages)
    unsafe atoms_destroy(atoms)
    unsafe task_ids_destroy(taskIDs)
  }

  // MARK: names

  /// An atom for a name the scheduler keeps for ever.
  func intern(_ name: StaticString) -> atom {
    unsafe atoms_intern(atoms, name.utf8Start, name.utf8CodeUnitCount)
  }

  func text(of name: EngineName) -> String { text(of: name.value) }

  /// A name for people: UTF-8 as it is, other bytes (clients' routing ids) in hex.
  func text(of name: atom) -> String {
    guard name != ATOM_NONE else { return "nobody" }
    var size = 0
    guard let bytes = unsafe atoms_bytes(atoms, name, &size) else { return "nobody" }
    let buffer = unsafe UnsafeBufferPointer(start: bytes, count: size)
    let isText = unsafe buffer.allSatisfy { $0 >= 0x20 && $0 < 0x7f }
    if isText { return unsafe String(decoding: buffer, as: UTF8.self) }
    let digits = Array("0123456789abcdef")
    var text = "hex:"
    for index in 0..<size {
      let byte = unsafe buffer[index]
      text.append(digits[Int(byte >> 4)])
      text.append(digits[Int(byte & 15)])
    }
    return text
  }

  // MARK: notes on messages

  private static let indexMask: UInt32 = (1 << UInt32(MESSAGE_INDEX_BITS)) - 1

  mutating func note(_ handle: message_handle, _ note: MessageNote) {
    let index = Int(handle & Self.indexMask)
    if index >= notes.count {
      notes += Array(repeating: MessageNote(), count: max(64, index + 1 - notes.count))
    }
    notes[index] = note
  }

  /// Notes that an engine gets the message; true when it may have had it before.
  mutating func noteGift(_ handle: message_handle) -> Bool {
    let index = Int(handle & Self.indexMask)
    if notes[index].isOut { notes[index].mayBeKnown = true }
    notes[index].isOut = true
    return notes[index].mayBeKnown
  }

  /// Notes that the engine that had the message has answered, and does not get it again.
  mutating func noteAnswer(_ handle: message_handle) {
    notes[Int(handle & Self.indexMask)].isOut = false
  }

  func note(of handle: message_handle) -> MessageNote { notes[Int(handle & Self.indexMask)] }
}

extension Tables {
  /// A message of these frames, one reference.
  func compose(_ texts: [String]) -> message_handle {
    var bytes: [UInt8] = []
    for text in texts { bytes += Array(text.utf8) }
    return unsafe bytes.withUnsafeBufferPointer { buffer in
      var frames: [message_frame] = unsafe []
      var start = 0
      for text in texts {
        unsafe frames.append(
          message_frame(
            data: buffer.baseAddress.map { unsafe $0 + start }, size: UInt64(text.utf8.count)))
        start += text.utf8.count
      }
      return unsafe frames.withUnsafeBufferPointer {
        unsafe message_compose(messages, $0.baseAddress, UInt16($0.count))
      }
    }
  }
}

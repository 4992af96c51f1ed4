/// Messages: handles, counts, composing, what happens on the last release.
import CBase
import TestSupport
import Testing

/// A table over its own atoms, ended in order.
private final class Tables {
  let names: OpaquePointer
  let messages: OpaquePointer

  init() {
    names = atoms_create(1)
    messages = message_table_create(names)
  }

  deinit {
    message_table_destroy(messages)
    atoms_destroy(names)
  }

  func compose(_ frames: [[UInt8]]) -> message_handle {
    let joined = frames.flatMap { $0 }
    return joined.withUnsafeBufferPointer { bytes in
      var offset = 0
      let spans = frames.map { frame in
        defer { offset += frame.count }
        return message_frame(
          data: frame.isEmpty ? nil : bytes.baseAddress! + offset, size: UInt64(frame.count))
      }
      return message_compose(messages, spans, UInt16(frames.count))
    }
  }

  func frames(_ handle: message_handle) -> [[UInt8]] {
    let m = message_get(messages, handle)!
    return (0..<Int(m.pointee.frame_count)).map { i in
      Array(
        UnsafeBufferPointer(start: m.pointee.frames[i].data, count: Int(m.pointee.frames[i].size)))
    }
  }
}

@Suite struct MessageTests {
  @Test func composedFramesAreCopiedAndCounted() {
    let tables = Tables()
    let frames: [[UInt8]] = [
      [1, 2, 3], [], Array("<IDS|MSG>".utf8), [UInt8](repeating: 9, count: 5000),
    ]
    let handle = tables.compose(frames)
    #expect(handle != 0)
    #expect(tables.frames(handle) == frames)
    #expect(message_get(tables.messages, handle).pointee.origin == 0)
    #expect(message_table_count(tables.messages) == 1)
    #expect(message_table_bytes(tables.messages) == 5012)
    message_retain(tables.messages, handle)
    message_release(tables.messages, handle)
    #expect(tables.frames(handle) == frames)
    message_release(tables.messages, handle)
    #expect(message_table_count(tables.messages) == 0)
    #expect(message_table_bytes(tables.messages) == 0)
  }

  @Test func noFramesIsAMessageToo() {
    let tables = Tables()
    let handle = tables.compose([])
    #expect(handle != 0 && tables.frames(handle).isEmpty)
    message_release(tables.messages, handle)
  }

  @Test func sizesThatOverflowAreRefused() {
    let tables = Tables()
    let byte: UInt8 = 0
    withUnsafePointer(to: byte) { pointer in
      let frames = [message_frame](
        repeating: message_frame(data: pointer, size: UInt64.max / 2), count: 3)
      #expect(message_compose(tables.messages, frames, 3) == 0)
    }
    #expect(message_table_count(tables.messages) == 0)
  }

  /// 64 generations: the same index comes back under another handle each time.
  @Test func aReusedIndexHasAnotherHandle() {
    let tables = Tables()
    var seen = Set<message_handle>()
    for _ in 0..<64 {
      let handle = tables.compose([[1]])
      #expect(handle & 0x3ff_ffff == 1)
      seen.insert(handle)
      message_release(tables.messages, handle)
    }
    #expect(seen.count == 64)
  }

  @Test func adoptedMessageGivesBackItsOriginAndItself() {
    let tables = Tables()
    let origin = atoms_intern(tables.names, "client", 6)
    let m = UnsafeMutablePointer<message>.allocate(capacity: 1)
    let frame = UnsafeMutablePointer<message_frame>.allocate(capacity: 1)
    defer {
      m.deallocate()
      frame.deallocate()
    }
    frame.initialize(to: message_frame(data: nil, size: 0))
    m.initialize(to: message())
    m.pointee.frames = frame
    m.pointee.frame_count = 1
    m.pointee.origin = origin
    // The body's part: here it only marks that it was called, once.
    m.pointee.dispose = { $0!.pointee.body += 1 }
    let handle = message_adopt(tables.messages, m)
    #expect(message_get(tables.messages, handle) == m)
    #expect(m.pointee.references == 1 && m.pointee.handle == handle)
    #expect(atoms_count(tables.names) == 1)
    message_release(tables.messages, handle)
    #expect(m.pointee.body == 1)
    #expect(atoms_count(tables.names) == 0)
  }

  @Test func randomLifetimesMatchADictionary() {
    var random = SeededGenerator.announced("randomLifetimesMatchADictionary")
    let tables = Tables()
    var model: [message_handle: (references: Int, frames: [[UInt8]])] = [:]
    var handles: [message_handle] = []
    for _ in 0..<20_000 {
      if handles.isEmpty || Int.random(in: 0..<5, using: &random) < 2 {
        let frames = (0..<Int.random(in: 0...4, using: &random)).map { _ in
          random.bytes(Int.random(in: 0...40, using: &random))
        }
        let handle = tables.compose(frames)
        #expect(model[handle] == nil)
        model[handle] = (1, frames)
        handles.append(handle)
        continue
      }
      let at = Int.random(in: 0..<handles.count, using: &random)
      let handle = handles[at]
      #expect(tables.frames(handle) == model[handle]!.frames)
      if Bool.random(using: &random) && model[handle]!.references < 4 {
        message_retain(tables.messages, handle)
        model[handle]!.references += 1
      } else {
        message_release(tables.messages, handle)
        model[handle]!.references -= 1
        if model[handle]!.references == 0 {
          model[handle] = nil
          handles.swapAt(at, handles.count - 1)
          handles.removeLast()
        }
      }
      #expect(message_table_count(tables.messages) == UInt32(model.count))
    }
    let bytes = model.values.reduce(0) { $0 + $1.frames.reduce(0) { $0 + $1.count } }
    #expect(message_table_bytes(tables.messages) == UInt64(bytes))
    for (handle, entry) in model {
      for _ in 0..<entry.references { message_release(tables.messages, handle) }
    }
  }

  @Test func aStaleHandleTraps() async {
    await #expect(processExitsWith: .failure) {
      let names = atoms_create(1)
      let table = message_table_create(names)!
      var frame = message_frame(data: nil, size: 0)
      let handle = message_compose(table, &frame, 1)
      message_release(table, handle)
      _ = message_get(table, handle)
    }
  }

  @Test func aStaleHandleOfAReusedIndexTraps() async {
    await #expect(processExitsWith: .failure) {
      let names = atoms_create(1)
      let table = message_table_create(names)!
      var frame = message_frame(data: nil, size: 0)
      let handle = message_compose(table, &frame, 1)
      message_release(table, handle)
      _ = message_compose(table, &frame, 1)
      message_release(table, handle)
    }
  }
}

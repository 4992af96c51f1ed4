/// Composer: messages that the scheduler makes itself: `task_destination` for each assignment,
/// error replies, the hub dialogue. Signed like any other (jupyter_client's Session.serialize).
///
///     [leading frames] <IDS|MSG> signature header parent_header metadata content

import CBase
import CSign
import SchedulerCore

public struct SessionOptions: Sendable {
  /// The signing key; empty: nothing is signed or checked.
  public var key: [UInt8] = []
  public var signatureScheme = "hmac-sha256"
  public var packer = Packer.json
  /// This scheduler's session id, `XXXXXXXX-XXXXXXXXXXXXXXXXXXXXXXXX` in hex.
  public var session = ""
  public var pid: Int32 = 0
  public var username = "username"
  public init() {}
}

/// A session option that cannot be used, in one line for a person.
public struct SessionFailure: Error, Sendable { public var text: String }

/// Signs and verifies (see sign.h).
@safe
struct Signer: ~Copyable {
  let handle: OpaquePointer

  init(_ options: SessionOptions) throws(SessionFailure) {
    var reason = [CChar](repeating: 0, count: 512)
    let created = unsafe options.key.withUnsafeBytes { key in
      unsafe signer_create(
        options.signatureScheme, key.baseAddress, key.count, &reason, reason.count)
    }
    guard let created = unsafe created else {
      let end = reason.firstIndex(of: 0) ?? reason.count
      throw SessionFailure(
        text: String(decoding: reason[..<end].map { UInt8(bitPattern: $0) }, as: UTF8.self))
    }
    unsafe handle = created
  }
  deinit { unsafe signer_destroy(handle) }
}

/// What an error reply says.
struct ErrorReply {
  var ename: StaticString
  var evalue: String
  /// Lines that say what happened and why.
  var explanation: [String]
  /// The engine that died, for EngineError.
  var engine: atom = ATOM_NONE
}

@safe
struct Composer: ~Copyable {
  let options: SessionOptions
  let signer: Signer
  private var writer: PackWriter
  /// `<session>_<pid>_` and the number of the latest message.
  private var idText: [UInt8]
  private let idPrefixCount: Int
  private let session: [UInt8]
  private let username: [UInt8]
  private var messageCount: UInt64 = 0
  var date = Timestamp()
  /// Ends of the frames written to the buffer so far.
  private var ends: [Int] = []
  private var frames: [message_frame] = unsafe []

  init(_ options: SessionOptions) throws(SessionFailure) {
    self.options = options
    signer = try Signer(options)
    writer = PackWriter(options.packer)
    idText = Array("\(options.session)_\(options.pid)_".utf8)
    idPrefixCount = idText.count
    session = Array(options.session.utf8)
    username = Array(options.username.utf8)
    date.set(wall_us: 0)
  }

  // MARK: the messages

  /// `tracktask`: [session] <IDS|MSG> ... {"msg_id", "engine_id"}. The topic is a prefix.
  mutating func taskDestination(
    _ id: UnsafeRawBufferPointer, _ engine: UnsafeRawBufferPointer, _ tables: borrowing Tables
  ) -> message_handle {
    begin()
    unsafe session.withUnsafeBytes { unsafe writer.buffer.append($0) }
    endFrame()
    header("task_destination")
    emptyMap()
    emptyMap()
    writer.beginMap(2)
    writer.key("msg_id")
    unsafe writer.string(id)
    writer.key("engine_id")
    unsafe writer.string(engine)
    writer.endMap()
    endFrame()
    return finish(tables)
  }

  /// `apply_reply` with an error; `parent` is the task's header frame, `leading` what stood
  /// before the delimiter in the task's message.
  mutating func errorReply(
    _ reply: ErrorReply, parent: UnsafeRawBufferPointer,
    leading: UnsafeBufferPointer<message_frame>,
    _ tables: borrowing Tables
  ) -> message_handle {
    begin()
    for index in 0..<leading.count {
      let frame = unsafe leading[index]
      unsafe writer.buffer.append(UnsafeRawBufferPointer(start: frame.data, count: Int(frame.size)))
      endFrame()
    }
    header("apply_reply")
    unsafe writer.buffer.append(parent)
    endFrame()
    errorMetadata(reply, tables)
    writer.beginMap(5)
    writer.key("status")
    writer.string("error")
    writer.key("ename")
    writer.string(reply.ename)
    writer.key("evalue")
    writer.string(reply.evalue)
    writer.key("traceback")
    writer.beginArray(reply.explanation.count)
    for line in reply.explanation { writer.string(line) }
    writer.endArray()
    writer.key("engine_info")
    writer.beginMap(0)
    writer.endMap()
    writer.endMap()
    endFrame()
    return finish(tables)
  }

  private mutating func errorMetadata(_ reply: ErrorReply, _ tables: borrowing Tables) {
    guard reply.engine != ATOM_NONE else { return emptyMap() }
    var size = 0
    let bytes = unsafe atoms_bytes(tables.atoms, reply.engine, &size)
    writer.beginMap(3)
    writer.key("status")
    writer.string("error")
    writer.key("engine")
    unsafe writer.string(UnsafeRawBufferPointer(start: bytes, count: size))
    writer.key("date")
    writer.string(date.text)
    writer.endMap()
    endFrame()
  }

  mutating func connectionRequest(_ tables: borrowing Tables) -> message_handle {
    begin()
    header("connection_request")
    emptyMap()
    emptyMap()
    emptyMap()
    return finish(tables)
  }

  // MARK: building

  private mutating func begin() {
    writer.buffer.removeAll()
    ends.removeAll(keepingCapacity: true)
    writer.beginFrame()
  }

  private mutating func endFrame() {
    ends.append(writer.buffer.count)
    writer.beginFrame()
  }

  private mutating func emptyMap() {
    writer.beginMap(0)
    writer.endMap()
    endFrame()
  }

  private mutating func header(_ messageType: StaticString) {
    advanceID()
    writer.beginMap(6)
    writer.key("msg_id")
    writer.string(idText)
    writer.key("msg_type")
    writer.string(messageType)
    writer.key("username")
    writer.string(username)
    writer.key("session")
    writer.string(session)
    writer.key("date")
    writer.string(date.text)
    writer.key("version")
    writer.string("5.4")
    writer.endMap()
    endFrame()
  }

  /// Counts up in `idText`, without allocating.
  private mutating func advanceID() {
    idText.removeSubrange(idPrefixCount...)
    var rest = messageCount
    repeat {
      idText.insert(UInt8(ascii: "0") + UInt8(rest % 10), at: idPrefixCount)
      rest /= 10
    } while rest > 0
    messageCount += 1
  }

  /// The last four frames written are signed; the ones before lead.
  private mutating func finish(_ tables: borrowing Tables) -> message_handle {
    let base = unsafe UnsafePointer(writer.buffer.base)
    unsafe frames.removeAll(keepingCapacity: true)
    var start = 0
    for end in ends {
      unsafe frames.append(message_frame(data: base + start, size: UInt64(end - start)))
      start = end
    }
    let leading = unsafe frames.count - 4
    var hex = InlineHex()
    let hexSize = unsafe withUnsafeMutablePointer(to: &hex) { hex in
      unsafe frames.withUnsafeBytes { bytes in
        // signer_part and message_frame are the same pair of pointer and size.
        let parts = unsafe bytes.baseAddress!.assumingMemoryBound(to: signer_part.self)
        return unsafe hex.withMemoryRebound(to: CChar.self, capacity: Int(SIGNER_HEX_MAX)) {
          unsafe signer_sign(signer.handle, parts + leading, 4, $0)
        }
      }
    }
    return unsafe withUnsafeBytes(of: &hex) { hex in
      unsafe frames.insert(
        message_frame(
          data: hex.baseAddress!.assumingMemoryBound(to: UInt8.self), size: UInt64(hexSize)),
        at: leading)
      unsafe frames.insert(Delimiter.frame, at: leading)
      return unsafe frames.withUnsafeBufferPointer {
        unsafe message_compose(tables.messages, $0.baseAddress, UInt16($0.count))
      }
    }
  }
}

/// Room for the longest signature.
private typealias InlineHex = InlineArray<128, UInt8>

extension InlineArray where Element == UInt8 {
  fileprivate init() { self.init(repeating: 0) }
}

/// `<IDS|MSG>`: ends the routing ids of a message.
enum Delimiter {
  static let text: StaticString = "<IDS|MSG>"
  static var frame: message_frame {
    unsafe message_frame(data: text.utf8Start, size: UInt64(text.utf8CodeUnitCount))
  }

  /// Index of the delimiter among the frames, or nil.
  static func index(in frames: UnsafePointer<message_frame>, _ count: Int) -> Int? {
    for index in 0..<count where unsafe frames[index].size == 9 {
      let data = unsafe UnsafeRawPointer(frames[index].data!)
      // "<IDS|MSG" as one word, then ">".
      if unsafe data.loadUnaligned(as: UInt64.self).littleEndian == 0x4753_4d7c_5344_493c,
        unsafe data.load(fromByteOffset: 8, as: UInt8.self) == UInt8(ascii: ">")
      {
        return index
      }
    }
    return nil
  }
}

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
public struct SessionFailure: Error, Sendable {
  public var text: String

  /// `reason`: a C string and whatever follows it.
  init(_ reason: [CChar]) {
    let end = reason.firstIndex(of: 0) ?? reason.count
    text = String(decoding: reason[..<end].map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }
}

/// Signs what the scheduler says (see sign.h).
@safe
struct Signer: ~Copyable {
  let handle: OpaquePointer
  /// Characters of a signature.
  let size: Int

  init(_ options: SessionOptions) throws(SessionFailure) {
    var reason = [CChar](repeating: 0, count: 512)
    let created = unsafe options.key.withUnsafeBytes { key in
      unsafe signer_create(
        options.signatureScheme, key.baseAddress, key.count, &reason, reason.count)
    }
    guard let created = unsafe created else { throw SessionFailure(reason) }
    unsafe handle = created
    size = unsafe signer_hex_size(created)
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
  var writer: PackWriter
  /// `<session>_<pid>_` and the number of the latest message.
  private(set) var idText: [UInt8]
  private let idPrefixCount: Int
  private let session: [UInt8]
  private let username: [UInt8]
  private var messageCount: UInt64 = 0
  private var opening = Opening()
  var date = Timestamp()
  /// Ends of the frames written to the buffer so far.
  private var ends: [Int] = []
  /// Messages that `signAll` signs, and where: many together are signed faster than one by one.
  private var unsigned: [signer_job] = unsafe []

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

  /// `tracktask`: [session] <IDS|MSG> ... {"msg_id", "engine_id"}. The topic is a prefix. Signed by
  /// `signAll`, until when the message must live.
  mutating func taskDestination(
    _ id: UnsafeRawBufferPointer, _ engine: UnsafeRawBufferPointer, _ tables: borrowing Tables
  ) -> message_handle {
    if opening.set(messageCount, date.text) { messageCount += 1 } else { renewOpening() }
    // No frame but the content is written here, so that `ends` may keep what it has.
    writer.buffer.removeAll()
    writer.beginFrame()
    writer.beginMap(2)
    writer.key("msg_id")
    unsafe writer.string(id)
    writer.key("engine_id")
    unsafe writer.string(engine)
    writer.endMap()
    var frames = unsafe opening.opening
    var content: UnsafeMutablePointer<UInt8>? = nil
    guard
      let message = unsafe message_begin_wire(
        tables.messages, &frames, writer.buffer.count, &content)
    else { fatalError("out of memory: a message of the scheduler's own") }
    unsafe content!.update(from: writer.buffer.base, count: writer.buffer.count)
    return unsafe adopt(message, signature: 2, tables)
  }

  /// Signs what is not signed yet.
  mutating func signAll() {
    guard unsafe !unsigned.isEmpty else { return }
    unsafe signer_sign_all(signer.handle, unsigned, unsigned.count)
    unsafe unsigned.removeAll(keepingCapacity: true)
  }

  /// Writes all but the content anew: for the next message, and for those after it.
  private mutating func renewOpening() {
    begin()
    unsafe session.withUnsafeBytes { unsafe writer.buffer.append($0) }
    endFrame()
    writer.buffer.append(Delimiter.text)
    endFrame()
    for _ in 0..<signer.size { writer.buffer.append(UInt8(ascii: "0")) }
    endFrame()
    header("task_destination")
    emptyMap()
    emptyMap()
    opening = Opening(
      writer.buffer.copy(), ends, id: idText, digits: idText.count - idPrefixCount, date: date.text)
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

  /// A question that an engine answers in its turn, after everything it was given before:
  /// ipykernel's `kernel_info_request`, which changes nothing.
  mutating func fence(_ tables: borrowing Tables) -> message_handle {
    begin()
    header("kernel_info_request")
    emptyMap()
    emptyMap()
    emptyMap()
    return finish(tables)
  }

  /// Whether a message id is one of ours.
  func isOurs(_ id: UnsafeRawBufferPointer) -> Bool {
    unsafe id.starts(with: idText[..<idPrefixCount])
  }

  /// The number of the message that was made last, and of one of ours.
  var latestNumber: UInt64 { messageCount - 1 }

  func number(ofOurs id: UnsafeRawBufferPointer) -> UInt64? {
    unsafe UInt64(String(decoding: id.dropFirst(idPrefixCount), as: UTF8.self))
  }

  // MARK: building

  mutating func begin() {
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
    // What all messages of a type share comes first, what changes last.
    writer.beginMap(6)
    writer.key("msg_type")
    writer.string(messageType)
    writer.key("username")
    writer.string(username)
    writer.key("session")
    writer.string(session)
    writer.key("version")
    writer.string("5.4")
    writer.key("msg_id")
    writer.string(idText)
    writer.key("date")
    writer.string(date.text)
    writer.endMap()
    endFrame()
  }

  /// Counts up in `idText`, without allocating.
  mutating func advanceID() {
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
    let leading = ends.count - 4
    let delimiter = Delimiter.text.utf8CodeUnitCount
    var bytes: UnsafeMutablePointer<UInt8>? = nil
    guard
      let message = unsafe message_begin(
        tables.messages, UInt16(ends.count + 2), writer.buffer.count + delimiter + signer.size,
        &bytes)
    else { fatalError("out of memory: a message of the scheduler's own") }
    var at = unsafe bytes!
    var start = 0
    let frames = unsafe message.pointee.frames!
    for index in 0..<ends.count {
      if index == leading {
        unsafe at.update(from: Delimiter.text.utf8Start, count: delimiter)
        unsafe frames[leading] = message_frame(data: at, size: UInt64(delimiter))
        unsafe frames[leading + 1] = message_frame(data: at + delimiter, size: UInt64(signer.size))
        unsafe at += delimiter + signer.size
      }
      let size = ends[index] - start
      unsafe at.update(from: writer.buffer.base + start, count: size)
      unsafe frames[index < leading ? index : index + 2] = message_frame(
        data: at, size: UInt64(size))
      unsafe at += size
      start = ends[index]
    }
    let handle = unsafe adopt(message, signature: leading + 1, tables)
    signAll()
    return handle
  }

  private mutating func adopt(
    _ message: UnsafeMutablePointer<message>, signature: Int, _ tables: borrowing Tables
  ) -> message_handle {
    unsafe sign(message, at: signature)
    let handle = unsafe message_adopt(tables.messages, message)
    if handle == MESSAGE_NONE { fatalError("2^26 messages are alive: no handle is left") }
    return handle
  }

  /// Four frames are for `signAll` to sign, into the one before them.
  mutating func sign(_ message: UnsafePointer<message>, at signature: Int) {
    guard signer.size > 0 else { return }
    let frames = unsafe message.pointee.frames! + signature
    // signer_part and message_frame are the same pair of pointer and size.
    unsafe unsigned.append(
      signer_job(
        parts: UnsafeRawPointer(frames + 1).assumingMemoryBound(to: signer_part.self),
        count: 4,
        hex: UnsafeMutableRawPointer(mutating: frames[0].data)
          .assumingMemoryBound(to: CChar.self)))
  }
}

/// `<IDS|MSG>`: ends the routing ids of a message.
enum Delimiter {
  static let text: StaticString = "<IDS|MSG>"
  static var frame: message_frame {
    unsafe message_frame(data: text.utf8Start, size: UInt64(text.utf8CodeUnitCount))
  }
}

/// Intake: messages found to be signed and readable, and what they say (see intake.h).

import CBase
import CIntake
import CTransport

@safe
struct Intake: ~Copyable {
  /// Messages that `lookAhead` takes at once.
  static let aheadMax = Int(INTAKE_AHEAD_MAX)

  let handle: OpaquePointer
  private let ahead: UnsafeMutablePointer<message_frames>

  init(_ options: SessionOptions) throws(SessionFailure) {
    unsafe handle = try Self.make(options)
    unsafe ahead = .allocate(capacity: Self.aheadMax)
  }

  static func make(_ options: SessionOptions) throws(SessionFailure) -> OpaquePointer {
    var reason = [CChar](repeating: 0, count: 512)
    let created = unsafe options.key.withUnsafeBytes { key in
      unsafe options.signatureScheme.withCString { scheme in
        var options = unsafe intake_options(
          packer: options.packer.c, signature_scheme: scheme, key: key.baseAddress,
          key_size: key.count)
        return unsafe intake_create(&options, &reason, reason.count)
      }
    }
    guard let created = unsafe created else { throw SessionFailure(reason) }
    return unsafe created
  }
  deinit {
    unsafe intake_destroy(handle)
    unsafe ahead.deallocate()
  }

  /// Forgets what earlier checks found.
  func reset() { unsafe intake_reset(handle) }

  /// Verifies what is checked next, from `start` on, together: faster than one after the other.
  /// Returns where it ends.
  func lookAhead(_ inbox: borrowing Inbox, from start: Int) -> Int {
    let end = min(inbox.count, start + Self.aheadMax)
    var count = 0
    for index in start..<end {
      let event = unsafe inbox[index]
      if unsafe event.kind == TRANSPORT_MESSAGE.rawValue, unsafe event.checked == nil {
        unsafe ahead[count] = message_frames(
          frames: event.frames, count: UInt32(event.frame_count))
        count += 1
      }
    }
    if count > 1 { unsafe intake_look_ahead(UnsafeMutableRawPointer(handle), ahead, count) }
    return end
  }

  /// What the message says: as the I/O lane found it, or looked at now.
  func check(_ kind: intake_kind, _ event: transport_event) -> intake_message {
    if let checked = unsafe event.checked {
      return unsafe checked.assumingMemoryBound(to: intake_message.self).pointee
    }
    var found = unsafe intake_message()
    unsafe intake_check(handle, kind, event.frames, UInt32(event.frame_count), &found)
    return unsafe found
  }
}

/// An intake for each I/O lane, used by that lane's thread alone. Must outlive the transport.
@safe
struct LaneIntakes: ~Copyable {
  let contexts: UnsafeMutablePointer<UnsafeMutableRawPointer?>
  let count: Int

  init(_ options: SessionOptions, count: Int) throws(SessionFailure) {
    precondition(
      unsafe MemoryLayout<intake_message>.size <= Int(TRANSPORT_CHECKED_SIZE)
        && INTAKE_TASK.rawValue == TRANSPORT_CLIENT.rawValue
        && TRANSPORT_AHEAD_MAX <= INTAKE_AHEAD_MAX
        && INTAKE_REPLY.rawValue == TRANSPORT_ENGINE.rawValue)
    unsafe contexts = .allocate(capacity: max(1, count))
    unsafe contexts.initialize(repeating: nil, count: max(1, count))
    self.count = count
    for index in 0..<count {
      unsafe contexts[index] = UnsafeMutableRawPointer(try Intake.make(options))
    }
  }

  deinit {
    for index in 0..<count {
      if let context = unsafe contexts[index] { unsafe intake_destroy(OpaquePointer(context)) }
    }
    unsafe contexts.deallocate()
  }

  var checker: transport_checker {
    guard count > 0 else { return unsafe transport_checker() }
    return unsafe transport_checker(
      ahead: intake_look_ahead, check: intake_check_apart, contexts: UnsafePointer(contexts))
  }
}

extension DropReason {
  /// Why a message is dropped whose `status` is not INTAKE_OK.
  init(_ message: intake_message) {
    self =
      switch unsafe intake_status(UInt32(message.status)) {
      case INTAKE_NO_DELIMITER: .noDelimiter
      case INTAKE_TOO_FEW_FRAMES: .tooFewFrames
      default: .badSignature
      }
  }
}

/// Intake: messages found to be signed and readable, and what they say (see intake.h).

import CBase
import CIntake
import CTransport

@safe
struct Intake: ~Copyable {
  let handle: OpaquePointer

  init(_ options: SessionOptions) throws(SessionFailure) {
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
    unsafe handle = created
  }
  deinit { unsafe intake_destroy(handle) }

  /// Forgets what earlier checks found.
  func reset() { unsafe intake_reset(handle) }

  func check(_ kind: intake_kind, _ event: transport_event) -> intake_message {
    var found = unsafe intake_message()
    unsafe intake_check(handle, kind, event.frames, UInt32(event.frame_count), &found)
    return unsafe found
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

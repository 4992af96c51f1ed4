/// Kernel: the Swift face of the simulated system calls (see simulated_kernel.h).
///
/// Invariant: between `enter` and `leave` every socket of this thread is this kernel's.

import CSimulatedKernel

/// What a crash of this program says, beside its backtrace.
public func sayOnCrash(_ text: String) { unsafe simulated_say_on_crash(text) }

/// Chances, 0 to 1, that a system call fails as it may on a healthy system.
struct SystemFaults: Sendable {
  var acceptWithoutDescriptors = 0.0
  var acceptAborted = 0.0
  var interrupted = 0.0
  var sendWithoutBuffers = 0.0
  var sendShort = 0.0
  var connectAtOnce = 0.0
  var writeShort = 0.0
  var diskStall = 0.0
}

enum ConnectionState { case connecting, open, closed }

@safe
final class Kernel {
  /// What C calls while the process sleeps.
  private final class Sleeper {
    let body: (UInt64) -> Bool
    init(_ body: @escaping (UInt64) -> Bool) { self.body = body }
  }

  private let handle: OpaquePointer
  private let sleeper: Sleeper

  /// The one folder that it has.
  static let folder = SIMULATED_FOLDER

  /// False in a build whose system calls cannot be replaced.
  static var isLinked: Bool { simulated_kernel_is_linked() }

  /// `sleep`: makes the next thing happen, at that time at the latest; false: nothing ever will.
  init(seed: UInt64, now_ns: UInt64, wall_ns: UInt64, sleep: @escaping (UInt64) -> Bool) {
    sleeper = Sleeper(sleep)
    let host = unsafe simulated_host(context: Unmanaged.passUnretained(sleeper).toOpaque()) {
      unsafe Unmanaged<Sleeper>.fromOpaque($0!).takeUnretainedValue().body($1)
    }
    unsafe handle = simulated_kernel_create(seed, now_ns, wall_ns, host)
  }

  deinit { unsafe simulated_kernel_destroy(handle) }

  func enter() { unsafe simulated_kernel_enter(handle) }
  func leave() { simulated_kernel_leave() }

  var now_ns: UInt64 {
    get { unsafe simulated_kernel_now_ns(handle) }
    set { unsafe simulated_kernel_set_now(handle, newValue) }
  }
  var openFiles: Int { Int(unsafe simulated_kernel_open_files(handle)) }
  var calls: UInt64 { unsafe simulated_kernel_calls(handle) }

  func set(_ faults: SystemFaults) {
    func perMillion(_ share: Double) -> UInt32 { UInt32(share * 1e6) }
    let values = simulated_faults(
      accept_emfile: perMillion(faults.acceptWithoutDescriptors),
      accept_aborted: perMillion(faults.acceptAborted),
      receive_eintr: perMillion(faults.interrupted),
      send_eintr: perMillion(faults.interrupted),
      send_enobufs: perMillion(faults.sendWithoutBuffers),
      send_short: perMillion(faults.sendShort),
      wait_eintr: perMillion(faults.interrupted),
      connect_immediate: perMillion(faults.connectAtOnce),
      write_short: perMillion(faults.writeShort),
      disk_stall: perMillion(faults.diskStall))
    unsafe simulated_kernel_set_faults(handle, values)
  }

  /// The process dies at one of its next calls, or (0) now; its machine with it if that is said.
  func kill(afterCalls calls: UInt64, losesPower: Bool) {
    unsafe simulated_kill(handle, calls, losesPower)
  }
  /// Nobody will be killed.
  func spare() { unsafe simulated_spare(handle) }
  /// What goes on is a ghost: nothing that it does has an effect.
  var isDead: Bool { unsafe simulated_is_dead(handle) }
  /// The ghost is gone; the next process may begin.
  func revive() { unsafe simulated_revive(handle) }
  /// The process died without closing this connection.
  func died(_ number: Int32) -> Bool { unsafe simulated_died(handle, number) }

  /// A connection to a port the process listens on; nil: nobody listens.
  func dial(_ port: UInt16) -> Int32? {
    let number = unsafe simulated_dial(handle, port)
    return number < 0 ? nil : number
  }

  func nextChanged() -> Int32? {
    let number = unsafe simulated_next_changed(handle)
    return number < 0 ? nil : number
  }

  func state(of number: Int32) -> ConnectionState {
    switch unsafe simulated_state_of(handle, number) {
    case SIMULATED_CONNECTING: .connecting
    case SIMULATED_OPEN: .open
    default: .closed
    }
  }

  func dialledPort(of number: Int32) -> UInt16 { unsafe simulated_dialled_port(handle, number) }
  func answer(_ number: Int32, error: Int32) { unsafe simulated_answer(handle, number, error) }

  /// How many of the bytes found room.
  func deliver(_ bytes: ArraySlice<UInt8>, to number: Int32) -> Int {
    unsafe bytes.withUnsafeBufferPointer {
      unsafe simulated_deliver(handle, number, $0.baseAddress, $0.count)
    }
  }

  func end(_ number: Int32) { unsafe simulated_end(handle, number) }
  func reset(_ number: Int32, error: Int32) { unsafe simulated_reset(handle, number, error) }

  func collect(from number: Int32, atMost count: Int) -> [UInt8] {
    let size = min(count, uncollected(of: number))
    return unsafe [UInt8](unsafeUninitializedCapacity: size) { buffer, used in
      unsafe used = simulated_collect(handle, number, buffer.baseAddress, size)
    }
  }

  func uncollected(of number: Int32) -> Int { unsafe simulated_uncollected(handle, number) }

  func setRoom(of number: Int32, receive: Int, send: Int) {
    unsafe simulated_set_room(handle, number, receive, send)
  }

  func forget(_ number: Int32) { unsafe simulated_forget(handle, number) }
}

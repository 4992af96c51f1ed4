/// The simulated kernel says what Linux says: the same script of calls on a simulated connection
/// and on a TCP connection of this machine, edge-triggered, gives the same answers.
///
/// The simulated one goes first: where it reports nothing the real one is waited for briefly, else
/// for as long as it may take.

import CSimulatorSupport
import Glibc
import Testing

@testable import Simulator

@Suite("The simulated kernel against Linux", .enabled(if: Simulation.isPossible))
struct KernelTests {
  enum Call {
    case watch(UInt32)
    case change(UInt32)
    /// What epoll_pwait2 reports.
    case wait
    /// The process reads at most so many bytes.
    case read(Int)
    /// The process writes until there is no room.
    case fill
    case peerWrites(Int)
    case peerEnds
    case peerResets
    /// The peer reads everything there is.
    case peerDrains
  }

  static let receives = PROBE_IN | PROBE_RDHUP | PROBE_ET
  static let sends = receives | PROBE_OUT

  static let scripts: [[Call]] = [
    // Nothing, bytes, no second edge for the same bytes, an edge for more.
    [.watch(receives), .wait, .peerWrites(10), .wait, .wait, .peerWrites(1), .wait, .read(64)],
    [.watch(receives), .peerWrites(10), .wait, .read(4), .wait, .read(64), .read(64), .wait],
    // What was there before the watch is told.
    [.peerWrites(10), .watch(receives), .wait, .read(64)],
    // Bytes and the end behind them make one edge.
    [.watch(receives), .peerWrites(10), .peerEnds, .wait, .read(64), .wait, .read(64), .read(64)],
    [.watch(receives), .peerWrites(10), .wait, .read(64), .peerEnds, .wait, .read(64)],
    // Room is told at once when it is asked for.
    [.watch(receives), .wait, .change(sends), .wait, .wait, .change(receives), .wait],
    // No room, then room; asked for before and after.
    [.watch(receives), .fill, .change(sends), .wait, .peerDrains, .wait, .wait],
    [.watch(sends), .wait, .fill, .wait, .peerDrains, .wait],
    // A reset.
    [.watch(receives), .peerWrites(10), .wait, .peerResets, .wait, .read(64)],
  ]

  @Test(arguments: scripts.indices) func `a script of calls`(_ index: Int) throws {
    let simulated = Simulated().run(Self.scripts[index], patience: nil)
    let real = try Real().run(Self.scripts[index], patience: simulated)
    #expect(simulated == real)
  }

  @Test func `descriptors are the lowest free ones, and the system's own are let be`() {
    let kernel = Kernel(seed: 1, now_ns: 0, wall_ns: 0) { _ in true }
    kernel.enter()
    defer { kernel.leave() }
    let stream = Int32(SOCK_STREAM.rawValue)
    let fds = (0..<3).map { _ in socket(AF_INET, stream, 0) }
    #expect(fds == [4096, 4097, 4098])
    close(fds[1])
    #expect(socket(AF_INET, stream, 0) == fds[1])
    #expect(kernel.openFiles == 3)
    let own = dup(1)
    #expect(own < 4096 && close(own) == 0)
    #expect(recv(fds[1], nil, 0, 0) == -1 && errno == ENOTCONN)
    for fd in fds { close(fd) }
    #expect(kernel.openFiles == 0)
  }
}

/// One connection, the process's side of it.
private protocol Side: AnyObject {
  var fd: Int32 { get }
  var set: Int32 { get }
  func write(_ count: Int)
  func end()
  func reset()
  func drain()
}

extension Side {
  /// A line for each call that has an answer.
  func run(_ script: [KernelTests.Call], patience: [String]?) -> [String] {
    var lines: [String] = []
    for call in script {
      switch call {
      case .watch(let events): watch(events, again: false)
      case .change(let events): watch(events, again: true)
      case .wait:
        let isShort = patience.map { lines.count < $0.count && $0[lines.count] == "nothing" }
        lines.append(wait(milliseconds: isShort ?? true ? 20 : 5_000))
      case .read(let count):
        var bytes = [UInt8](repeating: 0, count: count)
        let size = recv(fd, &bytes, count, Int32(MSG_DONTWAIT))
        lines.append(size >= 0 ? "read \(size)" : "error \(errno)")
      case .fill:
        var bytes = [UInt8](repeating: 1, count: 1 << 16)
        while sendAll(&bytes) {}
        lines.append("full \(errno)")
      case .peerWrites(let count): write(count)
      case .peerEnds: end()
      case .peerResets: reset()
      case .peerDrains: drain()
      }
    }
    return lines
  }

  private func watch(_ events: UInt32, again: Bool) {
    precondition(probe_epoll_watch(set, fd, events, again) == 0)
  }

  private func wait(milliseconds: Int32) -> String {
    let fired = probe_epoll_wait(set, milliseconds)
    return fired == 0 ? "nothing" : "fired \(fired)"
  }

  private func sendAll(_ bytes: inout [UInt8]) -> Bool {
    let size = bytes.count
    return bytes.withUnsafeMutableBytes { buffer in
      var part = iovec(iov_base: buffer.baseAddress, iov_len: size)
      return withUnsafeMutablePointer(to: &part) { part in
        var header = msghdr()
        header.msg_iov = part
        header.msg_iovlen = 1
        return sendmsg(fd, &header, Int32(MSG_DONTWAIT) | Int32(MSG_NOSIGNAL)) > 0
      }
    }
  }
}

private final class Simulated: Side {
  private let kernel: Kernel
  private let number: Int32
  let fd: Int32
  let set: Int32

  init() {
    nonisolated(unsafe) var own: Kernel?
    kernel = Kernel(seed: 1, now_ns: 1, wall_ns: 1) {
      own!.now_ns = $0
      return true
    }
    own = kernel
    kernel.enter()
    let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    var address = sockaddr_in()
    address.sin_port = in_port_t(5).bigEndian
    withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        _ = bind(listener, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
      }
    }
    listen(listener, 1)
    number = kernel.dial(5)!
    fd = probe_accept(listener)
    close(listener)
    set = probe_epoll_create()
  }

  deinit {
    kernel.leave()
  }

  func write(_ count: Int) {
    _ = kernel.deliver([UInt8](repeating: 1, count: count)[...], to: number)
  }
  func end() { kernel.end(number) }
  func reset() { kernel.reset(number, error: ECONNRESET) }
  func drain() { _ = kernel.collect(from: number, atMost: .max) }
}

private final class Real: Side {
  let fd: Int32
  let set: Int32
  private var peer: Int32

  init() throws {
    let stream = Int32(SOCK_STREAM.rawValue)
    let listener = socket(AF_INET, stream, 0)
    defer { close(listener) }
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
    var size = socklen_t(MemoryLayout<sockaddr_in>.size)
    peer = socket(AF_INET, stream, 0)
    let client = peer
    let rc = withUnsafeMutablePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        bind(listener, $0, size) | listen(listener, 1) | getsockname(listener, $0, &size)
          | connect(client, $0, size)
      }
    }
    try #require(rc == 0)
    fd = probe_accept(listener)
    set = probe_epoll_create()
  }

  deinit {
    for each in [fd, set, peer] where each >= 0 { close(each) }
  }

  func write(_ count: Int) {
    _ = send(peer, [UInt8](repeating: 1, count: count), count, 0)
  }

  func end() { shutdown(peer, Int32(SHUT_WR)) }

  func reset() {
    var abrupt = linger(l_onoff: 1, l_linger: 0)
    setsockopt(peer, SOL_SOCKET, SO_LINGER, &abrupt, socklen_t(MemoryLayout<linger>.size))
    close(peer)
    peer = -1
  }

  func drain() {
    // Until nothing more comes: what the process sent is on its way.
    var bytes = [UInt8](repeating: 0, count: 1 << 20)
    var patience = timeval(tv_sec: 0, tv_usec: 200_000)
    setsockopt(peer, SOL_SOCKET, SO_RCVTIMEO, &patience, socklen_t(MemoryLayout<timeval>.size))
    while recv(peer, &bytes, bytes.count, 0) > 0 {}
  }
}

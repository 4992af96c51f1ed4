/// PeerSocket: a ZeroMQ socket with one connection, as a peer of the scheduler has it: ZMTP 3.0 or
/// 3.1 with the mechanism NULL, written from RFC 23 and 37 and not from the product's codec.
///
/// Messages sent while there is no connection wait for the next one, as a DEALER's do. After a
/// loss a socket that dials dials again.
///
/// Invariant: `deliver` is called with whole messages only, in order.

final class PeerSocket: LinkEnd {
  enum Kind: String {
    case dealer = "DEALER"
    case router = "ROUTER"
    case publisher = "PUB"
    case subscriber = "SUB"
  }
  private enum Phase { case none, greeting, handshake, ready }

  private unowned let world: World
  private let kind: Kind
  /// Announced to the scheduler; empty: it makes one up.
  let identity: [UInt8]
  /// The scheduler's port; 0: the scheduler dials us.
  private let port: UInt16
  private let minor: UInt8
  private(set) var link: Link?
  private var phase = Phase.none
  private var input: [UInt8] = []
  private var frames: [[UInt8]] = []
  private var waiting: [[UInt8]] = []
  private var isClosed = false
  /// The peer subscribed to everything (PUB).
  private(set) var isSubscribed = false
  /// Connections lost, by whatever cause, and whether bytes were ever changed on one.
  private(set) var losses = 0
  /// Of those that were the scheduler's death.
  private(set) var deaths = 0
  private(set) var wasCorrupted = false

  var deliver: ([[UInt8]]) -> Void = { _ in }
  var becameReady: () -> Void = {}

  init(_ world: World, _ kind: Kind, identity: [UInt8] = [], port: UInt16 = 0) {
    self.world = world
    self.kind = kind
    self.identity = identity
    self.port = port
    minor = UInt8(world.dice.below(2))
  }

  var isReady: Bool { phase == .ready }
  /// Nothing that was handed over can have been lost or changed.
  var isSteady: Bool { losses == deaths && !isTainted }
  var isTainted: Bool { wasCorrupted || link?.isCorrupted == true }

  func dial() {
    guard !isClosed, link == nil else { return }
    guard let number = world.kernel.dial(port) else {
      world.after(50_000_000) { [self] in dial() }
      return
    }
    open(Link(number, world, self))
  }

  /// The scheduler dialled us.
  func accept(_ number: Int32) {
    // As libzmq's SUB and PUB do, the newest connection serves; the scheduler never has two.
    let old = link
    link = nil
    old?.cut(abruptly: true)
    open(Link(number, world, self))
  }

  private func open(_ link: Link) {
    self.link = link
    phase = .greeting
    isSubscribed = false
    input.removeAll()
    frames.removeAll()
    var greeting: [UInt8] = [0xff, 0, 0, 0, 0, 0, 0, 0, 1, 0x7f, 3, minor]
    greeting += Array("NULL".utf8)
    greeting += [UInt8](repeating: 0, count: 64 - greeting.count)
    link.send(greeting)
  }

  func send(_ message: [[UInt8]]) {
    var bytes: [UInt8] = []
    for (index, frame) in message.enumerated() {
      append(frame, flags: index + 1 < message.count ? 1 : 0, to: &bytes)
    }
    if isReady { link?.send(bytes) } else if kind != .publisher { waiting.append(bytes) }
  }

  func ping() {
    guard isReady else { return }
    command("PING", [0, 0] + Array("simulated".utf8))
  }

  /// For good.
  func close(abruptly: Bool) {
    isClosed = true
    waiting.removeAll()
    link?.cut(abruptly: abruptly)
  }

  /// Connects once more, under the same name, without a word to the old connection: as a machine
  /// does that came back after its cable was pulled.
  func dialAnew() {
    guard let old = link, port != 0 else { return }
    wasCorrupted = isTainted
    losses += 1
    old.abandon()
    link = nil
    phase = .none
    dial()
  }

  func cut() { link?.cut(abruptly: false) }

  // MARK: LinkEnd

  func lost() {
    wasCorrupted = isTainted
    losses += 1
    if link?.wasOrphaned == true { deaths += 1 }
    link = nil
    phase = .none
    isSubscribed = false
    guard !isClosed, port != 0 else { return }
    world.after(world.dice.spread(1_000_000, 500_000_000)) { [self] in dial() }
  }

  func received(_ bytes: [UInt8]) {
    input += bytes
    var at = 0
    while let next = take(from: at) {
      at = next
      if link == nil { return }
    }
    if at > 0 { input.removeFirst(min(at, input.count)) }
  }

  /// Reads one thing at `at`; where the next begins, or nil when it is not all there.
  private func take(from at: Int) -> Int? {
    if phase == .greeting {
      guard input.count - at >= 64 else { return nil }
      guard input[at] == 0xff, input[at + 10] == 3 else { return refuse() }
      phase = .handshake
      command("READY", metadata)
      return at + 64
    }
    guard input.count - at >= 2 else { return nil }
    let flags = input[at]
    var body = at + 2
    var size = Int(input[at + 1])
    if flags & 2 != 0 {
      body = at + 9
      guard input.count >= body else { return nil }
      var value: UInt64 = 0
      for index in (at + 1)..<body { value = value << 8 | UInt64(input[index]) }
      guard value < 1 << 31 else { return refuse() }
      size = Int(value)
    }
    guard flags < 8 else { return refuse() }
    guard input.count - body >= size else { return nil }
    let bytes = Array(input[body..<(body + size)])
    if flags & 4 != 0 { took(command: bytes) } else { took(frame: bytes, more: flags & 1 != 0) }
    return body + size
  }

  /// What came cannot be right: a corrupted stream.
  private func refuse() -> Int? {
    link?.cut(abruptly: true)
    return nil
  }

  private func took(command bytes: [UInt8]) {
    guard let nameSize = bytes.first.map(Int.init), nameSize > 0, nameSize < bytes.count else {
      return
    }
    let name = String(decoding: bytes[1...nameSize], as: UTF8.self)
    let isAll = bytes.count == nameSize + 1
    if name == "READY", phase == .handshake {
      becomeReady()
    } else if name == "SUBSCRIBE" && isAll {
      subscribe()
    }
  }

  private func becomeReady() {
    phase = .ready
    if kind == .subscriber {
      if minor >= 1 { command("SUBSCRIBE", []) } else { link?.send([0, 1, 1]) }
    }
    for bytes in waiting { link?.send(bytes) }
    waiting.removeAll()
    if kind != .publisher { becameReady() }
  }

  private func subscribe() {
    guard kind == .publisher, !isSubscribed else { return }
    isSubscribed = true
    becameReady()
  }

  private func took(frame: [UInt8], more: Bool) {
    guard phase == .ready else { return }
    frames.append(frame)
    guard !more else { return }
    let message = frames
    frames.removeAll()
    if kind == .publisher {
      if message == [[1]] { subscribe() }
      return
    }
    deliver(message)
  }

  // MARK: writing

  private var metadata: [UInt8] {
    property("Socket-Type", Array(kind.rawValue.utf8)) + property("Identity", identity)
  }

  private func property(_ name: String, _ value: [UInt8]) -> [UInt8] {
    [UInt8(name.utf8.count)] + Array(name.utf8) + [0, 0, 0, UInt8(value.count)] + value
  }

  private func command(_ name: String, _ data: [UInt8]) {
    var bytes: [UInt8] = []
    append([UInt8(name.utf8.count)] + Array(name.utf8) + data, flags: 4, to: &bytes)
    link?.send(bytes)
  }

  private func append(_ body: [UInt8], flags: UInt8, to bytes: inout [UInt8]) {
    if body.count < 256 {
      bytes += [flags, UInt8(body.count)]
    } else {
      bytes.append(flags | 2)
      for shift in stride(from: 56, through: 0, by: -8) {
        bytes.append(UInt8(truncatingIfNeeded: body.count >> shift))
      }
    }
    bytes += body
  }
}

/// Link: one TCP connection between a peer and the scheduler, and the network between them, which
/// delays, splits, merges, stalls, corrupts and cuts.
///
///     peer ── send ──▶ outgoing ── pump, piece by piece ──▶ kernel ──▶ the scheduler's recv
///     peer ◀── received ── collect, piece by piece ──────── kernel ◀── the scheduler's sendmsg
///
/// Invariant: bytes keep their order in each direction; after `isOver` nothing travels any more.

protocol LinkEnd: AnyObject {
  func received(_ bytes: [UInt8])
  /// The connection is gone, whoever ended it.
  func lost()
}

final class Link {
  let number: Int32
  private unowned let world: World
  private weak var end: (any LinkEnd)?
  private(set) var isOver = false
  /// A byte was changed on the way: what this link carries can no longer be relied on.
  private(set) var isCorrupted = false
  private(set) var isAbandoned = false
  /// It is over because the scheduler died.
  private(set) var wasOrphaned = false
  /// Since when the scheduler has had something on its way to the peer without a pause.
  private var busySince_ns: UInt64?
  private var outgoing: [UInt8] = []
  private var outgoingFirst = 0
  private var isPumping = false
  private var isCollecting = false
  /// The scheduler's receive buffer is full.
  private var isBlocked = false

  init(_ number: Int32, _ world: World, _ end: any LinkEnd) {
    self.number = number
    self.world = world
    self.end = end
    world.register(self)
    let isSmall = world.dice.chance(world.rates.smallBuffers)
    setRoom(isSmall ? Int(world.dice.spread(256, 32_768)) : Self.ampleRoom)
  }

  static let ampleRoom = 1 << 18

  /// Bytes that each of the scheduler's two buffers holds.
  func setRoom(_ room: Int) { world.kernel.setRoom(of: number, receive: room, send: room) }

  func send(_ bytes: [UInt8]) {
    guard !isOver else { return }
    outgoing += bytes
    startPumping()
  }

  /// The scheduler did something with its side.
  func changed() {
    guard !isOver else { return }
    if isBlocked {
      isBlocked = false
      startPumping()
    }
    startCollecting()
  }

  /// Ends the connection from the peer's side. What was on its way may be lost.
  func cut(abruptly: Bool) {
    guard !isOver else { return }
    world.census.count(abruptly ? "network: reset" : "network: ended")
    if abruptly {
      world.kernel.reset(number, error: connectionReset)
    } else {
      world.kernel.end(number)
    }
    finish()
  }

  /// Nobody is at the peer's end any more, and nobody says so: the scheduler may find out.
  func abandon() {
    isAbandoned = true
    end = nil
    outgoing.removeAll()
    outgoingFirst = 0
  }

  func isBusy(longerThan time_ns: UInt64) -> Bool {
    busySince_ns.map { $0 + time_ns < world.now_ns } ?? false
  }

  private func finish() {
    isOver = true
    outgoing.removeAll()
    world.forget(self)
    end?.lost()
  }

  // MARK: towards the scheduler

  private func startPumping() {
    guard !isPumping, !isBlocked, outgoingFirst < outgoing.count else { return }
    isPumping = true
    world.after(world.travelTime()) { [self] in pump() }
  }

  private func pump() {
    isPumping = false
    guard !isOver, outgoingFirst < outgoing.count else { return }
    let size = world.pieceSize(of: outgoing.count - outgoingFirst)
    let isCut = world.dice.chance(world.rates.cut)
    let end = outgoingFirst + (isCut ? world.dice.below(size + 1) : size)
    if world.dice.chance(world.rates.corrupt) && end > outgoingFirst {
      isCorrupted = true
      world.census.count("network: corrupted")
      let index = outgoingFirst + world.dice.below(end - outgoingFirst)
      outgoing[index] ^= UInt8(1 << world.dice.below(8))
    }
    outgoingFirst += world.kernel.deliver(outgoing[outgoingFirst..<end], to: number)
    if isCut {
      cut(abruptly: world.dice.chance(50))
      return
    }
    if outgoingFirst < end { isBlocked = true }
    if outgoingFirst == outgoing.count || outgoingFirst > 1 << 16 {
      outgoing.removeFirst(outgoingFirst)
      outgoingFirst = 0
    }
    startPumping()
  }

  // MARK: towards the peer

  private func startCollecting() {
    guard !isCollecting else { return }
    guard world.kernel.uncollected(of: number) > 0 || world.kernel.state(of: number) == .closed
    else { return }
    isCollecting = true
    busySince_ns = busySince_ns ?? world.now_ns
    world.after(world.travelTime()) { [self] in collect() }
  }

  private func collect() {
    isCollecting = false
    guard !isOver else { return }
    let waiting = world.kernel.uncollected(of: number)
    guard waiting > 0 else {
      if world.kernel.state(of: number) == .closed {
        wasOrphaned = world.kernel.died(number)
        finish()
      }
      busySince_ns = nil
      return
    }
    var bytes = world.kernel.collect(from: number, atMost: world.pieceSize(of: waiting))
    world.trace.note(bytes: bytes, of: number)
    if world.dice.chance(world.rates.corrupt) {
      isCorrupted = true
      world.census.count("network: corrupted")
      bytes[world.dice.below(bytes.count)] ^= UInt8(1 << world.dice.below(8))
    }
    end?.received(bytes)
    guard !isOver else { return }
    if world.dice.chance(world.rates.cut) {
      cut(abruptly: world.dice.chance(50))
      return
    }
    if world.kernel.uncollected(of: number) == 0 { busySince_ns = nil }
    startCollecting()
  }
}

/// ECONNRESET.
private let connectionReset: Int32 = 104

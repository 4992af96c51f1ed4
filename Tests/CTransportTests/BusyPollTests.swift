// BusyPollTests.swift: when a turn looks on, and what that may cost, in made-up time.

import CTransport
import CTransportSupport
import Synchronization
import TestSupport
import Testing

private let us: UInt64 = 1000
private let ms: UInt64 = 1_000_000

/// Waits, one after the other, as transport_turn waits. A look takes a microsecond.
private struct Waiter {
  var poll = busy_poll()
  var now: UInt64 = 1_000_000_000
  var looked = 0
  var hits = 0
  var short = 0
  var vain = 0
  /// How late a sleeper is.
  var wake: UInt64 = 0
  var preemptions: @convention(c) () -> Int64 = { 0 }

  init(_ window: UInt64) { busy_poll_init(&poll, window) }

  /// True when it looked at all. `gap`: until something comes; nil: nothing does before `deadline`.
  /// `pause`: how long the second look takes, once.
  @discardableResult
  mutating func wait(_ gap: UInt64?, deadline: UInt64 = 1_000_000_000, pause: UInt64 = 0) -> Bool {
    let begin = now
    let comes = gap.map { begin + $0 } ?? .max
    let end = begin + deadline
    var didLook = false
    busy_poll_begin(&poll, now)
    while now < min(comes, end), busy_poll_looks(&poll, now, preemptions) {
      now += didLook ? us : us + pause
      didLook = true
    }
    let sleeps = now < min(comes, end)
    if sleeps { now = min(comes, end) + wake }
    busy_poll_end(&poll, now, comes <= end)
    looked += didLook ? 1 : 0
    hits += didLook && !sleeps && comes <= end ? 1 : 0
    vain += didLook && sleeps ? 1 : 0
    short += !didLook && comes <= end && now - begin <= 200 * us ? 1 : 0
    return didLook
  }
}

extension Waiter {
  mutating func expect(
    _ looks: Bool, _ gap: UInt64?, deadline: UInt64 = 1_000_000_000, pause: UInt64 = 0
  ) {
    let looked = wait(gap, deadline: deadline, pause: pause)
    #expect(looked == looks)
  }
}

/// Once more each time that it is asked.
private let counted = Atomic<Int64>(0)

@Suite struct BusyPoll {
  @Test func `a fixed window is looked through, whatever comes of it`() {
    var waiter = Waiter(50 * us)
    for _ in 0..<100 {
      let begin = waiter.now
      waiter.expect(true, nil, deadline: 10 * ms)
      #expect(waiter.now == begin + 10 * ms)
    }
    #expect(waiter.vain == 100)
    waiter.expect(true, 20 * us)
    #expect(waiter.hits == 1)
  }

  @Test func `zero never looks`() {
    var waiter = Waiter(0)
    for _ in 0..<100 { waiter.expect(false, 5 * us) }
  }

  @Test func `an idle cluster is not looked for`() {
    var waiter = Waiter(TRANSPORT_BUSY_POLL_AUTO)
    for _ in 0..<1000 {
      waiter.wait(nil, deadline: 100 * ms)
      waiter.wait(3 * ms)
    }
    #expect(waiter.looked == 0)
  }

  /// Asleep it looks longer than it is: both sides wake up.
  @Test func `a steady load is, once it is known`() {
    var waiter = Waiter(TRANSPORT_BUSY_POLL_AUTO)
    waiter.wake = 70 * us
    for _ in 0..<200 { waiter.wait(40 * us) }
    #expect(waiter.looked >= 150)
    let before = waiter.hits
    for _ in 0..<100 { waiter.expect(true, 40 * us) }
    #expect(waiter.hits == before + 100)
    #expect(waiter.vain == 0)
  }

  @Test func `a task now and then: its reply is looked for, the next task is not`() {
    var waiter = Waiter(TRANSPORT_BUSY_POLL_AUTO)
    for _ in 0..<50 {
      waiter.wait(30 * us)
      waiter.wait(2 * ms)
    }
    for _ in 0..<100 {
      waiter.expect(true, 30 * us)
      waiter.expect(false, 2 * ms)
    }
    #expect(waiter.vain <= 16)
  }

  /// Of each history that never pays, one wait in nine at most: 150 us are short of the window when
  /// asleep, and never within it.
  @Test func `what never pays is seldom tried`() {
    var waiter = Waiter(TRANSPORT_BUSY_POLL_AUTO)
    for _ in 0..<9000 { waiter.wait(150 * us) }
    #expect(waiter.hits == 0)
    #expect(waiter.vain <= 1000)
    #expect(waiter.vain > 0)
  }

  @Test func `a look that finds the thread preempted is the last for a while, each time longer`() {
    var waiter = Waiter(TRANSPORT_BUSY_POLL_AUTO)
    waiter.preemptions = { counted.add(1, ordering: .relaxed).newValue }
    for _ in 0..<200 { waiter.wait(40 * us) }
    var rests: [UInt64] = []
    for _ in 0..<10 {
      waiter.expect(true, 5 * ms, pause: 3 * ms)
      let begin = waiter.now
      while !waiter.wait(40 * us) {}
      rests.append(waiter.now - begin)
      for _ in 0..<50 { waiter.wait(40 * us) }
    }
    // 10 ms, doubled up to 1280, less the 3 ms wait's rest, plus what it takes to be sure again.
    for (index, rest) in rests.enumerated() {
      let wanted = min(10 * ms << UInt64(index), 1280 * ms)
      #expect(rest > wanted - 4 * ms && rest < wanted + 10 * ms, "\(index): \(rest)")
    }
    // A tenth of a second of looking in peace: as at first.
    for _ in 0..<3000 { waiter.wait(40 * us) }
    waiter.wait(5 * ms, pause: 3 * ms)
    let begin = waiter.now
    while !waiter.wait(40 * us) {}
    #expect(waiter.now - begin < 20 * ms)
  }

  @Test func `a sleep that brings nothing is no preemption`() {
    var waiter = Waiter(TRANSPORT_BUSY_POLL_AUTO)
    waiter.preemptions = { counted.add(1, ordering: .relaxed).newValue }
    for _ in 0..<200 { waiter.wait(40 * us) }
    busy_poll_begin(&waiter.poll, waiter.now)
    while busy_poll_looks(&waiter.poll, waiter.now, waiter.preemptions) { waiter.now += us }
    waiter.now += 5 * ms  // asleep, woken by a send's end
    let looks = busy_poll_looks(&waiter.poll, waiter.now, waiter.preemptions)
    #expect(!looks)
    busy_poll_end(&waiter.poll, waiter.now, false)
    #expect(waiter.poll.rest_until_ns == 0)
  }

  @Test func `a stall without preemption, as of a virtual machine, is nobody's wish`() {
    var waiter = Waiter(TRANSPORT_BUSY_POLL_AUTO)
    for _ in 0..<200 { waiter.wait(40 * us) }
    waiter.wait(5 * ms, pause: 3 * ms)
    var looked = 0
    for _ in 0..<40 { looked += waiter.wait(40 * us) ? 1 : 0 }
    #expect(looked > 20)
  }

  /// A look in vain takes eight from a history's trust, which a hit fills by four, a short sleep by
  /// one: whatever comes, looks in vain have been paid for.
  @Test func `looks in vain are earned before`() {
    var dice = SeededGenerator.announced("BusyPoll")
    for _ in 0..<200 {
      var waiter = Waiter(TRANSPORT_BUSY_POLL_AUTO)
      waiter.wake = UInt64.random(in: 0...100, using: &dice) * us
      let scale = UInt64.random(in: 1...400, using: &dice)
      for _ in 0..<2000 {
        let comes = !dice.oneIn(20)
        waiter.wait(
          comes ? UInt64.random(in: 0...scale, using: &dice) * us : nil, deadline: 50 * ms)
        #expect(8 * waiter.vain <= 4 * waiter.hits + waiter.short)
      }
    }
  }
}

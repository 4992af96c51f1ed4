/// When a record counts as sent: only what followed from it, handed over a while ago and taken by
/// the hub's machine, is not told again.

import CTransport
import Testing

@testable import SchedulerWire

@Suite struct DeparturesTests {
  private func link(_ handed: UInt64, _ unconfirmed: UInt64 = 0) -> transport_departures {
    transport_departures(handed: handed, unconfirmed: unconfirmed)
  }

  @Test func `what was released counts a pause after it was looked at`() {
    var departures = Departures(pause_ns: 10)
    departures.begin(sent: 5)
    #expect(departures.deadline_ns == .max)
    departures.release(9)
    let told1 = departures.look(now_ns: 100, link(50), isKept: false)
    #expect(!told1)
    departures.release(12)  // too late for this look
    let told2 = departures.look(now_ns: 109, link(60), isKept: false)
    #expect(!told2)
    let told3 = departures.look(now_ns: 110, link(60), isKept: false)
    #expect(told3)
    #expect(departures.sent == 9)
    let told4 = departures.look(now_ns: 120, link(60), isKept: false)
    #expect(told4)
    #expect(departures.sent == 12 && departures.deadline_ns == .max)
  }

  @Test func `what the hub's machine has not confirmed does not count`() {
    var departures = Departures(pause_ns: 10)
    departures.begin(sent: 0)
    departures.release(3)
    let told5 = departures.look(now_ns: 0, link(100, 100), isKept: false)
    #expect(!told5)
    departures.release(4)
    let told6 = departures.look(now_ns: 10, link(180, 81), isKept: false)
    #expect(!told6)
    let told7 = departures.look(now_ns: 20, link(180, 80), isKept: false)
    #expect(told7)
    #expect(departures.sent == 3)
  }

  @Test func `the link's own commands may be all that is unconfirmed`() {
    var departures = Departures(pause_ns: 100)
    departures.release(7)
    _ = departures.look(now_ns: 1000, link(10, 64), isKept: false)
    let before = departures.look(now_ns: 1100, link(10, 64), isKept: false)
    let after = departures.look(now_ns: 1200, link(10, 0), isKept: false)
    #expect(!before && after && departures.sent == 7)
  }

  @Test func `what a former life handed over counts only once it was told again`() {
    var departures = Departures(pause_ns: 10)
    departures.begin(sent: 2)
    // Restored up to 7; the disk is slow, nothing is released: time alone changes nothing.
    for now_ns in stride(from: UInt64(0), to: 1000, by: 10) {
      let told8 = departures.look(now_ns: now_ns, link(0), isKept: false)
      #expect(!told8)
    }
    departures.release(8)
    let told9 = departures.look(now_ns: 1000, link(20), isKept: false)
    #expect(!told9)
    let told10 = departures.look(now_ns: 1010, link(20), isKept: false)
    #expect(told10)
    #expect(departures.sent == 8)
  }

  @Test func `nothing counts while something waits for a hub that does not listen`() {
    var departures = Departures(pause_ns: 10)
    departures.begin(sent: 0)
    departures.release(3)
    let told11 = departures.look(now_ns: 0, link(0), isKept: true)
    #expect(!told11)
    let told12 = departures.look(now_ns: 10, link(0), isKept: true)
    #expect(!told12)
    let told13 = departures.end(link(0), isKept: true)
    #expect(!told13)
    let told14 = departures.look(now_ns: 20, link(5), isKept: false)
    #expect(!told14)
    let told15 = departures.look(now_ns: 30, link(5), isKept: false)
    #expect(told15)
    #expect(departures.sent == 3)
  }

  @Test func `frozen nothing counts any more, and the end counts only what has left`() {
    var departures = Departures(pause_ns: 10)
    departures.begin(sent: 0)
    departures.release(3)
    let told16 = departures.end(link(9, 1), isKept: false)
    #expect(!told16)
    let told17 = departures.end(link(9), isKept: false)
    #expect(told17 && departures.sent == 3)
    departures.release(4)
    departures.freeze()
    let told18 = departures.look(now_ns: 0, link(9), isKept: false)
    #expect(!told18)
    let told19 = departures.look(now_ns: 50, link(9), isKept: false)
    #expect(!told19)
    let told20 = departures.end(link(9), isKept: false)
    #expect(!told20)
    #expect(departures.sent == 3 && departures.deadline_ns == .max)
  }
}

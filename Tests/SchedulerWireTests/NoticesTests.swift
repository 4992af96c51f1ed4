// SEMANTICS 2.1: what is dropped is counted always and told at a bounded rate.

import Testing

@testable import SchedulerWire

@Suite struct NoticesTests {
  @Test func aFloodIsCountedAndToldOnceASecond() {
    var counter = DropCounter()
    var told = 0
    var untold: UInt64 = 0
    // 100,000 drops in two seconds.
    for index in 0..<UInt64(100_000) {
      if let silent = counter.drop(now_ns: 5_000_000_000 + index * 20_000) {
        told += 1
        untold += silent
      }
    }
    #expect(counter.count == 100_000)
    #expect(told == 2)
    // The next one that is told accounts for all the silence before it.
    let last = counter.drop(now_ns: 60_000_000_000)
    #expect(last != nil)
    #expect(UInt64(told) + untold + (last ?? 0) == 100_000)
  }

  @Test func levelsCompareLikePythons() {
    #expect(NoticeLevel.debug < .info && .info < .warning && .error < .critical)
    #expect(NoticeLevel.warning.rawValue == 30)
  }
}

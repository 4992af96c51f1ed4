// SEMANTICS 1: the header's `date`, as jupyter_client writes it.

import Testing

@testable import SchedulerWire

private func text(_ wall_us: Int64) -> String {
  var stamp = Timestamp()
  stamp.set(wall_us: wall_us)
  return String(decoding: stamp.text, as: UTF8.self)
}

@Suite struct TimestampTests {
  // From Python: datetime.fromtimestamp(s, timezone.utc).isoformat().
  @Test(arguments: [
    (0, "1970-01-01T00:00:00.000000Z"),
    (951_782_399_999_999, "2000-02-28T23:59:59.999999Z"),
    (951_782_400_000_000, "2000-02-29T00:00:00.000000Z"),
    (951_868_800_000_001, "2000-03-01T00:00:00.000001Z"),
    (1_764_000_000_123_456, "2025-11-24T16:00:00.123456Z"),
    (4_107_542_400_000_000, "2100-03-01T00:00:00.000000Z"),
    (4_102_444_799_000_000, "2099-12-31T23:59:59.000000Z"),
  ])
  func formatsLikePython(_ wall_us: Int64, _ expected: String) {
    #expect(text(wall_us) == expected)
  }

  @Test func everyDayOfFourCenturiesFollowsTheOneBefore() {
    // The calendar walked by hand, day by day, from 1970 to 2370.
    var (year, month, day) = (1970, 1, 1)
    func daysInMonth() -> Int {
      let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
      return [31, leap ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31][month - 1]
    }
    for index in 0..<Int64(146_097) {
      func pad(_ value: Int, _ digits: Int) -> String {
        String(repeating: "0", count: digits - String(value).count) + String(value)
      }
      let expected = "\(pad(year, 4))-\(pad(month, 2))-\(pad(day, 2))T00:00:00.000000Z"
      let actual = text(index * 86_400_000_000)
      if actual != expected {
        Issue.record("day \(index): \(actual), expected \(expected)")
        return
      }
      day += 1
      if day > daysInMonth() { (month, day) = (month + 1, 1) }
      if month > 12 { (year, month) = (year + 1, 1) }
    }
  }
}

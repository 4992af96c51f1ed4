/// Timestamp: ISO 8601 in UTC with microseconds, as jupyter_client writes `date`:
/// `2026-11-23T06:58:20.272641Z`. Formatted once a turn at most; no Foundation, no locale.

struct Timestamp {
  /// Always 27 bytes.
  private(set) var text = [UInt8](repeating: UInt8(ascii: "0"), count: 27)
  private var second: Int64 = -1

  /// `wall_us`: microseconds since 1970-01-01T00:00:00Z.
  mutating func set(wall_us: Int64) {
    let seconds = wall_us >= 0 ? wall_us / 1_000_000 : 0
    if seconds != second {
      second = seconds
      writeSecond(seconds)
    }
    write(Int(wall_us % 1_000_000), at: 20, digits: 6)
  }

  private mutating func writeSecond(_ seconds: Int64) {
    // Days to a civil date, in eras of 400 years that begin on March 1st.
    let days = seconds / 86_400 + 719_468
    let era = days / 146_097
    let dayOfEra = days % 146_097
    let yearOfEra =
      (dayOfEra - dayOfEra / 1_460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
    let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
    let shiftedMonth = (5 * dayOfYear + 2) / 153
    let day = dayOfYear - (153 * shiftedMonth + 2) / 5 + 1
    let month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9
    let year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
    let time = Int(seconds % 86_400)
    write(Int(year), at: 0, digits: 4)
    write(Int(month), at: 5, digits: 2)
    write(Int(day), at: 8, digits: 2)
    write(time / 3600, at: 11, digits: 2)
    write(time / 60 % 60, at: 14, digits: 2)
    write(time % 60, at: 17, digits: 2)
    for (position, mark) in [(4, "-"), (7, "-"), (10, "T"), (13, ":"), (16, ":"), (19, ".")] {
      text[position] = mark.utf8.first!
    }
    text[26] = UInt8(ascii: "Z")
  }

  private mutating func write(_ value: Int, at position: Int, digits: Int) {
    var rest = value
    for offset in stride(from: digits - 1, through: 0, by: -1) {
      text[position + offset] = UInt8(ascii: "0") + UInt8(rest % 10)
      rest /= 10
    }
  }
}

/// Two runs of one seed decide and send the same, though their name tables are hashed differently.

public enum Determinism {
  public static func check(_ first: Verdict, _ second: Verdict) -> Violation? {
    guard first.fingerprint != second.fingerprint else { return nil }
    let common = zip(first.milestones, second.milestones).prefix { $0 == $1 }.count
    return Violation(
      promise: .determinism,
      text: "the second run differs from the first after step \(common * 1000) at the earliest")
  }
}

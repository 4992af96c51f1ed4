/// instruction-driver: runs one case for a number of rounds, for instructions.sh to count.
///
///     instruction-driver              the cases that can be counted: id, low and high number of
///                                     rounds, operations a round
///     instruction-driver ID ROUNDS    runs one

import Glibc
import Workloads

func refuse(_ sentence: String) -> Never {
  let line = Array((sentence + "\n").utf8)
  _ = write(STDERR_FILENO, line, line.count)
  exit(2)
}

let arguments = Array(CommandLine.arguments.dropFirst())
switch arguments.count {
case 0:
  for each in allCases() {
    if let rounds = each.rounds { print(each.id, rounds.low, rounds.high, each.operations) }
  }
case 2:
  guard let each = allCases().first(where: { $0.id == arguments[0] }) else {
    refuse("no case \(arguments[0]) on this machine; without arguments all are listed")
  }
  guard let rounds = Int(arguments[1]), rounds >= 0 else {
    refuse("\(arguments[1]) is not a number of rounds")
  }
  let workload = each.prepare()
  for _ in 0..<rounds { workload.round() }
default:
  refuse("usage: instruction-driver [ID ROUNDS]")
}

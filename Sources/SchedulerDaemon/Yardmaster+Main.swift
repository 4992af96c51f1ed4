/// The command: `yardmaster scheduler ...`, `--version`, `--help`.

import ArgumentParser
import Glibc
import Yardmaster

@main
struct YardmasterCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "yardmaster",
    abstract: "A native task scheduler for ipyparallel clusters.",
    discussion: "Start with: yardmaster scheduler --help",
    version: "yardmaster \(yardmasterVersion)",
    subcommands: [SchedulerCommand.self])

  static func main() {
    do {
      var command = try parseAsRoot()
      try command.run()
    } catch {
      guard var ending = ending(for: error) else { exit(withError: error) }
      ending.line.withUTF8 { _ = unsafe write(2, $0.baseAddress, $0.count) }
      Glibc.exit(ending.status)
    }
  }

  /// The exit status and what stderr is told: one line, whatever the arguments were. A bad argument
  /// ends with 2, whoever found it. Nil for what is no failure: help, version.
  static func ending(for error: any Error) -> (status: Int32, line: String)? {
    if let failure = error as? SchedulerFailure {
      return (failure.exitCode, complaint(failure.text))
    }
    guard exitCode(for: error) == .validationFailure else { return nil }
    return (2, complaint(message(for: error).split(separator: "\n").joined(separator: " ")))
  }

  /// Arguments are quoted in it: what would end the line or move a terminal's cursor is escaped.
  private static func complaint(_ text: String) -> String {
    var line = "yardmaster: "
    for scalar in text.unicodeScalars {
      switch scalar.properties.generalCategory {
      case .control, .format, .lineSeparator, .paragraphSeparator:
        line += scalar.escaped(asASCII: true)
      default: line.unicodeScalars.append(scalar)
      }
    }
    return line + " (see yardmaster scheduler --help)\n"
  }
}

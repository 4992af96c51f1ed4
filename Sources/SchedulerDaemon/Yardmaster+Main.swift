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

  /// Errors are one line on stderr; a bad argument exits with 2, whoever found it.
  static func main() {
    do {
      var command = try parseAsRoot()
      try command.run()
    } catch let failure as SchedulerFailure {
      complain(failure.text)
      Glibc.exit(failure.exitCode)
    } catch {
      guard exitCode(for: error) == .validationFailure else { exit(withError: error) }
      complain(message(for: error).split(separator: "\n").joined(separator: " "))
      Glibc.exit(2)
    }
  }

  private static func complain(_ text: String) {
    var line = "yardmaster: \(text) (see yardmaster scheduler --help)\n"
    line.withUTF8 { _ = unsafe write(2, $0.baseAddress, $0.count) }
  }
}

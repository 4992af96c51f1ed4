/// The version of the library and of the command.
public let yardmasterVersion = "0.1.0"

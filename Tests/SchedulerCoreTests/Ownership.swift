/// Ownership: who holds each message and each name reference that the harness gave to the core.
///
/// Invariant: what is out is exactly what the live tasks hold; everything else came back once.

import SchedulerCore

struct Ownership {
  enum Item: Equatable {
    case reply
    /// A task's message, and the target names that it holds a reference of each.
    case task(Int, [EngineName])
  }

  private var out: [UInt32: Item] = [:]
  private var handles: UInt32 = 0
  private var nameReferences: [EngineName: Int] = [:]
  /// Names whose task has ended and that must come back before the step is over.
  private var namesDue: [EngineName: Int] = [:]

  mutating func give(_ item: Item) -> MessageHandle {
    handles += 1
    out[handles] = item
    if case .task(_, let targets) = item {
      for target in targets { nameReferences[target, default: 0] += 1 }
    }
    return MessageHandle(handles)
  }

  /// What is wrong with this command's handles, or nil.
  mutating func take(_ command: Command) -> String? {
    switch command.kind {
    case .assign:
      guard case .task(let task, _)? = out[command.message.value] else {
        return "assign: message \(command.message.value) is not the core's"
      }
      return task == Int(command.task.value) ? nil : "assign: the message of task \(task)"
    case .deliver: return takeTask(command) ?? takeReply(command)
    case .fail: return takeTask(command)
    case .retire, .discard: return takeReply(command)
    case .lose: return nil
    case .releaseName:
      guard namesDue[command.engine, default: 0] > 0 else {
        return "name \(command.engine.value) released, but no task that held it has ended"
      }
      namesDue[command.engine, default: 0] -= 1
      nameReferences[command.engine, default: 0] -= 1
      return nil
    }
  }

  private mutating func takeTask(_ command: Command) -> String? {
    let handle = command.message.value
    guard case .task(let task, let targets)? = out.removeValue(forKey: handle) else {
      return "\(command.kind): message \(handle) is not a task that the core holds"
    }
    for target in targets { namesDue[target, default: 0] += 1 }
    return task == Int(command.task.value) ? nil : "\(command.kind): the message of task \(task)"
  }

  private mutating func takeReply(_ command: Command) -> String? {
    let handle = command.reply.value
    return out.removeValue(forKey: handle) == .reply
      ? nil : "\(command.kind): reply \(handle) is not the core's"
  }

  /// After a step: replies are all back, and one message is out for each live task.
  func problem(live: Int) -> String? {
    if out.count != live { return "\(out.count) messages are out, \(live) tasks live" }
    if out.values.contains(.reply) { return "a reply did not come back" }
    for (name, count) in namesDue where count != 0 {
      return "\(count) references to name \(name.value) were not released"
    }
    for (name, count) in nameReferences where count < 0 {
      return "name \(name.value) was released \(-count) times too often"
    }
    return nil
  }
}

/// CoreWatcher: sees every step of an exchange's core. Only the simulator has one: it checks each
/// decision against the rules and against a plain model.

import CBase
import SchedulerCore

package protocol CoreWatcher: AnyObject {
  /// After a step of `core` at `now_ns`: what it was given and what it wants done.
  func stepped(
    _ now_ns: UInt64, _ events: [Event], _ lists: [UInt32], _ commands: borrowing CommandBuffer,
    _ core: borrowing SchedulerCore)

  // What a journal says, given to a fresh core; in this order.

  /// An engine that answers fences.
  func restored(_ engine: EngineName)
  /// A task that has ended; `engine` is `.none` when it ran nowhere.
  func restoredFinished(_ task: TaskID, isCompleted: Bool, _ engine: EngineName)
  /// One that has not.
  func restored(_ task: RestoredTask, _ lists: [UInt32])
  /// The end of it: what the core wants done.
  func restored(
    _ now_ns: UInt64, _ commands: borrowing CommandBuffer, _ core: borrowing SchedulerCore)
}

extension Exchange {
  /// The task that the core knows for a client's `msg_id`; nil when it never came.
  package func task(named id: [UInt8]) -> TaskID? {
    let found = unsafe id.withUnsafeBufferPointer {
      unsafe task_ids_find(tables.taskIDs, $0.baseAddress, $0.count)
    }
    return found == TASK_ID_NONE ? nil : TaskID(found)
  }

  /// What people read of an engine's name.
  package func text(of engine: EngineName) -> String { tables.text(of: engine) }
}

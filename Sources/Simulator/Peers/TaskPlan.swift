/// TaskPlan: a task as its client submits it, and what clients, engines and hub saw of it.

import PlainModel

final class TaskPlan {
  /// Number among all tasks of the run.
  let number: Int
  let id: [UInt8]
  let client: Int
  var header: [UInt8] = []
  /// Ids are numbers of plans.
  var submission = Submission()
  var buffers: [[UInt8]] = []
  /// Metadata that no scheduler can read: it is to be refused.
  var isMalformed = false
  /// From the delimiter on, as it was sent.
  var frames: [[UInt8]] = []
  var isSent = false
  /// How often the client sent it once more.
  var resubmissions = 0

  /// How often an engine got it.
  var arrivals = 0
  // What its client got.
  var replies = 0
  /// Replies that refuse a copy of it.
  var refusals = 0
  // What the hub heard.
  var intasks = 0
  var tracktasks = 0
  var outtasks = 0

  /// Something that followed from it was seen outside the scheduler.
  var wasAccepted: Bool { intasks + tracktasks + outtasks + arrivals + replies > 0 }

  init(number: Int, id: [UInt8], client: Int) {
    self.number = number
    self.id = id
    self.client = client
  }
}

/// SchedulerCore: the task graph, retries, deadlines and placement, as a function of events.
///
///     step(now, events) -> commands
///
/// No bytes, no sockets, no clock, no Foundation: time and the seed are arguments, and two cores
/// that are given the same events at the same times give the same commands. The daemon, the
/// simulator and the tests drive this very object. See Records.swift for the data.
///
/// Costs: submission O(1 + dependencies), result O(1 + dependents), placement O(log engines) for
/// leastload and lru and O(1) for twobin and plainrandom when the task is not constrained, a SIMD
/// scan otherwise; a freed engine finds its next task in O(log waiting) whatever waits.
///
/// Invariant: see `checkInvariants`, which recounts everything.

public struct CoreOptions: Sendable {
  public var scheme = Scheme.leastload
  /// Outstanding load an engine may have; 0 means no limit.
  public var hwm: UInt32 = 1
  public var seed: UInt64 = 0
  /// A task that failed on every engine it may use starts over on those that merely failed it.
  public var retryAnywhere = false
  /// Clients are served in turn; else waiting tasks start in the order of their submission.
  public var fairClients = false
  /// How long the tasks of an engine that went away wait for a late result.
  public var strandedAfter_ns: UInt64 = 5_000_000_000
  /// nil: outstanding tasks, LRU order (`OutstandingTasks`) without the cost of a call.
  public var loadPolicy: (any LoadPolicy)?
  public init() {}
}

public struct SchedulerCore: ~Copyable {
  let options: CoreOptions
  /// Beside `options`: testing the existential there copies it, and so does reading what is asked
  /// for each task.
  let hasLoadPolicy: Bool
  let isFair: Bool
  var random: RandomBits
  var now_ns: UInt64 = 0

  // Tasks.
  var fates = PlainArray<Fate>(minimumCapacity: 1024)
  var live = PlainArray<LiveTask>(minimumCapacity: 256)
  var freeLive = nowhere
  var liveCount = 0
  var edges = PlainArray<Edge>()
  var freeEdge = nowhere
  var edgeCount = 0
  var lists = ListPool()

  // Engines.
  var loads: LoadVector
  var engines = PlainArray<Engine>()
  var engineOfSlot = PlainArray<UInt32>()
  var freeSlots = PlainArray<UInt32>()
  var names: [NameRecord] = []
  var freeNames: [UInt32] = []
  var recordOfName = PlainArray<UInt32>()

  // Queues of ready tasks.
  var plain = IDSet()
  /// In place of `plain` when clients are served in turn.
  var plainInTurn = TaskQueue()
  var avoidances: [Avoidance] = []
  var freeAvoidances: [UInt32] = []
  var avoidanceOfNames: [[UInt32]: UInt32] = [:]
  /// Ready tasks that found no eligible engine while none at all was available: whether they
  /// can ever run is looked at when one is (as the reference does).
  var unchecked = TaskQueue()

  /// By client, see Core+Turns; empty unless clients are served in turn.
  var turns = PlainArray<UInt64>()
  var clock: UInt64 = 0

  var timeouts = DeadlineHeap()
  var graces = DeadlineHeap()

  // Scratch of the step being made; empty between events.
  /// Slots of tasks that just finished and whose dependents have not been told.
  var finishing = PlainArray<UInt32>()
  /// Tasks that just became ready, or whose eligible engines changed.
  var newlyReady = TaskQueue()
  var candidates = PlainArray<UInt32>()
  /// Where the step's commands begin, and up to where `beginsNow` has read them.
  var firstCommand = 0
  var commandsRead = 0

  public init(_ options: CoreOptions) {
    self.options = options
    hasLoadPolicy = options.loadPolicy != nil
    isFair = options.fairClients
    random = RandomBits(seed: options.seed)
    loads = LoadVector(scheme: options.scheme, hwm: options.hwm)
  }

  /// Applies what is due at `now_ns`, then the events in order. Commands are appended.
  /// `lists` holds what the events' ranges point to. Time never goes backwards.
  public mutating func step(
    now_ns: UInt64, events: Span<Event>, lists: Span<UInt32>, commands: inout CommandBuffer
  ) {
    self.now_ns = max(self.now_ns, now_ns)
    firstCommand = commands.count
    commandsRead = firstCommand
    expire(&commands)
    for index in events.indices { apply(events[index], lists, &commands) }
    if commandsRead > firstCommand { forgetBeginnings(commands) }
  }

  private mutating func apply(
    _ event: Event, _ lists: Span<UInt32>, _ commands: inout CommandBuffer
  ) {
    switch event.kind {
    case .submitted: submit(event, lists, &commands)
    case .finished: finish(event, &commands)
    case .engineRegistered: register(event.engine, &commands)
    case .engineUnregistered: unregister(event.engine, &commands)
    case .undeliverable: takeBack(event, &commands)
    case .refused: remember(event.task, .failedNowhere)
    case .fenced: fence(event.engine, &commands)
    }
  }

  /// When `step` must be called next even if nothing happens; nil when nothing is due.
  public var nextDeadline_ns: UInt64? {
    switch (timeouts.first, graces.first) {
    case (let task?, let engine?): min(task.time_ns, engine.time_ns)
    case (let task?, nil): task.time_ns
    case (nil, let engine?): engine.time_ns
    case (nil, nil): nil
    }
  }

  /// Ids must be new and dense: the wire interns them in order.
  mutating func remember(_ task: TaskID, _ fate: Fate) {
    precondition(Int(task.value) == fates.count, "task ids must be dense and new")
    fates.append(fate)
  }
}

/// Counts for logs, limits and tests.
public struct CoreReport: Sendable {
  /// Tasks ever seen; live ones among them; of those, running on an engine.
  public var tasks = 0
  public var live = 0
  public var running = 0
  public var engines = 0
  /// Bytes held in tables.
  public var memory = 0
  public var waiting: Int { live - running }
  public init() {}
}

extension SchedulerCore {
  /// The messages of tasks that wait or run, for a driver that ends: they are the driver's then.
  public func forEachHeldMessage(_ body: (MessageHandle) -> Void) {
    for slot in 0..<live.count where live[slot].phase != .done { body(live[slot].message) }
  }

  /// O(registrations): for reports, not for the hot path.
  public func report() -> CoreReport {
    var report = CoreReport()
    report.tasks = fates.count
    report.live = liveCount
    report.engines = Int(loads.count)
    for index in 0..<engines.count { report.running += Int(engines[index].runningCount) }
    report.memory =
      fates.memory + live.memory + edges.memory + lists.memory + plain.memory + engines.memory
      + timeouts.memory + graces.memory + turns.memory
    return report
  }
}

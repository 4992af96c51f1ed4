/// Records: what the core keeps of each task, dependency and engine, as plain structs.
///
///     fates[TaskID]      4 bytes for every task ever seen: live (and where), or how it ended
///     live[slot]         one LiveTask for each task that waits or runs; slots are reused
///     edges[index]       one for each unfinished id named by an `after` or `follow`
///     lists[index]       nodes of short lists: targets, blacklists, engines to follow
///     engines[incarnation]  one for each registration ever; a name that registers again is new
///
///     LiveTask D --firstDependent--> Edge --nextOfDependency--> Edge ...   (who waits for D)
///     LiveTask W --firstEdge-------> Edge --nextOfOwner-------> Edge ...   (what W waits for)

/// What became of a task: a tag in the low two bits, a slot or an incarnation above.
struct Fate: BitwiseCopyable, Equatable {
  private var bits: UInt32
  private init(_ value: UInt32, _ tag: UInt32) { bits = value << 2 | tag }

  static func live(_ slot: UInt32) -> Fate { Fate(slot, 0) }
  static func completed(on engine: UInt32) -> Fate { Fate(engine, 1) }
  static func failed(on engine: UInt32) -> Fate { Fate(engine, 2) }
  /// Failed by the scheduler: it ran nowhere.
  static let failedNowhere = Fate(Self.noEngine, 2)

  private static let noEngine: UInt32 = (1 << 30) - 1
  /// Slots and incarnations must stay below this.
  static let limit = noEngine

  var isLive: Bool { bits & 3 == 0 }
  var isCompleted: Bool { bits & 3 == 1 }
  var slot: UInt32 { bits >> 2 }
  /// The engine's incarnation, or `nowhere`.
  var engine: UInt32 { bits >> 2 == Self.noEngine ? nowhere : bits >> 2 }
}

enum Phase: UInt8, BitwiseCopyable {
  /// `after` is not met yet.
  case waiting
  /// It may run as soon as an eligible engine is available.
  case ready
  case running
  case done
}

/// Which queue a ready task stands in.
enum QueueKind: UInt8, BitwiseCopyable {
  case none
  /// Any engine will do.
  case plain
  /// Any engine but those of its blacklist: `avoidance` says which class.
  case avoiding
  /// Named engines only (targets, follow): in the heaps of those names.
  case named
}

/// In order of who reads what: the first 32 bytes are all that the graph touches, and they lie in
/// one cache line (PlainArray aligns its buffer to 64, the stride is 96). A random DAG of a million
/// tasks is nothing but misses on these.
struct LiveTask: BitwiseCopyable {
  var id: TaskID
  var firstDependent = nowhere
  var lastDependent = nowhere
  var firstEdge = nowhere
  /// Unfinished ids of `after` (all), or ids not yet known to be useless (any).
  var afterPending: UInt32 = 0
  var followPending: UInt32 = 0
  var phase = Phase.waiting
  var queue = QueueKind.none
  var afterRule = DependencyRule.standard
  var followRule = DependencyRule.standard
  var flags: Flags = []

  var timeout_ns: UInt64
  var bytes: UInt64
  var message: MessageHandle
  var retries: UInt32
  /// What the load policy charged the engine for the present run.
  var cost: UInt32 = 0
  /// Incarnation it runs on.
  var engine = nowhere
  var previousRunning = nowhere
  var nextRunning = nowhere

  /// List heads: engine names, engine names, engine names, incarnations.
  var targets = nowhere
  var unmetOn = nowhere
  var failedOn = nowhere
  var followEngines = nowhere
  var avoidance = nowhere
  var client: ClientName

  struct Flags: OptionSet, BitwiseCopyable {
    var rawValue: UInt8
    static let hasFollow = Flags(rawValue: 1)
    /// An id of `follow` counts as satisfied (wherever it ran).
    static let followSatisfied = Flags(rawValue: 2)
    /// All of `follow` on one engine is impossible: they ran on two.
    static let followSplit = Flags(rawValue: 4)
    /// An id that `follow` needs was failed by the scheduler: it ran nowhere.
    static let followNowhere = Flags(rawValue: 8)
    /// It ran on its engine before a restart, which nobody has confirmed yet.
    static let restored = Flags(rawValue: 16)
    /// It was given to its engine in the step being made (`beginsNow`).
    static let beginsNow = Flags(rawValue: 32)
  }

  /// As it was submitted.
  init(_ event: Event) {
    id = event.task
    message = event.message
    retries = event.retries
    timeout_ns = event.timeout_ns
    bytes = event.bytes
    client = event.client
  }

  var isBlacklisted: Bool { unmetOn != nowhere || failedOn != nowhere }
}

struct Edge: BitwiseCopyable {
  /// Slot of the unfinished task, `nowhere` once it has finished.
  var dependency: UInt32
  /// Slot of the task that waits.
  var owner: UInt32
  var nextOfDependency: UInt32
  var previousOfDependency: UInt32
  var nextOfOwner: UInt32
  var isFollow: Bool
}

struct ListNode: BitwiseCopyable {
  var value: UInt32
  var next: UInt32
}

struct Engine: BitwiseCopyable {
  var name: EngineName
  /// In the load vector; `nowhere` once the hub said it is gone.
  var slot: UInt32
  var firstRunning = nowhere
  var lastRunning = nowhere
  var runningCount: UInt32 = 0
  /// Of those, the ones with the flag `restored`.
  var restoredCount: UInt32 = 0
  /// Sum of the costs of what runs there. The load vector shows as much of it as it can hold.
  var load: UInt64 = 0

  var isRegistered: Bool { slot != nowhere }
}

/// What is known of an engine's name, registered or only targeted.
struct NameRecord {
  var name: EngineName
  /// The registration in force, or `nowhere`.
  var incarnation = nowhere
  /// Tasks that name this engine and wait (hints, see TaskHeap).
  var waiting = TaskQueue()
  /// Waiting tasks with a follow that may become impossible when this engine goes away, whether
  /// or not it could run them now (hints too, and looked at only then).
  var watching = TaskHeap()
  /// Live tasks whose `targets` hold the name.
  var references = 0
  /// Names of engines stay: blacklists and fates may speak of them.
  var wasRegistered = false
  /// What a journal said of the engine, until it registers; `nowhere` without.
  var restored = nowhere
  /// Whether it answers a fence (`Event.Kind.fenced`).
  var answersFences = false
}

/// Ready tasks that may run anywhere except on one set of names.
struct Avoidance {
  /// Sorted.
  var names: [UInt32]
  var waiting = TaskQueue()
  /// Tasks whose `avoidance` is this class and that stand in its queue.
  var count = 0
}

/// A pool of list nodes with a free list.
struct ListPool: ~Copyable {
  private var nodes = PlainArray<ListNode>()
  private var free = nowhere
  private(set) var used = 0

  var memory: Int { nodes.memory }
  @inline(__always)
  subscript(node: UInt32) -> ListNode { nodes[node] }

  mutating func push(_ value: UInt32, onto head: inout UInt32) {
    used += 1
    if free == nowhere {
      nodes.append(ListNode(value: value, next: head))
      head = UInt32(nodes.count - 1)
    } else {
      let node = free
      free = nodes[node].next
      nodes[node] = ListNode(value: value, next: head)
      head = node
    }
  }

  mutating func removeAll(_ head: inout UInt32) {
    while head != nowhere {
      let next = nodes[head].next
      nodes[head].next = free
      free = head
      used -= 1
      head = next
    }
  }

  func contains(_ value: UInt32, in head: UInt32) -> Bool {
    var node = head
    while node != nowhere {
      if nodes[node].value == value { return true }
      node = nodes[node].next
    }
    return false
  }
}

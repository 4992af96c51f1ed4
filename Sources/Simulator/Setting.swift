/// Setting: what a seed says about a run: the scheduler's options, who is there, what they do and
/// what fails.

import PlainModel
import SchedulerCore
import SchedulerWire

struct JournalSetting {
  /// Its folder, lock and segment, and two bells.
  static let descriptors = 5

  var sync: JournalSync
  var segmentSizeMax: UInt64
  var isPlainIO = true
  var id: (UInt64, UInt64)

  init(_ dice: inout Dice) {
    sync = dice.pick([.always, .always, .every_ns(5_000_000), .every_ns(50_000_000), .off])
    segmentSizeMax = dice.pick([1 << 20, 1 << 15, 1 << 13, 1 << 12])
    id = (dice.word(), dice.word())
  }
}

struct Setting {
  let seed: UInt64
  let events: Int
  let core: CoreSettings
  let key: [UInt8]
  let signatureScheme: String
  let clientCount: Int
  let engineCount: Int
  let workload: Workload
  let rates: Rates
  /// nil: the scheduler keeps none.
  let journal: JournalSetting?
  /// Of the run itself, once all the above was drawn.
  let dice: Dice

  init(seed: UInt64, events: Int) {
    self.seed = seed
    self.events = events
    var dice = Dice(seed: seed)
    var core = CoreSettings()
    core.hwm = dice.pick([0, 1, 1, 2, 5])
    core.scheme = dice.pick([.leastload, .leastload, .lru, .twobin, .weighted, .plainrandom])
    core.retryAnywhere = dice.chance(20)
    let weighs = dice.chance(10)
    if weighs && core.scheme == .leastload { core.policy = OutstandingBytes(bytesPerUnit: 300) }
    core.seed = dice.word()
    core.fairClients = dice.chance(30)
    self.core = core
    key = dice.chance(85) ? Array("a key for simulations".utf8) : []
    signatureScheme = dice.pick(["hmac-sha256", "hmac-sha256", "hmac-sha512"])
    clientCount = 1 + dice.below(4)
    engineCount = dice.chance(10) ? 0 : 1 + dice.below(8)
    workload = Workload(&dice)
    rates = Rates(&dice, isSigned: !key.isEmpty)
    let written = JournalSetting(&dice)
    journal = dice.chance(50) ? written : nil
    self.dice = dice.fork()
  }

  /// `hashSeed` keys name tables only: no decision may depend on it.
  func exchangeOptions(hashSeed: UInt64) -> ExchangeOptions {
    var options = ExchangeOptions()
    options.core = core.options
    options.session.key = key
    options.session.signatureScheme = signatureScheme
    options.session.session = "5c4ed01e-000000000000000000000001"
    options.session.pid = 1
    options.hashSeed = hashSeed
    if let journal {
      options.journal.folder = Kernel.folder
      options.journal.sync = journal.sync
      options.journal.segmentSizeMax = journal.segmentSizeMax
      options.journal.isPlainIO = journal.isPlainIO
      options.journalID = journal.id
    }
    func address(_ port: UInt16) -> String { "tcp://127.0.0.1:\(port)" }
    options.transport.body = .native
    options.transport.io = .epoll
    options.transport.clientURL = address(Port.client)
    options.transport.engineURL = address(Port.engine)
    options.transport.monitorURL = address(Port.monitor)
    options.transport.notificationURL = address(Port.notification)
    options.transport.registrationURL = address(Port.registration)
    options.transport.seed = seed | 1
    // Time stands still while the scheduler does anything but sleep.
    options.transport.busyPoll_ns = 0
    return options
  }
}

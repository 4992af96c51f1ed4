/// Agenda: what will happen, in order of time; things of one time in the order they were planned.
///
/// Invariant: a binary heap by (time, number).

struct Agenda {
  private struct Entry {
    var time_ns: UInt64
    var number: UInt64
    var action: () -> Void

    func precedes(_ other: Entry) -> Bool {
      time_ns != other.time_ns ? time_ns < other.time_ns : number < other.number
    }
  }

  private var heap: [Entry] = []
  private var count: UInt64 = 0

  var next_ns: UInt64? { heap.first?.time_ns }

  mutating func add(at time_ns: UInt64, _ action: @escaping () -> Void) {
    heap.append(Entry(time_ns: time_ns, number: count, action: action))
    count += 1
    var index = heap.count - 1
    while index > 0, heap[index].precedes(heap[(index - 1) / 2]) {
      heap.swapAt(index, (index - 1) / 2)
      index = (index - 1) / 2
    }
  }

  mutating func takeFirst() -> () -> Void {
    let first = heap[0]
    let last = heap.removeLast()
    guard !heap.isEmpty else { return first.action }
    heap[0] = last
    var index = 0
    while true {
      var least = index
      for child in [2 * index + 1, 2 * index + 2]
      where child < heap.count && heap[child].precedes(heap[least]) { least = child }
      if least == index { return first.action }
      heap.swapAt(index, least)
      index = least
    }
  }
}

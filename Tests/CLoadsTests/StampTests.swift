// The LRU order when its 32-bit stamps run out.

import CLoads
import Testing

@Suite struct StampTests {
  /// The order survives stamps dealt anew, at both ends, again and again.
  @Test(arguments: Scheme.allCases, [1, 2, 65, 5_000])
  func renumberingKeepsTheOrder(scheme: Scheme, count: Int) {
    let vector = filled(scheme, count, kernel: Kernels.supported[0])
    var order = Array((0..<UInt32(count)).reversed())
    for round in 0..<60 {
      vector.forceStamps(left: UInt32(round % 3))
      let slot = UInt32(round * 37 % count)
      order.removeAll { $0 == slot }
      if round % 2 == 0 {
        vector.toBack(slot)
        order.append(slot)
      } else {
        vector.toFront(slot)
        order.insert(slot, at: 0)
      }
      if scheme == .lru || scheme == .leastload { #expect(vector.choose() == order[0]) }
    }
    #expect(vector.order == order && vector.isSound)
    vector.forceStamps(left: 0)
    vector.insert(UInt32(count))
    #expect(vector.order == [UInt32(count)] + order && vector.isSound)
  }
}

// RegionTests.swift: which mapped memory of large frames is kept, and who gets it.

import CTransportSupport
import Glibc
import Testing

private let mib = 1 << 20

private func mapped(_ capacity: Int) -> pool_region {
  let data = mmap(nil, capacity, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)!
  return pool_region(data: data.assumingMemoryBound(to: UInt8.self), capacity: capacity)
}

private func isMapped(_ region: pool_region) -> Bool {
  var resident: UInt8 = 0
  return mincore(region.data, 4096, &resident) == 0
}

@Suite struct Regions {
  @Test func `the one that fits best is taken`() throws {
    let pool = try #require(transport_pool_create(UInt64(100 * mib)))
    for size in [4, 16, 2, 8, 12] { transport_pool_give_region(pool, mapped(size * mib)) }
    var region = pool_region()
    // Wanted, and what comes: enough, not over twice as much; then the largest that is smaller.
    for (wanted, size) in [(7, 8), (8, 12), (8, 16), (8, 4), (3, 2)] {
      #expect(transport_pool_take_region(pool, UInt64(wanted * mib), &region))
      #expect(region.capacity == size * mib)
      munmap(region.data, region.capacity)
    }
    #expect(!transport_pool_take_region(pool, UInt64(mib), &region))
    transport_pool_give_region(pool, mapped(16 * mib))
    #expect(!transport_pool_take_region(pool, UInt64(7 * mib), &region), "over twice as large")
    #expect(transport_pool_take_region(pool, UInt64(8 * mib), &region))
    munmap(region.data, region.capacity)
    transport_pool_destroy(pool)
  }

  @Test func `no more is kept than may be, and nothing after the end`() throws {
    let pool = try #require(transport_pool_create(UInt64(4 * mib)))
    let regions = (0..<5).map { _ in mapped(2 * mib) }
    for region in regions { transport_pool_give_region(pool, region) }
    #expect(regions.map(isMapped) == [true, true, true, true, false])
    var region = pool_region()
    #expect(transport_pool_take_region(pool, UInt64(2 * mib), &region))
    let after = mapped(mib)
    transport_pool_give_region(pool, after)
    #expect(isMapped(after))
    var sizeClass: UInt32 = 0
    let block = transport_pool_take(pool, 100, &sizeClass)  // the pool outlives its owner
    transport_pool_destroy(pool)
    #expect(!isMapped(after) && !isMapped(regions[0]))
    transport_pool_give_region(pool, region)
    #expect(!isMapped(region))
    transport_pool_give(pool, block, sizeClass)
  }
}

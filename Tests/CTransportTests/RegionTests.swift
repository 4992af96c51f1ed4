// RegionTests.swift: which mapped memory of large frames is kept, and who gets it.

import CTransportSupport
import Foundation
import Glibc
import Testing

private let mib = 1 << 20

/// Of a file: its name tells whether it is mapped, whoever may have got its address since.
private final class Mapping {
  let region: pool_region
  private let name: String

  init(_ capacity: Int) {
    name = NSTemporaryDirectory() + "region-\(UUID().uuidString)"
    let file = open(name, O_RDWR | O_CREAT | O_EXCL, 0o600)
    ftruncate(file, capacity)
    let data = mmap(nil, capacity, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0)!
    close(file)
    unlink(name)
    region = pool_region(data: data.assumingMemoryBound(to: UInt8.self), capacity: capacity)
  }

  var isMapped: Bool {
    get throws { try String(contentsOfFile: "/proc/self/maps", encoding: .utf8).contains(name) }
  }
}

@Suite struct Regions {
  @Test func `the one that fits best is taken`() throws {
    let pool = try #require(transport_pool_create(UInt64(100 * mib)))
    for size in [4, 16, 2, 8, 12] { transport_pool_give_region(pool, Mapping(size * mib).region) }
    var region = pool_region()
    // Wanted, and what comes: enough, not over twice as much; then the largest that is smaller.
    for (wanted, size) in [(7, 8), (8, 12), (8, 16), (8, 4), (3, 2)] {
      #expect(transport_pool_take_region(pool, UInt64(wanted * mib), &region))
      #expect(region.capacity == size * mib)
      munmap(region.data, region.capacity)
    }
    #expect(!transport_pool_take_region(pool, UInt64(mib), &region))
    transport_pool_give_region(pool, Mapping(16 * mib).region)
    #expect(!transport_pool_take_region(pool, UInt64(7 * mib), &region), "over twice as large")
    #expect(transport_pool_take_region(pool, UInt64(8 * mib), &region))
    munmap(region.data, region.capacity)
    transport_pool_destroy(pool)
  }

  @Test func `no more is kept than may be, and nothing after the end`() throws {
    let pool = try #require(transport_pool_create(UInt64(4 * mib)))
    let regions = (0..<5).map { _ in Mapping(2 * mib) }
    for each in regions { transport_pool_give_region(pool, each.region) }
    #expect(try regions.map { try $0.isMapped } == [true, true, true, true, false])
    var region = pool_region()
    #expect(transport_pool_take_region(pool, UInt64(2 * mib), &region))
    let taken = try #require(regions.first { $0.region.data == region.data })
    let after = Mapping(mib)
    transport_pool_give_region(pool, after.region)
    #expect(try after.isMapped)
    var sizeClass: UInt32 = 0
    let block = transport_pool_take(pool, 100, &sizeClass)  // the pool outlives its owner
    transport_pool_destroy(pool)
    #expect(try !after.isMapped)
    #expect(try regions.map { try $0.isMapped } == regions.map { $0 === taken })
    transport_pool_give_region(pool, region)
    #expect(try !taken.isMapped)
    transport_pool_give(pool, block, sizeClass)
  }
}

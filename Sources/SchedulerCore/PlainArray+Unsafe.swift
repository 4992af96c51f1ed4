/// PlainArray: a growable array of plain values in one raw buffer.
///
/// The core keeps every per-task and per-engine record in these. Unlike `Array` there is no
/// reference count, no copy on write and no exclusivity bookkeeping, so an access costs a bounds
/// check and a load.
///
/// Invariant: `count <= capacity`, and elements `0 ..< count` are initialised. Owned by exactly
/// one variable (noncopyable), freed with it.

@safe
struct PlainArray<Element: BitwiseCopyable>: ~Copyable {
  private var base: UnsafeMutablePointer<Element>
  private var capacity: Int
  private(set) var count: Int

  init(minimumCapacity: Int = 16) {
    capacity = max(minimumCapacity, 1)
    unsafe base = Self.allocate(capacity)
    count = 0
  }

  deinit { unsafe UnsafeMutableRawPointer(base).deallocate() }

  /// Aligned to a cache line, so that what a record keeps together is not split over two.
  private static func allocate(_ capacity: Int) -> UnsafeMutablePointer<Element> {
    unsafe UnsafeMutableRawPointer.allocate(
      byteCount: capacity * MemoryLayout<Element>.stride, alignment: 64
    ).bindMemory(to: Element.self, capacity: capacity)
  }

  /// Element `index`. Traps when out of bounds.
  subscript(index: Int) -> Element {
    @inline(__always) _read {
      precondition(UInt(bitPattern: index) < UInt(bitPattern: count), "index out of bounds")
      yield unsafe base[index]
    }
    @inline(__always) _modify {
      precondition(UInt(bitPattern: index) < UInt(bitPattern: count), "index out of bounds")
      yield unsafe &base[index]
    }
  }

  subscript(index: UInt32) -> Element {
    @inline(__always) _read { yield self[Int(index)] }
    @inline(__always) _modify { yield &self[Int(index)] }
  }

  var isEmpty: Bool { count == 0 }
  /// Bytes held, for the memory report.
  var memory: Int { capacity * MemoryLayout<Element>.stride }

  @inline(__always)
  mutating func append(_ element: Element) {
    if count == capacity { grow(to: count + 1) }
    unsafe base.advanced(by: count).initialize(to: element)
    count += 1
  }

  @inline(__always)
  mutating func removeLast() -> Element {
    precondition(count > 0, "removeLast of an empty array")
    count -= 1
    return unsafe base[count]
  }

  mutating func removeAll() { count = 0 }

  /// Appends `element` until there are `newCount` of them.
  mutating func extend(to newCount: Int, with element: Element) {
    guard newCount > count else { return }
    if newCount > capacity { grow(to: newCount) }
    unsafe base.advanced(by: count).initialize(repeating: element, count: newCount - count)
    count = newCount
  }

  /// Doubles, except for large arrays, which grow by a quarter: the arrays that grow with every
  /// task ever seen must not keep half of their memory unused.
  @inline(never)
  private mutating func grow(to needed: Int) {
    let step = capacity < 1 << 20 ? capacity : capacity / 4
    let next = max(needed, capacity + step)
    let moved = unsafe Self.allocate(next)
    unsafe moved.moveInitialize(from: base, count: count)
    unsafe UnsafeMutableRawPointer(base).deallocate()
    unsafe base = moved
    capacity = next
  }

  /// A raw view for C callers named in `*+Unsafe.swift` files.
  @unsafe
  borrowing func withPointer<R>(_ body: (UnsafePointer<Element>) -> R) -> R {
    unsafe body(UnsafePointer(base))
  }
}

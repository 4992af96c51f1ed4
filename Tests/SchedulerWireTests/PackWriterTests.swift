// SEMANTICS 1: the scheduler's own messages in both packings.

import Testing

@testable import SchedulerWire

private func packed(_ packer: Packer, _ write: (inout PackWriter) -> Void) -> [UInt8] {
  var writer = PackWriter(packer)
  write(&writer)
  return Array(UnsafeBufferPointer(start: writer.buffer.base, count: writer.buffer.count))
}

private func example(_ writer: inout PackWriter) {
  writer.beginMap(3)
  writer.key("a")
  writer.string("x\"\\\n\u{1}ü")
  writer.key("list")
  writer.beginArray(2)
  writer.string("one")
  writer.string("two")
  writer.endArray()
  writer.key("map")
  writer.beginMap(0)
  writer.endMap()
  writer.endMap()
}

@Suite struct PackWriterTests {
  @Test func jsonIsEscapedAndSeparated() {
    let text = String(decoding: packed(.json, example), as: UTF8.self)
    #expect(text == #"{"a":"x\"\\\n\u0001ü","list":["one","two"],"map":{}}"#)
    #expect(packed(.orjson, example) == packed(.json, example))
  }

  @Test func msgpackHasHeadsOfTheRightSize() {
    let bytes = packed(.msgpack, example)
    let expected: [UInt8] =
      [0x83, 0xa1] + Array("a".utf8) + [0xa7] + Array("x\"\\\n\u{1}ü".utf8)
      + [0xa4] + Array("list".utf8) + [0x92, 0xa3] + Array("one".utf8) + [0xa3]
      + Array("two".utf8) + [0xa3] + Array("map".utf8) + [0x80]
    #expect(bytes == expected)
  }

  /// A map with one more entry in front, or nil.
  private func widened(_ packer: Packer, _ map: [UInt8]) -> [UInt8]? {
    var isMap = true
    let bytes = map.withUnsafeBytes { map in
      packed(packer) { writer in
        guard let (entries, rest) = writer.mapHead(map) else {
          isMap = false
          return
        }
        writer.beginMap(entries + 1)
        writer.key("k")
        writer.string("v")
        writer.append(rest, ofMapWith: entries)
      }
    }
    return isMap ? bytes : nil
  }

  @Test(arguments: [
    ("{}", #"{"k":"v"}"#), (" { } ", #"{"k":"v"} "#), (#"{"a": {}}"#, #"{"k":"v","a": {}}"#),
    ("\n{\t\"a\":1 }", #"{"k":"v","a":1 }"#), ("", nil), ("[]", nil), ("null", nil), ("{", nil),
    ("{ ", nil),
  ])
  func aMapOfJSONTakesAnotherEntry(_ map: String, _ wanted: String?) {
    #expect(widened(.json, Array(map.utf8)) == wanted.map { Array($0.utf8) })
  }

  @Test func aMapOfMsgpackTakesAnotherEntry() {
    let entry: [UInt8] = [0xa1, 0x6b, 0xa1, 0x76]
    #expect(widened(.msgpack, [0x80]) == [0x81] + entry)
    #expect(widened(.msgpack, [0x8e, 1, 2]) == [0x8f] + entry + [1, 2])
    #expect(widened(.msgpack, [0x8f, 1, 2]) == [0xde, 0, 16] + entry + [1, 2])
    #expect(widened(.msgpack, [0xde, 1, 255, 7]) == [0xde, 2, 0] + entry + [7])
    for none in [[], [0xde, 0], [0xde, 255, 255], [0x90], [0xdf, 0, 0, 0, 0], [0xc0]] as [[UInt8]] {
      #expect(widened(.msgpack, none) == nil, "\(none)")
    }
  }

  @Test(arguments: [0, 31, 32, 255, 256, 65_535, 65_536])
  func msgpackStringsOfEverySize(_ size: Int) {
    let text = String(repeating: "z", count: size)
    let bytes = packed(.msgpack) { $0.string(text) }
    let head: [UInt8] =
      switch size {
      case ..<32: [0xa0 | UInt8(size)]
      case ..<256: [0xd9, UInt8(size)]
      case ..<65_536: [0xda, UInt8(size >> 8), UInt8(size & 255)]
      default: [0xdb, 0, 1, 0, 0]
      }
    #expect(bytes == head + Array(text.utf8))
  }

  @Test func bytesThatAreNotTextBecomeValidJSON() {
    let text = String(decoding: packed(.json) { $0.string([0x61, 0xff, 0x62]) }, as: UTF8.self)
    #expect(text == "\"a\u{fffd}b\"")
  }
}

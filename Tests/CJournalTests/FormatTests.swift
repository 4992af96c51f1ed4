/// The pure parts: checksums, packed ids, the reader on bytes that are no journal.
import CJournal
import Foundation
import TestSupport
import Testing

@Test func checksumsAreCastagnolis() {
  // RFC 3720, B.4.
  let vectors: [([UInt8], UInt32)] = [
    (Array(repeating: 0, count: 32), 0x8a91_36aa),
    (Array(repeating: 0xff, count: 32), 0x62a8_ab43),
    (Array(0..<32), 0x46dd_794e),
    (Array("123456789".utf8), 0xe306_9283),
  ]
  for (bytes, crc) in vectors {
    #expect(journal_crc32c(0, bytes, bytes.count) == crc)
    #expect(journal_crc32c_plain(0, bytes, bytes.count) == crc)
  }
}

@Test func bothChecksumsAgree() {
  var bits = SeededGenerator.announced("bothChecksumsAgree")
  for _ in 0..<500 {
    let bytes = (0..<Int.random(in: 0...300, using: &bits)).map { _ in
      UInt8.random(in: 0...255, using: &bits)
    }
    let split = Int.random(in: 0...bytes.count, using: &bits)
    let whole = journal_crc32c(0, bytes, bytes.count)
    #expect(whole == journal_crc32c_plain(0, bytes, bytes.count))
    let first = journal_crc32c(0, Array(bytes[..<split]), split)
    #expect(whole == journal_crc32c(first, Array(bytes[split...]), bytes.count - split))
  }
}

@Test func theReaderTakesAnyBytes() {
  var bits = SeededGenerator.announced("theReaderTakesAnyBytes")
  var header = journal_file_header()
  header.kind = JOURNAL_KIND_LOG.rawValue
  header.first_sequence = 1
  for round in 0..<3000 {
    var bytes = [UInt8](repeating: 0, count: 64 + Int.random(in: 0...400, using: &bits))
    journal_file_header_write(&bytes, &header)
    for index in 64..<bytes.count { bytes[index] = UInt8.random(in: 0...255, using: &bits) }
    if bytes.count >= 64 + 32 {
      // A record whose checksum is right and whose payload is anything.
      let payload = Int.random(in: 0...(bytes.count - 96), using: &bits) / 8 * 8
      let type = UInt8.random(in: 0...12, using: &bits)
      let flags = UInt8.random(in: 0...15, using: &bits)
      let id = [UInt8](repeating: 0, count: 16)
      bytes.withUnsafeMutableBufferPointer { buffer in
        journal_record_seal(
          buffer.baseAddress! + 64, type, flags, UInt32(round % 3), 1, UInt64(payload), id)
      }
    }
    bytes.withUnsafeBufferPointer { buffer in
      let file = journal_bytes(data: buffer.baseAddress, size: UInt64(buffer.count))
      for kind in [JOURNAL_KIND_LOG, JOURNAL_KIND_BASE] {
        let ledger = journal_ledger_create(0)
        defer { journal_ledger_destroy(ledger) }
        var reader = journal_reader_of(file, &header)
        var record = journal_record()
        while journal_read(&reader, &record) == JOURNAL_RECORD {
          if journal_ledger_apply(ledger, kind, &record) != nil { break }
        }
        _ = journal_look_behind(&reader)
        var next: UInt32 = 0
        var task = journal_task()
        while journal_ledger_next(ledger, &next, &task) {}
        #expect(next == journal_ledger_count(ledger))
      }
    }
  }
}

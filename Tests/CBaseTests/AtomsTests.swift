/// Atoms: interning, counting, reuse. Differential against a dictionary.
import CBase
import TestSupport
import Testing

private func intern(_ table: OpaquePointer, _ text: String) -> atom {
  atoms_intern(table, text, text.utf8.count)
}

private func find(_ table: OpaquePointer, _ text: String) -> atom {
  atoms_find(table, text, text.utf8.count)
}

private func bytes(_ table: OpaquePointer, _ a: atom) -> [UInt8] {
  var size = 0
  let start = atoms_bytes(table, a, &size)
  return Array(UnsafeBufferPointer(start: start, count: size))
}

@Suite struct AtomsTests {
  @Test func equalBytesAreOneAtomUntilTheLastRelease() throws {
    let table = try #require(atoms_create(1))
    defer { atoms_destroy(table) }
    let a = intern(table, "72d4cfda-885938c59da7ad98fecfe90d")
    let b = intern(table, "6a5f7538-c6e7a67a436c381d752abbf8")
    #expect(a != ATOM_NONE_VALUE && b != ATOM_NONE_VALUE && a != b)
    #expect(intern(table, "72d4cfda-885938c59da7ad98fecfe90d") == a)
    #expect(bytes(table, a) == Array("72d4cfda-885938c59da7ad98fecfe90d".utf8))
    #expect(atoms_count(table) == 2)
    atoms_release(table, a)
    #expect(find(table, "72d4cfda-885938c59da7ad98fecfe90d") == a)
    atoms_retain(table, a)
    atoms_release(table, a)
    atoms_release(table, a)
    #expect(find(table, "72d4cfda-885938c59da7ad98fecfe90d") == ATOM_NONE_VALUE)
    #expect(atoms_count(table) == 1)
  }

  @Test func sizesOutsideOneTo65535AreNoAtom() throws {
    let table = try #require(atoms_create(1))
    defer { atoms_destroy(table) }
    let long = [UInt8](repeating: 7, count: 65536)
    #expect(atoms_intern(table, long, 0) == ATOM_NONE_VALUE)
    #expect(atoms_intern(table, long, 65536) == ATOM_NONE_VALUE)
    #expect(atoms_find(table, long, 65536) == ATOM_NONE_VALUE)
    let a = atoms_intern(table, long, 65535)
    #expect(a != ATOM_NONE_VALUE)
    #expect(bytes(table, a).count == 65535)
  }

  @Test func zeroBytesAndNonTextAreNames() throws {
    let table = try #require(atoms_create(1))
    defer { atoms_destroy(table) }
    let names: [[UInt8]] = [[0], [0, 0], [0, 0x6b, 0x8b, 0x45, 0x68], [0xff, 0xfe], [0xff]]
    let atoms = names.map { atoms_intern(table, $0, $0.count) }
    #expect(Set(atoms).count == names.count)
    for (name, a) in zip(names, atoms) { #expect(bytes(table, a) == name) }
  }

  @Test func atomsAreReusedAndStayDense() throws {
    let table = try #require(atoms_create(3))
    defer { atoms_destroy(table) }
    var highest: atom = 0
    for round in 0..<100 {
      let held = (0..<50).map { intern(table, "round \(round) name \($0)") }
      highest = max(highest, held.max() ?? 0)
      for a in held { atoms_release(table, a) }
    }
    #expect(highest == 50)
    #expect(atoms_count(table) == 0)
  }

  @Test func randomInternsAndReleasesMatchADictionary() throws {
    var random = SeededGenerator.announced("randomInternsAndReleasesMatchADictionary")
    let table = try #require(atoms_create(random.next()))
    defer { atoms_destroy(table) }
    var model: [[UInt8]: (atom: atom, references: Int)] = [:]
    var keys: [[UInt8]] = []
    for _ in 0..<60_000 {
      // One or two bytes: collisions of names are frequent, and clusters form and dissolve.
      let name = random.bytes(Int.random(in: 1...2, using: &random)).map { $0 & 0x3f }
      let known = model[name]
      #expect(atoms_find(table, name, name.count) == known?.atom ?? ATOM_NONE_VALUE)
      if known == nil || Bool.random(using: &random) {
        let a = atoms_intern(table, name, name.count)
        #expect(known == nil || known?.atom == a)
        if known == nil { keys.append(name) }
        model[name] = (a, (known?.references ?? 0) + 1)
      } else if let known {
        atoms_release(table, known.atom)
        model[name] = known.references == 1 ? nil : (known.atom, known.references - 1)
      }
      #expect(atoms_count(table) == UInt32(model.count))
    }
    #expect(Set(model.values.map(\.atom)).count == model.count)
    for name in keys {  // the whole table, once more
      #expect(atoms_find(table, name, name.count) == model[name]?.atom ?? ATOM_NONE_VALUE)
    }
  }
}

/// ATOM_NONE is a C macro of an unsigned literal.
private let ATOM_NONE_VALUE: atom = ATOM_NONE

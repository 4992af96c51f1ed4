/// Stranger: connects to the scheduler and says something that is not ZMTP, half of it, or nothing.

final class Stranger: LinkEnd {
  private var link: Link?

  init(_ world: World, _ number: Int32) {
    link = Link(number, world, self)
    let greeting: [UInt8] = [0xff, 0, 0, 0, 0, 0, 0, 0, 1, 0x7f, 3, 1] + Array("NULL".utf8)
    let says: [[UInt8]] = [
      [], Array("GET / HTTP/1.1\r\n\r\n".utf8), [0x16, 3, 1, 2, 0], greeting,
      (0..<world.dice.below(200)).map { _ in UInt8(world.dice.below(256)) },
      // A whole greeting, then a frame of 2^63 bytes.
      greeting + [UInt8](repeating: 0, count: 48) + [2, 0x80, 0, 0, 0, 0, 0, 0, 0],
    ]
    link?.send(world.dice.pick(says))
  }

  func leave() { link?.cut(abruptly: false) }
  func received(_ bytes: [UInt8]) {}
  func lost() { link = nil }
}

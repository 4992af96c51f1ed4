// HangUpTests.swift: the orderly end of a role, which takes all that peers have sent.

import CBase
import CTransport
import Foundation
import Glibc
import Testing

/// What has come by now, for a moment; nil: it has been told that no more comes.
private func heard(_ peer: RawPeer) -> [UInt8]? {
  var chunk = [UInt8](repeating: 0, count: 4096)
  let size = recv(peer.fd, &chunk, chunk.count, Int32(MSG_DONTWAIT))
  return size == 0 ? nil : Array(chunk.prefix(max(0, size)))
}

/// A peer whose greeting was answered: it knows that the station is there.
private func greeted(_ station: Station, _ hello: [UInt8]) -> RawPeer {
  let peer = RawPeer(station.endpoint(client))
  peer.send(hello)
  let answer = Wire.greeting() + Wire.ready("ROUTER", identity: "")
  var all: [UInt8] = []
  _ = pump(station) { () -> Bool? in
    all += heard(peer) ?? []
    return all.count >= answer.count ? true : nil
  }
  #expect(all == answer)
  return peer
}

/// Everything is said: the peer is told, hangs up in turn, and nobody is left.
private func ends(_ station: Station, _ peer: RawPeer) {
  #expect(transport_hang_up(station.transport, TRANSPORT_CLIENT) == 1)
  #expect(heard(peer) == nil)
  peer.close()
  let isOver = pump(station) { () -> Bool? in
    transport_hang_up(station.transport, TRANSPORT_CLIENT) == 0 ? true : nil
  }
  #expect(isOver == true)
  station.close()
}

extension TransportTests {
  @Suite struct HangUp {
    @Test(arguments: eachAlone) func `what lies behind a READY is taken`(_ setup: Setup) throws {
      let station = try Station(setup)
      let silent = RawPeer(station.endpoint(client))
      let peer = greeted(station, Wire.greeting())
      peer.send(Wire.ready(identity: "c") + Wire.message([bytes("a task")]))
      // Not read yet, and the handshake is not over: it stays. Who has said nothing goes.
      #expect(transport_hang_up(station.transport, TRANSPORT_CLIENT) == 1)
      #expect(try station.next().frames == [bytes("a task")])
      #expect(silent.isClosed(station))
      ends(station, peer)
    }

    @Test(arguments: eachAlone) func `a peer is told between two messages`(_ setup: Setup) throws {
      let station = try Station(setup)
      let peer = greeted(station, Wire.handshake(identity: "c"))
      let message = Wire.message([bytes("one frame"), bytes("and another")])
      peer.send(Array(message.prefix(15)))
      for _ in 0..<5 { #expect(station.turn(within: 2_000_000).isEmpty) }
      #expect(transport_hang_up(station.transport, TRANSPORT_CLIENT) == 1)
      #expect(heard(peer) == [])
      peer.send(Array(message.dropFirst(15)))
      #expect(try station.next().frames == [bytes("one frame"), bytes("and another")])
      ends(station, peer)
    }

    @Test(arguments: eachAlone) func `a peer is told once it was read`(_ setup: Setup) throws {
      let station = try Station(setup)
      let peer = greeted(station, Wire.handshake(identity: "c"))
      peer.send(Wire.message([bytes("a task")]))
      #expect(transport_hang_up(station.transport, TRANSPORT_CLIENT) == 1)
      #expect(heard(peer) == [])
      #expect(try station.next().frames == [bytes("a task")])
      ends(station, peer)
    }

    @Test(arguments: eachAlone) func `who never comes to an end is told, too`(_ setup: Setup) throws
    {
      let station = try Station(setup)
      let peer = greeted(station, Wire.handshake(identity: "c"))
      peer.send(Array(Wire.message([bytes("a task")]).dropLast()))
      let isTold = pump(station) { () -> Bool? in
        #expect(transport_hang_up(station.transport, TRANSPORT_CLIENT) == 1)
        return heard(peer) == nil ? true : nil
      }
      #expect(isTold == true)
      // Nor does it send the rest, as libzmq does not: the message is lost, and that is said.
      peer.close()
      #expect(noticed(station, 1, "hung up within a message"))
      station.close()
    }
  }
}

/// An orderly end with a journal: the next life takes over, and nothing is lost between the two.
///
///     beginLeaving       nothing is assigned any more; who was not read yet, or no longer, is
///     isRestoring        until it knows what is in the journal: nobody can be read before
///     hangUpEngines      engines are read until they hang up: results on the way are taken
///     hangUpClients      then clients: what they have submitted is taken; replies from now on wait
///                        for the next life
///     hubIsBehind        until the hub has its records
///
/// The daemon calls them between turns, each until it is done or its time is over. Peers that hang
/// up when we do (libzmq does) lose nothing; a closed socket would reset what we had not read.

import CTransport

extension Exchange {
  public mutating func beginLeaving() {
    state.isLeaving = true
    // What has been sent is in sockets, and goes down with them. It is bounded: nobody can send
    // more once we have hung up.
    state.clientsPaused = false
    state.clientsFull = false
    readOrRestClients()
    for client in backlog.resting {
      _ = unsafe transport_pause_peer(transport.handle, TRANSPORT_CLIENT, client, false)
    }
  }

  /// What is in the journal is not known yet.
  public var isRestoring: Bool { state.isRestoring }

  /// How many have not hung up; nil: this transport cannot know (`--transport zmq`, I/O threads).
  public mutating func hangUpEngines() -> Int? { hangUp(TRANSPORT_ENGINE) }

  public mutating func hangUpClients() -> Int? {
    let left = hangUp(TRANSPORT_CLIENT)
    if left != nil { state.parksReplies = true }
    return left
  }

  private func hangUp(_ role: transport_role) -> Int? {
    let left = unsafe transport_hang_up(transport.handle, role)
    return left < 0 ? nil : Int(left)
  }

  /// The hub listens, and has not got everything yet.
  public var hubIsBehind: Bool {
    unsafe transport_is_heard(transport.handle) && transport.departures.unconfirmed > 0
  }
}

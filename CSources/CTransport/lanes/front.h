/// front.h: the scheduling thread's half of the I/O lanes. Internal to lanes/.
///
///     the scheduling thread (front)                     lane 0 .. n-1, a thread each
///       hub's links, listeners (a native body)            a native body without listeners
///       who has which routing id, what is held            handshakes, framing, checks, writing
///       the caller's atoms and message table              atoms and messages of its own
///                         ------ orders: OPEN, SEND, GIVE, ... ----->
///                         <----- records: JOINED, MESSAGE, GIVE, ... -
///
///     front.c         opening, closing, the ops       front_peers.c    who is where, sending
///     front_gather.c  records become events
///
/// Invariant: the caller's atoms, message table and messages' counts are touched by this thread
/// alone. A message that a SEND named is held until a GIVE names it back.
#pragma once
#include "lane.h"

/// The front's doorbell, rung by all lanes, among the tags of its reactor.
#define FRONT_TAG_BELL 128u

/// A lane's blocks while this side holds them; outlives the lane if a message does.
typedef struct front_lender {
    native_block *first; ///< done with, to be given back
    uint64_t lent;
    bool gone; ///< the lane has ended
} front_lender;

typedef struct front_peer {
    atom id; ///< counted; ATOM_NONE for engines of a DEALER
    uint32_t serial;
    uint32_t turn; ///< DEALER: its index in `engines`
    uint8_t role;
    bool joined;
    bool crowded; ///< an engine that is sent nothing for a while
} front_peer;

typedef struct front_lane {
    lane *lane;
    front_lender *lender;
    front_peer *peers; ///< by the connection's index on the lane
    uint32_t peer_capacity;
    bool ordered;          ///< something was added that it must wake for
    lane_record *gathered; ///< `lent` records that this turn's events refer to
    uint32_t lent;
    bool kept; ///< one of them brought memory to be freed
    lane_counts counts;
} front_lane;

/// A connection: lane << 32 | index, plus 1; 0 is none.
typedef uint64_t front_route;

/// A message of a role that rests, which came all the same.
typedef struct front_parked {
    struct front_parked *next;
    lane_record record;
    atom id; ///< counted
} front_parked;

/// Who has a routing id.
typedef struct front_place {
    front_route route; ///< the connection that announced it last; 0: none
    uint32_t leaving;  ///< those that were replaced and have not LEFT
    bool known;        ///< somebody had it before, as native/route.c's NATIVE_ROUTE_LEFT
} front_place;

typedef struct front_routes {
    front_place *by_atom;
    uint32_t capacity;
    bool rests; ///< as the lanes were told
    uint32_t next_lane;
    front_parked *parked_first, *parked_last;
} front_routes;

typedef struct front {
    transport *self;
    uint32_t lane_count;
    uint32_t first_lane; ///< where the next gathering begins
    front_lane *lanes;
    front_routes roles[2];      ///< CLIENT, ENGINE
    front_parked *parked_given; ///< events of this turn refer to them
    front_route *engines;       ///< DEALER: round robin
    uint32_t engine_count, engine_capacity, next_engine;
    int bell;
    bool ending;
} front;

static inline front *front_of(const transport *self)
{
    return native_of(self)->hooked;
}

/// Something for the lane to be woken for.
lane_record *front_order(front *, uint32_t lane, lane_kind);
/// Publishes what was added and wakes whoever must know.
void front_ring(front *);

/// front_peers.c
void front_joined(front *, uint32_t lane, const lane_record *);
void front_left(front *, uint32_t lane, const lane_record *);
void front_crowded(front *, uint32_t lane, const lane_record *);
/// The peer that a record speaks of, or NULL when it was refused.
front_peer *front_find(front *, uint32_t lane, const lane_record *);
/// hook: to a client or an engine. 0, or an errno when it is not there.
int front_send(transport *, const transport_send *);
/// Tells the peer's lane whether to read it.
void front_pause_peer(transport *, transport_role, atom peer, bool paused);
/// The op `connected`.
int32_t front_is_connected(const transport *, transport_role, atom peer);
void front_peers_free(front *);

/// front_gather.c
bool front_ready(const transport *);
uint32_t front_gather(transport *, transport_event *, uint32_t capacity);
void front_begin_turn(transport *);
/// Frees what records brought that nobody will read, once the lanes have ended.
void front_drop_record(front *, uint32_t lane, const lane_record *);
void front_drop_parked(front *);

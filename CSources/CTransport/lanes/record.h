/// record.h: what crosses between the scheduling thread (the front) and a lane. Internal to lanes/.
///
///     front -> lane    OPEN    an accepted descriptor          lane -> front   JOINED   a peer
///                      SEND    frames for a connection                         MESSAGE  a block
///                      GIVE    blocks that were lent                           LEFT     a peer
///                      REST    a role is (not) to be read                      GIVE     handles
///                      PAUSE   likewise a connection                   CROWDED  an engine
///                      DROP    a connection is to be closed                    NOTICE   a line
///                      END     flush and close                         COUNTED  what has changed
///
/// Whose what is: a MESSAGE lends its block until it comes back in a GIVE; a SEND lends its message
/// (by handle, counted by the front alone) until it comes back in a GIVE. Nobody writes to what is
/// lent, except the borrower of a block to its head and to `next`.
#pragma once
#include "../native/block.h"

typedef enum lane_kind {
    LANE_OPEN = 1,
    LANE_SEND,
    LANE_REST,
    LANE_PAUSE,
    LANE_DROP,
    LANE_END,
    LANE_GIVE,
    LANE_JOINED,
    LANE_MESSAGE,
    LANE_LEFT,
    LANE_NOTICE,
    LANE_COUNTED,
    LANE_CROWDED,
} lane_kind;

/// What a lane counts that the front cannot, since it began.
typedef struct lane_counts {
    uint64_t waiting_bytes[2]; ///< now; CLIENT, ENGINE
    uint64_t unfinished_bytes; ///< now
    uint64_t paused_clients;
    uint64_t dropped_peers;
} lane_counts;

#define LANE_HANDLES_MAX  28u
#define LANE_PREFIX_BYTES 72u

typedef struct lane_record {
    uint8_t kind;
    uint8_t role;
    uint16_t count;      ///< frames, handles, or bytes of an id
    uint32_t connection; ///< its index on the lane
    /// And which of those that had this index. NOTICE: the line's kind.
    uint32_t serial;
    /// SEND: the message's handle. GIVE: sends to clients that were gone. MESSAGE: 1 when checked.
    /// NOTICE: how many more like it.
    uint32_t number;
    union {
        struct {
            const message_frame *frames; ///< `count`
            const uint8_t *wire;         ///< the same as it came; NULL: to be framed
            uint64_t wire_size;
            uint8_t *long_prefix; ///< in place of `prefix`, for the lane to free
            uint16_t prefix_sizes[3];
            uint16_t prefix_count;
            uint8_t prefix[LANE_PREFIX_BYTES]; ///< one behind the other
        } send;
        struct {
            native_block *block;
            void *kept; ///< the checker's, to be freed
            _Alignas(8) uint8_t checked[TRANSPORT_CHECKED_SIZE];
        } message;
        native_block *blocks; ///< GIVE to a lane: a list
        message_handle handles[LANE_HANDLES_MAX];
        lane_counts counts;
        uint8_t *text;      ///< JOINED: the id; NOTICE: a line; for the front to free
        const char *reason; ///< DROP: static
        uint64_t linger_ns; ///< END
        int fd;             ///< OPEN
        bool rests;         ///< REST, PAUSE
        bool crowded;       ///< CROWDED: too much waits for it, or no longer
    };
} lane_record;
_Static_assert(sizeof(lane_record) == 128, "two cache lines");

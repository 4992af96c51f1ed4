/// message.h: received and self-made multipart messages, refcounted, named by handle.
///
/// A message is received (or composed) once and relayed from where it lies: to an engine, to a
/// client, to the monitor. Transports create messages, the scheduling thread holds them while a
/// task waits or runs, and the last `message_release` gives the bytes back to whoever made them.
///
/// Invariant: a handle names a live message until its count reaches zero; after that, looking it
/// up is a programming error that the generation catches (`message_get` traps).
///
///     handle (32 bits)   | generation: 6 | index: 26 |      0 is "no message"
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "atoms.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef uint32_t message_handle;
#define MESSAGE_NONE 0u
/// Messages alive at once, at most: 2^26 - 1 (the index part of a handle).
#define MESSAGE_INDEX_BITS 26

/// One frame: `size` bytes at `data`, owned by the message.
typedef struct message_frame {
    const uint8_t *data;
    uint64_t size;
} message_frame;
_Static_assert(sizeof(message_frame) == 16, "crosses to Swift");

/// The frames of a message.
typedef struct message_frames {
    const message_frame *frames;
    uint32_t count;
} message_frames;

typedef struct message message;
/// Gives a message's memory back to the transport body that made it.
typedef void (*message_dispose)(message *);

/// The head of every message. Bodies allocate it with their own data behind it.
struct message {
    message_frame *frames;   ///< `frame_count` frames, without the ROUTER's first (see `origin`)
    message_dispose dispose; ///< called once, when `references` reaches 0
    /// The frames as they stand on a ZMTP wire, one after another, each behind its head, up to the
    /// last byte of the last one: what a relay copies in one piece. The frames lie within. NULL:
    /// they lie apart.
    const uint8_t *wire;
    uint64_t bytes; ///< the sum of the frames' sizes; 0: message_adopt adds them up
    atom origin;    ///< routing id of the peer it came from (ROUTER only), a counted
                    ///< reference; ATOM_NONE for others and for self-made messages
    message_handle handle;
    uint32_t references;
    uint16_t frame_count;
    uint8_t role; ///< transport_role it arrived on
    uint8_t body; ///< for the transport body's own use
};
_Static_assert(sizeof(message) == 48, "crosses to Swift");

typedef struct message_table message_table;

message_table *message_table_create(atoms *names);
/// Releases the table; every message must have been released (asserted in debug builds).
void message_table_destroy(message_table *);

/// Gives `m` (frames, dispose and origin filled in) a handle and one reference.
/// MESSAGE_NONE when 2^26 - 1 messages are alive: `m` stays the caller's.
message_handle message_adopt(message_table *, message *m);
/// The message of a live handle. Traps on a stale one. Valid until its last release.
static inline message *message_get(const message_table *, message_handle);
static inline void message_retain(message_table *, message_handle);
/// Drops one reference; the last one disposes and releases `origin`.
static inline void message_release(message_table *, message_handle);

/// A message of the scheduler's own, to be filled in: `count` frames (all still empty) and room for
/// `size` bytes at `*bytes`, for the frames to point into. Then `message_adopt` gives it a handle,
/// or, when there is none left, `dispose` takes it back. Small ones come from a pool. NULL when
/// memory is short.
message *message_begin(message_table *, uint16_t count, size_t size, uint8_t **bytes);

/// Frames as they stand on the wire, each with more to come.
typedef struct message_opening {
    const uint8_t *wire;
    size_t wire_size;
    const message_frame *frames; ///< within `wire`
    uint16_t count;
} message_opening;

/// As `message_begin`, with a wire: the opening's frames, copied, and one more of `size` bytes at
/// `*bytes`, to be filled in.
message *message_begin_wire(message_table *, const message_opening *, size_t size, uint8_t **bytes);
/// A message composed by the scheduler itself: copies `count` frames into one allocation.
/// One reference, origin ATOM_NONE. MESSAGE_NONE when out of handles or memory.
message_handle message_compose(message_table *, const message_frame *frames, uint16_t count);

/// Messages alive and the sum of their bytes (for limits and reports).
uint32_t message_table_count(const message_table *);
uint64_t message_table_bytes(const message_table *);

// What the inline functions need to see of the table: its first members (message.c draws them).
typedef struct message_table_view {
    uintptr_t *slots;    ///< a live message's address, or odd when the index is free
    uint32_t slot_count; ///< slots ever used, slot 0 among them
} message_table_view;

/// The last release: gives the index, the origin and the bytes back. Called by message_release.
void message_end(message_table *, message *);

static inline message *message_get(const message_table *table, message_handle handle)
{
    const message_table_view *view = (const message_table_view *)table;
    uint32_t index = handle & ((1u << MESSAGE_INDEX_BITS) - 1);
    uintptr_t slot = index < view->slot_count ? view->slots[index] : 1;
    message *m = (message *)slot;
    if ((slot & 1) || m->handle != handle)
        __builtin_trap();
    return m;
}

static inline void message_retain(message_table *table, message_handle handle)
{
    message_get(table, handle)->references++;
}

static inline void message_release(message_table *table, message_handle handle)
{
    message *m = message_get(table, handle);
    if (--m->references == 0)
        message_end(table, m);
}

/// Brings a message that will be looked at soon into the cache. `handle` may be MESSAGE_NONE.
static inline void message_prefetch(const message_table *table, message_handle handle)
{
    const message_table_view *view = (const message_table_view *)table;
    uint32_t index = handle & ((1u << MESSAGE_INDEX_BITS) - 1);
    if (index < view->slot_count)
        __builtin_prefetch((const void *)(view->slots[index] & ~(uintptr_t)1));
}

/// Drops one reference of each, in order.
void message_release_all(message_table *, const message_handle *handles, size_t count);

#ifdef __cplusplus
}
#endif

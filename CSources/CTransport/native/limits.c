/// limits.c: what the configuration leaves open, and what the system allows. Called by native.c.
///
/// Invariant: no limit is 0, none is larger than what the data structures take.
#include <sys/resource.h>

#include "body.h"

/// Messages of fewer frames are read without counting (traffic.c).
#define FRAMES_MAX_MIN 64u

static uint64_t given_or(uint64_t given, uint64_t otherwise)
{
    return given ? given : otherwise;
}

static uint32_t within(uint64_t value, uint32_t least, uint32_t most)
{
    return value < least ? least : value > most ? most : (uint32_t)value;
}

transport_limits native_limits(const transport_limits *given)
{
    return (transport_limits){
        .message_bytes_max = given_or(given->message_bytes_max, TRANSPORT_MESSAGE_BYTES_MAX),
        .message_frames_max =
            within(given_or(given->message_frames_max, TRANSPORT_MESSAGE_FRAMES_MAX),
                   FRAMES_MAX_MIN, NATIVE_FRAMES_MAX),
        .peers_max = (uint32_t)given_or(given->peers_max, TRANSPORT_PEERS_MAX),
        .handshakes_max = (uint32_t)given_or(given->handshakes_max, TRANSPORT_HANDSHAKES_MAX),
        .handshake_ns = given_or(given->handshake_ns, TRANSPORT_HANDSHAKE_NS),
        .client_pause_bytes = given_or(given->client_pause_bytes, TRANSPORT_CLIENT_PAUSE_BYTES),
        .client_bytes_max = given_or(given->client_bytes_max, TRANSPORT_CLIENT_BYTES_MAX),
        .clients_bytes_max = given_or(given->clients_bytes_max, TRANSPORT_CLIENTS_BYTES_MAX),
        .unfinished_bytes_max =
            given_or(given->unfinished_bytes_max, TRANSPORT_UNFINISHED_BYTES_MAX),
        .engine_bytes_max = given_or(given->engine_bytes_max, TRANSPORT_ENGINE_BYTES_MAX),
        .engines_bytes_max = given_or(given->engines_bytes_max, TRANSPORT_ENGINES_BYTES_MAX),
        .monitor_bytes_max = given_or(given->monitor_bytes_max, TRANSPORT_MONITOR_BYTES_MAX),
    };
}

int native_descriptor_max(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur > INT32_MAX)
        return INT32_MAX;
    // With so few that sparing some would leave none, none is spared.
    int highest = (int)limit.rlim_cur - 1;
    return highest < 4 * NATIVE_SPARE_DESCRIPTORS ? highest : highest - NATIVE_SPARE_DESCRIPTORS;
}

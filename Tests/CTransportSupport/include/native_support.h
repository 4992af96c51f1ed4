/// native_support.h: the native transport's protocol without sockets, for CTransportTests: bytes
/// in;
/// out comes a log, one line for each thing that happened.
#pragma once
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct support_protocol support_protocol;

/// `socket`: 1 ROUTER, 2 DEALER, 3 PUB, 4 SUB; NULL mechanism, this side bound.
support_protocol *support_protocol_create(int socket, uint64_t frame_bytes_max);
/// Other limits than none and 65535.
void support_protocol_limit(support_protocol *, uint64_t message_bytes_max, uint32_t frames_max);
/// Messages of too many frames so far.
uint32_t support_protocol_dropped(const support_protocol *);
/// The time to live of the last PING, in tenths of a second.
uint32_t support_protocol_promised(const support_protocol *);
void support_protocol_destroy(support_protocol *);
/// NULL, or the reason to close. Must not be called again after that.
const char *support_protocol_feed(support_protocol *, const uint8_t *bytes, size_t size);
/// "ready <id>", "message 3:5,0,70000 #<hash of all frames>", "subscribe <topic>",
/// "cancel <topic>", "command <name> <size>"; valid until the next call.
const char *support_protocol_log(const support_protocol *);
/// What it wants to send (greeting, READY), `size` bytes; valid until the next call.
const uint8_t *support_protocol_output(const support_protocol *, size_t *size);

#ifdef __cplusplus
}
#endif

/// traffic.h: messages and commands after the handshake. Called by peer.c.
#pragma once
#include "peer.h"

/// NULL, or the reason to close the connection.
const char *native_traffic_feed(native_peer *, native_bytes);

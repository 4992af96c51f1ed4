/// hang_up.c: the orderly end of a role: its peers are told that no more comes, and are read until
/// they hang up in turn. Called by transport.c.
///
/// A close would reset the connection, with what the peer has sent and we have not read. And a
/// libzmq peer that is told while it writes a message drops the rest of it: it is told between
/// messages.
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "body.h"

/// Who never stops speaking is told after this, whatever it says. Longer: more time until the end,
/// which the daemon limits.
#define BETWEEN_MESSAGES_NS 250000000ull

static bool is_speaking(const native_connection *connection)
{
    int unread = 0;
    if (native_peer_is_within_message(&connection->peer))
        return true;
    return ioctl(connection->fd, FIONREAD, &unread) == 0 && unread > 0;
}

int32_t native_hang_up(transport *self, transport_role which)
{
    native_body *body = native_of(self);
    native_role *role = &body->roles[which];
    int32_t left = 0;
    native_unlisten(self, which);
    if (role->hang_up_ns == 0)
        role->hang_up_ns = transport_now_ns() + BETWEEN_MESSAGES_NS;
    bool waits = transport_now_ns() < role->hang_up_ns;
    for (uint32_t i = 0; i < body->table_count; i++) {
        native_connection *connection = body->table[i];
        if (!connection || connection->closing || connection->role != which)
            continue;
        // Who has our READY may have sent its own and messages behind it, which we have not read.
        // Before that it has nothing to say.
        if (connection->peer.phase == NATIVE_PHASE_GREETING) {
            native_connection_close(connection, NULL);
            continue;
        }
        left++;
        if (!connection->ready || connection->hung_up || connection->output.bytes > 0 ||
            connection->sending || (waits && is_speaking(connection)))
            continue;
        connection->hung_up = shutdown(connection->fd, SHUT_WR) == 0;
    }
    return left;
}

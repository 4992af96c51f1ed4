/// options.c: the options of each socket. Called by libzmq.c before bind and connect.
///
/// Invariant: nothing is set that a role does not need; limits have their names in body.h.
#include <errno.h>
#include <string.h>

#include "body.h"

static bool set_int(void *socket, int option, int value)
{
    return zmq_setsockopt(socket, option, &value, sizeof value) == 0;
}

static bool set_text(void *socket, int option, const char *value)
{
    return zmq_setsockopt(socket, option, value, strlen(value)) == 0;
}

static bool set_flow(void *socket, transport_role role, const transport_config *config)
{
    int hwm = role == TRANSPORT_LOG ? LIBZMQ_LOG_HWM : 0;
    int unread = role == TRANSPORT_CLIENT ? LIBZMQ_CLIENT_HWM : hwm;
    bool ok = set_int(socket, ZMQ_SNDHWM, hwm) && set_int(socket, ZMQ_RCVHWM, unread) &&
              set_int(socket, ZMQ_LINGER, 0);
    if (config->frame_bytes_max > 0) {
        int64_t bytes_max =
            config->frame_bytes_max < INT64_MAX ? (int64_t)config->frame_bytes_max : INT64_MAX;
        ok = ok && zmq_setsockopt(socket, ZMQ_MAXMSGSIZE, &bytes_max, sizeof bytes_max) == 0;
    }
    return ok;
}

static bool set_connection(void *socket, bool ipv6)
{
    return set_int(socket, ZMQ_IPV6, ipv6) && set_int(socket, ZMQ_BACKLOG, LIBZMQ_BACKLOG) &&
           set_int(socket, ZMQ_HANDSHAKE_IVL, LIBZMQ_HANDSHAKE_MS) &&
           set_int(socket, ZMQ_TCP_KEEPALIVE, 1) &&
           set_int(socket, ZMQ_TCP_KEEPALIVE_IDLE, LIBZMQ_KEEPALIVE_IDLE_S) &&
           set_int(socket, ZMQ_TCP_KEEPALIVE_CNT, LIBZMQ_KEEPALIVE_COUNT) &&
           set_int(socket, ZMQ_TCP_KEEPALIVE_INTVL, LIBZMQ_KEEPALIVE_INTERVAL_S);
}

/// The whole cluster shares one pair: whoever binds is the server, whoever connects shows the pair.
static bool set_curve(void *socket, transport_role role, const transport_config *config)
{
    if (!config->curve_secret_z85)
        return true;
    if (transport_role_binds(role))
        return set_int(socket, ZMQ_CURVE_SERVER, 1) &&
               set_text(socket, ZMQ_CURVE_SECRETKEY, config->curve_secret_z85);
    return set_text(socket, ZMQ_CURVE_SERVERKEY, config->curve_public_z85) &&
           set_text(socket, ZMQ_CURVE_PUBLICKEY, config->curve_public_z85) &&
           set_text(socket, ZMQ_CURVE_SECRETKEY, config->curve_secret_z85);
}

bool libzmq_set_options(libzmq_body *body, transport_role role, const transport_config *config,
                        bool ipv6)
{
    void *socket = body->sockets[role];
    bool router = transport_role_binds(role) && !(role == TRANSPORT_ENGINE && body->engine_dealer);
    bool ok = set_flow(socket, role, config) && set_connection(socket, ipv6) &&
              set_curve(socket, role, config);
    if (config->identity[role])
        ok = ok && set_text(socket, ZMQ_ROUTING_ID, config->identity[role]);
    if (router)
        ok = ok && set_int(socket, ZMQ_ROUTER_HANDOVER, 1) &&
             set_int(socket, ZMQ_ROUTER_MANDATORY, 1);
    if (role == TRANSPORT_NOTIFICATION)
        ok = ok && set_text(socket, ZMQ_SUBSCRIBE, "");
    return ok;
}

/// check.c: refuses a configuration that cannot be right, before anything is opened. Called by
/// transport_open.
///
/// Invariant: no key material reaches an error's text.
#include <stdint.h>
#include <string.h>

#include "endpoint.h"
#include "transport_internal.h"

#define CURVE_Z85_LENGTH 40
#define IDENTITY_MAX     255

/// Z85 writes 4 bytes as 5 digits of base 85, which could also say more than 32 bits hold.
static bool is_curve_key(const char *text)
{
    static const char DIGITS[] = "0123456789abcdefghijklmnopqrstuvwxyz"
                                 "ABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#";
    if (strlen(text) != CURVE_Z85_LENGTH)
        return false;
    for (size_t i = 0; i < CURVE_Z85_LENGTH; i += 5) {
        uint64_t value = 0;
        for (size_t j = 0; j < 5; j++) {
            const char *digit = strchr(DIGITS, text[i + j]);
            if (!digit)
                return false;
            value = value * 85 + (uint64_t)(digit - DIGITS);
        }
        if (value > UINT32_MAX)
            return false;
    }
    return true;
}

static bool check_keys(const transport_config *config, transport_error *error)
{
    const char *public_key = config->curve_public_z85;
    const char *secret_key = config->curve_secret_z85;
    if (!public_key && !secret_key)
        return true;
    if (!public_key || !secret_key)
        return transport_fail(error, TRANSPORT_STAGE_ARGUMENT,
                              "CURVE: the %s key is given without the %s key; give both or none",
                              public_key ? "public" : "secret", public_key ? "secret" : "public");
    if (is_curve_key(public_key) && is_curve_key(secret_key))
        return true;
    const char *which = is_curve_key(public_key) ? "secret" : "public";
    size_t length = strlen(is_curve_key(public_key) ? secret_key : public_key);
    return transport_fail(error, TRANSPORT_STAGE_ARGUMENT,
                          "CURVE: the %s key (%zu characters) is not 40 characters of Z85; "
                          "take it from ipcontroller or make a pair with zmq.curve_keypair()",
                          which, length);
}

static bool check_role(const transport_config *config, transport_role role, transport_error *error)
{
    const char *name = transport_role_name(role);
    const char *url = config->url[role];
    const char *identity = config->identity[role];
    if (!url)
        return true;
    endpoint parsed;
    const char *problem = endpoint_parse(url, transport_role_binds(role), &parsed);
    if (problem)
        return transport_fail(error, TRANSPORT_STAGE_ARGUMENT,
                              "the %s url %.200s cannot be used: %s; write tcp://host:port or "
                              "ipc://path",
                              name, url, problem);
    if (!identity)
        return true;
    size_t length = strlen(identity);
    if (length == 0 || length > IDENTITY_MAX)
        return transport_fail(error, TRANSPORT_STAGE_ARGUMENT,
                              "the %s identity has %zu bytes; a routing id has 1 to %d", name,
                              length, IDENTITY_MAX);
    return true;
}

bool transport_check(const transport_config *config, transport_error *error)
{
    bool known = config->body == TRANSPORT_BODY_ZMQ || config->body == TRANSPORT_BODY_NATIVE;
    if (!known || (unsigned)config->io > TRANSPORT_IO_EPOLL)
        return transport_fail(error, TRANSPORT_STAGE_ARGUMENT,
                              "transport %d with io %d does not exist; use --transport native or "
                              "zmq and --io auto, uring or epoll",
                              (int)config->body, (int)config->io);
    if (config->io_threads > TRANSPORT_IO_THREADS_MAX)
        return transport_fail(error, TRANSPORT_STAGE_ARGUMENT,
                              "%u I/O threads are too many; use --io-threads 0 to %d",
                              config->io_threads, TRANSPORT_IO_THREADS_MAX);
    if (config->io_threads > 0 && config->body != TRANSPORT_BODY_NATIVE)
        return transport_fail(error, TRANSPORT_STAGE_ARGUMENT,
                              "I/O threads need the native transport; use --transport native, or "
                              "--io-threads 0");
    if (config->io_ring_size & (config->io_ring_size - 1))
        return transport_fail(error, TRANSPORT_STAGE_ARGUMENT,
                              "a ring of %u records is not a power of two", config->io_ring_size);
    if (!config->names || !config->messages)
        return transport_fail(error, TRANSPORT_STAGE_ARGUMENT,
                              "the transport needs a table of atoms and one of messages");
    for (int role = 0; role < TRANSPORT_ROLES; role++) {
        if (!check_role(config, (transport_role)role, error))
            return false;
    }
    return check_keys(config, error);
}

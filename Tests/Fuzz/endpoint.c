/// endpoint.c: fuzz target: urls (endpoint.h).
///
///     input   the url's text, up to its first zero byte
///
/// Checked: what is accepted, written again, is the same endpoint, and the same text but for zeros
/// before a port; what can be connected to can be bound; hosts and paths end within their room.
#include "fuzz.h"

#include "../../CSources/CTransport/endpoint.h"

static bool is_same(const endpoint *a, const endpoint *b)
{
    return a->kind == b->kind && a->bracketed == b->bracketed && a->port == b->port &&
           strcmp(a->host, b->host) == 0 && strcmp(a->path, b->path) == 0;
}

static void write_url(const endpoint *self, char *out, size_t size)
{
    if (self->kind == ENDPOINT_IPC)
        snprintf(out, size, "ipc://%s", self->path);
    else if (self->bracketed)
        snprintf(out, size, "tcp://[%s]:%u", self->host, self->port);
    else
        snprintf(out, size, "tcp://%s:%u", self->host, self->port);
}

/// Whether the texts are the same but for how the port is written.
static bool is_same_text(const endpoint *parsed, const char *url, const char *again)
{
    if (parsed->kind == ENDPOINT_IPC)
        return strcmp(url, again) == 0;
    size_t before_port = (size_t)(strrchr(again, ':') + 1 - again);
    const char *port = url + before_port;
    if (strncmp(url, again, before_port) != 0)
        return false;
    return strcmp(port, "*") == 0 ? parsed->port == 0 : strtoul(port, NULL, 10) == parsed->port;
}

static bool check(const char *url, bool binds, endpoint *out)
{
    const char *problem = endpoint_parse(url, binds, out);
    if (problem) {
        FUZZ_REQUIRE(*problem, "no reason for %s", url);
        return false;
    }
    FUZZ_REQUIRE(memchr(out->host, 0, sizeof out->host), "host of %s has no end", url);
    FUZZ_REQUIRE(memchr(out->path, 0, sizeof out->path), "path of %s has no end", url);
    bool tcp = out->kind == ENDPOINT_TCP;
    FUZZ_REQUIRE(tcp || out->kind == ENDPOINT_IPC, "kind %d of %s", out->kind, url);
    FUZZ_REQUIRE((*out->host != 0) == tcp && (*out->path != 0) != tcp, "%s: host and path", url);
    FUZZ_REQUIRE(binds || !tcp || out->port > 0, "connect to port 0: %s", url);
    // The resolver is not asked: addresses and "*" need none.
    bool known;
    if (tcp && (out->bracketed || strcmp(out->host, "*") == 0))
        FUZZ_REQUIRE(endpoint_needs_ipv6(out, &known) == out->bracketed && known, "ipv6: %s", url);

    char again[ENDPOINT_HOST_MAX + ENDPOINT_PATH_MAX + 32];
    endpoint reread;
    write_url(out, again, sizeof again);
    problem = endpoint_parse(again, binds, &reread);
    FUZZ_REQUIRE(!problem, "%s written as %s: %s", url, again, problem);
    FUZZ_REQUIRE(is_same(out, &reread), "%s written as %s is another", url, again);
    FUZZ_REQUIRE(is_same_text(out, url, again), "%s written as %s", url, again);
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *url = fuzz_text((fuzz_input){data, size});
    endpoint bound, connected;
    bool can_bind = check(url, true, &bound);
    if (check(url, false, &connected))
        FUZZ_REQUIRE(can_bind && is_same(&bound, &connected), "connected only: %s", url);
    free(url);
    return 0;
}

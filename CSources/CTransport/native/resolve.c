/// resolve.c: addresses of endpoints. Called by listen.c (binding) and dial.c.
///
/// A resolver may take seconds, and the scheduling thread cannot wait for it: only the first time,
/// at start, is a host name asked for in line. After that a thread that does nothing else asks when
/// a connection has ended, and its answer is looked for when it is dialed again, 50 ms later at the
/// earliest. Until there is one, the address that was last known is dialed. (getaddrinfo_a does the
/// same, but its threads are unknown to sanitizers.)
///
/// Invariant: a question has two owners while it is asked, the role and the thread; `state` says
/// which of them was first to be done with it, and the second one frees it. Its exchange is acquire
/// and release: what the thread wrote before it is seen after it.
#include <errno.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "body.h"

typedef enum question_state { ASKED, ANSWERED, ABANDONED } question_state;

struct native_question {
    _Atomic int state; ///< question_state
    int rc;            ///< getaddrinfo's
    struct addrinfo hints, *found;
    char host[ENDPOINT_HOST_MAX + 1];
};

static const char *resolve_path(const endpoint *parsed, native_address *out, socklen_t *size)
{
    size_t length = strlen(parsed->path);
    memset(out, 0, sizeof *out);
    out->path.sun_family = AF_UNIX;
    memcpy(out->path.sun_path, parsed->path, length);
    *size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length + 1);
    if (parsed->path[0] == '@') { // the abstract name space: no terminator, no file
        out->path.sun_path[0] = 0;
        *size -= 1;
    }
    return NULL;
}

/// The address of an interface of that name, as libzmq lets one write it.
static bool resolve_interface(const char *name, int family, native_address *out)
{
    struct ifaddrs *all = NULL;
    bool found = false;
    if (getifaddrs(&all) != 0)
        return false;
    for (struct ifaddrs *each = all; each && !found; each = each->ifa_next) {
        found = each->ifa_addr && each->ifa_addr->sa_family == family &&
                strcmp(each->ifa_name, name) == 0;
        if (found && family == AF_INET)
            memcpy(&out->ipv4, each->ifa_addr, sizeof out->ipv4);
        else if (found)
            memcpy(&out->ipv6, each->ifa_addr, sizeof out->ipv6);
    }
    freeifaddrs(all);
    return found;
}

static struct addrinfo hints_for(const endpoint *parsed)
{
    return (struct addrinfo){.ai_family = parsed->bracketed ? AF_INET6 : AF_UNSPEC,
                             .ai_socktype = SOCK_STREAM};
}

/// Of a name with both, libzmq takes the IPv4 address.
static socklen_t take_best(const struct addrinfo *found, native_address *out)
{
    const struct addrinfo *best = found;
    for (const struct addrinfo *each = found; each; each = each->ai_next) {
        if (each->ai_family == AF_INET && best->ai_family != AF_INET)
            best = each;
    }
    memcpy(out, best->ai_addr, best->ai_addrlen);
    return best->ai_addrlen;
}

static void set_port(native_address *out, uint16_t port)
{
    if (out->head.sa_family == AF_INET6)
        out->ipv6.sin6_port = htons(port);
    else
        out->ipv4.sin_port = htons(port);
}

const char *native_resolve(const endpoint *parsed, bool binds, native_address *out, socklen_t *size)
{
    if (parsed->kind == ENDPOINT_IPC)
        return resolve_path(parsed, out, size);
    struct addrinfo hints = hints_for(parsed), *found = NULL;
    hints.ai_flags = binds ? AI_PASSIVE : 0;
    memset(out, 0, sizeof *out);
    *size = sizeof out->ipv4;
    if (strcmp(parsed->host, "*") == 0) {
        out->ipv4.sin_family = AF_INET;
    } else if (!binds || !resolve_interface(parsed->host, AF_INET, out)) {
        int rc = getaddrinfo(parsed->host, NULL, &hints, &found);
        if (rc != 0)
            return rc == EAI_SYSTEM ? strerror(errno) : gai_strerror(rc);
        *size = take_best(found, out);
        freeaddrinfo(found);
    }
    set_port(out, parsed->port);
    return NULL;
}

static bool is_numeric(const endpoint *parsed)
{
    struct addrinfo hints = hints_for(parsed), *found = NULL;
    hints.ai_flags = AI_NUMERICHOST;
    if (parsed->kind == ENDPOINT_IPC)
        return true;
    if (getaddrinfo(parsed->host, NULL, &hints, &found) != 0)
        return false;
    freeaddrinfo(found);
    return true;
}

static void free_question(native_question *question)
{
    if (question->rc == 0 && question->found)
        freeaddrinfo(question->found);
    free(question);
}

static void *ask(void *argument)
{
    native_question *question = argument;
    question->rc = getaddrinfo(question->host, NULL, &question->hints, &question->found);
    if (atomic_exchange(&question->state, ANSWERED) == ABANDONED)
        free_question(question);
    return NULL;
}

void native_resolve_begin(native_role *role)
{
    pthread_t thread;
    native_question *question;
    if (role->question || is_numeric(&role->parsed) || !(question = calloc(1, sizeof *question)))
        return; // if there is no memory the address that is known will do
    memcpy(question->host, role->parsed.host, sizeof question->host);
    question->hints = hints_for(&role->parsed);
    if (pthread_create(&thread, NULL, ask, question) != 0) {
        free(question);
        return;
    }
    pthread_detach(thread);
    role->question = question;
}

const char *native_resolve_end(native_role *role)
{
    native_question *question = role->question;
    const char *problem = "its host name is being looked up";
    if (question && atomic_load(&question->state) == ANSWERED) {
        problem = question->rc == EAI_SYSTEM ? "the resolver failed" : gai_strerror(question->rc);
        if (question->rc == 0) {
            memset(&role->address, 0, sizeof role->address);
            role->address_size = take_best(question->found, &role->address);
            set_port(&role->address, role->parsed.port);
        }
        free_question(question);
        role->question = NULL;
    }
    return role->address_size > 0 ? NULL : problem;
}

void native_resolve_free(native_role *role)
{
    native_question *question = role->question;
    role->question = NULL;
    if (question && atomic_exchange(&question->state, ABANDONED) == ANSWERED)
        free_question(question);
}

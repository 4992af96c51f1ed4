/// notice.c: lines for the log about what peers did and what is short. Called by native/ and, to
/// take them, by transport_next_notice.
///
///     kinds[0..KINDS_MAX)   hash of role and cause | its last line | how many since | when told
///     queue                 the kinds whose line is to be told
/// What a lane has to say becomes a line of the front's: same kinds, and the count goes on there.
///
/// Invariant: a peer can cause any number of lines; of each kind one a second is told, the others
/// are counted, and the count is told with the next one, or a second later.
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "body.h"

#define QUIET_NS 1000000000ull

/// FNV-1a. Never 0: that is a free slot.
static uint32_t hash_of(uint32_t role, const char *cause)
{
    uint32_t hash = (2166136261u ^ role) * 16777619u;
    for (const char *at = cause; *at; at++)
        hash = (hash ^ (uint8_t)*at) * 16777619u;
    return hash ? hash : 1;
}

/// With all slots taken, causes share one: some are counted as others.
static native_notice_kind *kind_of(native_notices *self, uint32_t hash)
{
    uint32_t at = hash % NATIVE_NOTICES_MAX;
    for (uint32_t i = 0; i < NATIVE_NOTICES_MAX; i++) {
        native_notice_kind *kind = &self->kinds[(at + i) % NATIVE_NOTICES_MAX];
        if (kind->hash == hash || kind->hash == 0) {
            kind->hash = hash;
            return kind;
        }
    }
    return &self->kinds[at];
}

static void tell(transport *self, native_notice_kind *kind, uint64_t now_ns)
{
    native_notices *notices = &native_of(self)->notices;
    kind->told_ns = now_ns;
    kind->queued = true;
    uint32_t at = (notices->first + notices->count++) % NATIVE_NOTICES_MAX;
    notices->queue[at] = (uint8_t)(kind - notices->kinds);
    self->noticed = true;
}

/// True when its line is to be told now.
static bool count_one(transport *self, native_notice_kind *kind)
{
    native_notices *notices = &native_of(self)->notices;
    uint64_t now_ns = transport_now_ns();
    if (!kind->queued && (kind->told_ns == 0 || now_ns - kind->told_ns >= QUIET_NS)) {
        tell(self, kind, now_ns);
        return true;
    }
    kind->swallowed++;
    if (kind->told_ns + QUIET_NS < notices->expires_ns)
        notices->expires_ns = kind->told_ns + QUIET_NS;
    return false;
}

native_notice_kind *native_notice_due(transport *self, uint32_t role, const char *cause)
{
    native_notice_kind *kind = kind_of(&native_of(self)->notices, hash_of(role, cause));
    return count_one(self, kind) ? kind : NULL;
}

void native_notice_again(transport *self, const native_told *told)
{
    native_notice_kind *kind = kind_of(&native_of(self)->notices, told->kind);
    kind->swallowed += told->more;
    if (count_one(self, kind))
        snprintf(kind->text, sizeof kind->text, "%s", told->text);
}

void native_notice(transport *self, uint32_t role, const char *cause, const char *format, ...)
{
    native_notice_kind *kind = native_notice_due(self, role, cause);
    if (!kind)
        return;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(kind->text, sizeof kind->text, format, arguments);
    va_end(arguments);
}

void native_notices_expire(transport *self, uint64_t now_ns)
{
    native_notices *notices = &native_of(self)->notices;
    if (now_ns < notices->expires_ns)
        return;
    notices->expires_ns = UINT64_MAX;
    for (uint32_t i = 0; i < NATIVE_NOTICES_MAX; i++) {
        native_notice_kind *kind = &notices->kinds[i];
        if (kind->swallowed == 0 || kind->queued)
            continue;
        if (kind->told_ns + QUIET_NS <= now_ns) {
            kind->swallowed--; // it is the one that is told
            tell(self, kind, now_ns);
        } else if (kind->told_ns + QUIET_NS < notices->expires_ns) {
            notices->expires_ns = kind->told_ns + QUIET_NS;
        }
    }
}

bool native_take_notice(transport *self, native_told *out)
{
    native_notices *notices = &native_of(self)->notices;
    if (notices->count == 0)
        return false;
    native_notice_kind *kind = &notices->kinds[notices->queue[notices->first]];
    notices->first = (notices->first + 1) % NATIVE_NOTICES_MAX;
    notices->count--;
    kind->queued = false;
    *out = (native_told){kind->hash, kind->swallowed, kind->text};
    kind->swallowed = 0;
    return true;
}

bool native_next_notice(transport *self, char *text, size_t text_size)
{
    native_told told;
    if (!native_take_notice(self, &told))
        return false;
    if (told.more > 0)
        snprintf(text, text_size, "%s (and %u more like it)", told.text, told.more);
    else
        snprintf(text, text_size, "%s", told.text);
    return true;
}

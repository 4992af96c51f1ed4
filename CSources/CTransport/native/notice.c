/// notice.c: lines for the log about what peers did and what is short. Called by native/ and, to
/// take them, by transport_next_notice.
///
/// Invariant: a peer can cause any number of lines; at most NATIVE_NOTICES_MAX wait, the rest is
/// counted and said in one line.
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "body.h"

void native_notice(transport *self, const char *format, ...)
{
    native_body *body = native_of(self);
    self->noticed = true;
    if (body->notice_count == NATIVE_NOTICES_MAX) {
        body->notices_lost++;
        return;
    }
    uint32_t at = (body->notice_first + body->notice_count++) % NATIVE_NOTICES_MAX;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(body->notices[at], NATIVE_NOTICE_SIZE, format, arguments);
    va_end(arguments);
}

bool native_next_notice(transport *self, char *text, size_t text_size)
{
    native_body *body = native_of(self);
    if (body->notice_count > 0) {
        snprintf(text, text_size, "%s", body->notices[body->notice_first]);
        body->notice_first = (body->notice_first + 1) % NATIVE_NOTICES_MAX;
        body->notice_count--;
        return true;
    }
    if (body->notices_lost == 0)
        return false;
    snprintf(text, text_size, "and %u more such lines were left out", body->notices_lost);
    body->notices_lost = 0;
    return true;
}

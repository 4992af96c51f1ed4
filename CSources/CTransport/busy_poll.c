/// busy_poll.c: see busy_poll.h.
#include "busy_poll.h"

#include "include/transport.h"

#define TRUST_MAX    15
#define TRUST_NEEDED 8
/// What an outcome adds or takes: a look that pays is sure, a sleep that was short is a guess.
#define TRUST_HIT   4
#define TRUST_SHORT 1
#define TRUST_MISS  8

void busy_poll_init(busy_poll *self, uint64_t window_ns)
{
    bool adaptive = window_ns == TRANSPORT_BUSY_POLL_AUTO;
    *self = (busy_poll){.window_ns = adaptive ? BUSY_POLL_WINDOW_NS : window_ns,
                        .adaptive = adaptive,
                        .rest_ns = BUSY_POLL_REST_NS};
}

void busy_poll_begin(busy_poll *self, uint64_t now_ns)
{
    bool looks = !self->adaptive ||
                 (self->trust[self->history] >= TRUST_NEEDED && now_ns >= self->rest_until_ns);
    self->begin_ns = self->last_ns = now_ns;
    self->until_ns = looks ? now_ns + self->window_ns : 0;
}

static void note_preemption(busy_poll *self, uint64_t now_ns, int64_t preempted)
{
    // Since it was last asked: one from another time counts for now, once.
    bool wanted = preempted != self->preempted;
    self->preempted = preempted;
    if (!wanted)
        return;
    self->rest_until_ns = now_ns + self->rest_ns;
    if (self->rest_ns < BUSY_POLL_REST_NS_MAX)
        self->rest_ns *= 2;
    self->calm_ns = 0;
    self->until_ns = self->begin_ns; // looked, and looks no more
}

bool busy_poll_looks(busy_poll *self, uint64_t now_ns, int64_t (*preemptions)(void))
{
    // After the window the thread has slept in between.
    bool looked = self->last_ns < self->until_ns;
    uint64_t gap_ns = now_ns - self->last_ns;
    self->last_ns = now_ns;
    if (self->adaptive && looked && gap_ns > BUSY_POLL_GAP_NS)
        note_preemption(self, now_ns, preemptions());
    return now_ns < self->until_ns;
}

static void note_calm(busy_poll *self, uint64_t looked_ns)
{
    self->calm_ns += looked_ns;
    if (self->calm_ns < BUSY_POLL_CALM_NS)
        return;
    self->calm_ns = 0;
    self->rest_ns = BUSY_POLL_REST_NS;
}

void busy_poll_end(busy_poll *self, uint64_t now_ns, bool found)
{
    if (!self->adaptive)
        return;
    uint8_t *trust = &self->trust[self->history];
    bool looked = self->until_ns > 0;
    uint64_t waited_ns = now_ns - self->begin_ns;
    bool soon = found && waited_ns <= (looked ? self->window_ns : BUSY_POLL_SLEEP_NS);
    int sum = *trust + (!soon ? -TRUST_MISS : looked ? TRUST_HIT : TRUST_SHORT);
    *trust = (uint8_t)(sum < 0 ? 0 : sum > TRUST_MAX ? TRUST_MAX : sum);
    self->history = (uint8_t)((self->history << 1 | soon) & ((1u << BUSY_POLL_HISTORY) - 1));
    if (looked)
        note_calm(self, waited_ns < self->window_ns ? waited_ns : self->window_ns);
}

/*
 * stalls: yard-stalls, how long this machine keeps a running thread from running: what no scheduler
 * on it can be better than. A thread a CPU does nothing but read the clock; a step of more than
 * STALL_NS is a stall: an interrupt, another process (counted by the kernel as a preemption), or,
 * in a virtual machine, the host. Run by hand beside an open-loop latency (perf/README.md).
 * Invariant: nothing but stalls that are over is recorded; all are, up to STALLS_MAX a CPU.
 */
#define _GNU_SOURCE
#include <getopt.h>
#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>

#define STALL_NS   20000
#define STALLS_MAX (1u << 20)

typedef struct watcher {
    pthread_t thread;
    int cpu;
    uint64_t end_ns, watched_ns;
    uint64_t *stall_ns;
    uint32_t count, preempted; /* of these, those in which another process ran */
} watcher;

static uint64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static long preemptions(void)
{
    struct rusage usage;
    getrusage(RUSAGE_THREAD, &usage);
    return usage.ru_nivcsw;
}

static void *watch(void *context)
{
    watcher *self = context;
    cpu_set_t only;
    CPU_ZERO(&only);
    CPU_SET(self->cpu, &only);
    if (pthread_setaffinity_np(pthread_self(), sizeof only, &only) != 0)
        return NULL;
    long before = preemptions();
    uint64_t begin = now_ns(), last = begin;
    while (last < self->end_ns && self->count < STALLS_MAX) {
        uint64_t now = now_ns();
        if (now - last > STALL_NS) {
            long after = preemptions();
            self->stall_ns[self->count++] = now - last;
            self->preempted += after != before;
            before = after;
            now = now_ns();
        }
        last = now;
    }
    self->watched_ns = last - begin;
    return NULL;
}

/* The share of all moments that are followed by more than `delay_ns` of stall. */
static double share_above(const watcher *all, int count, double delay_ns)
{
    double above = 0, watched = 0;
    for (int i = 0; i < count; i++) {
        watched += (double)all[i].watched_ns;
        for (uint32_t j = 0; j < all[i].count; j++) {
            double rest = (double)all[i].stall_ns[j] - delay_ns;
            above += rest > 0 ? rest : 0;
        }
    }
    return watched > 0 ? above / watched : 0;
}

/* What comes at a random moment waits at most this long in all but `share` of the cases. */
static double delay_us(const watcher *all, int count, double share)
{
    double low = 0, high = 60e9;
    if (share_above(all, count, 0) <= share)
        return 0;
    for (int i = 0; i < 60; i++) {
        double middle = (low + high) / 2;
        if (share_above(all, count, middle) > share)
            low = middle;
        else
            high = middle;
    }
    return high / 1000;
}

static void report(const watcher *all, int count, double seconds)
{
    uint64_t stalls = 0, preempted = 0, longest = 0;
    for (int i = 0; i < count; i++) {
        stalls += all[i].count;
        preempted += all[i].preempted;
        for (uint32_t j = 0; j < all[i].count; j++)
            longest = all[i].stall_ns[j] > longest ? all[i].stall_ns[j] : longest;
    }
    printf("{\"cpus\": %d, \"seconds\": %.1f, \"stalls\": %llu, \"by_processes\": %llu, "
           "\"stalled_share\": %.5f, \"longest_us\": %.0f, "
           "\"delay_us\": {\"p99\": %.0f, \"p99.9\": %.0f, \"p99.99\": %.0f}}\n",
           count, seconds, (unsigned long long)stalls, (unsigned long long)preempted,
           share_above(all, count, 0), (double)longest / 1000, delay_us(all, count, 0.01),
           delay_us(all, count, 0.001), delay_us(all, count, 0.0001));
}

static const char HELP[] =
    "yard-stalls: how long this machine keeps running threads from running\n"
    "usage: yard-stalls [--seconds S (10)]\n"
    "Uses every CPU that it may, whole. The result is one JSON object. delay_us: how long what\n"
    "comes at a random moment waits for a CPU of its own. by_processes: stalls in which another\n"
    "process of this system ran; the others are interrupts and, in a virtual machine, the host.\n";

int main(int argc, char **argv)
{
    static const struct option LONGS[] = {{"seconds", required_argument, NULL, 's'},
                                          {"help", no_argument, NULL, 'h'},
                                          {NULL, 0, NULL, 0}};
    double seconds = 10;
    int chosen, count = 0;
    while ((chosen = getopt_long(argc, argv, "", LONGS, NULL)) != -1) {
        if (chosen == 's')
            seconds = atof(optarg);
        if (chosen == 'h')
            return fputs(HELP, stdout) < 0;
        if (chosen == '?' || seconds <= 0 || seconds > 3600) {
            fputs(HELP, stderr);
            return 2;
        }
    }
    cpu_set_t allowed;
    if (sched_getaffinity(0, sizeof allowed, &allowed) != 0)
        return perror("sched_getaffinity"), 1;
    watcher *all = calloc((size_t)CPU_COUNT(&allowed), sizeof *all);
    uint64_t end_ns = now_ns() + (uint64_t)(seconds * 1e9);
    bool ok = all != NULL;
    for (int cpu = 0; cpu < CPU_SETSIZE && ok; cpu++) {
        if (!CPU_ISSET(cpu, &allowed))
            continue;
        watcher *each = &all[count];
        *each = (watcher){.cpu = cpu, .end_ns = end_ns};
        each->stall_ns = malloc(STALLS_MAX * sizeof *each->stall_ns);
        ok = each->stall_ns && pthread_create(&each->thread, NULL, watch, each) == 0;
        count += ok;
    }
    for (int i = 0; i < count; i++)
        pthread_join(all[i].thread, NULL);
    if (!ok)
        return fputs("yard-stalls: not enough memory or threads\n", stderr), 1;
    report(all, count, seconds);
    for (int i = 0; i < count; i++)
        free(all[i].stall_ns);
    free(all);
    return 0;
}

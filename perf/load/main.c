/*
 * load: yard-load, the phases of a run: bring up, warm up, measure, drain, judge, report.
 * Invariant: the measured window is the time between the two snapshots; latency is counted for the
 * tasks whose start lies in it, answered whenever.
 */
#define _GNU_SOURCE
#include "load.h"

#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

enum {
    LOAD_TICK_NS = 50000000, /* longest sleep: the child is looked at this often */
    LOAD_PACE_CHUNK = 4096,  /* submissions between two looks at the sockets */
    LOAD_MONITOR_WAIT_S = 10
};

static volatile sig_atomic_t load_interrupted;

static void load_on_signal(int signal)
{
    (void)signal;
    load_interrupted = 1;
}

static void load_pace_closed(load_run *run)
{
    for (int i = 0; i < LOAD_PACE_CHUNK; i++) {
        if (run->submitted - run->answered >= run->options.in_flight)
            return;
        load_submit(run, load_clock_ns());
    }
}

/* Returns the time of the next submission. */
static uint64_t load_pace_open(load_run *run)
{
    double period_ns = 1e9 / run->options.rate;
    for (int i = 0; i < LOAD_PACE_CHUNK; i++) {
        uint64_t due_ns = run->pace_begin_ns + (uint64_t)((double)run->pace_sent * period_ns);
        uint64_t now_ns = load_clock_ns();
        if (now_ns < due_ns)
            return due_ns;
        run->pace_sent++;
        if (now_ns >= run->window_begin_ns && now_ns < run->window_end_ns) {
            load_histogram_add(run->lateness, now_ns - due_ns);
        }
        load_submit(run, due_ns);
    }
    return 0;
}

static void load_step(load_run *run)
{
    int64_t timeout_ns = LOAD_TICK_NS;
    if (run->submitted + LOAD_PACE_CHUNK >= LOAD_TASKS_MAX)
        run->submitting = false;
    if (run->submitting && run->options.rate > 0) {
        uint64_t due_ns = load_pace_open(run), now_ns = load_clock_ns();
        timeout_ns = due_ns > now_ns ? (int64_t)(due_ns - now_ns) : 0;
        if (timeout_ns > LOAD_TICK_NS)
            timeout_ns = LOAD_TICK_NS;
    } else if (run->submitting) {
        load_pace_closed(run);
        if (run->submitted - run->answered < run->options.in_flight)
            timeout_ns = 0;
    }
    load_turn(run, timeout_ns);
}

static bool load_go_on(load_run *run)
{
    static uint32_t turns;
    if (load_interrupted)
        return false;
    if (++turns % 256 == 0 && !load_child_alive(run)) {
        load_violation(run, LOAD_BAD_CONNECTION, "the scheduler is gone");
        return false;
    }
    return true;
}

/* Steps until SECONDS have passed, or until TASKS are answered when TASKS is not 0. */
static void load_phase(load_run *run, double seconds, uint64_t tasks)
{
    uint64_t end_ns = load_clock_ns() + (uint64_t)(seconds * 1e9), goal = run->answered + tasks;
    while (load_go_on(run) && (tasks ? run->answered < goal : run->now_ns < end_ns))
        load_step(run);
}

static void load_hold(load_run *run)
{
    run->holding = true;
    run->submitting = true;
    while (run->submitted < run->options.in_flight && load_go_on(run))
        load_step(run);
    run->submitting = false;
    uint64_t cpu_ns = 0, now_ns;
    for (;;) { /* until the scheduler has taken all of it and rests */
        load_phase(run, 1, 0);
        now_ns = load_process_cpu_ns(run->options.pid);
        if (now_ns - cpu_ns < 20000000 || load_interrupted || !load_child_alive(run))
            break;
        cpu_ns = now_ns;
    }
    run->rss_waiting = load_process_rss(run->options.pid);
    load_engine_release(run);
}

static bool load_tracer_attached(int pid)
{
    char path[64], line[128];
    int tracer = 0;
    snprintf(path, sizeof path, "/proc/%d/status", pid);
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return false;
    while (fgets(line, sizeof line, file) && sscanf(line, "TracerPid: %d", &tracer) != 1) {
    }
    fclose(file);
    return tracer != 0;
}

static void load_sample(load_run *run)
{
    if (run->sample_count == run->sample_capacity) {
        run->sample_capacity = run->sample_capacity ? run->sample_capacity * 2 : 128;
        run->samples = wire_grow(run->samples, run->sample_capacity * sizeof *run->samples);
    }
    load_snapshot *sample = &run->samples[run->sample_count++];
    load_snapshot_take(run, sample);
    const load_snapshot *before = run->sample_count > 1 ? sample - 1 : &run->begin;
    double tasks = (double)(sample->answered - before->answered);
    fprintf(stderr,
            "yard-load: %llu answered, the last %.0f at %.0f a second and %.2f us of CPU each; "
            "%.1f MiB resident\n",
            (unsigned long long)(sample->answered - run->begin.answered), tasks,
            tasks * 1e9 / (double)(sample->wall_ns - before->wall_ns),
            (double)(sample->cpu_ns - before->cpu_ns) * 1e-3 / tasks,
            (double)sample->rss_bytes / 1048576);
}

/* The measured phase, with a sample after each --progress answers. */
static void load_measure_in_parts(load_run *run)
{
    const load_options *options = &run->options;
    uint64_t goal = options->measured_tasks, done = 0;
    uint64_t end_ns = run->begin.wall_ns + (uint64_t)(options->measured_s * 1e9);
    while (goal ? done < goal : run->now_ns < end_ns) {
        uint64_t part = goal && goal - done < options->progress ? goal - done : options->progress;
        uint64_t until = run->begin.answered + done + part;
        while (run->answered < until && (goal || run->now_ns < end_ns)) {
            if (!load_go_on(run))
                return;
            load_step(run);
        }
        done += part;
        if (run->answered >= until)
            load_sample(run);
    }
}

static void load_measure(load_run *run)
{
    int attached = 0;
    /* A tracer counts from when it has attached, anything else (perf) from its start. */
    uint64_t attached_from = run->answered, untraced = attached_from;
    bool traced = false;
    if (run->options.attach) {
        attached = load_attach_start(run);
        uint64_t settled_ns = load_clock_ns() + 1000000000;
        while (load_clock_ns() < settled_ns && load_go_on(run)) {
            load_step(run);
            if (load_tracer_attached(run->options.pid))
                traced = true;
            else
                untraced = run->answered;
        }
        if (traced)
            attached_from = untraced;
    }
    load_snapshot_take(run, &run->begin);
    run->window_begin_ns = run->begin.wall_ns;
    run->window_end_ns = UINT64_MAX;
    if (run->options.progress)
        load_measure_in_parts(run);
    else
        load_phase(run, run->options.measured_s, run->options.measured_tasks);
    load_snapshot_take(run, &run->end);
    run->window_end_ns = run->end.wall_ns;
    run->submitting = false;
    run->attached_tasks = run->answered - attached_from;
    load_attach_stop(attached);
}

static void load_drain(load_run *run)
{
    uint64_t begin_ns = load_clock_ns();
    uint64_t end_ns = begin_ns + (uint64_t)(run->options.drain_s * 1e9);
    while (run->answered < run->submitted && load_clock_ns() < end_ns && load_go_on(run)) {
        load_step(run);
    }
    run->drain_s = (double)(load_clock_ns() - begin_ns) / 1e9;
    end_ns = load_clock_ns() + (uint64_t)LOAD_MONITOR_WAIT_S * 1000000000u;
    bool watched = run->options.monitor_check != LOAD_MONITOR_NONE;
    while (watched && run->outtasks < run->answered && load_clock_ns() < end_ns &&
           load_go_on(run)) {
        load_step(run);
    }
    load_phase(run, 0.05, 0); /* whatever comes after the last answer is one too many */
    run->rss_drained = load_process_rss(run->options.pid);
}

static void load_prepare(load_run *run)
{
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    prctl(PR_SET_TIMERSLACK, 1);
    struct sigaction action = {.sa_handler = load_on_signal};
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    load_options *options = &run->options;
    uint64_t largest =
        options->payload > options->reply_payload ? options->payload : options->reply_payload;
    run->engines = calloc(options->engines, sizeof *run->engines);
    run->clients = calloc(options->clients, sizeof *run->clients);
    run->engine_peers = calloc(options->engines, sizeof *run->engine_peers);
    run->client_peers = calloc(options->clients, sizeof *run->client_peers);
    run->latency = calloc(1, sizeof *run->latency);
    run->lateness = calloc(1, sizeof *run->lateness);
    run->payload = wire_grow(NULL, (size_t)largest + 1);
    for (uint64_t i = 0; i <= largest; i++)
        run->payload[i] = (uint8_t)(i * 31 + (i >> 8));
    run->remembered = options->remembered ? options->remembered : LOAD_REMEMBER_ALL;
    run->tasks = mmap(NULL, run->remembered * sizeof *run->tasks, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    run->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (!run->engines || !run->clients || !run->engine_peers || !run->client_peers ||
        !run->latency || !run->lateness || run->tasks == MAP_FAILED || run->epoll_fd < 0) {
        perror("yard-load: cannot get memory or an epoll descriptor");
        exit(69);
    }
    load_sign_key(options->key);
    load_templates(run);
}

static void load_clean_up(load_run *run)
{
    static const char *const names[] = {"monitor", "notification", "registration", "client",
                                        "engine"};
    run->stopping = true;
    if (load_stop_child(run, SIGTERM) != 0) {
        load_violation(run, LOAD_BAD_PROTOCOL, "the scheduler did not end on SIGTERM");
    }
    for (int i = 0; i < 5 && run->directory[0]; i++) {
        char path[128];
        snprintf(path, sizeof path, "%s/%s", run->directory, names[i]);
        unlink(path);
    }
    if (run->directory[0])
        rmdir(run->directory);
}

int main(int argc, char **argv)
{
    static load_run run;
    load_options_parse(&run.options, argc, argv);
    load_prepare(&run);
    load_listen(&run);
    run.window_begin_ns = UINT64_MAX;
    load_bring_up(&run);
    if (run.options.restart) {
        double first_bring_up_s = run.bring_up_s, first_connect_s = run.connect_s;
        load_take_down(&run);
        load_bring_up(&run);
        run.again_bring_up_s = run.bring_up_s;
        run.again_connect_s = run.connect_s;
        run.bring_up_s = first_bring_up_s;
        run.connect_s = first_connect_s;
    }
    run.rss_idle = load_process_rss(run.options.pid);
    if (run.options.hold) {
        load_hold(&run);
    }
    run.submitting = true;
    run.pace_begin_ns = load_clock_ns();
    if (run.options.warmup_s > 0 || run.options.warmup_tasks > 0) {
        load_phase(&run, run.options.warmup_s, run.options.warmup_tasks);
    }
    load_measure(&run);
    load_drain(&run);
    load_judge_end(&run);
    load_clean_up(&run);
    load_report(&run);
    bool measured = run.end.answered > run.begin.answered;
    if (!measured)
        fprintf(stderr, "yard-load: no task was answered in the measured time\n");
    if (run.violation_total > 0) {
        fprintf(stderr, "yard-load: %llu violations\n", (unsigned long long)run.violation_total);
    }
    return run.violation_total == 0 && measured && !load_interrupted ? 0 : 1;
}

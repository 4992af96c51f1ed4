/*
 * load: the one structure of a run, and the faces of its parts.
 *
 * One thread, one epoll. The parts: hub.c plays the hub, engine.c the engines, client.c the
 * clients; message.c builds and reads messages; referee.c remembers every task and judges;
 * loop.c turns.
 * Invariant: task t belongs to client t % clients and is that client's message number t / clients.
 */
#ifndef PERF_LOAD_H
#define PERF_LOAD_H

#include "../wire/wire.h"
#include "histogram.h"
#include "options.h"
#include "sign.h"
#include "workload.h"

enum {
    LOAD_SESSION_SIZE = 33,   /* 8 hex, a dash, 24 hex: jupyter_client's new_id() */
    LOAD_SESSION_COMMON = 27, /* the part that all ids of a kind share; then 6 hex of index */
    LOAD_HUB_PEERS = 16,
    LOAD_HEAD_SIZE = 80,
    LOAD_TAIL_SIZE = 192,
    LOAD_METADATA_SIZE = 288,
    LOAD_INLINE_PAYLOAD = 16 * 1024 /* larger payloads go out from the shared block, uncopied */
};

typedef enum {
    LOAD_KIND_LISTENER,
    LOAD_KIND_MONITOR,
    LOAD_KIND_NOTIFIER,
    LOAD_KIND_REGISTRAR,
    LOAD_KIND_ENGINE,
    LOAD_KIND_CLIENT
} load_kind;

typedef enum {
    LOAD_BAD_UNKNOWN_REPLY,
    LOAD_BAD_DUPLICATE_REPLY,
    LOAD_BAD_LOST,
    LOAD_BAD_UNKNOWN_TASK,
    LOAD_BAD_RAN_AGAIN,
    LOAD_BAD_DEPENDENCY,
    LOAD_BAD_FOLLOW,
    LOAD_BAD_TARGETS,
    LOAD_BAD_RETRY_ENGINE,
    LOAD_BAD_STATUS,
    LOAD_BAD_SIGNATURE,
    LOAD_BAD_PAYLOAD,
    LOAD_BAD_MONITOR,
    LOAD_BAD_HWM,
    LOAD_BAD_PROTOCOL,
    LOAD_BAD_CONNECTION,
    LOAD_BAD_KINDS
} load_bad_kind;

enum {
    LOAD_FLAG_EXECUTED = 1,
    LOAD_FLAG_ANSWERED = 2,
    LOAD_FLAG_INTASK = 4,
    LOAD_FLAG_OUTTASK = 8
};

typedef struct {
    uint64_t start_ns;                    /* 0: not submitted; open loop: the intended time */
    uint32_t engines[LOAD_FAILS_MAX + 1]; /* of each run */
    uint32_t balance; /* runs less tracktasks, mixed with their engines: ends at 0 */
    uint8_t runs, tracks, flags, reserved;
    uint32_t reserved_2;
} load_task;
_Static_assert(sizeof(load_task) == 32, "load_task is kept small: millions are held");
#define LOAD_REMEMBER_ALL LOAD_TASKS_MAX

/* What one session's messages share; a message number goes between head and tail. */
typedef struct {
    char session[LOAD_SESSION_SIZE + 1];
    uint8_t head[LOAD_HEAD_SIZE], tail[LOAD_TAIL_SIZE];
    uint16_t head_size, tail_size;
    uint32_t next; /* number of its next message */
} load_session;

typedef struct {
    load_session session;
    uint8_t metadata[LOAD_METADATA_SIZE]; /* of a reply with status ok */
    uint32_t metadata_size;
    uint32_t outstanding; /* tasks received whose replies are not sent */
} load_engine;

typedef struct {
    uint64_t cpu_ns, own_cpu_ns, machine_cpu_ns, wall_ns, answered, runs, rss_bytes, own_rss_bytes;
} load_snapshot;

typedef struct load_run {
    load_options options;
    int epoll_fd, child_pid;
    bool stopping, holding, submitting;
    char directory[64]; /* of ipc sockets; empty when none */
    wire_peer listeners[3], hub_peers[LOAD_HUB_PEERS];
    wire_peer *engine_peers, *client_peers;
    load_engine *engines;
    load_session *clients;
    load_session hub;
    char client_common[LOAD_SESSION_COMMON + 1], engine_common[LOAD_SESSION_COMMON + 1];
    uint32_t engines_up, clients_up, engine_cursor, client_cursor, handshaking;
    bool monitor_up, notifier_up, request_seen, registered;
    wire_peer **dirty;
    uint32_t dirty_count, dirty_capacity;
    uint8_t *payload; /* shared block of payload bytes */

    uint64_t now_ns, window_begin_ns, window_end_ns, pace_begin_ns;
    load_task *tasks; /* a ring of `remembered`: see load_record */
    uint64_t remembered;
    uint64_t submitted, answered, finished_ok, finished_error, runs;
    uint64_t intasks, tracktasks, outtasks, monitor_other, verified, pace_sent, attached_tasks;
    uint64_t violations[LOAD_BAD_KINDS], violation_total;
    load_histogram *latency, *lateness;
    load_snapshot begin, end;
    load_snapshot *samples; /* --progress */
    uint32_t sample_count, sample_capacity;
    uint64_t rss_idle, rss_waiting, rss_drained, cpu_drained_ns;
    double bring_up_s, connect_s, again_bring_up_s, again_connect_s, drain_s;
} load_run;

/* A task's record; only of tasks that load_remembers. */
static inline load_task *load_record(const load_run *run, uint64_t task)
{
    return &run->tasks[task & (run->remembered - 1)];
}

static inline bool load_remembers(const load_run *run, uint64_t task)
{
    return task < run->submitted && run->submitted - task <= run->remembered;
}

/* loop.c */
uint64_t load_clock_ns(void);
void load_turn(load_run *run, int64_t timeout_ns);
void load_mark_dirty(load_run *run, wire_peer *peer);
void load_watch(load_run *run, wire_peer *peer, bool add);
bool load_wait(load_run *run, bool (*ready)(load_run *), double seconds, const char *what);

/* connect.c */
void load_listen(load_run *run);
void load_bring_up(load_run *run);
void load_take_down(load_run *run);
void load_accept(load_run *run, wire_peer *listener);
void load_connected(load_run *run, wire_peer *peer);
void load_handshaken(load_run *run, wire_peer *peer);
void load_peer_gone(load_run *run, wire_peer *peer);
void load_connect_more(load_run *run);

/* hub.c, engine.c, client.c */
void load_hub_message(load_run *run, wire_peer *peer, const wire_message *message);
void load_hub_register(load_run *run);
void load_engine_message(load_run *run, wire_peer *peer, const wire_message *message);
void load_engine_release(load_run *run);
void load_client_message(load_run *run, wire_peer *peer, const wire_message *message);
void load_submit(load_run *run, uint64_t start_ns);

/* message.c */
void load_templates(load_run *run);
uint8_t *load_put_message(load_run *run, uint8_t *at, const load_part parts[LOAD_SIGNED_FRAMES],
                          bool more);
size_t load_header(const load_session *session, uint32_t number, uint8_t *at);
bool load_read_id(const uint8_t *text, size_t size, const char *common, uint32_t *index,
                  uint64_t *number);
bool load_find_task(load_run *run, const uint8_t *json, size_t size, uint64_t *task);
int load_delimiter(const wire_message *message);
void load_put_payload(load_run *run, wire_peer *peer, uint64_t task, uint64_t size);
bool load_check_payload(const wire_message *message, uint32_t first, uint64_t task, uint64_t size);
void load_verify(load_run *run, const wire_message *message, uint32_t delimiter, uint64_t sample);

/* referee.c */
__attribute__((format(printf, 3, 4))) void load_violation(load_run *run, load_bad_kind kind,
                                                          const char *format, ...);
const char *load_bad_name(load_bad_kind kind);
void load_judge_run(load_run *run, uint64_t task, uint32_t engine, const load_plan *plan);
void load_judge_reply(load_run *run, uint64_t task, bool ok, const uint8_t *engine_id,
                      size_t engine_id_size);
/* Before the record of the oldest task is used again. */
void load_judge_forgotten(load_run *run, uint64_t task);
void load_judge_end(load_run *run);

/* process.c */
void load_spawn(load_run *run);
bool load_child_alive(load_run *run);
int load_stop_child(load_run *run, int signal);
int load_attach_start(load_run *run);
void load_attach_stop(int pid);
void load_snapshot_take(load_run *run, load_snapshot *snapshot);
uint64_t load_process_rss(int pid);
uint64_t load_process_cpu_ns(int pid);

/* report.c */
void load_report(load_run *run);

#endif

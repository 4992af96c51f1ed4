/*
 * load: what the command line asks for. Filled once by options.c, read by everything else.
 * Invariant: after load_options_parse the values are within the limits named here.
 */
#ifndef PERF_LOAD_OPTIONS_H
#define PERF_LOAD_OPTIONS_H

#include "../wire/wire.h"

enum {
    LOAD_ENGINES_MAX = 20000, /* a descriptor each; 24 bits of the uuid name the engine */
    LOAD_CLIENTS_MAX = 1000,
    LOAD_FAILS_MAX = 2,         /* runs remembered a task, less one */
    LOAD_DEPENDENCIES_MAX = 64, /* ids a task depends on */
    LOAD_TARGETS_MAX = 64
};
#define LOAD_TASKS_MAX   (1ull << 31)
#define LOAD_PAYLOAD_MAX (1ull << 30)

typedef enum {
    LOAD_PLAIN,
    LOAD_CHAINS,
    LOAD_FANS,
    LOAD_FOLLOW,
    LOAD_TARGETS,
    LOAD_RETRIES,
    LOAD_UNMET,
    LOAD_FAILURES,
    LOAD_MIXED,
    LOAD_WORKLOADS
} load_workload;

typedef enum { LOAD_MONITOR_FULL, LOAD_MONITOR_RELAY, LOAD_MONITOR_NONE } load_monitor_check;
typedef enum { LOAD_REGISTER_REPLY, LOAD_REGISTER_NOTIFY, LOAD_REGISTER_NONE } load_register;

typedef struct {
    char url_client[WIRE_URL_SIZE], url_engine[WIRE_URL_SIZE], url_monitor[WIRE_URL_SIZE];
    char url_notification[WIRE_URL_SIZE], url_registration[WIRE_URL_SIZE];
    const char *transport; /* tcp or ipc, for addresses picked here */
    const char *name;      /* copied to the result */
    const char *output;    /* file for the result; NULL is standard output */
    const char *attach;    /* shell command beside the measured phase, {pid} filled in */
    char **spawn;          /* scheduler to start, placeholders filled in; NULL for none */
    const char *key;       /* IPP_SESSION_KEY; empty is unsigned */
    int pid;               /* the scheduler's, for CPU and memory; 0 unknown */
    uint32_t engines, clients, in_flight, connect_burst;
    double rate; /* tasks a second, open loop; 0 is closed loop */
    load_workload workload;
    uint32_t chain_length, chains, fan, targets, fail_times, fail_every;
    uint64_t payload, reply_payload;
    uint32_t hwm; /* checked on the engines' side; 0 checks nothing */
    load_monitor_check monitor_check;
    load_register registration;
    double warmup_s, measured_s, drain_s, settle_s;
    uint64_t warmup_tasks, measured_tasks;
    uint64_t remembered;   /* tasks the referee keeps a record of; 0: all */
    uint64_t progress;     /* a sample each time so many are answered; 0: none */
    uint32_t verify_every; /* one signature in so many is checked */
    bool is_signed, spin, hold, distribution, restart;
} load_options;

/* Ends the program with status 2 and one line when an argument is wrong. */
void load_options_parse(load_options *options, int argc, char **argv);
const char *load_workload_name(load_workload workload);

#endif

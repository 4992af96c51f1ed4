/*
 * load: the command line of yard-load.
 * Called by main.c once. Invariant: a wrong argument ends with status 2 and one line saying why.
 */
#include "options.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const load_workload_names[LOAD_WORKLOADS] = {
    "plain", "chains", "fans", "follow", "targets", "retries", "unmet", "failures", "mixed"};

static const char load_help[] =
    "yard-load: load and referee for an ipyparallel task scheduler; plays hub, engines, clients\n"
    "\n"
    "usage: yard-load [options] --spawn COMMAND [ARGUMENT...]\n"
    "       yard-load [options] --pid PID --client URL --engine URL\n"
    "                 [--monitor URL --notification URL --registration URL]\n"
    "\n"
    "COMMAND may hold {client} {engine} {monitor} {notification} {registration}; it gets the\n"
    "session key in IPP_SESSION_KEY and is stopped with SIGTERM at the end.\n"
    "\n"
    "load         --engines N (16)  --clients N (1)  --in-flight N (64, over all clients)\n"
    "             --rate R (tasks a second, open loop; latency counts from the intended time)\n"
    "             --payload BYTES (200)  --reply-payload BYTES (as --payload)\n"
    "             --unsigned  --transport tcp|ipc\n"
    "workload     --workload plain|chains|fans|follow|targets|retries|unmet|failures|mixed\n"
    "             --chains N (8)  --chain-length N (10)  --fan N (14)  --targets N (1)\n"
    "             --fail-times N (1, at most 2)  --fail-every N (1)\n"
    "duration     --warmup SECONDS (1) | --warmup-tasks N   --seconds S (5) | --tasks N\n"
    "             --drain SECONDS (20)  --settle SECONDS (0.3)\n"
    "             --progress N (a line and a sample for every N answers of the measured phase)\n"
    "             --hold (engines answer only when all --in-flight tasks wait: memory)\n"
    "             --restart (before measuring, kill the scheduler and start it again)\n"
    "referee      --hwm N (0: unchecked)  --verify-every N (64)  --monitor-check full|relay|none\n"
    "             --register reply|notify|none\n"
    "             --remember N (closed loop; a power of two: the referee keeps the last N tasks\n"
    "             only, 32 bytes each; one that leaves must be answered and told to the hub)\n"
    "connecting   --connect-burst N (256; 0: all at once)\n"
    "result       --name TEXT  --output FILE  --distribution (adds the latency curve)\n"
    "             --attach SHELL-COMMAND (beside the measured phase; {pid} is the scheduler's)\n"
    "             --spin (poll instead of sleeping)\n"
    "\n"
    "One JSON object is the result. Status 0: all rules kept; 1: a violation or nothing measured;\n"
    "2: bad argument; 69: the scheduler could not be started or reached.\n";

_Noreturn static void load_bad(const char *option, const char *value, const char *what)
{
    fprintf(stderr, "yard-load: --%s %s: %s; see --help\n", option, value ? value : "", what);
    exit(2);
}

static double load_number(const char *option, const char *text, double low, double high)
{
    char *end = NULL;
    double value = strtod(text, &end);
    char limits[96];
    snprintf(limits, sizeof limits, "needs a number from %.15g to %.15g", low, high);
    if (end == text || *end != 0 || !(value >= low && value <= high)) {
        load_bad(option, text, limits);
    }
    return value;
}

static int load_choice(const char *option, const char *text, const char *const *names, int count)
{
    for (int i = 0; i < count; i++) {
        if (strcmp(text, names[i]) == 0)
            return i;
    }
    load_bad(option, text, "unknown choice");
}

const char *load_workload_name(load_workload workload)
{
    return load_workload_names[workload];
}

enum load_option_kind {
    LOAD_U32,
    LOAD_U64,
    LOAD_DOUBLE,
    LOAD_TEXT,
    LOAD_URL,
    LOAD_FLAG,
    LOAD_PICK
};

typedef struct {
    const char *name;
    enum load_option_kind kind;
    void *value;
    double low, high;
    const char *const *names;
} load_option;

static void load_set(const load_option *option, const char *text)
{
    switch (option->kind) {
    case LOAD_U32:
        *(uint32_t *)option->value =
            (uint32_t)load_number(option->name, text, option->low, option->high);
        break;
    case LOAD_U64:
        *(uint64_t *)option->value =
            (uint64_t)load_number(option->name, text, option->low, option->high);
        break;
    case LOAD_DOUBLE:
        *(double *)option->value = load_number(option->name, text, option->low, option->high);
        break;
    case LOAD_TEXT:
        *(const char **)option->value = text;
        break;
    case LOAD_URL:
        if (strlen(text) >= WIRE_URL_SIZE)
            load_bad(option->name, text, "too long");
        snprintf(option->value, WIRE_URL_SIZE, "%s", text);
        break;
    case LOAD_FLAG:
        *(bool *)option->value = option->low != 0;
        break;
    case LOAD_PICK:
        *(int *)option->value = load_choice(option->name, text, option->names, (int)option->high);
        break;
    }
}

static void load_defaults(load_options *options)
{
    *options = (load_options){.transport = "tcp",
                              .name = "",
                              .engines = 16,
                              .clients = 1,
                              .in_flight = 64,
                              .connect_burst = 256,
                              .chain_length = 10,
                              .chains = 8,
                              .fan = 14,
                              .targets = 1,
                              .fail_times = 1,
                              .fail_every = 1,
                              .payload = 200,
                              .reply_payload = UINT64_MAX,
                              .warmup_s = 1,
                              .measured_s = 5,
                              .drain_s = 20,
                              .settle_s = 0.3,
                              .verify_every = 64,
                              .is_signed = true};
}

static void load_check(load_options *options, int left)
{
    if (left > 0)
        load_bad("spawn", "", "is missing before the command");
    if (options->reply_payload == UINT64_MAX)
        options->reply_payload = options->payload;
    if (options->engines <= options->fail_times &&
        (options->workload == LOAD_RETRIES || options->workload == LOAD_UNMET ||
         options->workload == LOAD_MIXED)) {
        load_bad("engines", "", "retries need more engines than --fail-times");
    }
    if (options->targets > options->engines)
        load_bad("targets", "", "more than --engines");
    if (options->spawn == NULL && (!options->url_client[0] || !options->url_engine[0])) {
        load_bad("spawn", "", "or --client and --engine are needed");
    }
    bool open_loop = options->rate > 0,
         is_power = !(options->remembered & (options->remembered - 1));
    if (options->remembered > 0 && (open_loop || !is_power))
        load_bad("remember", "", "needs a power of two, and a closed loop");
    if (options->remembered > 0 && options->remembered / 4 < options->in_flight)
        load_bad("remember", "", "needs at least four times --in-flight");
    if (options->restart && options->spawn == NULL)
        load_bad("restart", "", "needs --spawn");
    const char *key = getenv("IPP_SESSION_KEY");
    options->key = !options->is_signed ? ""
                   : key && *key       ? key
                                       : "5bd8c1c5-87a9a8c5f95e0e6f2a4d3b1c";
}

static const char *const checks[] = {"full", "relay", "none"};
static const char *const registers[] = {"reply", "notify", "none"};
static const char *const transports[] = {"tcp", "ipc"};

void load_options_parse(load_options *o, int argc, char **argv)
{
    int transport = 0;
    load_defaults(o);
    const load_option table[] = {
        {"client", LOAD_URL, o->url_client, 0, 0, NULL},
        {"engine", LOAD_URL, o->url_engine, 0, 0, NULL},
        {"monitor", LOAD_URL, o->url_monitor, 0, 0, NULL},
        {"notification", LOAD_URL, o->url_notification, 0, 0, NULL},
        {"registration", LOAD_URL, o->url_registration, 0, 0, NULL},
        {"name", LOAD_TEXT, &o->name, 0, 0, NULL},
        {"output", LOAD_TEXT, &o->output, 0, 0, NULL},
        {"attach", LOAD_TEXT, &o->attach, 0, 0, NULL},
        {"pid", LOAD_U32, &o->pid, 1, 1e9, NULL},
        {"engines", LOAD_U32, &o->engines, 1, LOAD_ENGINES_MAX, NULL},
        {"clients", LOAD_U32, &o->clients, 1, LOAD_CLIENTS_MAX, NULL},
        {"in-flight", LOAD_U32, &o->in_flight, 1, 1e8, NULL},
        {"connect-burst", LOAD_U32, &o->connect_burst, 0, 1e6, NULL},
        {"rate", LOAD_DOUBLE, &o->rate, 0.01, 1e8, NULL},
        {"workload", LOAD_PICK, &o->workload, 0, LOAD_WORKLOADS, load_workload_names},
        {"transport", LOAD_PICK, &transport, 0, 2, transports},
        {"monitor-check", LOAD_PICK, &o->monitor_check, 0, 3, checks},
        {"register", LOAD_PICK, &o->registration, 0, 3, registers},
        {"chain-length", LOAD_U32, &o->chain_length, 1, 1e6, NULL},
        {"chains", LOAD_U32, &o->chains, 1, 1e6, NULL},
        {"fan", LOAD_U32, &o->fan, 1, LOAD_DEPENDENCIES_MAX, NULL},
        {"targets", LOAD_U32, &o->targets, 1, LOAD_TARGETS_MAX, NULL},
        {"fail-times", LOAD_U32, &o->fail_times, 1, LOAD_FAILS_MAX, NULL},
        {"fail-every", LOAD_U32, &o->fail_every, 1, 1e9, NULL},
        {"payload", LOAD_U64, &o->payload, 0, LOAD_PAYLOAD_MAX, NULL},
        {"reply-payload", LOAD_U64, &o->reply_payload, 0, LOAD_PAYLOAD_MAX, NULL},
        {"hwm", LOAD_U32, &o->hwm, 0, 1e9, NULL},
        {"warmup", LOAD_DOUBLE, &o->warmup_s, 0, 1e6, NULL},
        {"seconds", LOAD_DOUBLE, &o->measured_s, 0.01, 1e6, NULL},
        {"drain", LOAD_DOUBLE, &o->drain_s, 0, 1e6, NULL},
        {"settle", LOAD_DOUBLE, &o->settle_s, 0, 1e3, NULL},
        {"warmup-tasks", LOAD_U64, &o->warmup_tasks, 0, LOAD_TASKS_MAX / 2.0, NULL},
        {"tasks", LOAD_U64, &o->measured_tasks, 1, LOAD_TASKS_MAX / 2.0, NULL},
        {"remember", LOAD_U64, &o->remembered, 1024, LOAD_TASKS_MAX, NULL},
        {"progress", LOAD_U64, &o->progress, 1, LOAD_TASKS_MAX, NULL},
        {"verify-every", LOAD_U32, &o->verify_every, 0, 1e9, NULL},
        {"unsigned", LOAD_FLAG, &o->is_signed, 0, 0, NULL},
        {"spin", LOAD_FLAG, &o->spin, 1, 0, NULL},
        {"hold", LOAD_FLAG, &o->hold, 1, 0, NULL},
        {"restart", LOAD_FLAG, &o->restart, 1, 0, NULL},
        {"distribution", LOAD_FLAG, &o->distribution, 1, 0, NULL},
    };
    enum { COUNT = sizeof table / sizeof *table };
    struct option longs[COUNT + 3] = {0};
    for (int i = 0; i < COUNT; i++) {
        int argument = table[i].kind == LOAD_FLAG ? no_argument : required_argument;
        longs[i] = (struct option){table[i].name, argument, NULL, 256 + i};
    }
    longs[COUNT] = (struct option){"help", no_argument, NULL, 'h'};
    longs[COUNT + 1] = (struct option){"spawn", no_argument, NULL, 's'};
    int chosen;
    while (o->spawn == NULL && (chosen = getopt_long(argc, argv, "+h", longs, NULL)) != -1) {
        if (chosen == 'h') {
            fputs(load_help, stdout);
            exit(0);
        }
        if (chosen == '?')
            exit(2);
        if (chosen == 's') {
            if (optind >= argc)
                load_bad("spawn", "", "needs a command");
            o->spawn = argv + optind;
        } else {
            load_set(&table[chosen - 256], optarg);
        }
    }
    o->transport = transports[transport];
    load_check(o, o->spawn ? 0 : argc - optind);
}

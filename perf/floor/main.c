/*
 * floor: yard-floor, the least that anything between clients and engines must do.
 * Started by perf/compare.py and perf/selftest.sh. Invariant: a bad argument ends with status 2.
 */
#include "relay.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

static const char floor_help[] =
    "yard-floor: a bare ZMTP relay, raw epoll, frames only: the floor to compare with\n"
    "usage: yard-floor --client-url URL --engine-url URL [--monitor-url URL] [--unbatched]\n"
    "Deals clients' messages to engines in turn, sends replies back, and sends the monitor the\n"
    "copies a scheduler sends (intask, outtask, and a tracktask's worth of bytes).\n"
    "To test a referee, every Nth message: --drop-every N  --duplicate-every N (replies)\n"
    "  --twice-every N (tasks)  --hold-every N (16 tasks late)  --corrupt-every N (replies)\n"
    "  --mute-every N (no copy to the monitor)\n";

int main(int argc, char **argv)
{
    static const struct option longs[] = {{"client-url", required_argument, NULL, 'c'},
                                          {"engine-url", required_argument, NULL, 'e'},
                                          {"monitor-url", required_argument, NULL, 'm'},
                                          {"unbatched", no_argument, NULL, 'u'},
                                          {"drop-every", required_argument, NULL, 'd'},
                                          {"duplicate-every", required_argument, NULL, 'D'},
                                          {"hold-every", required_argument, NULL, 'h'},
                                          {"corrupt-every", required_argument, NULL, 'C'},
                                          {"mute-every", required_argument, NULL, 'M'},
                                          {"twice-every", required_argument, NULL, 't'},
                                          {"help", no_argument, NULL, '?'},
                                          {NULL, 0, NULL, 0}};
    floor_options options = {0};
    int chosen;
    while ((chosen = getopt_long(argc, argv, "", longs, NULL)) != -1) {
        uint32_t number = optarg ? (uint32_t)strtoul(optarg, NULL, 10) : 0;
        switch (chosen) {
        case 'c':
            options.url_client = optarg;
            break;
        case 'e':
            options.url_engine = optarg;
            break;
        case 'm':
            options.url_monitor = optarg;
            break;
        case 'u':
            options.unbatched = true;
            break;
        case 'd':
            options.drop_every = number;
            break;
        case 'D':
            options.duplicate_every = number;
            break;
        case 'h':
            options.hold_every = number;
            break;
        case 'C':
            options.corrupt_every = number;
            break;
        case 'M':
            options.mute_every = number;
            break;
        case 't':
            options.twice_every = number;
            break;
        default:
            fputs(floor_help, stderr);
            return 2;
        }
    }
    if (options.url_client == NULL || options.url_engine == NULL || optind < argc) {
        fputs(floor_help, stderr);
        return 2;
    }
    return floor_run(&options);
}

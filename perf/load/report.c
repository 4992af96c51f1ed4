/*
 * load: the result, one JSON object on one line.
 * Called by main.c at the end. Invariant: every figure comes from a counter, none is estimated.
 */
#include "load.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void load_text(FILE *out, const char *name, const char *text)
{
    fprintf(out, "\"%s\": \"", name);
    for (; *text; text++) {
        if ((unsigned char)*text < 32)
            continue;
        if (*text == '"' || *text == '\\')
            fputc('\\', out);
        fputc(*text, out);
    }
    fputs("\", ", out);
}

static void load_count(FILE *out, const char *name, uint64_t value)
{
    fprintf(out, "\"%s\": %llu, ", name, (unsigned long long)value);
}

static void load_real(FILE *out, const char *name, double value)
{
    fprintf(out, "\"%s\": %.6g, ", name, value);
}

static void load_report_parameters(FILE *out, const load_options *options)
{
    fputs("\"parameters\": {", out);
    load_text(out, "mode", options->rate > 0 ? "open" : "closed");
    load_real(out, "rate", options->rate);
    load_count(out, "in_flight", options->rate > 0 ? 0 : options->in_flight);
    load_text(out, "workload", load_workload_name(options->workload));
    load_count(out, "engines", options->engines);
    load_count(out, "clients", options->clients);
    load_count(out, "payload", options->payload);
    load_count(out, "reply_payload", options->reply_payload);
    load_count(out, "hwm_checked", options->hwm);
    load_text(out, "transport", options->transport);
    load_text(out, "monitor_check",
              options->monitor_check == LOAD_MONITOR_FULL    ? "full"
              : options->monitor_check == LOAD_MONITOR_RELAY ? "relay"
                                                             : "none");
    fprintf(out, "\"signed\": %s}, ", options->is_signed ? "true" : "false");
}

static void load_report_histogram(FILE *out, const char *name, const load_histogram *histogram,
                                  bool curve)
{
    static const double percents[] = {1, 10, 25, 50, 75, 90, 95, 99, 99.9, 99.99};
    fprintf(out, "\"%s\": {", name);
    load_count(out, "count", histogram->total);
    for (size_t i = 0; i < sizeof percents / sizeof *percents; i++) {
        char key[16];
        snprintf(key, sizeof key, "p%g", percents[i]);
        load_real(out, key, (double)load_histogram_at(histogram, percents[i]) / 1e3);
    }
    load_real(out, "min", (double)histogram->min_ns / 1e3);
    load_real(out, "mean",
              histogram->total ? histogram->sum_ns / (double)histogram->total / 1e3 : 0);
    if (curve) {
        /* Points equally spaced in the number of nines, which is how tails are drawn. */
        fputs("\"curve\": [", out);
        double above = 1;
        for (int i = 0; i <= 84 && above * (double)histogram->total >= 1; i++) {
            double percent = 100 * (1 - above);
            fprintf(out, "%s[%.6g, %.6g]", i ? ", " : "", percent,
                    (double)load_histogram_at(histogram, percent) / 1e3);
            above *= 0.87992254356; /* 10 to the -1/18 */
        }
        fputs("], ", out);
    }
    fprintf(out, "\"max\": %.6g}, ", (double)histogram->max_ns / 1e3);
}

static void load_report_scheduler(FILE *out, const load_run *run)
{
    uint64_t tasks = run->end.answered - run->begin.answered;
    double per_task = tasks ? 1e-3 / (double)tasks : 0;
    double seconds = (double)(run->end.wall_ns - run->begin.wall_ns) / 1e9;
    double cpu_ns = (double)(run->end.cpu_ns - run->begin.cpu_ns);
    double own_ns = (double)(run->end.own_cpu_ns - run->begin.own_cpu_ns);
    load_count(out, "tasks", tasks);
    load_real(out, "seconds", seconds);
    load_real(out, "tasks_per_s", seconds > 0 ? (double)tasks / seconds : 0);
    load_real(out, "cpu_us_per_task", run->options.pid ? cpu_ns * per_task : 0);
    load_real(out, "cpu_cores", seconds > 0 ? cpu_ns / 1e9 / seconds : 0);
    load_real(out, "load_us_per_task", own_ns * per_task);
    load_real(out, "load_cores", seconds > 0 ? own_ns / 1e9 / seconds : 0);
    double machine_ns = (double)(run->end.machine_cpu_ns - run->begin.machine_cpu_ns);
    double other_ns = machine_ns - cpu_ns - own_ns;
    load_real(out, "other_cores", other_ns > 0 && seconds > 0 ? other_ns / 1e9 / seconds : 0);
    load_count(out, "rss_idle_bytes", run->rss_idle);
    load_count(out, "rss_begin_bytes", run->begin.rss_bytes);
    load_count(out, "rss_end_bytes", run->end.rss_bytes);
    load_count(out, "rss_drained_bytes", run->rss_drained);
    load_count(out, "load_rss_end_bytes", run->end.own_rss_bytes);
    if (run->options.hold)
        load_count(out, "rss_waiting_bytes", run->rss_waiting);
    load_real(out, "start_s", run->bring_up_s);
    load_real(out, "connect_s", run->connect_s);
    if (run->options.restart) {
        load_real(out, "restart_start_s", run->again_bring_up_s);
        load_real(out, "restart_connect_s", run->again_connect_s);
    }
    load_real(out, "drain_s", run->drain_s);
    if (run->options.attach)
        load_count(out, "attached_tasks", run->attached_tasks);
}

/* One object for each sample: what happened since the one before. */
static void load_report_progress(FILE *out, const load_run *run)
{
    fputs("\"progress\": [", out);
    for (uint32_t i = 0; i < run->sample_count; i++) {
        const load_snapshot *now = &run->samples[i], *before = i ? now - 1 : &run->begin;
        double tasks = (double)(now->answered - before->answered);
        double seconds = (double)(now->wall_ns - before->wall_ns) / 1e9;
        fputs(i ? ", {" : "{", out);
        load_count(out, "tasks", now->answered - before->answered);
        load_real(out, "tasks_per_s", tasks / seconds);
        load_real(out, "cpu_us_per_task", (double)(now->cpu_ns - before->cpu_ns) * 1e-3 / tasks);
        double other_ns = (double)(now->machine_cpu_ns - before->machine_cpu_ns) -
                          (double)(now->cpu_ns - before->cpu_ns) -
                          (double)(now->own_cpu_ns - before->own_cpu_ns);
        load_real(out, "other_cores", other_ns > 0 ? other_ns / 1e9 / seconds : 0);
        fprintf(out, "\"rss_bytes\": %llu}", (unsigned long long)now->rss_bytes);
    }
    fputs("], ", out);
}

static void load_report_referee(FILE *out, const load_run *run)
{
    load_count(out, "submitted", run->submitted);
    load_count(out, "answered", run->answered);
    load_count(out, "answered_ok", run->finished_ok);
    load_count(out, "answered_error", run->finished_error);
    load_count(out, "runs", run->runs);
    load_count(out, "intask", run->intasks);
    load_count(out, "tracktask", run->tracktasks);
    load_count(out, "outtask", run->outtasks);
    load_count(out, "signatures_checked", run->verified);
    load_count(out, "violations", run->violation_total);
    fputs("\"violation_kinds\": {", out);
    bool first = true;
    for (int i = 0; i < LOAD_BAD_KINDS; i++) {
        if (run->violations[i] == 0)
            continue;
        fprintf(out, "%s\"%s\": %llu", first ? "" : ", ", load_bad_name((load_bad_kind)i),
                (unsigned long long)run->violations[i]);
        first = false;
    }
    fputs("}}\n", out);
}

void load_report(load_run *run)
{
    FILE *out = run->options.output ? fopen(run->options.output, "we") : stdout;
    if (out == NULL) {
        perror(run->options.output);
        exit(69);
    }
    fputc('{', out);
    load_text(out, "name", run->options.name);
    load_report_parameters(out, &run->options);
    load_report_scheduler(out, run);
    load_report_histogram(out, "latency_us", run->latency, run->options.distribution);
    if (run->options.progress)
        load_report_progress(out, run);
    if (run->options.rate > 0)
        load_report_histogram(out, "lateness_us", run->lateness, false);
    load_report_referee(out, run);
    if (out != stdout)
        fclose(out);
    else
        fflush(out);
}

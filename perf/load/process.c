/*
 * load: the scheduler as a process: starting, stopping, its CPU time and memory.
 * Called by connect.c and main.c. Invariant: a child started here never outlives the run, and dies
 * with this process (PR_SET_PDEATHSIG).
 */
#define _GNU_SOURCE
#include "load.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { LOAD_STOP_WAIT_MS = 5000 };

/* Replaces each {name} by its value; the result is the caller's for ever. */
static char *load_fill(const char *text, const char *const *names, const char *const *values,
                       int count)
{
    size_t room = strlen(text) + 1, used = 0;
    for (int i = 0; i < count; i++)
        room += 8 * strlen(values[i]);
    char *filled = wire_grow(NULL, room);
    while (*text && used + 1 < room) {
        int match = -1;
        for (int i = 0; i < count && match < 0; i++) {
            if (strncmp(text, names[i], strlen(names[i])) == 0)
                match = i;
        }
        if (match < 0) {
            filled[used++] = *text++;
        } else {
            used += (size_t)snprintf(filled + used, room - used, "%s", values[match]);
            text += strlen(names[match]);
        }
    }
    filled[used < room ? used : room - 1] = 0;
    return filled;
}

void load_spawn(load_run *run)
{
    static const char *const names[] = {"{client}", "{engine}", "{monitor}", "{notification}",
                                        "{registration}"};
    const load_options *options = &run->options;
    const char *const values[] = {options->url_client, options->url_engine, options->url_monitor,
                                  options->url_notification, options->url_registration};
    int count = 0, parent = getpid();
    while (options->spawn[count])
        count++;
    char **arguments = wire_grow(NULL, (size_t)(count + 1) * sizeof *arguments);
    for (int i = 0; i < count; i++)
        arguments[i] = load_fill(options->spawn[i], names, values, 5);
    arguments[count] = NULL;
    fflush(NULL);
    run->child_pid = fork();
    if (run->child_pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getppid() != parent)
            _exit(69);
        setenv("IPP_SESSION_KEY", options->key, 1);
        dup2(STDERR_FILENO, STDOUT_FILENO);
        execvp(arguments[0], arguments);
        fprintf(stderr, "yard-load: cannot start %s: %s\n", arguments[0], strerror(errno));
        _exit(69);
    }
    for (int i = 0; i < count; i++)
        free(arguments[i]);
    free(arguments);
    run->options.pid = run->child_pid;
}

bool load_child_alive(load_run *run)
{
    int status;
    if (run->child_pid <= 0 || waitpid(run->child_pid, &status, WNOHANG) == 0)
        return true;
    fprintf(stderr, "yard-load: the scheduler ended by itself (status 0x%x)\n", status);
    run->child_pid = 0;
    return false;
}

static bool load_ended(int pid, int wait_ms)
{
    for (int waited = 0; waited <= wait_ms; waited += 5) {
        if (waitpid(pid, NULL, WNOHANG) != 0)
            return true;
        usleep(5000);
    }
    return false;
}

/* 0 when it ended in time, -1 when it had to be killed. */
int load_stop_child(load_run *run, int signal)
{
    if (run->child_pid <= 0)
        return 0;
    int pid = run->child_pid;
    run->child_pid = 0;
    kill(pid, signal);
    if (load_ended(pid, LOAD_STOP_WAIT_MS))
        return 0;
    fprintf(stderr, "yard-load: the scheduler did not end within 5 s; killed\n");
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    return -1;
}

int load_attach_start(load_run *run)
{
    char pid[16];
    snprintf(pid, sizeof pid, "%d", run->options.pid);
    const char *names[] = {"{pid}"}, *values[] = {pid};
    char *command = load_fill(run->options.attach, names, values, 1);
    fflush(NULL);
    int child = fork();
    if (child == 0) {
        setpgid(0, 0);
        dup2(STDERR_FILENO, STDOUT_FILENO);
        execl("/bin/sh", "sh", "-c", command, (char *)NULL);
        _exit(127);
    }
    free(command);
    return child;
}

void load_attach_stop(int pid)
{
    if (pid <= 0)
        return;
    kill(-pid, SIGINT);
    if (load_ended(pid, 30000))
        return;
    kill(-pid, SIGKILL);
    waitpid(pid, NULL, 0);
}

static uint64_t load_read_u64(const char *path)
{
    unsigned long long value = 0;
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return 0;
    if (fscanf(file, "%llu", &value) != 1)
        value = 0;
    fclose(file);
    return value;
}

/* User and system time of all threads, in ns; threads that have ended are not in it. */
uint64_t load_process_cpu_ns(int pid)
{
    char path[320];
    uint64_t sum = 0;
    snprintf(path, sizeof path, "/proc/%d/task", pid);
    DIR *tasks = pid > 0 ? opendir(path) : NULL;
    if (tasks == NULL)
        return 0;
    for (struct dirent *entry; (entry = readdir(tasks)) != NULL;) {
        if (entry->d_name[0] == '.')
            continue;
        snprintf(path, sizeof path, "/proc/%d/task/%s/schedstat", pid, entry->d_name);
        sum += load_read_u64(path);
    }
    closedir(tasks);
    return sum;
}

uint64_t load_process_rss(int pid)
{
    char path[64], line[256];
    unsigned long long kib = 0;
    snprintf(path, sizeof path, "/proc/%d/status", pid);
    FILE *file = pid > 0 ? fopen(path, "re") : NULL;
    if (file == NULL)
        return 0;
    while (fgets(line, sizeof line, file) && sscanf(line, "VmRSS: %llu", &kib) != 1) {
    }
    fclose(file);
    return kib * 1024;
}

/* Time that all cores were busy or taken away, since the machine started, in ns. */
static uint64_t load_machine_cpu_ns(void)
{
    unsigned long long user = 0, nice = 0, system = 0, idle, wait, irq = 0, softirq = 0, steal = 0;
    FILE *file = fopen("/proc/stat", "re");
    if (file == NULL)
        return 0;
    int fields = fscanf(file, "cpu %llu %llu %llu %llu %llu %llu %llu %llu", &user, &nice, &system,
                        &idle, &wait, &irq, &softirq, &steal);
    fclose(file);
    uint64_t ticks = fields == 8 ? user + nice + system + irq + softirq + steal : 0;
    return ticks * (1000000000u / (uint64_t)sysconf(_SC_CLK_TCK));
}

void load_snapshot_take(load_run *run, load_snapshot *snapshot)
{
    struct timespec own;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &own);
    snapshot->rss_bytes = load_process_rss(run->options.pid);
    snapshot->own_rss_bytes = load_process_rss(getpid());
    snapshot->cpu_ns = load_process_cpu_ns(run->options.pid);
    snapshot->own_cpu_ns = (uint64_t)own.tv_sec * 1000000000u + (uint64_t)own.tv_nsec;
    snapshot->machine_cpu_ns = load_machine_cpu_ns();
    snapshot->answered = run->answered;
    snapshot->runs = run->runs;
    snapshot->wall_ns = load_clock_ns();
}

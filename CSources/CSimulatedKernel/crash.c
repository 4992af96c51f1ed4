/// crash.c: a run that ends in a crash still says which one it was. See simulated_kernel.h.
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "include/simulated_kernel.h"

static const int SIGNALS[] = {SIGABRT, SIGSEGV, SIGILL, SIGTRAP, SIGBUS, SIGFPE};
#define SIGNAL_COUNT (sizeof SIGNALS / sizeof SIGNALS[0])

static char last_words[512];
static struct sigaction before[SIGNAL_COUNT];

/// Only what a signal handler may: write, and hand over to whoever was there before (Swift's
/// backtrace), to whom the same thing then happens once more.
static void say(int number)
{
    ssize_t written = write(STDOUT_FILENO, last_words, strlen(last_words));
    (void)written;
    for (size_t i = 0; i < SIGNAL_COUNT; i++)
        sigaction(SIGNALS[i], &before[i], NULL);
    if (number == SIGABRT)
        raise(number);
}

void simulated_say_on_crash(const char *text)
{
    bool is_first = last_words[0] == 0;
    strncpy(last_words, text, sizeof last_words - 1);
    for (size_t i = 0; i < SIGNAL_COUNT && is_first; i++) {
        struct sigaction action = {.sa_handler = say, .sa_flags = SA_ONSTACK | SA_NODEFER};
        sigaction(SIGNALS[i], &action, &before[i]);
    }
}

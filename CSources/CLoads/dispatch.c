/// dispatch.c: picks the SIMD kernel of this process, once, from CPUID or the environment.
///
/// Called by loads_create and by whoever logs the kernel's name. Invariant: a kernel is handed out
/// only when its `supported` says so on this CPU.
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels.h"
#include "loads_testing.h"

#define KERNEL_VARIABLE "YARDMASTER_KERNEL"
/// Longest note; a forced name is cut to what fits.
#define NOTE_SIZE 160

/// Best first; scalar, the last, is supported everywhere.
static const loads_kernel *const kernels[] = {
#if defined(__x86_64__)
    &loads_kernel_avx512,
    &loads_kernel_avx2,
    &loads_kernel_sse42,
#elif defined(__aarch64__)
    &loads_kernel_neon,
#endif
    &loads_kernel_scalar,
};
#define KERNEL_COUNT (sizeof kernels / sizeof kernels[0])

static pthread_once_t picked_once = PTHREAD_ONCE_INIT;
static const loads_kernel *picked;
static char picked_note[NOTE_SIZE];

static const loads_kernel *compiled_named(const char *name)
{
    for (size_t index = 0; index < KERNEL_COUNT; index++) {
        if (strcmp(kernels[index]->name, name) == 0) {
            return kernels[index];
        }
    }
    return NULL;
}

static const loads_kernel *best(void)
{
    size_t index = 0;
    while (!kernels[index]->supported()) {
        index++;
    }
    return kernels[index];
}

static const loads_kernel *pick(const char *forced, char *note, size_t note_size)
{
    note[0] = '\0';
    if (forced == NULL || forced[0] == '\0') {
        return best();
    }
    const loads_kernel *kernel = compiled_named(forced);
    if (kernel != NULL && kernel->supported()) {
        return kernel;
    }
    const char *reason = kernel == NULL ? "is not a kernel of this build" : "needs another CPU";
    kernel = best();
    snprintf(note, note_size, KERNEL_VARIABLE "=%.40s %s; using %s", forced, reason, kernel->name);
    return kernel;
}

static void pick_once(void)
{
    picked = pick(getenv(KERNEL_VARIABLE), picked_note, sizeof picked_note);
}

const loads_kernel *loads_kernel_current(void)
{
    pthread_once(&picked_once, pick_once);
    return picked;
}

const loads_kernel *loads_kernel_named(const char *name)
{
    const loads_kernel *kernel = compiled_named(name);
    return kernel != NULL && kernel->supported() ? kernel : NULL;
}

const char *loads_kernel_name(void)
{
    return loads_kernel_current()->name;
}

const char *loads_kernel_note(void)
{
    loads_kernel_current();
    return picked_note[0] == '\0' ? NULL : picked_note;
}

const char *loads_kernel_pick(const char *forced, char *note, size_t note_size)
{
    return pick(forced, note, note_size)->name;
}

const char *loads_kernel_compiled(uint32_t index)
{
    return index < KERNEL_COUNT ? kernels[index]->name : NULL;
}

const char *loads_kernel_supported(uint32_t index)
{
    for (size_t at = 0; at < KERNEL_COUNT; at++) {
        if (kernels[at]->supported() && index-- == 0) {
            return kernels[at]->name;
        }
    }
    return NULL;
}

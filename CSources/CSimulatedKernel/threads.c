/// threads.c: threads that the process makes: coroutines on the real thread, which take turns.
///
/// The first thread is the one that entered the kernel; it alone waits for the world. The others
/// run when it waits, and at some of its calls, each until it waits itself.
///
/// Invariant: while one of the others runs, `running` is it; it never calls the world.
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>

#include "calls.h"

#define STACK_SIZE (256u << 10)
/// A disk: writes into the page cache, syncs, and now and then a stall.
#define STALL_NS 2000000000ull

struct kernel_thread {
    ucontext_t context, back;
    char *stack;
    void *(*run)(void *);
    void *argument;
    bool ended;
    // What it waits for.
    uint64_t until_ns;
    int fd;                ///< or -1
    kernel_thread *joined; ///< or NULL
    // The call that it is in.
    disk_file *file;
    const uint8_t *data;
    size_t size, offset;
};

static bool is_ready(simulated_kernel *self, const kernel_thread *thread)
{
    if (thread->ended)
        return false;
    if (thread->joined)
        return thread->joined->ended;
    if (self->dead || thread->until_ns <= self->now_ns)
        return true;
    const kernel_file *file = thread->fd < 0 ? NULL : kernel_file_of(self, thread->fd);
    return file && file->counter > 0;
}

static void run(simulated_kernel *self, kernel_thread *thread)
{
    self->running = thread;
    swapcontext(&thread->back, &thread->context);
    self->running = NULL;
}

void kernel_run_threads(simulated_kernel *self)
{
    if (self->running)
        return;
    for (bool again = true; again;) {
        again = false;
        for (uint32_t i = 0; i < KERNEL_THREADS_MAX; i++) {
            kernel_thread *thread = self->threads[i];
            if (!thread || !is_ready(self, thread))
                continue;
            run(self, thread);
            // A ghost need not wait for anything: it is run on by whoever waits for its end.
            again = !self->dead;
        }
    }
}

uint64_t kernel_threads_until(const simulated_kernel *self)
{
    uint64_t until_ns = UINT64_MAX;
    for (uint32_t i = 0; i < KERNEL_THREADS_MAX; i++) {
        const kernel_thread *thread = self->threads[i];
        if (thread && !thread->ended && !thread->joined && thread->until_ns < until_ns)
            until_ns = thread->until_ns;
    }
    return until_ns;
}

static void give_way(simulated_kernel *self, uint64_t until_ns, int fd, kernel_thread *joined)
{
    kernel_thread *thread = self->running;
    thread->until_ns = until_ns;
    thread->fd = fd;
    thread->joined = joined;
    swapcontext(&thread->context, &thread->back);
}

/// The first thread waits: the others run, then the world goes on.
static void wait_for_world(simulated_kernel *self, uint64_t until_ns, int fd, kernel_thread *joined)
{
    for (;;) {
        kernel_run_threads(self);
        const kernel_file *file = fd < 0 ? NULL : kernel_file_of(self, fd);
        bool is_over = joined ? joined->ended : self->dead || self->now_ns >= until_ns;
        if (is_over || (file && file->counter > 0))
            return;
        uint64_t threads_ns = kernel_threads_until(self);
        uint64_t wake_ns = until_ns < threads_ns ? until_ns : threads_ns;
        if (!self->host.sleep(self->host.context, wake_ns)) {
            fputs("simulated kernel: the process waits and nothing will ever wake it\n", stderr);
            abort();
        }
    }
}

void kernel_wait(simulated_kernel *self, uint64_t until_ns, int fd)
{
    if (self->running)
        give_way(self, until_ns, fd, NULL);
    else
        wait_for_world(self, until_ns, fd, NULL);
}

bool kernel_write_slowly(simulated_kernel *self, disk_file *file, const uint8_t *data, size_t size,
                         size_t offset, uint64_t duration_ns)
{
    kernel_thread *thread = self->running;
    if (thread) {
        if (kernel_chance(self, self->faults.disk_stall))
            duration_ns += kernel_random(self) % STALL_NS;
        thread->file = file;
        thread->data = data;
        thread->size = size;
        thread->offset = offset;
        give_way(self, self->now_ns + duration_ns, -1, NULL);
        thread->file = NULL;
    }
    if (self->dead)
        return false;
    if (size > 0)
        disk_write(file, data, size, offset);
    return true;
}

void kernel_tear_writes(simulated_kernel *self)
{
    for (uint32_t i = 0; i < KERNEL_THREADS_MAX; i++) {
        kernel_thread *thread = self->threads[i];
        if (!thread || !thread->file || thread->size == 0)
            continue;
        size_t size = kernel_random(self) % (thread->size + 1);
        if (size > 0)
            disk_write(thread->file, thread->data, size, thread->offset);
    }
}

void kernel_threads_destroy(simulated_kernel *self)
{
    for (uint32_t i = 0; i < KERNEL_THREADS_MAX; i++) {
        if (self->threads[i])
            free(self->threads[i]->stack);
        free(self->threads[i]);
        self->threads[i] = NULL;
    }
}

#if !CALLS_ARE_WATCHED

// AddressSanitizer must see real threads begin: it ends the process at a pthread_detach of one that
// it does not know. RTLD_NEXT passes it by, since it is part of the executable.
#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define REAL_THREAD(name) __interceptor_##name
extern __typeof__(pthread_create) __interceptor_pthread_create;
extern __typeof__(pthread_join) __interceptor_pthread_join;
#endif
#endif
#ifndef REAL_THREAD
#define REAL_THREAD(name) REAL(name)
#endif

static void begin(unsigned low, unsigned high)
{
    kernel_thread *self = (kernel_thread *)((uintptr_t)low | (uintptr_t)high << 32);
    self->run(self->argument);
    self->ended = true;
    swapcontext(&self->context, &self->back);
}

int pthread_create(pthread_t *out, const pthread_attr_t *attributes, void *(*body)(void *),
                   void *argument)
{
    if (!current)
        return REAL_THREAD(pthread_create)(out, attributes, body, argument);
    simulated_kernel *self = current;
    uint32_t index = 0;
    while (index < KERNEL_THREADS_MAX && self->threads[index])
        index++;
    if (index == KERNEL_THREADS_MAX)
        return EAGAIN;
    kernel_thread *thread = kernel_grow(NULL, sizeof *thread);
    *thread = (kernel_thread){
        .run = body, .argument = argument, .fd = -1, .stack = kernel_grow(NULL, STACK_SIZE)};
    getcontext(&thread->context);
    thread->context.uc_stack.ss_sp = thread->stack;
    thread->context.uc_stack.ss_size = STACK_SIZE;
    uintptr_t address = (uintptr_t)thread;
    makecontext(&thread->context, (void (*)(void))begin, 2, (unsigned)address,
                (unsigned)(address >> 32));
    self->threads[index] = thread;
    *out = (pthread_t)thread;
    return 0;
}

int pthread_join(pthread_t handle, void **result)
{
    if (!current)
        return REAL_THREAD(pthread_join)(handle, result);
    simulated_kernel *self = current;
    kernel_thread *thread = (kernel_thread *)handle;
    if (self->running && !thread->ended)
        give_way(self, UINT64_MAX, -1, thread);
    else if (!thread->ended)
        wait_for_world(self, UINT64_MAX, -1, thread);
    for (uint32_t i = 0; i < KERNEL_THREADS_MAX; i++) {
        if (self->threads[i] == thread)
            self->threads[i] = NULL;
    }
    free(thread->stack);
    free(thread);
    return 0;
}

#endif

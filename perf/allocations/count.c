/* Counts heap allocations of the process it is preloaded into (LD_PRELOAD), in a file that others
 * can read meanwhile: two 64-bit counters, allocations and frees, in $ALLOCATIONS_FILE.
 *
 * Invariant: the counters are shared memory: a reader needs no word from the process. glibc only,
 * for its own names of the functions behind malloc: dlsym would allocate. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

extern void *__libc_malloc(size_t);
extern void *__libc_calloc(size_t, size_t);
extern void *__libc_realloc(void *, size_t);
extern void *__libc_memalign(size_t, size_t);
extern void __libc_free(void *);

typedef struct counters {
    atomic_ullong allocations, frees;
} counters;

static counters unseen;
static counters *counted = &unseen;

__attribute__((constructor)) static void share(void)
{
    const char *path = getenv("ALLOCATIONS_FILE");
    int fd = path ? open(path, O_RDWR | O_CREAT, 0600) : -1;
    if (fd < 0)
        return;
    void *shared = MAP_FAILED;
    if (ftruncate(fd, sizeof(counters)) == 0)
        shared = mmap(NULL, sizeof(counters), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    if (shared != MAP_FAILED)
        counted = shared;
}

static void count(void)
{
    atomic_fetch_add_explicit(&counted->allocations, 1, memory_order_relaxed);
}

void *malloc(size_t size)
{
    count();
    return __libc_malloc(size);
}

void *calloc(size_t number, size_t size)
{
    count();
    return __libc_calloc(number, size);
}

void *realloc(void *old, size_t size)
{
    count();
    return __libc_realloc(old, size);
}

void *memalign(size_t alignment, size_t size)
{
    count();
    return __libc_memalign(alignment, size);
}

void *aligned_alloc(size_t alignment, size_t size)
{
    return memalign(alignment, size);
}

int posix_memalign(void **out, size_t alignment, size_t size)
{
    if (alignment < sizeof(void *) || (alignment & (alignment - 1)))
        return EINVAL;
    void *made = memalign(alignment, size);
    if (!made)
        return ENOMEM;
    *out = made;
    return 0;
}

void free(void *old)
{
    if (old)
        atomic_fetch_add_explicit(&counted->frees, 1, memory_order_relaxed);
    __libc_free(old);
}

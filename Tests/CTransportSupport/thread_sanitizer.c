/// thread_sanitizer.c: tells ThreadSanitizer which memory has been unmapped. Linked into the tests;
/// called in place of the system's functions by everything, under that sanitizer alone.
///
/// The sanitizer remembers who touched an address until it sees it unmapped. Two unmappings it does
/// not see: of a part of a page (the end of a file: it goes by whole pages, as the kernel does, but
/// rounds the other way), and of io_uring's rings, which liburing maps and unmaps by system calls
/// of its own. Whoever used that memory then seems to race with whoever uses the ring that the
/// kernel puts there next. Here both are seen. Nothing is suppressed, and no order between threads
/// is added: two that touch one ring, or one file, at a time are still found.
#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#include <liburing.h>
#include <sys/mman.h>
#include <unistd.h>

/// The sanitizer's own.
int __interceptor_munmap(void *, size_t);

int munmap(void *address, size_t size)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    return __interceptor_munmap(address, (size + page - 1) / page * page);
}

/// As liburing does it for rings that it has mapped itself.
void io_uring_queue_exit(struct io_uring *ring)
{
    size_t entry = sizeof *ring->sq.sqes << (ring->flags & IORING_SETUP_SQE128 ? 1 : 0);
    munmap(ring->sq.sqes, ring->sq.ring_entries * entry);
    munmap(ring->sq.ring_ptr, ring->sq.ring_sz);
    if (ring->cq.ring_ptr && ring->cq.ring_ptr != ring->sq.ring_ptr)
        munmap(ring->cq.ring_ptr, ring->cq.ring_sz);
    if (ring->enter_ring_fd != ring->ring_fd)
        io_uring_unregister_ring_fd(ring);
    close(ring->ring_fd);
}
#endif
#endif

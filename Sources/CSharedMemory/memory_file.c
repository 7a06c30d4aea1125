// Swift's module of the C library leaves out what is GNU's.
#define _GNU_SOURCE
#include "csharedmemory.h"

#include <errno.h>

#ifdef __linux__
#include <sys/mman.h>

int csm_memory_file(void) { return memfd_create("lockstep", MFD_CLOEXEC); }
#else
int csm_memory_file(void) {
    errno = ENOTSUP;
    return -1;
}
#endif

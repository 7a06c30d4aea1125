// Loaded before the C library: makes the write of a number go wrong, and moves the clock. See sites.py.
//
// A write is whatever changes a file below SOAK_BELOW or brings it to the disk. Each is counted, and written to SOAK_LOG.
// From the SOAK_AT-th on they fail with error SOAK_ERROR, or that one alone with SOAK_ONCE, and SOAK_MARK is made. With SOAK_CLOCK the
// time of day jumps by so many seconds with it instead, and without SOAK_AT it jumps a second after the start, and back over it two
// seconds later.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

// The function of that name behind this one.
#define REAL(function) \
    static __typeof__(&function) real; \
    if (!real) real = (__typeof__(&function))dlsym(RTLD_NEXT, #function)

static _Atomic long count;

static long number(const char *name) {
    const char *text = getenv(name);
    return text ? atol(text) : 0;
}

// Whether the write is to fail; errno is then set.
static int refused(const char *what, const char *path, int opens) {
    const char *below = getenv("SOAK_BELOW");
    if (!below || !path) return 0;
    char whole[PATH_MAX];
    if (path[0] != '/') {
        size_t length;
        if (!getcwd(whole, sizeof whole)) return 0;
        length = strlen(whole);
        snprintf(whole + length, sizeof whole - length, "/%s", path);
        path = whole;
    }
    size_t length = strlen(below);
    if (strncmp(path, below, length) != 0 || (path[length] && path[length] != '/')) return 0;
    if (number("SOAK_OPENS") && !opens) return 0;
    long this = atomic_fetch_add(&count, 1) + 1;
    const char *log = getenv("SOAK_LOG");
    if (log) {
        char line[PATH_MAX + 64];
        int size = snprintf(line, sizeof line, "%s %s\n", what, path + length);
        int file = syscall(SYS_openat, AT_FDCWD, log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
        if (file >= 0) {
            if (size > 0) syscall(SYS_write, file, line, size);
            syscall(SYS_close, file);
        }
    }
    long at = number("SOAK_AT"), error = number("SOAK_ERROR");
    if (!at || !error || this < at || (getenv("SOAK_ONCE") && this != at)) return 0;
    const char *mark = getenv("SOAK_MARK");
    int made = mark ? syscall(SYS_openat, AT_FDCWD, mark, O_WRONLY | O_CREAT | O_CLOEXEC, 0600) : -1;
    if (made >= 0) syscall(SYS_close, made);
    errno = error;
    return 1;
}

static int refused_file(const char *what, int file) {
    if (!getenv("SOAK_BELOW")) return 0;
    int before = errno;
    char link[64], path[PATH_MAX];
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    ssize_t size = readlink(link, path, sizeof path - 1);
    errno = before;
    if (size < 0) return 0;
    path[size] = 0;
    return refused(what, path, 0);
}

int open(const char *path, int flags, ...) {
    REAL(open);
    va_list more;
    va_start(more, flags);
    mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(more, mode_t) : 0;
    va_end(more);
    // A disk that is full lets a file be opened that is there.
    if (number("SOAK_OPENS") || (flags & O_CREAT && access(path, F_OK) != 0)) {
        if (refused(flags & O_CREAT ? "open" : "read", path, 1)) return -1;
    }
    return real(path, flags, mode);
}

ssize_t write(int file, const void *bytes, size_t size) {
    REAL(write);
    return refused_file("write", file) ? -1 : real(file, bytes, size);
}

ssize_t pwrite(int file, const void *bytes, size_t size, off_t offset) {
    REAL(pwrite);
    return refused_file("write", file) ? -1 : real(file, bytes, size, offset);
}

int fsync(int file) {
    REAL(fsync);
    return refused_file("fsync", file) ? -1 : real(file);
}

int mkdir(const char *path, mode_t mode) {
    REAL(mkdir);
    return refused("mkdir", path, 0) ? -1 : real(path, mode);
}

int rename(const char *old, const char *new) {
    REAL(rename);
    return refused("rename", new, 0) ? -1 : real(old, new);
}

static long jump(int (*real)(clockid_t, struct timespec *)) {
    static struct timespec begun;
    long seconds = number("SOAK_CLOCK"), at = number("SOAK_AT");
    if (at) return atomic_load(&count) >= at ? seconds : 0;
    struct timespec now;
    real(CLOCK_MONOTONIC, &now);
    if (!begun.tv_sec) begun = now;
    long passed = now.tv_sec - begun.tv_sec;
    return passed < 1 ? 0 : passed < 3 ? seconds : -seconds;
}

int clock_gettime(clockid_t clock, struct timespec *time) {
    REAL(clock_gettime);
    int result = real(clock, time);
    if (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE) time->tv_sec += jump(real);
    return result;
}

int gettimeofday(struct timeval *restrict time, void *restrict zone) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    time->tv_sec = now.tv_sec;
    time->tv_usec = now.tv_nsec / 1000;
    (void)zone;
    return 0;
}

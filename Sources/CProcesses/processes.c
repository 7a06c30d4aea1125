// gettid's number is the system's own.
#define _GNU_SOURCE
#include "cprocesses.h"

#ifdef __linux__
#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

void cpr_signal_at_parents_end(int number) { prctl(PR_SET_PDEATHSIG, (unsigned long)number, 0, 0, 0); }

int cpr_thread(void) { return (int)syscall(SYS_gettid); }

// On Linux what is said of a process holds for the one thread of that number.
void cpr_lower_thread(int thread) {
    if (thread != 0) setpriority(PRIO_PROCESS, (id_t)thread, 19);
}

void cpr_begin_writing(int descriptor, long long offset, long long count) {
    sync_file_range(descriptor, (off64_t)offset, (off64_t)count, SYNC_FILE_RANGE_WRITE);
}
#else
void cpr_signal_at_parents_end(int number) { (void)number; }
int cpr_thread(void) { return 0; }
void cpr_lower_thread(int thread) { (void)thread; }
void cpr_begin_writing(int descriptor, long long offset, long long count) {
    (void)descriptor;
    (void)offset;
    (void)count;
}
#endif

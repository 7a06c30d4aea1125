#ifndef CPROCESSES_H
#define CPROCESSES_H

/// Has the system send this process a signal when the thread that started it ends, as it does with its process.
///
/// Holds for as long as the calling thread lives. Where the system knows no such thing it does nothing.
void cpr_signal_at_parents_end(int number);

/// The calling thread's number, for `cpr_lower_thread`; 0 where threads have none.
int cpr_thread(void);

/// Has the system begin to bring a part of a file to the disk, so that `fsync` finds less left to do.
///
/// A hint: nothing is promised of these bytes. Where the system knows no such thing it does nothing.
void cpr_begin_writing(int descriptor, long long offset, long long count);

/// Leaves the processors to other threads wherever one of them wants to run.
void cpr_lower_thread(int thread);

#endif

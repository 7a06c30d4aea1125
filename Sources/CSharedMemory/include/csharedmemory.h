#ifndef CSHAREDMEMORY_H
#define CSHAREDMEMORY_H

/// A file in memory, without a name and closed in programs that this one becomes; below 0, with errno set, where there is none.
int csm_memory_file(void);

#endif

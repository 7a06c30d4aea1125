// The calls of libzmq that Lockstep makes, each with its error number in its result.
//
// `errno` belongs to the thread and any call between libzmq and the reader may overwrite it, so it is read here, before
// anything else runs. A call that can fail returns a value >= 0, or the negated error number.
#ifndef LOCKSTEP_CZEROMQ_SHIM_H
#define LOCKSTEP_CZEROMQ_SHIM_H

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include <zmq.h>
#ifdef __linux__
#include <sys/epoll.h>
#endif

// ETERM is an expression of macros, which Swift does not import.
static const int zmqshim_context_terminated = ETERM;

typedef struct {
    void *pointer; // NULL on failure
    int error;
} zmqshim_handle;

static inline int zmqshim_result(int status) { return status >= 0 ? status : -zmq_errno(); }

// Contexts

static inline zmqshim_handle zmqshim_context_open(int io_threads) {
    zmqshim_handle handle = {zmq_ctx_new(), 0};
    if (!handle.pointer) {
        handle.error = zmq_errno();
    } else if (zmq_ctx_set(handle.pointer, ZMQ_IO_THREADS, io_threads) != 0) {
        handle.error = zmq_errno();
        zmq_ctx_term(handle.pointer);
        handle.pointer = NULL;
    }
    return handle;
}

// Wakes every blocked call with ETERM, then waits until the last socket is closed and has lingered.
static inline int zmqshim_context_terminate(void *context) {
    int status = zmq_ctx_shutdown(context);
    do {
        status = zmq_ctx_term(context);
    } while (status != 0 && zmq_errno() == EINTR);
    return zmqshim_result(status);
}

// Sockets

static inline zmqshim_handle zmqshim_socket_open(void *context, int kind) {
    zmqshim_handle handle = {zmq_socket(context, kind), 0};
    if (!handle.pointer) {
        handle.error = zmq_errno();
    }
    return handle;
}

static inline int zmqshim_socket_close(void *socket) { return zmqshim_result(zmq_close(socket)); }

static inline int zmqshim_set_int(void *socket, int option, int value) {
    return zmqshim_result(zmq_setsockopt(socket, option, &value, sizeof value));
}

static inline int zmqshim_set_int64(void *socket, int option, int64_t value) {
    return zmqshim_result(zmq_setsockopt(socket, option, &value, sizeof value));
}

static inline int zmqshim_set_bytes(void *socket, int option, const void *bytes, size_t count) {
    return zmqshim_result(zmq_setsockopt(socket, option, bytes, count));
}

static inline int zmqshim_bind(void *socket, const char *endpoint) { return zmqshim_result(zmq_bind(socket, endpoint)); }

static inline int zmqshim_connect(void *socket, const char *endpoint) {
    return zmqshim_result(zmq_connect(socket, endpoint));
}

static inline int zmqshim_last_endpoint(void *socket, char *text, size_t capacity) {
    return zmqshim_result(zmq_getsockopt(socket, ZMQ_LAST_ENDPOINT, text, &capacity));
}

// A NULL endpoint stops the monitor.
static inline int zmqshim_monitor(void *socket, const char *endpoint, int events) {
    return zmqshim_result(zmq_socket_monitor(socket, endpoint, events));
}

static inline int zmqshim_poll(zmq_pollitem_t *items, int count, long milliseconds) {
    return zmqshim_result(zmq_poll(items, count, milliseconds));
}

// Messages

// A signal interrupts a wait, never a call that does not wait.
static inline int zmqshim_send_message(void *socket, zmq_msg_t *message, int flags) {
    int status;
    do {
        status = zmq_msg_send(message, socket, flags);
    } while (status < 0 && zmq_errno() == EINTR && (flags & ZMQ_DONTWAIT));
    if (status >= 0) {
        return 0;
    }
    status = -zmq_errno();
    zmq_msg_close(message);
    return status;
}

static inline int zmqshim_send_copy(void *socket, const void *bytes, size_t count, int flags) {
    zmq_msg_t message;
    if (zmq_msg_init_size(&message, count) != 0) {
        return -zmq_errno();
    }
    if (count) {
        memcpy(zmq_msg_data(&message), bytes, count);
    }
    return zmqshim_send_message(socket, &message, flags);
}

// Runs on an I/O thread of libzmq, or inside a call that drops the message: one decrement and nothing else.
static inline void zmqshim_give_back(void *bytes, void *lent) {
    (void)bytes;
    __atomic_fetch_sub((int64_t *)lent, 1, __ATOMIC_RELEASE);
}

static inline int64_t zmqshim_lent(const int64_t *lent) { return __atomic_load_n(lent, __ATOMIC_ACQUIRE); }

// Sends `bytes` in place. They must stay as they are until `lent`, raised by one here, has come down again.
static inline int zmqshim_send_lent(void *socket, const void *bytes, size_t count, int64_t *lent, int flags) {
    zmq_msg_t message;
    __atomic_fetch_add(lent, 1, __ATOMIC_RELAXED);
    if (zmq_msg_init_data(&message, (void *)bytes, count, zmqshim_give_back, lent) != 0) {
        int error = zmq_errno();
        __atomic_fetch_sub(lent, 1, __ATOMIC_RELAXED);
        return -error;
    }
    return zmqshim_send_message(socket, &message, flags);
}

// Initialises `message`; on failure there is nothing in it to close.
static inline int zmqshim_receive(void *socket, zmq_msg_t *message, int flags) {
    int status;
    zmq_msg_init(message);
    do {
        status = zmq_msg_recv(message, socket, flags);
    } while (status < 0 && zmq_errno() == EINTR && (flags & ZMQ_DONTWAIT));
    return status >= 0 ? 0 : -zmq_errno();
}

// Connections, by the descriptors that libzmq's events and messages name

// Who is at the other end; nobody for what is no TCP connection (any more).
typedef struct {
    uint64_t high; // the address as it stands in memory; of version 4 all of it
    uint64_t low;
    uint16_t family; // 0 for none
    uint16_t port;
} zmqshim_address;

static inline zmqshim_address zmqshim_peer(int descriptor) {
    zmqshim_address peer = {0, 0, 0, 0};
    struct sockaddr_storage address;
    socklen_t size = sizeof address;
    if (getpeername(descriptor, (struct sockaddr *)&address, &size) != 0) {
        return peer;
    }
    if (address.ss_family == AF_INET) {
        const struct sockaddr_in *own = (const struct sockaddr_in *)&address;
        memcpy(&peer.high, &own->sin_addr, sizeof own->sin_addr);
        peer.port = ntohs(own->sin_port);
        peer.family = AF_INET;
    } else if (address.ss_family == AF_INET6) {
        const struct sockaddr_in6 *own = (const struct sockaddr_in6 *)&address;
        memcpy(&peer.high, &own->sin6_addr, 8);
        memcpy(&peer.low, (const char *)&own->sin6_addr + 8, 8);
        peer.port = ntohs(own->sin6_port);
        peer.family = AF_INET6;
    }
    return peer;
}

// Writes address and port; 0 where there is no room.
static inline int zmqshim_address_text(zmqshim_address peer, char *text, size_t capacity) {
    unsigned char address[16];
    char host[INET6_ADDRSTRLEN];
    memcpy(address, &peer.high, 8);
    memcpy(address + 8, &peer.low, 8);
    if (inet_ntop(peer.family, address, host, sizeof host) == NULL) {
        return 0;
    }
    const char *form = peer.family == AF_INET6 ? "[%s]:%d" : "%s:%d";
    int length = snprintf(text, capacity, form, host, (int)peer.port);
    return length > 0 && (size_t)length < capacity ? length : 0;
}

// Bytes that have come from the peer since the connection began, read or not; -1 where the system does not count them.
static inline int64_t zmqshim_arrived(int descriptor) {
#ifdef __linux__
    // Linux's own `struct tcp_info`, of which the C library's knows the beginning only: `tcpi_bytes_received`, since 4.1.
    enum { place = 128 };
    unsigned char info[place + 8];
    socklen_t size = sizeof info;
    int64_t bytes;
    if (getsockopt(descriptor, IPPROTO_TCP, TCP_INFO, info, &size) != 0 || size < sizeof info) {
        return -1;
    }
    memcpy(&bytes, info + place, sizeof bytes);
    return bytes;
#else
    (void)descriptor;
    return -1;
#endif
}

// How many of them the system still has; -1 for what is no connection.
static inline int64_t zmqshim_unread(int descriptor) {
    int bytes = 0;
    return ioctl(descriptor, FIONREAD, &bytes) == 0 ? bytes : -1;
}

// A set of connections that says over which of them something has come since it was last asked; -1 where there is no such thing. A
// connection leaves it when it is closed.
static inline int zmqshim_arrivals_open(void) {
#ifdef __linux__
    return epoll_create1(EPOLL_CLOEXEC);
#else
    return -1;
#endif
}

static inline void zmqshim_arrivals_close(int set) {
    if (set >= 0) {
        close(set);
    }
}

// What has come already counts as having come since. Nothing happens for a connection that has been closed meanwhile.
static inline void zmqshim_arrivals_add(int set, int descriptor) {
#ifdef __linux__
    struct epoll_event event = {.events = EPOLLIN | EPOLLET, .data = {.fd = descriptor}};
    if (epoll_ctl(set, EPOLL_CTL_ADD, descriptor, &event) != 0 && errno == EEXIST) {
        epoll_ctl(set, EPOLL_CTL_MOD, descriptor, &event);
    }
#else
    (void)set;
    (void)descriptor;
#endif
}

// How many descriptors were written to `descriptors`, at most 256.
static inline int zmqshim_arrivals_take(int set, int *descriptors) {
#ifdef __linux__
    struct epoll_event events[256];
    int count = epoll_wait(set, events, 256, 0);
    for (int index = 0; index < count; index++) {
        descriptors[index] = events[index].data.fd;
    }
    return count > 0 ? count : 0;
#else
    (void)set;
    (void)descriptors;
    return 0;
#endif
}

// libzmq finds the connection at its end, and closes it; the peer is told at once, even one that waits for room to send more.
static inline void zmqshim_cut(int descriptor) {
    struct linger none = {1, 0};
    setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &none, sizeof none);
    shutdown(descriptor, SHUT_RDWR);
}

// The same, but the peer finds the connection broken, not closed.
static inline void zmqshim_break(int descriptor) {
    struct linger none = {1, 0};
    setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &none, sizeof none);
    shutdown(descriptor, SHUT_RD);
}

// The system

// What the calling thread has computed so far, in nanoseconds: not the time in which others had its core.
static inline int64_t zmqshim_thread_nanoseconds(void) {
    struct timespec time = {0, 0};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

// A number that no other living thread has.
static inline uintptr_t zmqshim_thread(void) { return (uintptr_t)pthread_self(); }

#endif

/* What libtsdocker.so offers to the daemon; every function answers >= 0 or a negative errno. */
#ifndef TSDOCKER_LIB_H
#define TSDOCKER_LIB_H

#include <stdint.h>

#define TSD_EXPORT __attribute__((visibility("default")))

/* Starts the program in its own session with fds 0… = `fds`, -1 for /dev/null; its pid. Slow. */
TSD_EXPORT int32_t tsd_spawn(int32_t exec_fd, char *const *argv, char *const *env,
                             const int32_t *fds, int32_t count);
/*
 * As tsd_spawn, without an environment, and without waiting: the fds may be closed at once. -EAGAIN
 * where that cannot be done (too many fds or starts, an unknown architecture). Should the exec
 * fail, the child ends with 127. Fast.
 */
TSD_EXPORT int32_t tsd_spawn_now(int32_t exec_fd, char *const *argv, const int32_t *fds,
                                 int32_t count);
/* The negative errno by which the exec of such a child has failed, else 0. Fast. */
TSD_EXPORT int32_t tsd_spawn_failure(int32_t pid);
/* 1 when the child has ended (with this wait status) and is no zombie any more, else 0. Fast. */
TSD_EXPORT int32_t tsd_reap(int32_t pid, int32_t *status);
/* A sealed, executable copy of a file in memory. Fast. */
TSD_EXPORT int32_t tsd_seal_program(const char *path, const char *name);
/* The file through a detached read-only mount. Fast. */
TSD_EXPORT int32_t tsd_open_read_only(const char *path);
/* A connected pair of stream sockets, close-on-exec. Fast. */
TSD_EXPORT int32_t tsd_socketpair(int32_t pair[2]);
/* An fd over a unix stream socket, along with one byte or more. Slow (waits for the peer). */
TSD_EXPORT int32_t tsd_send_fd(int32_t socket, const uint8_t *bytes, int32_t size, int32_t fd);
/* The number of bytes received; `fd` is -1 when none came. Slow. */
TSD_EXPORT int32_t tsd_receive_fd(int32_t socket, uint8_t *bytes, int32_t size, int32_t *fd);
/* Becomes another program, whose fds 0…`last` stay open. Fast; comes back only to fail. */
TSD_EXPORT int32_t tsd_execve(const char *path, char *const *argv, char *const *env, int32_t last);
/*
 * One request on a connection of its own, with one fd there or back: what Node's sockets cannot
 * carry. `answer` holds the reply's frame; its size is the result. With no room for an answer none
 * is waited for. Slow.
 */
TSD_EXPORT int32_t tsd_exchange(const char *path, const uint8_t *request, int32_t size, int32_t fd,
                                uint8_t *answer, int32_t room, int32_t *got, int32_t timeout_ms);
/* A unix datagram socket that sends to who is bound to `path`, and never waits. Fast. */
TSD_EXPORT int32_t tsd_datagram_open(const char *path);
/* One message; with `as_memory` one that is too large goes as a sealed memfd, as journald takes
 * it. -EAGAIN while the other side's queue is full. Fast. */
TSD_EXPORT int32_t tsd_datagram_send(int32_t socket, const uint8_t *bytes, int32_t size,
                                     int32_t as_memory);
/*
 * Removes a tree of at most so many entries, sixteen folders deep; absent is 0. -E2BIG for more,
 * some of which have gone by then. Slow (disk).
 */
TSD_EXPORT int32_t tsd_remove_small(const char *path, int32_t entries);
/* Writes each text into its file, which it makes; how many are done before one that fails. Slow. */
TSD_EXPORT int32_t tsd_write_files(char *const *paths, char *const *texts, uint32_t mode);
/* Makes one after the other; how many are there now before the first that cannot be made. Slow. */
TSD_EXPORT int32_t tsd_make_folders(char *const *paths, uint32_t mode);
/* Removes those that are empty; how many are left. Slow. */
TSD_EXPORT int32_t tsd_remove_folders(char *const *paths);

#endif

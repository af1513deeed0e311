/* The numbers of PROTOCOL.md. */
#ifndef TSDOCKER_PROTOCOL_H
#define TSDOCKER_PROTOCOL_H

#include <stddef.h>
#include <stdint.h>
#include <sys/un.h>

#define PROTOCOL_VERSION 1
#define REPLY 0x8000

struct frame {
    uint32_t size; /* of the payload */
    uint16_t type, tag;
};

/* Frozen: any client, any version. */
enum request {
    HELLO = 1,
    ATTACH,
    RESIZE,
    SIGNAL,
    WAIT,
    GET_FD,
    ADD_FD,
    DROP_FD,
    BYE,
    LOG_TURN,
    LOG_COMPRESSED,
    LOG_KEEP,
    PORT_HOLD,
    PORT_AIM,
    PORT_DROP,
    LOG_SETTINGS,
    OOM_TURN,
    PORT_BIND,
};

/*
 * Only on the launching daemon's own connection, and only between equal versions; after LEAVE, OPEN
 * and ABORT are taken from anyone.
 */
enum launch_frame {
    LAUNCH = 32,
    ANSWER,
    OPEN,
    ABORT,
    LEAVE,
    YIELD = 48,
    READY,
    FAILED,
    IDLE,
};

enum attach_flag {
    ATTACH_STDIN = 1,
    ATTACH_STDOUT = 2,
    ATTACH_STDERR = 4,
    ATTACH_FRAMED = 8,
    ATTACH_AFTER_LOG = 16,
};
enum leave_flag { LEAVE_HAND_OVER = 1 };
/* What a shim does when it has told of the end: waits for `bye`, ends, or says that it is idle. */
enum leaving { STAYS, LEAVES, RETURNS };
enum { LAST_WORD_MS = 1000 };
enum fd_kind { FD_NETNS = 1, FD_ROOT, FD_PIDFD, FD_SLOT, FD_NOTE };

/* Of a socket at a path; -ENAMETOOLONG for one of more than 107 bytes. */
int unix_address(struct sockaddr_un *address, const char *path);

/* `passed` goes along unless it is negative. 0 or a negative errno. */
int send_bytes(int fd, const void *bytes, size_t size, int passed);
/* Sends a whole frame, with at most one fd; waits for room when `flags` has no MSG_DONTWAIT. */
int send_frame(int fd, struct frame frame, const void *payload, int passed, int flags);

/*
 * The last frame before this process ends: stays until the peer has hung up, for at most
 * LAST_WORD_MS of its silence. A peer that is writing just then would get EPIPE, and with it lose
 * what it has not read yet.
 */
void send_last(int fd, struct frame frame, const void *payload);
int read_exact(int fd, void *bytes, uint32_t size);
/* recvmsg that takes at most one fd (-1 for none); the result of recvmsg, or a negative errno. */
int receive_some(int fd, void *bytes, uint32_t size, int *passed, int flags);

#endif

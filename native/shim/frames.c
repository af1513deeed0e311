/* Bytes and fds over unix sockets. */
#include "protocol.h"
#include "shim.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

union fd_message {
    struct cmsghdr header;
    char space[CMSG_SPACE(sizeof(int))];
};

static void add_fd(struct msghdr *message, union fd_message *control, int passed)
{
    if (passed < 0)
        return;
    message->msg_control = control;
    message->msg_controllen = sizeof *control;
    struct cmsghdr *header = CMSG_FIRSTHDR(message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(header), &passed, sizeof passed);
}

int unix_address(struct sockaddr_un *address, const char *path)
{
    *address = (struct sockaddr_un){.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof address->sun_path)
        return -ENAMETOOLONG;
    strcpy(address->sun_path, path);
    return 0;
}

int send_bytes(int fd, const void *bytes, size_t size, int passed)
{
    struct iovec part = {(void *)bytes, size};
    union fd_message control;
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    add_fd(&message, &control, passed);
    ssize_t sent = sendmsg(fd, &message, MSG_NOSIGNAL);
    if (sent < 0)
        return -errno;
    return (size_t)sent == size ? 0 : -EMSGSIZE;
}

int send_frame(int fd, struct frame frame, const void *payload, int passed, int flags)
{
    struct iovec parts[2] = {{&frame, sizeof frame}, {(void *)payload, frame.size}};
    union fd_message control;
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2};
    add_fd(&message, &control, passed);
    ssize_t sent;
    do
        sent = sendmsg(fd, &message, flags | MSG_NOSIGNAL);
    while (sent < 0 && errno == EINTR);
    if (sent < 0)
        return -errno;
    return (size_t)sent == sizeof frame + frame.size ? 0 : -EMSGSIZE;
}

void send_last(int fd, struct frame frame, const void *payload)
{
    if (send_frame(fd, frame, payload, -1, MSG_DONTWAIT) < 0 || shutdown(fd, SHUT_WR) < 0)
        return;
    char ignored[256];
    struct pollfd peer = {.fd = fd, .events = POLLIN};
    while (poll(&peer, 1, LAST_WORD_MS) > 0)
        if (recv(fd, ignored, sizeof ignored, MSG_DONTWAIT) <= 0)
            return;
}

int read_exact(int fd, void *bytes, uint32_t size)
{
    for (uint32_t done = 0; done < size;) {
        ssize_t got = read(fd, (char *)bytes + done, size - done);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return got < 0 ? -errno : -EPIPE;
        done += (uint32_t)got;
    }
    return 0;
}

int receive_some(int fd, void *bytes, uint32_t size, int *passed, int flags)
{
    struct iovec part = {bytes, size};
    union fd_message control;
    struct msghdr message = {
        .msg_iov = &part,
        .msg_iovlen = 1,
        .msg_control = &control,
        .msg_controllen = sizeof control,
    };
    *passed = -1;
    ssize_t got;
    do
        got = recvmsg(fd, &message, flags | MSG_CMSG_CLOEXEC);
    while (got < 0 && errno == EINTR);
    if (got < 0)
        return -errno;
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    if (header && header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_RIGHTS)
        memcpy(passed, CMSG_DATA(header), sizeof *passed);
    return (int)got;
}

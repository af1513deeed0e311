/* Unix sockets as Node cannot use them: with fds in their messages. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "tsdocker.h"

union fd_message {
    struct cmsghdr header;
    char space[CMSG_SPACE(sizeof(int))];
};

int32_t tsd_socketpair(int32_t pair[2])
{
    return socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0 ? -errno : 0;
}

int32_t tsd_send_fd(int32_t socket, const uint8_t *bytes, int32_t size, int32_t fd)
{
    struct iovec part = {(void *)bytes, (size_t)size};
    union fd_message control;
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    if (fd >= 0) {
        message.msg_control = &control;
        message.msg_controllen = sizeof control;
        struct cmsghdr *header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(sizeof fd);
        memcpy(CMSG_DATA(header), &fd, sizeof fd);
    }
    ssize_t sent;
    do
        sent = sendmsg(socket, &message, MSG_NOSIGNAL);
    while (sent < 0 && errno == EINTR);
    return sent < 0 ? -errno : (int32_t)sent;
}

int32_t tsd_receive_fd(int32_t socket, uint8_t *bytes, int32_t size, int32_t *fd)
{
    struct iovec part = {bytes, (size_t)size};
    union fd_message control;
    struct msghdr message = {
        .msg_iov = &part,
        .msg_iovlen = 1,
        .msg_control = &control,
        .msg_controllen = sizeof control,
    };
    *fd = -1;
    ssize_t got;
    do
        got = recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
    while (got < 0 && errno == EINTR);
    if (got < 0)
        return -errno;
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    if (header && header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_RIGHTS)
        memcpy(fd, CMSG_DATA(header), sizeof *fd);
    return (int32_t)got;
}

/* Any path: a long one goes through its folder's fd, as the shim binds it. */
static int connect_to(int socket_fd, const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    const char *slash = strrchr(path, '/');
    if (!slash || slash == path)
        return -EINVAL;
    char *parent = strndup(path, (size_t)(slash - path));
    int dir = parent ? open(parent, O_PATH | O_DIRECTORY | O_CLOEXEC) : -1;
    int error = errno;
    free(parent);
    if (dir < 0)
        return -error;
    int size =
        snprintf(address.sun_path, sizeof address.sun_path, "/proc/self/fd/%d/%s", dir, slash + 1);
    int result = size < 0 || (size_t)size >= sizeof address.sun_path ? -ENAMETOOLONG : 0;
    if (result == 0 && connect(socket_fd, (struct sockaddr *)&address, sizeof address) < 0)
        result = -errno;
    close(dir);
    return result;
}

int32_t tsd_exchange(const char *path, const uint8_t *request, int32_t size, int32_t fd,
                     uint8_t *answer, int32_t room, int32_t *got, int32_t timeout_ms)
{
    struct timeval timeout = {timeout_ms / 1000, timeout_ms % 1000 * 1000};
    int socket_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (socket_fd < 0)
        return -errno;
    setsockopt(socket_fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout);
    setsockopt(socket_fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof timeout);
    int32_t result = connect_to(socket_fd, path);
    *got = -1;
    if (result == 0)
        result = tsd_send_fd(socket_fd, request, size, fd);
    if (result >= 0 && room > 0)
        result = tsd_receive_fd(socket_fd, answer, room, got);
    close(socket_fd);
    return result == -EAGAIN ? -ETIMEDOUT : result;
}

/* Unix datagrams, which Node does not have: syslog's and journald's sockets. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "tsdocker.h"

union fd_message {
    struct cmsghdr header;
    char space[CMSG_SPACE(sizeof(int))];
};

int32_t tsd_datagram_open(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof address.sun_path)
        return -ENAMETOOLONG;
    strcpy(address.sun_path, path);
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -errno;
    if (connect(fd, (const struct sockaddr *)&address, sizeof address) < 0) {
        int error = errno;
        close(fd);
        return -error;
    }
    return fd;
}

static int sealed_memory(const uint8_t *bytes, size_t size)
{
    int fd = memfd_create("log", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd < 0)
        return -errno;
    for (size_t done = 0; done < size;) {
        ssize_t written = write(fd, bytes + done, size - done);
        if (written < 0) {
            int error = errno;
            close(fd);
            return -error;
        }
        done += (size_t)written;
    }
    int seals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL;
    if (fcntl(fd, F_ADD_SEALS, seals) == 0)
        return fd;
    int error = errno;
    close(fd);
    return -error;
}

static int32_t send_memory(int32_t socket, const uint8_t *bytes, size_t size)
{
    union fd_message control;
    struct msghdr message = {.msg_control = &control, .msg_controllen = sizeof control};
    int fd = sealed_memory(bytes, size);
    if (fd < 0)
        return fd;
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof fd);
    memcpy(CMSG_DATA(header), &fd, sizeof fd);
    int32_t result = sendmsg(socket, &message, MSG_NOSIGNAL) < 0 ? -errno : (int32_t)size;
    close(fd);
    return result;
}

int32_t tsd_datagram_send(int32_t socket, const uint8_t *bytes, int32_t size, int32_t as_memory)
{
    ssize_t sent = send(socket, bytes, (size_t)size, MSG_NOSIGNAL);
    if (sent >= 0)
        return (int32_t)sent;
    if (as_memory && (errno == EMSGSIZE || errno == ENOBUFS))
        return send_memory(socket, bytes, (size_t)size);
    return -errno;
}

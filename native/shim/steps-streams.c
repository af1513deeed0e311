/* Steps that make the standard streams, and the loopback link. */
#include "steps.h"

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/vfs.h>

#include "sys.h"

int step_pipe(struct shim *shim, struct reader *operands)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) < 0)
        return -errno;
    slot_put(shim, read_u32(operands), ends[0]);
    slot_put(shim, read_u32(operands), ends[1]);
    return 0;
}

/* The peer by its controller's fd, never by a name under /dev/pts, which the container may swap. */
static int open_peer(int controller, uint32_t rows, uint32_t columns)
{
    struct statfs stat;
    if (fstatfs(controller, &stat) < 0)
        return -errno;
    if (stat.f_type != DEVPTS_MAGIC)
        return -EACCES;
    int unlocked = 0;
    if (ioctl(controller, TIOCSPTLCK, &unlocked) < 0)
        return -errno;
    struct winsize size = {.ws_row = (uint16_t)rows, .ws_col = (uint16_t)columns};
    if (rows && columns && ioctl(controller, TIOCSWINSZ, &size) < 0)
        return -errno;
    int peer = ioctl(controller, TIOCGPTPEER_REQUEST, O_RDWR | O_NOCTTY | O_CLOEXEC);
    return peer < 0 ? -errno : peer;
}

int step_pty(struct shim *shim, struct reader *operands)
{
    int devpts = operand_fd(shim, operands);
    uint32_t controller_slot = read_u32(operands);
    uint32_t peer_slot = read_u32(operands);
    uint32_t rows = read_u32(operands);
    uint32_t columns = read_u32(operands);
    int flags = O_RDWR | O_NOCTTY | O_NOFOLLOW | O_CLOEXEC;
    int controller = openat(devpts, "ptmx", flags);
    if (controller < 0)
        return -errno;
    int peer = open_peer(controller, rows, columns);
    if (peer < 0) {
        close(controller);
        return peer;
    }
    slot_put(shim, controller_slot, controller);
    slot_put(shim, peer_slot, peer);
    return 0;
}

int step_setctty(struct shim *shim, struct reader *operands)
{
    return result_of(ioctl(operand_fd(shim, operands), TIOCSCTTY, 0));
}

int step_loopbackUp(struct shim *shim, struct reader *operands)
{
    (void)shim;
    (void)operands;
    cleanup_fd int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    struct ifreq request = {.ifr_name = "lo"};
    if (fd < 0 || ioctl(fd, SIOCGIFFLAGS, &request) < 0)
        return -errno;
    request.ifr_flags |= IFF_UP;
    return result_of(ioctl(fd, SIOCSIFFLAGS, &request));
}

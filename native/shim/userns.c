/*
 * The `userns` step. A user namespace is made by a process, and its maps are written from outside:
 * here by a child that does nothing else. The namespace stays for as long as its fd does.
 */
#include "steps.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sys.h"

static int open_of(pid_t pid, const char *name, int flags)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/%s", pid, name);
    int fd = open(path, flags | O_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

static int write_map(pid_t pid, const char *name, struct reader *operands)
{
    uint32_t size;
    const uint8_t *map = read_bytes(operands, &size);
    cleanup_fd int fd = open_of(pid, name, O_WRONLY);
    if (fd < 0)
        return fd;
    /* One call: the kernel takes a map whole, and once. */
    ssize_t written = write(fd, map, size);
    if (written < 0)
        return -errno;
    return (size_t)written == size ? 0 : -EIO;
}

int step_userns(struct shim *shim, struct reader *operands)
{
    uint32_t out = read_u32(operands);
    pid_t pid = (pid_t)syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0);
    if (pid < 0)
        return -errno;
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        for (;;)
            pause();
    }
    int result = write_map(pid, "uid_map", operands);
    if (result == 0)
        result = write_map(pid, "gid_map", operands);
    if (result == 0)
        result = open_of(pid, "ns/user", O_RDONLY);
    kill(pid, SIGKILL);
    while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
        ;
    if (result < 0)
        return result;
    slot_put(shim, out, result);
    return 0;
}

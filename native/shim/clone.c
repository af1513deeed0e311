/* Making init, following it when it forks, and undoing it; waiting for other children. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "shim.h"
#include "steps.h"
#include "sys.h"

void report(struct shim *shim, enum report_kind kind, uint32_t index, int32_t value)
{
    struct report record = {kind, index, value, 0};
    /* Smaller than PIPE_BUF, so whole or not at all; without a reader the shim is gone anyway. */
    ssize_t unused = write(shim->report, &record, sizeof record);
    (void)unused;
}

static long clone_process(uint64_t flags, int cgroup, int *pidfd)
{
    struct clone3_args args = {
        .flags = flags | CLONE_PIDFD_FLAG,
        .pidfd = (uint64_t)(uintptr_t)pidfd,
        .exit_signal = SIGCHLD,
    };
    if (cgroup >= 0) {
        args.flags |= CLONE_INTO_CGROUP_FLAG;
        args.cgroup = (uint64_t)cgroup;
    }
    long pid = syscall(SYS_clone3, &args, sizeof args);
    if (pid >= 0 || errno != ENOSYS || cgroup >= 0)
        return pid;
    /* A seccomp filter around us may hide clone3. */
    return syscall(SYS_clone, flags | CLONE_PIDFD_FLAG | SIGCHLD, 0, pidfd, 0, 0);
}

int clone_init(struct shim *shim, uint64_t flags, int cgroup)
{
    int strands[2], reports[2];
    if (shim->pid || shim->strand != HOST)
        return -EBUSY;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, strands) < 0)
        return -errno;
    if (pipe2(reports, O_CLOEXEC) < 0)
        return -errno;
    long pid = clone_process(flags, cgroup, &shim->pidfd);
    if (pid < 0)
        return -errno;
    int mine = pid == 0 ? 1 : 0;
    close(strands[1 - mine]);
    close(reports[1 - mine]);
    shim->peer = strands[mine];
    shim->report = reports[mine];
    if (pid == 0) {
        /* The daemon sees the shim's death by EOF: init must not hold that socket. */
        close(shim->control);
        shim->control = -1;
        shim->pidfd = -1;
        shim->strand = INIT;
        run_init(shim, shim->program);
    }
    shim->pid = (pid_t)pid;
    fcntl(shim->report, F_SETFL, O_NONBLOCK);
    return 0;
}

int step_clone(struct shim *shim, struct reader *operands)
{
    uint64_t flags = read_u64(operands);
    uint32_t cgroup = read_u32(operands);
    int fd = cgroup == NO_SLOT ? -1 : slot_fd(shim, cgroup);
    if (cgroup != NO_SLOT && fd < 0)
        return -EBADF;
    return clone_init(shim, flags, fd);
}

int fork_init(struct shim *shim)
{
    int gate[2];
    if (shim->strand != INIT)
        return -EINVAL;
    if (pipe2(gate, O_CLOEXEC) < 0)
        return -errno;
    /* CLONE_PARENT: the shim stays the parent, whatever pid namespace the child is born into. */
    long pid = syscall(SYS_clone, CLONE_PARENT_FLAG | SIGCHLD, 0, 0, 0, 0);
    if (pid < 0)
        return -errno;
    if (pid > 0) {
        report(shim, REPORT_FORKED, 0, (int32_t)pid);
        _exit(0);
    }
    close(gate[1]);
    char unused;
    /* EOF: the parent has reported, so the shim knows of us before anything that we tell it. */
    ssize_t got = read(gate[0], &unused, 1);
    close(gate[0]);
    return got < 0 ? -errno : 0;
}

void follow_fork(struct shim *shim, pid_t pid)
{
    if (shim->pidfd >= 0)
        close(shim->pidfd);
    shim->pid = pid;
    shim->pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
}

void undo_unwaited(struct shim *shim)
{
    take_reports(shim); /* it may have forked */
    kill(shim->pid, SIGKILL);
    if (shim->peer >= 0)
        close(shim->peer);
    shim->peer = -1;
}

void undo(struct shim *shim)
{
    if (shim->pid <= 0)
        return;
    undo_unwaited(shim);
    while (waitpid(-1, NULL, 0) > 0 || errno == EINTR)
        ;
}

int await_child(pid_t pid, int watched, uint32_t timeout_ms, int *status)
{
    cleanup_fd int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
    struct pollfd fds[2] = {{.fd = pidfd, .events = POLLIN}, {.fd = watched}};
    const uint64_t until = now_ms() + timeout_ms;
    int result = 0;
    while (pidfd >= 0 && result == 0 && !fds[0].revents) {
        uint64_t now = now_ms();
        int left = now < until ? (int)(until - now) : 0;
        int ready = poll(fds, 2, timeout_ms > 0 ? left : -1);
        if (ready == 0)
            result = -ETIMEDOUT;
        else if (ready > 0 && fds[1].revents)
            result = -ECANCELED;
    }
    if (result < 0)
        kill(pid, SIGKILL);
    while (waitpid(pid, status, 0) < 0)
        if (errno != EINTR)
            return -errno;
    return result;
}

/* Making init, following it when it forks, and undoing it; waiting for other children. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "clone3-onto.h"
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

/* By then init has been killed by its own timer, if that may. */
#define OWN_LIMIT_LATER_MS 500

/* What init is born with: its ends are the second ones. */
struct birth {
    struct shim *shim;
    int strands[2], reports[2];
    /* For one that borrows our memory: how long it may. */
    uint32_t limit_ms;
};

static struct clone3_args arguments(uint64_t flags, int cgroup, int *pidfd)
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
    return args;
}

static long clone_process(uint64_t flags, int cgroup, int *pidfd)
{
    struct clone3_args args = arguments(flags, cgroup, pidfd);
    long pid = syscall(SYS_clone3, &args, sizeof args);
    if (pid >= 0 || errno != ENOSYS || cgroup >= 0)
        return pid;
    /* A seccomp filter around us may hide clone3. */
    return syscall(SYS_clone, flags | CLONE_PIDFD_FLAG | SIGCHLD, 0, pidfd, 0, 0);
}

static _Noreturn void begin_init(struct shim *shim, const struct birth *birth)
{
    close(birth->strands[0]);
    close(birth->reports[0]);
    shim->peer = birth->strands[1];
    shim->report = birth->reports[1];
    /* The daemon sees the shim's death by EOF: init must not hold that socket. */
    close(shim->control);
    shim->control = -1;
    shim->pidfd = -1;
    shim->strand = INIT;
    run_init(shim, shim->program);
}

/* SIGKILL for this process after so long; execve deletes the timer. */
static int limit_life(timer_t *timer, uint32_t ms)
{
    struct sigevent kill = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGKILL};
    struct itimerspec limit = {.it_value = {ms / 1000, ms % 1000 * 1000000L}};
    if (timer_create(CLOCK_MONOTONIC, &kill, timer) < 0)
        return -errno;
    timer_settime(*timer, 0, &limit, NULL);
    return 0;
}

static _Noreturn void borrow_memory(const struct birth *birth)
{
    struct shim own = *birth->shim;
    timer_t timer;
    limit_life(&timer, birth->limit_ms);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    own.borrows = true;
    begin_init(&own, birth);
}

/*
 * Until init has executed or ended we do not run, so it has all of our memory to itself, errno
 * and the room below this frame too. Nor can we look after it: it has a timer, and where that may
 * not kill it, as the first of a pid namespace, ours ends us, and our end init.
 */
static long clone_borrowing(uint64_t flags, int cgroup, const struct birth *birth)
{
    timer_t timer;
    struct clone3_args args = arguments(flags | CLONE_VM_FLAG | CLONE_VFORK_FLAG, cgroup,
                                        &birth->shim->pidfd);
    int limited = limit_life(&timer, birth->limit_ms + OWN_LIMIT_LATER_MS);
    long pid = limited < 0 ? limited : clone3_onto(&args, borrow_memory, birth);
    if (limited == 0)
        timer_delete(timer);
    if (pid == -ENOSYS)
        return clone_process(flags, cgroup, &birth->shim->pidfd);
    if (pid < 0)
        errno = (int)-pid;
    return pid < 0 ? -1 : pid;
}

/* `limit_ms` 0: init has a memory of its own. */
static int clone_init(struct shim *shim, uint64_t flags, int cgroup, uint32_t limit_ms)
{
    struct birth birth = {.shim = shim, .limit_ms = limit_ms};
    if (shim->pid || shim->strand != HOST)
        return -EBUSY;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, birth.strands) < 0)
        return -errno;
    if (pipe2(birth.reports, O_CLOEXEC) < 0)
        return -errno;
    long pid = limit_ms > 0 ? clone_borrowing(flags, cgroup, &birth)
                            : clone_process(flags, cgroup, &shim->pidfd);
    if (pid < 0)
        return -errno;
    if (pid == 0)
        begin_init(shim, &birth);
    close(birth.strands[1]);
    close(birth.reports[1]);
    shim->peer = birth.strands[0];
    shim->report = birth.reports[0];
    shim->pid = (pid_t)pid;
    fcntl(shim->report, F_SETFL, O_NONBLOCK);
    return 0;
}

static int make_init(struct shim *shim, struct reader *operands, bool borrows)
{
    uint64_t flags = read_u64(operands);
    uint32_t cgroup = read_u32(operands);
    uint32_t limit_ms = borrows ? read_u32(operands) : 0;
    int fd = cgroup == NO_SLOT ? -1 : slot_fd(shim, cgroup);
    if (cgroup != NO_SLOT && fd < 0)
        return -EBADF;
    /* Who waits at the gate would never be let through by a shim that waits for it. */
    if (borrows && (limit_ms == 0 || !shim->opens))
        return -EINVAL;
    return clone_init(shim, flags, fd, limit_ms);
}

int step_clone(struct shim *shim, struct reader *operands)
{
    return make_init(shim, operands, false);
}

int step_cloneVm(struct shim *shim, struct reader *operands)
{
    return make_init(shim, operands, true);
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

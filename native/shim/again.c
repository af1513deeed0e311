/*
 * A shim whose process has ended, and with it everything that it had, carries out another launch
 * where the daemon wants that: execs follow each other, and to execute a shim anew and to take it
 * down takes as long as all that it does.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <sys/wait.h>

#include "monitor.h"
#include "sys.h"

void fresh_shim(struct shim *shim)
{
    *shim = (struct shim){.control = CONTROL_FD};
    shim->peer = shim->report = shim->pidfd = shim->answer_fd = -1;
    memset(shim->slots, -1, sizeof shim->slots);
    the_monitor = (struct monitor){.signals = -1, .listener = -1, .spill_dir = -1};
}

/* Orphans of the process would stay ours, who had it as their subreaper. */
static bool has_children(void)
{
    pid_t pid;
    while ((pid = waitpid(-1, NULL, WNOHANG)) > 0)
        ;
    return pid == 0 || errno != ECHILD;
}

/* Where our children are born is all of ours that the programs of execs change. */
static bool leave_pid_namespace(void)
{
    cleanup_fd int own = open("/proc/self/ns/pid", O_RDONLY | O_CLOEXEC);
    return own >= 0 && setns(own, CLONE_NEWPID) == 0;
}

static bool close_others(void)
{
    int kept = control_kept();
    unsigned first = CONTROL_FD + 1, after = kept < 0 ? first : (unsigned)kept + 1;
    /* The first is where the next launch's program finds what is passed. */
    if (kept == CONTROL_FD + 1)
        return false;
    if (kept > 0 && syscall(SYS_close_range, first, kept - 1, 0) < 0)
        return false;
    return syscall(SYS_close_range, after, ~0u, 0) == 0;
}

bool begin_again(struct shim *shim, struct launch *launch)
{
    struct frame frame = {.type = IDLE};
    if (!the_monitor.returning || has_children() || !leave_pid_namespace() || !forget_memory())
        return false;
    if (!close_others())
        return false;
    fresh_shim(shim);
    memset(launch, 0, sizeof *launch);
    return send_frame(shim->control, frame, NULL, -1, 0) == 0;
}

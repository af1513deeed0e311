/*
 * Starting a shim without forking the daemon: fork copies page tables (milliseconds for a large
 * heap), vfork borrows them. And the program itself: a sealed copy that no container can write to
 * through /proc/<pid>/exe.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tsdocker.h"

#ifndef MFD_EXEC
#define MFD_EXEC 0x10u
#endif
#define FIRST_FD 3
/* The shim's MAX_HELD, and what its program is passed. */
#define MAX_FDS 16640
#define SEALS (F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)

struct start {
    int exec_fd, count;
    const int *fds;
    char *const *argv;
};

/* In the child, which shares our memory until it execs: only system calls, nothing of libc's. */
static int place_fds(const struct start *start)
{
    int moved[MAX_FDS + 1];
    int base = FIRST_FD + start->count + 1;
    moved[start->count] = fcntl(start->exec_fd, F_DUPFD_CLOEXEC, base);
    for (int i = 0; i < start->count; i++)
        moved[i] = fcntl(start->fds[i], F_DUPFD_CLOEXEC, base);
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    for (int fd = 0; fd < FIRST_FD; fd++)
        if (dup2(null, fd) < 0)
            return -1;
    for (int i = 0; i < start->count; i++)
        if (moved[i] < 0 || dup2(moved[i], FIRST_FD + i) < 0)
            return -1;
    if (syscall(SYS_close_range, FIRST_FD + start->count, ~0u, 4u /* CLOEXEC */) < 0)
        return -1;
    return moved[start->count];
}

static void reset_signals(void)
{
    struct sigaction plain = {.sa_handler = SIG_DFL};
    sigset_t none;
    for (int number = 1; number < NSIG; number++)
        sigaction(number, &plain, NULL);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

static void become_program(const struct start *start)
{
    static char *const no_env[] = {NULL};
    setsid();
    if (chdir("/") < 0)
        return;
    int fd = place_fds(start);
    if (fd < 0)
        return;
    reset_signals();
    syscall(SYS_execveat, fd, "", start->argv, no_env, AT_EMPTY_PATH);
}

/* The child's error gets here through the memory that we share. */
int32_t tsd_spawn(int32_t exec_fd, char *const *argv, const int32_t *fds, int32_t count)
{
    struct start start = {exec_fd, count, fds, argv};
    volatile int error = 0;
    sigset_t all, before;
    if (count < 0 || count > MAX_FDS)
        return -EINVAL;
    /* No handler of the daemon's may run in the child. */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pid_t pid = vfork();
    if (pid == 0) {
        become_program(&start);
        error = errno ? errno : EINVAL;
        _exit(127);
    }
    int vfork_error = errno;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (pid < 0)
        return -vfork_error;
    if (error) {
        waitpid(pid, NULL, 0);
        return -error;
    }
    return pid;
}

int32_t tsd_reap(int32_t pid)
{
    pid_t reaped = waitpid(pid, NULL, WNOHANG);
    return reaped < 0 ? -errno : reaped > 0;
}

static int copy_file(int from, int to)
{
    struct stat stat;
    if (fstat(from, &stat) < 0)
        return -errno;
    for (off_t left = stat.st_size; left > 0;) {
        ssize_t sent = sendfile(to, from, NULL, (size_t)left);
        if (sent <= 0)
            return sent < 0 ? -errno : -EIO;
        left -= sent;
    }
    return fcntl(to, F_ADD_SEALS, SEALS) < 0 ? -errno : 0;
}

int32_t tsd_seal_program(const char *path, const char *name)
{
    int from = open(path, O_RDONLY | O_CLOEXEC);
    if (from < 0)
        return -errno;
    int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_EXEC);
    if (fd < 0 && errno == EINVAL) /* before 6.3 every memfd may be executed */
        fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
    int result = fd < 0 ? -errno : copy_file(from, fd);
    close(from);
    if (result == 0)
        return fd;
    if (fd >= 0)
        close(fd);
    return result;
}

/* Where memfds may not be executed: a read-only mount of the file that nobody else can reach. */
int32_t tsd_open_read_only(const char *path)
{
    struct {
        uint64_t set, clear, propagation, userns;
    } attr = {.set = 1 /* MOUNT_ATTR_RDONLY */};
    long fd = syscall(428 /* open_tree */, AT_FDCWD, path, 1u /* CLONE */ | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    if (syscall(442 /* mount_setattr */, fd, "", AT_EMPTY_PATH, &attr, sizeof attr) == 0)
        return (int32_t)fd;
    int error = errno;
    close((int)fd);
    return -error;
}

/*
 * Starting a program without forking the daemon: fork copies page tables (milliseconds for a large
 * heap), vfork borrows them. And the shim itself: a sealed copy that no container can write to
 * through /proc/<pid>/exe.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "raw-call.h"
#include "tsdocker.h"

#ifndef MFD_EXEC
#define MFD_EXEC 0x10u
#endif
/* The shim's MAX_HELD, what its program is passed, and 0…2. */
#define MAX_FDS 16643
#define SEALS (F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)

struct start {
    int exec_fd, count;
    const int *fds;
    char *const *argv, *const *env;
    /* Room for one more number than there are fds. */
    int *moved;
};

/*
 * In the child, which shares our memory until it execs, and errno too while we go on: only system
 * calls, nothing of libc's. A negative errno, or never back.
 */
static long place_fds(const struct start *start)
{
    int base = start->count + 1;
    int *moved = start->moved;
    long null = raw_call(SYS_openat, AT_FDCWD, (long)"/dev/null", O_RDWR | O_CLOEXEC, 0, 0);
    for (int i = 0; i <= start->count; i++) {
        long fd = i == start->count ? start->exec_fd : start->fds[i] < 0 ? null : start->fds[i];
        long copy = raw_call(SYS_fcntl, fd, F_DUPFD_CLOEXEC, base, 0, 0);
        if (copy < 0)
            return copy;
        moved[i] = (int)copy;
    }
    for (int i = 0; i < start->count; i++) {
        long placed = raw_call(SYS_dup3, moved[i], i, 0, 0, 0);
        if (placed < 0)
            return placed;
    }
    long closed = raw_call(SYS_close_range, start->count, ~0u, 4 /* CLOEXEC */, 0, 0);
    return closed < 0 ? closed : moved[start->count];
}

static void reset_signals(void)
{
    /* SIG_DFL, no flags, an empty mask: zeros, however an architecture orders them. */
    const uint64_t plain[8] = {0}, none = 0;
    for (int number = 1; number < NSIG; number++)
        raw_call(SYS_rt_sigaction, number, (long)plain, 0, sizeof none, 0);
    raw_call(SYS_rt_sigprocmask, SIG_SETMASK, (long)&none, 0, sizeof none, 0);
}

static long become_program(const struct start *start)
{
    raw_call(SYS_setsid, 0, 0, 0, 0, 0);
    long result = raw_call(SYS_chdir, (long)"/", 0, 0, 0, 0);
    if (result < 0)
        return result;
    long fd = place_fds(start);
    if (fd < 0)
        return fd;
    reset_signals();
    return raw_call(SYS_execveat, fd, (long)"", (long)start->argv, (long)start->env, AT_EMPTY_PATH);
}

/* The child's error gets here through the memory that we share. */
int32_t tsd_spawn(int32_t exec_fd, char *const *argv, char *const *env, const int32_t *fds,
                  int32_t count)
{
    int moved[MAX_FDS + 1];
    struct start start = {exec_fd, count, fds, argv, env, moved};
    volatile long error = 0;
    sigset_t all, before;
    if (count < 0 || count > MAX_FDS)
        return -EINVAL;
    /* No handler of the daemon's may run in the child. */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pid_t pid = vfork();
    if (pid == 0) {
        error = become_program(&start);
        _exit(127);
    }
    int vfork_error = errno;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (pid < 0)
        return -vfork_error;
    if (error) {
        waitpid(pid, NULL, 0);
        return (int32_t)error;
    }
    return pid;
}

/*
 * The same without waiting for the exec: who waits has to be woken, which takes as long again. What
 * the child needs of our memory is a block that is its own until the kernel clears `busy`, which it
 * does when the child has left this memory, by exec or exit (CLONE_CHILD_CLEARTID).
 */
enum { BLOCKS = 16, BLOCK_FDS = 64, BLOCK_WORDS = 16, BLOCK_TEXT = 2048, BLOCK_STACK = 16384 };

struct block {
    _Atomic pid_t busy;
    pid_t pid;
    volatile long error;
    int fds[BLOCK_FDS], moved[BLOCK_FDS + 1];
    char *words[BLOCK_WORDS];
    char text[BLOCK_TEXT];
    char stack[BLOCK_STACK] __attribute__((aligned(16)));
    struct start start;
};

static struct block blocks[BLOCKS];

static struct block *free_block(void)
{
    for (int i = 0; i < BLOCKS; i++) {
        pid_t free = 0;
        if (atomic_compare_exchange_strong(&blocks[i].busy, &free, 1))
            return &blocks[i];
    }
    return NULL;
}

static int copy_words(struct block *block, char *const *words)
{
    size_t used = 0;
    for (int i = 0; i < BLOCK_WORDS; i++) {
        size_t size = words[i] ? strlen(words[i]) + 1 : 0;
        if (size > sizeof block->text - used)
            return -E2BIG;
        block->words[i] = size ? memcpy(block->text + used, words[i], size) : NULL;
        used += size;
        if (!words[i])
            return 0;
    }
    return -E2BIG;
}

static int child(void *argument)
{
    struct block *block = argument;
    block->error = become_program(&block->start);
    raw_call(SYS_exit_group, 127, 0, 0, 0, 0);
    return 127;
}

int32_t tsd_spawn_now(int32_t exec_fd, char *const *argv, const int32_t *fds, int32_t count)
{
    static char *const no_env[] = {NULL};
    sigset_t all, before;
    struct block *block = RAW_CALLS && count >= 0 && count <= BLOCK_FDS ? free_block() : NULL;
    if (!block)
        return -EAGAIN;
    if (copy_words(block, argv) < 0) {
        block->busy = 0;
        return -EAGAIN;
    }
    memcpy(block->fds, fds, (size_t)count * sizeof *fds);
    block->error = 0;
    block->start = (struct start){exec_fd, count, block->fds, block->words, no_env, block->moved};
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pid_t pid = clone(child, block->stack + BLOCK_STACK, CLONE_VM | CLONE_CHILD_CLEARTID | SIGCHLD,
                      block, NULL, NULL, &block->busy);
    int error = errno;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    block->pid = pid;
    if (pid < 0)
        block->busy = 0;
    return pid < 0 ? -error : pid;
}

int32_t tsd_spawn_failure(int32_t pid)
{
    for (int i = 0; i < BLOCKS; i++)
        if (blocks[i].pid == pid)
            return (int32_t)blocks[i].error;
    return 0;
}

int32_t tsd_reap(int32_t pid, int32_t *status)
{
    pid_t reaped = waitpid(pid, status, WNOHANG);
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

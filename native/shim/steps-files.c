/* Steps that open, make and change files. */
#include "steps.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>

#include "sys.h"

int result_of(long value)
{
    return value < 0 ? -errno : 0;
}

int put_result(struct shim *shim, uint32_t slot, long fd)
{
    if (fd < 0)
        return -errno;
    slot_put(shim, slot, (int)fd);
    return 0;
}

int step_openat2(struct shim *shim, struct reader *operands)
{
    uint32_t out = read_u32(operands);
    int dir = operand_fd(shim, operands);
    const char *path = read_str(operands);
    struct open_how_args how = {.flags = read_u64(operands) | O_CLOEXEC};
    how.mode = read_u32(operands);
    how.resolve = read_u64(operands);
    return put_result(shim, out, syscall(SYS_openat2, dir, path, &how, sizeof how));
}

int step_close(struct shim *shim, struct reader *operands)
{
    slot_put(shim, read_u32(operands), -1);
    return 0;
}

static int write_once(int fd, const void *bytes, size_t size)
{
    /* One call: files of proc, sysfs and cgroup take a value whole or not at all. */
    ssize_t written = write(fd, bytes, size);
    if (written < 0)
        return -errno;
    return (size_t)written == size ? 0 : -EIO;
}

int step_write(struct shim *shim, struct reader *operands)
{
    int fd = operand_fd(shim, operands);
    uint32_t size;
    const uint8_t *bytes = read_bytes(operands, &size);
    return write_once(fd, bytes, size);
}

int step_writeAnswer(struct shim *shim, struct reader *operands)
{
    return write_once(operand_fd(shim, operands), shim->answer, shim->answer_size);
}

int step_mkdirat(struct shim *shim, struct reader *operands)
{
    int dir = operand_fd(shim, operands);
    const char *path = read_str(operands);
    return result_of(mkdirat(dir, path, read_u32(operands)));
}

int step_mknodat(struct shim *shim, struct reader *operands)
{
    int dir = operand_fd(shim, operands);
    const char *path = read_str(operands);
    uint32_t mode = read_u32(operands);
    uint32_t device_major = read_u32(operands);
    uint32_t device_minor = read_u32(operands);
    return result_of(mknodat(dir, path, mode, makedev(device_major, device_minor)));
}

int step_symlinkat(struct shim *shim, struct reader *operands)
{
    const char *target = read_str(operands);
    int dir = operand_fd(shim, operands);
    return result_of(symlinkat(target, dir, read_str(operands)));
}

int step_fchownat(struct shim *shim, struct reader *operands)
{
    int dir = operand_fd(shim, operands);
    const char *path = read_str(operands);
    uint32_t uid = read_u32(operands);
    uint32_t gid = read_u32(operands);
    return result_of(fchownat(dir, path, uid, gid, AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH));
}

int step_fchmodat(struct shim *shim, struct reader *operands)
{
    int dir = operand_fd(shim, operands);
    const char *path = read_str(operands);
    uint32_t mode = read_u32(operands);
    int flags = AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH;
    int result = result_of(syscall(SYS_fchmodat2, dir, path, mode, flags));
    if (result != -ENOSYS)
        return result;
    /* Before 6.6: through the fd's link, once it is known not to be a symlink itself. */
    cleanup_fd int fd =
        *path ? openat(dir, path, O_PATH | O_NOFOLLOW | O_CLOEXEC) : fcntl(dir, F_DUPFD_CLOEXEC, 0);
    struct stat stat;
    if (fd < 0 || fstat(fd, &stat) < 0)
        return -errno;
    if (S_ISLNK(stat.st_mode))
        return -EOPNOTSUPP;
    char link[32];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    return result_of(chmod(link, mode));
}

int step_chdir(struct shim *shim, struct reader *operands)
{
    (void)shim;
    return result_of(chdir(read_str(operands)));
}

int step_fchdir(struct shim *shim, struct reader *operands)
{
    return result_of(fchdir(operand_fd(shim, operands)));
}

int step_chroot(struct shim *shim, struct reader *operands)
{
    (void)shim;
    return result_of(chroot(read_str(operands)));
}

int step_umask(struct shim *shim, struct reader *operands)
{
    umask(read_u32(operands));
    shim->umask_set = true;
    return 0;
}

/* Moves one of our own fds out of the way of a dup2. */
static int move_away(int *fd, int from)
{
    if (*fd != from)
        return 0;
    int moved = fcntl(from, F_DUPFD_CLOEXEC, from + 1);
    if (moved < 0)
        return -errno;
    *fd = moved;
    return 0;
}

int step_dup2(struct shim *shim, struct reader *operands)
{
    uint32_t slot = read_u32(operands);
    int to = (int)read_u32(operands);
    int result = 0;
    for (uint32_t i = 0; i < SLOTS && result == 0; i++)
        if (i != slot)
            result = move_away(&shim->slots[i], to);
    if (result == 0)
        result = move_away(&shim->peer, to);
    if (result == 0)
        result = move_away(&shim->report, to);
    if (result < 0)
        return result;
    int from = slot_fd(shim, slot);
    if (from == to)
        return result_of(fcntl(to, F_SETFD, 0));
    return result_of(dup3(from, to, 0));
}

int step_fstatfsMagic(struct shim *shim, struct reader *operands)
{
    struct statfs stat;
    if (fstatfs(operand_fd(shim, operands), &stat) < 0)
        return -errno;
    return (uint64_t)stat.f_type == read_u64(operands) ? 0 : -EACCES;
}

int step_fstatDevice(struct shim *shim, struct reader *operands)
{
    struct stat stat;
    if (fstat(operand_fd(shim, operands), &stat) < 0)
        return -errno;
    uint32_t device_major = read_u32(operands);
    uint32_t device_minor = read_u32(operands);
    bool same = S_ISCHR(stat.st_mode) && stat.st_rdev == makedev(device_major, device_minor);
    return same ? 0 : -ENODEV;
}

int step_fstatNode(struct shim *shim, struct reader *operands)
{
    struct stat stat;
    if (fstat(operand_fd(shim, operands), &stat) < 0)
        return -errno;
    mode_t kind = read_u32(operands) & S_IFMT;
    uint32_t device_major = read_u32(operands);
    uint32_t device_minor = read_u32(operands);
    bool numbered = kind == S_IFCHR || kind == S_IFBLK;
    bool same = (stat.st_mode & S_IFMT) == kind
        && (!numbered || stat.st_rdev == makedev(device_major, device_minor));
    return same ? 0 : -EEXIST;
}

int step_getcwd(struct shim *shim, struct reader *operands)
{
    (void)shim;
    (void)operands;
    char path[4096];
    /* The raw call: libc hides the "(unreachable)" that says that we stand outside the root. */
    if (syscall(SYS_getcwd, path, sizeof path) < 0)
        return -errno;
    return path[0] == '/' ? 0 : -ENOENT;
}

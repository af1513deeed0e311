/* Steps of the mount API, new and old. */
#include "steps.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/mount.h>

#include "sys.h"

int step_fsopen(struct shim *shim, struct reader *operands)
{
    uint32_t out = read_u32(operands);
    const char *type = read_str(operands);
    return put_result(shim, out, syscall(SYS_fsopen, type, FSOPEN_CLOEXEC_FLAG));
}

int step_fsconfigString(struct shim *shim, struct reader *operands)
{
    int fs = operand_fd(shim, operands);
    const char *key = read_str(operands);
    const char *value = read_str(operands);
    return result_of(syscall(SYS_fsconfig, fs, FSCONFIG_STRING, key, value, 0));
}

int step_fsconfigFlag(struct shim *shim, struct reader *operands)
{
    int fs = operand_fd(shim, operands);
    const char *key = read_str(operands);
    return result_of(syscall(SYS_fsconfig, fs, FSCONFIG_FLAG, key, NULL, 0));
}

int step_fsmount(struct shim *shim, struct reader *operands)
{
    uint32_t out = read_u32(operands);
    int fs = operand_fd(shim, operands);
    uint64_t attrs = read_u64(operands);
    if (syscall(SYS_fsconfig, fs, FSCONFIG_CREATE, NULL, NULL, 0) < 0)
        return -errno;
    return put_result(shim, out, syscall(SYS_fsmount, fs, FSMOUNT_CLOEXEC_FLAG, attrs));
}

int step_fspick(struct shim *shim, struct reader *operands)
{
    uint32_t out = read_u32(operands);
    int mount = operand_fd(shim, operands);
    uint32_t flags = FSPICK_CLOEXEC_FLAG | FSPICK_EMPTY_PATH_FLAG;
    return put_result(shim, out, syscall(SYS_fspick, mount, "", flags));
}

int step_fsReconfigure(struct shim *shim, struct reader *operands)
{
    int fs = operand_fd(shim, operands);
    return result_of(syscall(SYS_fsconfig, fs, FSCONFIG_RECONFIGURE, NULL, NULL, 0));
}

int step_openTree(struct shim *shim, struct reader *operands)
{
    uint32_t out = read_u32(operands);
    int dir = operand_fd(shim, operands);
    const char *path = read_str(operands);
    uint32_t flags = read_u32(operands) | OPEN_TREE_CLOEXEC_FLAG;
    return put_result(shim, out, syscall(SYS_open_tree, dir, path, flags));
}

int step_moveMount(struct shim *shim, struct reader *operands)
{
    int from = operand_fd(shim, operands);
    int to = operand_fd(shim, operands);
    const char *path = read_str(operands);
    /* Both ends are fds when the path is empty: F_EMPTY_PATH always, T_EMPTY_PATH then. */
    uint32_t flags = read_u32(operands) | 0x04u | (*path ? 0 : 0x40u);
    return result_of(syscall(SYS_move_mount, from, "", to, path, flags));
}

int step_mountSetattr(struct shim *shim, struct reader *operands)
{
    int dir = operand_fd(shim, operands);
    const char *path = read_str(operands);
    uint32_t flags = read_u32(operands) | (*path ? 0 : (uint32_t)AT_EMPTY_PATH);
    struct mount_attr_args attr = {.set = read_u64(operands)};
    attr.clear = read_u64(operands);
    attr.propagation = read_u64(operands);
    uint32_t userns = read_u32(operands);
    attr.userns_fd = userns == NO_SLOT ? 0 : (uint64_t)slot_fd(shim, userns);
    return result_of(syscall(SYS_mount_setattr, dir, path, flags, &attr, sizeof attr));
}

int step_mount(struct shim *shim, struct reader *operands)
{
    const char *source = read_str(operands);
    uint32_t on = read_u32(operands);
    const char *target = read_str(operands);
    const char *type = read_str(operands);
    uint64_t flags = read_u64(operands);
    const char *data = read_str(operands);
    char path[PATH_MAX];
    if (on != NO_SLOT) {
        const char *slash = *target ? "/" : "";
        int fd = slot_fd(shim, on);
        int size = snprintf(path, sizeof path, "/proc/self/fd/%d%s%s", fd, slash, target);
        if (size < 0 || (size_t)size >= sizeof path)
            return -ENAMETOOLONG;
        target = path;
    }
    return result_of(mount(source, target, *type ? type : NULL, flags, *data ? data : NULL));
}

int step_umount2(struct shim *shim, struct reader *operands)
{
    (void)shim;
    const char *path = read_str(operands);
    return result_of(umount2(path, (int)read_u32(operands)));
}

int step_pivotRoot(struct shim *shim, struct reader *operands)
{
    (void)shim;
    (void)operands;
    /* The old root ends up on top of the new one, without a folder for it in the image. */
    if (syscall(SYS_pivot_root, ".", ".") < 0 || umount2(".", MNT_DETACH) < 0)
        return -errno;
    return result_of(chdir("/"));
}

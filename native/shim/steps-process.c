/* Steps that change the process itself: identity, privileges, limits, and at last its program. */
#include "steps.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "sys.h"

int step_setns(struct shim *shim, struct reader *operands)
{
    int fd = operand_fd(shim, operands);
    return result_of(setns(fd, (int)read_u32(operands)));
}

int step_unshare(struct shim *shim, struct reader *operands)
{
    (void)shim;
    return result_of(syscall(SYS_unshare, read_u64(operands)));
}

int step_fork(struct shim *shim, struct reader *operands)
{
    (void)operands;
    return fork_init(shim);
}

int step_setsid(struct shim *shim, struct reader *operands)
{
    (void)shim;
    (void)operands;
    return result_of(setsid());
}

int step_openChild(struct shim *shim, struct reader *operands)
{
    uint32_t out = read_u32(operands);
    const char *name = read_str(operands);
    uint32_t flags = read_u32(operands);
    if (shim->pid <= 0)
        return -ESRCH;
    char path[128];
    int size = snprintf(path, sizeof path, "/proc/%d/%s", shim->pid, name);
    if (size < 0 || (size_t)size >= sizeof path)
        return -ENAMETOOLONG;
    return put_result(shim, out, open(path, (int)flags | O_CLOEXEC));
}

int step_sethostname(struct shim *shim, struct reader *operands)
{
    (void)shim;
    const char *name = read_str(operands);
    return result_of(sethostname(name, strlen(name)));
}

int step_setdomainname(struct shim *shim, struct reader *operands)
{
    (void)shim;
    const char *name = read_str(operands);
    return result_of(setdomainname(name, strlen(name)));
}

/* Init, from either side; for itself it is 0. */
static pid_t init_pid(const struct shim *shim)
{
    return shim->strand == HOST ? shim->pid : 0;
}

int step_setrlimit(struct shim *shim, struct reader *operands)
{
    uint32_t resource = read_u32(operands);
    uint64_t limits[2] = {read_u64(operands), 0};
    limits[1] = read_u64(operands);
    return result_of(syscall(SYS_prlimit64, init_pid(shim), resource, limits, NULL));
}

int step_prctl(struct shim *shim, struct reader *operands)
{
    (void)shim;
    uint32_t option = read_u32(operands);
    uint64_t a = read_u64(operands);
    uint64_t b = read_u64(operands);
    uint64_t c = read_u64(operands);
    uint64_t d = read_u64(operands);
    return result_of(syscall(SYS_prctl, option, a, b, c, d));
}

int step_setgroups(struct shim *shim, struct reader *operands)
{
    (void)shim;
    uint32_t size;
    const uint8_t *bytes = read_bytes(operands, &size);
    if (size % sizeof(gid_t))
        return -EINVAL;
    gid_t *gids = malloc(size + 1);
    if (!gids)
        return -ENOMEM;
    memcpy(gids, bytes, size);
    int result = result_of(syscall(SYS_setgroups, size / sizeof(gid_t), gids));
    free(gids);
    return result;
}

int step_setresgid(struct shim *shim, struct reader *operands)
{
    (void)shim;
    uint32_t gid = read_u32(operands);
    return result_of(syscall(SYS_setresgid, gid, gid, gid));
}

int step_setresuid(struct shim *shim, struct reader *operands)
{
    (void)shim;
    uint32_t uid = read_u32(operands);
    return result_of(syscall(SYS_setresuid, uid, uid, uid));
}

int step_capset(struct shim *shim, struct reader *operands)
{
    (void)shim;
    uint64_t effective = read_u64(operands);
    uint64_t permitted = read_u64(operands);
    uint64_t inheritable = read_u64(operands);
    struct capability_header header = {0x20080522, 0};
    struct capability_data data[2];
    for (int i = 0; i < 2; i++) {
        data[i].effective = (uint32_t)(effective >> (32 * i));
        data[i].permitted = (uint32_t)(permitted >> (32 * i));
        data[i].inheritable = (uint32_t)(inheritable >> (32 * i));
    }
    return result_of(syscall(SYS_capset, &header, data));
}

int step_capBounding(struct shim *shim, struct reader *operands)
{
    (void)shim;
    uint64_t keep = read_u64(operands);
    for (int capability = 0; capability < 64; capability++) {
        if (keep >> capability & 1 || prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) == 0)
            continue;
        /* Who may not drop any is refused for those that the kernel does not know, too. */
        int error = errno, there = prctl(PR_CAPBSET_READ, capability, 0, 0, 0);
        if (there < 0)
            break; /* past the kernel's last */
        if (there == 1)
            return -error;
    }
    return 0;
}

int step_capAmbient(struct shim *shim, struct reader *operands)
{
    (void)shim;
    uint64_t raise = read_u64(operands);
    if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0)
        return -errno;
    for (int capability = 0; capability < 64; capability++)
        if (raise >> capability & 1 &&
            prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, capability, 0, 0) < 0)
            return -errno;
    return 0;
}

int step_seccomp(struct shim *shim, struct reader *operands)
{
    uint32_t flags = read_u32(operands);
    uint32_t size;
    const uint8_t *bytes = read_bytes(operands, &size);
    uint32_t out = read_u32(operands);
    if (size == 0 || size % 8 || size / 8 > 4096)
        return -EINVAL;
    struct filter_program program = {(unsigned short)(size / 8), bytes};
    long fd = syscall(SYS_seccomp, 1 /* SECCOMP_SET_MODE_FILTER */, flags, &program);
    bool listens = flags & 8; /* SECCOMP_FILTER_FLAG_NEW_LISTENER */
    return listens ? put_result(shim, out, fd) : result_of(fd);
}

int step_personality(struct shim *shim, struct reader *operands)
{
    (void)shim;
    return result_of(personality((unsigned long)read_u64(operands)));
}

int step_setMempolicy(struct shim *shim, struct reader *operands)
{
    (void)shim;
    uint32_t mode = read_u32(operands);
    uint32_t size;
    const uint8_t *nodes = read_bytes(operands, &size);
    /* The kernel takes one bit less than it is told of. */
    unsigned long bits = size == 0 ? 0 : size * 8ul + 1;
    return result_of(syscall(SYS_set_mempolicy, mode, size == 0 ? NULL : nodes, bits));
}

int step_ioprioSet(struct shim *shim, struct reader *operands)
{
    const int who_process = 1;
    return result_of(
        syscall(SYS_ioprio_set, who_process, init_pid(shim), read_u32(operands)));
}

int step_schedSetattr(struct shim *shim, struct reader *operands)
{
    uint32_t size;
    const uint8_t *bytes = read_bytes(operands, &size);
    uint64_t attr[32] = {0};
    if (size > sizeof attr)
        return -E2BIG;
    memcpy(attr, bytes, size);
    return result_of(syscall(SYS_sched_setattr, init_pid(shim), attr, 0));
}

int step_schedSetaffinity(struct shim *shim, struct reader *operands)
{
    (void)shim;
    uint32_t size;
    const uint8_t *mask = read_bytes(operands, &size);
    return result_of(syscall(SYS_sched_setaffinity, 0, (size_t)size, mask));
}

int step_keyctlJoin(struct shim *shim, struct reader *operands)
{
    (void)shim;
    const char *name = read_str(operands);
    long key = syscall(SYS_keyctl, 1 /* KEYCTL_JOIN_SESSION_KEYRING */, *name ? name : NULL);
    return result_of(key);
}

int step_setpriority(struct shim *shim, struct reader *operands)
{
    (void)shim;
    return result_of(setpriority(PRIO_PROCESS, 0, (int)read_u32(operands)));
}

int step_closeRange(struct shim *shim, struct reader *operands)
{
    (void)shim;
    uint32_t first = read_u32(operands);
    uint32_t last = read_u32(operands);
    /* Always at execve, not now: the strand still needs its slots and its way to report. */
    uint32_t flags = read_u32(operands) | CLOSE_RANGE_CLOEXEC_FLAG;
    return result_of(syscall(SYS_close_range, first, last, flags));
}

/* The gate, and what execve would inherit. */
static int before_exec(struct shim *shim)
{
    int result = shim->gate_passed ? 0 : pass_gate(shim);
    if (result == 0 && !shim->umask_set)
        umask(022);
    if (shim->borrows)
        prctl(PR_SET_PDEATHSIG, 0);
    return result;
}

int step_execve(struct shim *shim, struct reader *operands)
{
    char **paths, **argv, **env;
    if (build_list(operands, &paths) || build_list(operands, &argv) || build_list(operands, &env))
        return -ENOMEM;
    int result = before_exec(shim);
    if (result < 0)
        return result;
    result = -ENOENT;
    for (; *paths; paths++) {
        execve(*paths, argv, env);
        if (errno == EACCES)
            result = -EACCES;
        else if (errno != ENOENT && errno != ENOTDIR)
            return -errno;
    }
    return result;
}

int step_execveat(struct shim *shim, struct reader *operands)
{
    int fd = operand_fd(shim, operands);
    char **argv, **env;
    if (build_list(operands, &argv) || build_list(operands, &env))
        return -ENOMEM;
    int result = before_exec(shim);
    if (result < 0)
        return result;
    return result_of(syscall(SYS_execveat, fd, "", argv, env, AT_EMPTY_PATH));
}

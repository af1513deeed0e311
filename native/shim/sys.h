/* System calls and structures of the kernel that musl's headers do not have. */
#ifndef TSDOCKER_SYS_H
#define TSDOCKER_SYS_H

#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef SYS_fchmodat2
#define SYS_fchmodat2 452
#endif
#ifndef SYS_mount_setattr
#define SYS_mount_setattr 442
#endif
#ifndef SYS_clone3
#define SYS_clone3 435
#endif
#ifndef SYS_openat2
#define SYS_openat2 437
#endif
#ifndef SYS_close_range
#define SYS_close_range 436
#endif
#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#define SYS_pidfd_send_signal 424
#endif
#ifndef SYS_open_tree
#define SYS_open_tree 428
#define SYS_move_mount 429
#define SYS_fsopen 430
#define SYS_fsconfig 431
#define SYS_fsmount 432
#define SYS_fspick 433
#endif

struct open_how_args {
    uint64_t flags, mode, resolve;
};
struct mount_attr_args {
    uint64_t set, clear, propagation, userns_fd;
};
struct clone3_args {
    uint64_t flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls;
    uint64_t set_tid, set_tid_size, cgroup;
};
struct capability_header {
    uint32_t version;
    int pid;
};
struct capability_data {
    uint32_t effective, permitted, inheritable;
};
struct filter_program {
    unsigned short length;
    const void *filter;
};

#define RESOLVE_NO_MAGICLINKS_FLAG 0x02
#define RESOLVE_IN_ROOT_FLAG 0x10
#define CLOSE_RANGE_CLOEXEC_FLAG 4u
#define CLONE_INTO_CGROUP_FLAG 0x200000000ULL
#define CLONE_PIDFD_FLAG 0x1000ULL
#define CLONE_PARENT_FLAG 0x8000ULL
#define CLONE_VM_FLAG 0x100ULL
#define CLONE_VFORK_FLAG 0x4000ULL
#define FSCONFIG_FLAG 0
#define FSCONFIG_STRING 1
#define FSCONFIG_CREATE 6
#define FSCONFIG_RECONFIGURE 7
#define FSPICK_CLOEXEC_FLAG 1u
#define FSPICK_EMPTY_PATH_FLAG 8u
#define FSOPEN_CLOEXEC_FLAG 1u
#define FSMOUNT_CLOEXEC_FLAG 1u
#define OPEN_TREE_CLOEXEC_FLAG 02000000u
#define DEVPTS_MAGIC 0x1cd1
#define TIOCGPTPEER_REQUEST 0x5441

#endif

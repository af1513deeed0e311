/** Numbers of the kernel's interface that launch programs use, by the names of its headers. */
import { constants } from 'node:fs';

// asm/fcntl.h: arm64 has other numbers than x86-64
export const { O_DIRECTORY, O_NOFOLLOW } = constants;

// asm-generic/fcntl.h and linux/fcntl.h
export const O_RDONLY = 0;
export const O_WRONLY = 1;
export const O_RDWR = 2;
export const O_PATH = 0o10000000;
export const O_CLOEXEC = 0o2000000;
export const AT_RECURSIVE = 0x8000;
export const AT_EMPTY_PATH = 0x1000;

// linux/openat2.h
export const RESOLVE_NO_MAGICLINKS = 0x02;
export const RESOLVE_NO_SYMLINKS = 0x04;
export const RESOLVE_BENEATH = 0x08;
export const RESOLVE_IN_ROOT = 0x10;
/** How every name inside a container is resolved. */
export const INSIDE = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS;
/** How names in a filesystem that we made ourselves are. */
export const OURS = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS;

// linux/mount.h
export const MOUNT_ATTR_RDONLY = 0x01;
export const MOUNT_ATTR_NOSUID = 0x02;
export const MOUNT_ATTR_NODEV = 0x04;
export const MOUNT_ATTR_NOEXEC = 0x08;
export const MOUNT_ATTR__ATIME = 0x70;
export const MOUNT_ATTR_NOATIME = 0x10;
export const MOUNT_ATTR_STRICTATIME = 0x20;
export const MOUNT_ATTR_NODIRATIME = 0x80;
export const MOUNT_ATTR_NOSYMFOLLOW = 0x200000;
export const MOUNT_ATTR_IDMAP = 0x100000;
export const OPEN_TREE_CLONE = 1;
export const MNT_DETACH = 2;
export const MS_RDONLY = 1;
export const MS_MOVE = 1 << 13;
export const MS_UNBINDABLE = 1 << 17;
export const MS_PRIVATE = 1 << 18;
export const MS_SLAVE = 1 << 19;
export const MS_SHARED = 1 << 20;

// linux/sched.h
export const CLONE_NEWTIME = 0x80;
export const CLONE_NEWNS = 0x20000;
export const CLONE_NEWCGROUP = 0x2000000;
export const CLONE_NEWUTS = 0x4000000;
export const CLONE_NEWIPC = 0x8000000;
export const CLONE_NEWUSER = 0x10000000;
export const CLONE_NEWPID = 0x20000000;
export const CLONE_NEWNET = 0x40000000;

// linux/magic.h
export const PROC_SUPER_MAGIC = 0x9fa0;
export const TMPFS_MAGIC = 0x01021994;

// sys/stat.h
export const S_IFCHR = 0o020000;
export const S_IFREG = 0o100000;
export const S_IFBLK = 0o060000;
export const S_IFIFO = 0o010000;

// linux/prctl.h
export const PR_SET_DUMPABLE = 4;
export const PR_SET_KEEPCAPS = 8;
export const PR_SET_NO_NEW_PRIVS = 38;

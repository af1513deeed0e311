/**
 * The default profile: what a container may ask of the kernel when its user says nothing. The same
 * calls as Docker's default allows, stated by topic; two refusals are our own, see `compat`.
 */
import type { OciSeccompArg, SeccompOperator } from '../oci.js';
import type { ProfileRule, RuleFilter, SeccompProfile } from './profile.js';

const EPERM = 1;
const ENOSYS = 38;

const files = `
  access creat open openat openat2 close close_range dup dup2 dup3 read readv pread64 preadv preadv2
  write writev pwrite64 pwritev pwritev2 lseek _llseek stat stat64 lstat lstat64 fstat fstat64
  fstatat64 newfstatat statx statfs statfs64 fstatfs fstatfs64 statmount listmount faccessat
  faccessat2 truncate truncate64 ftruncate ftruncate64 fallocate fadvise64 fadvise64_64 readahead
  sync syncfs fsync fdatasync sync_file_range link linkat unlink unlinkat symlink symlinkat readlink
  readlinkat rename renameat renameat2 mkdir mkdirat rmdir mknod mknodat chdir fchdir getcwd umask
  chmod fchmod fchmodat fchmodat2 chown chown32 fchown fchown32 fchownat lchown lchown32 utime
  utimes utimensat utimensat_time64 futimesat getdents getdents64 fcntl fcntl64 flock ioctl
  copy_file_range sendfile sendfile64 splice tee vmsplice name_to_handle_at
  getxattr getxattrat fgetxattr lgetxattr setxattr setxattrat fsetxattr lsetxattr listxattr
  listxattrat flistxattr llistxattr removexattr removexattrat fremovexattr lremovexattr
  inotify_init inotify_init1 inotify_add_watch inotify_rm_watch fanotify_mark memfd_create
  memfd_secret`;

const memory = `
  brk mmap mmap2 mprotect munmap mremap madvise mincore msync mlock mlock2 mlockall munlock
  munlockall mseal remap_file_pages pkey_alloc pkey_free pkey_mprotect map_shadow_stack membarrier
  cachestat process_mrelease shmat shmctl shmdt shmget`;

const processes = `
  fork vfork execve execveat exit exit_group wait4 waitid waitpid kill tkill tgkill pidfd_open
  pidfd_send_signal getpid getppid gettid getpgid getpgrp setpgid getsid setsid
  getrusage getrlimit ugetrlimit setrlimit prlimit64 getpriority setpriority ioprio_get ioprio_set
  prctl seccomp rseq uretprobe set_tid_address set_robust_list get_robust_list set_thread_area
  get_thread_area restart_syscall capget capset landlock_create_ruleset landlock_add_rule
  landlock_restrict_self getcpu sysinfo uname times`;

const identity = `
  getuid getuid32 geteuid geteuid32 getgid getgid32 getegid getegid32 getresuid getresuid32
  getresgid getresgid32 getgroups getgroups32 setuid setuid32 setgid setgid32 setreuid setreuid32
  setregid setregid32 setresuid setresuid32 setresgid setresgid32 setfsuid setfsuid32 setfsgid
  setfsgid32 setgroups setgroups32`;

const scheduling = `
  sched_yield sched_getaffinity sched_setaffinity sched_getattr sched_setattr sched_getparam
  sched_setparam sched_getscheduler sched_setscheduler sched_get_priority_max
  sched_get_priority_min sched_rr_get_interval sched_rr_get_interval_time64
  futex futex_time64 futex_requeue futex_wait futex_waitv futex_wake`;

const signals = `
  rt_sigaction rt_sigpending rt_sigprocmask rt_sigqueueinfo rt_sigreturn rt_sigsuspend
  rt_sigtimedwait rt_sigtimedwait_time64 rt_tgsigqueueinfo sigaltstack sigprocmask sigreturn
  signalfd signalfd4 pause alarm`;

const time = `
  time gettimeofday adjtimex clock_adjtime clock_adjtime64 clock_getres clock_getres_time64
  clock_gettime clock_gettime64 clock_nanosleep clock_nanosleep_time64 nanosleep getitimer setitimer
  timer_create timer_delete timer_getoverrun timer_gettime timer_gettime64 timer_settime
  timer_settime64 timerfd_create timerfd_gettime timerfd_gettime64 timerfd_settime
  timerfd_settime64`;

const waiting = `
  epoll_create epoll_create1 epoll_ctl epoll_ctl_old epoll_wait epoll_wait_old epoll_pwait
  epoll_pwait2 poll ppoll ppoll_time64 select _newselect pselect6 pselect6_time64 eventfd eventfd2
  io_setup io_destroy io_submit io_cancel io_getevents io_pgetevents io_pgetevents_time64`;

const communication = `
  pipe pipe2 socketpair bind listen accept accept4 connect shutdown getsockname getpeername
  getsockopt setsockopt send sendto sendmsg sendmmsg recv recvfrom recvmsg recvmmsg recvmmsg_time64
  mq_open mq_unlink mq_notify mq_getsetattr mq_timedreceive mq_timedreceive_time64 mq_timedsend
  mq_timedsend_time64 msgctl msgget msgrcv msgsnd semctl semget semop semtimedop semtimedop_time64
  ipc getrandom riscv_hwprobe`;

const words = (text: string): string[] => text.trim().split(/\s+/);

const allow = (names: string, includes?: RuleFilter): ProfileRule => ({
  names: words(names),
  action: 'SCMP_ACT_ALLOW',
  ...(includes === undefined ? {} : { includes }),
});

const allowWhen = (
  name: string,
  arg: OciSeccompArg,
  rest: Partial<ProfileRule> = {},
): ProfileRule => ({
  names: [name],
  action: 'SCMP_ACT_ALLOW',
  args: [arg],
  ...rest,
});

const first = (op: SeccompOperator, value: number): OciSeccompArg => ({ index: 0, op, value });

const AF_ALG = 38;
const AF_NFC = 39;
const AF_VSOCK = 40;

/** Sockets of any family but AF_ALG and AF_VSOCK, which reach kernel code that few need. */
const sockets: readonly ProfileRule[] = [
  allowWhen('socket', first('SCMP_CMP_LT', AF_ALG)),
  allowWhen('socket', first('SCMP_CMP_EQ', AF_NFC)),
  allowWhen('socket', first('SCMP_CMP_GT', AF_VSOCK)),
];

const PER_LINUX32 = 0x8;
const UNAME26 = 0x20000;
const personalities: readonly ProfileRule[] = [
  0, PER_LINUX32, UNAME26, PER_LINUX32 | UNAME26, 0xffffffff,
].map(
  (persona) => allowWhen('personality', first('SCMP_CMP_EQ', persona)),
);

/** CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID and NEWNET. */
const CLONE_NAMESPACES = 0x7e020000;
const withoutAdmin: RuleFilter = { caps: ['CAP_SYS_ADMIN'] };
const noFlagsOf = (mask: number): OciSeccompArg => ({
  index: 0, op: 'SCMP_CMP_MASKED_EQ', value: mask, valueTwo: 0,
});

/**
 * A clone that makes no namespaces; clone3 hides its flags from a filter, so libc must fall back.
 */
const clones: readonly ProfileRule[] = [
  allowWhen('clone', noFlagsOf(CLONE_NAMESPACES), { excludes: withoutAdmin }),
  { names: ['clone3'], action: 'SCMP_ACT_ERRNO', errnoRet: ENOSYS, excludes: withoutAdmin },
];

const SYS_SOCKET = 1;

/**
 * 32-bit programs: socketcall(2) would make the sockets that `sockets` refuses, and a filter cannot
 * see its arguments, so its `socket` is refused; libc calls socket(2) itself since 2016. The x32
 * calls are refused too (see `compile.ts`). Docker allows both.
 */
const compat: readonly ProfileRule[] = [allowWhen('socketcall', first('SCMP_CMP_NE', SYS_SOCKET))];

const byCapability: readonly ProfileRule[] = [
  allow('open_by_handle_at', { caps: ['CAP_DAC_READ_SEARCH'] }),
  allow(
    `bpf clone clone3 fanotify_init fsconfig fsmount fsopen fspick lookup_dcookie
     lsm_get_self_attr lsm_list_modules lsm_set_self_attr mount mount_setattr move_mount open_tree
     perf_event_open quotactl quotactl_fd setdomainname sethostname setns syslog umount umount2
     unshare`,
    { caps: ['CAP_SYS_ADMIN'] },
  ),
  allow('reboot', { caps: ['CAP_SYS_BOOT'] }),
  allow('chroot', { caps: ['CAP_SYS_CHROOT'] }),
  allow('delete_module init_module finit_module', { caps: ['CAP_SYS_MODULE'] }),
  allow('acct', { caps: ['CAP_SYS_PACCT'] }),
  allow('kcmp pidfd_getfd process_madvise process_vm_readv process_vm_writev ptrace', {
    caps: ['CAP_SYS_PTRACE'],
  }),
  allow('iopl ioperm', { caps: ['CAP_SYS_RAWIO'] }),
  allow('settimeofday stime clock_settime clock_settime64', { caps: ['CAP_SYS_TIME'] }),
  allow('vhangup', { caps: ['CAP_SYS_TTY_CONFIG'] }),
  allow('get_mempolicy mbind set_mempolicy set_mempolicy_home_node', { caps: ['CAP_SYS_NICE'] }),
  allow('syslog', { caps: ['CAP_SYSLOG'] }),
  allow('bpf', { caps: ['CAP_BPF'] }),
  allow('perf_event_open', { caps: ['CAP_PERFMON'] }),
];

const byArchitecture: readonly ProfileRule[] = [
  allow('arm_fadvise64_64 arm_sync_file_range sync_file_range2 breakpoint cacheflush set_tls', {
    arches: ['arm', 'arm64'],
  }),
  allow('arch_prctl modify_ldt', { arches: ['amd64'] }),
];

export const defaultProfile: SeccompProfile = {
  defaultAction: 'SCMP_ACT_ERRNO',
  defaultErrnoRet: EPERM,
  archMap: [
    { architecture: 'SCMP_ARCH_X86_64', subArchitectures: ['SCMP_ARCH_X86'] },
    { architecture: 'SCMP_ARCH_AARCH64' },
  ],
  syscalls: [
    ...[files, memory, processes, identity, scheduling, signals, time, waiting, communication].map(
      (names) => allow(names),
    ),
    // From 4.8 on a tracer cannot change a call after the filter has seen it.
    allow('process_vm_readv process_vm_writev ptrace', { minKernel: '4.8' }),
    ...sockets,
    ...personalities,
    ...clones,
    ...compat,
    ...byArchitecture,
    ...byCapability,
  ],
};

/* Generated from native/launch/opcodes.ts by native/build.mjs: change that, not this. */
#ifndef TSDOCKER_OPCODES_H
#define TSDOCKER_OPCODES_H

/* OPCODE(name, code, operands): f fd, o out, i u32, q u64, s str, b bytes, l strs. */
#define OPCODES \
    OPCODE(openat2, 1, "ofsqiq") /* openat2(2) */ \
    OPCODE(close, 2, "f") /* close(2) */ \
    OPCODE(write, 3, "fb") /* write(2) */ \
    OPCODE(mkdirat, 4, "fsi") /* mkdirat(2) */ \
    OPCODE(mknodat, 5, "fsiii") /* mknodat(2) */ \
    OPCODE(symlinkat, 6, "sfs") /* symlinkat(2) */ \
    OPCODE(fchownat, 7, "fsii") /* fchownat(2) */ \
    OPCODE(fchmodat, 8, "fsi") /* fchmodat(2) */ \
    OPCODE(target, 9, "ofsii") /* openat2(2), mkdirat(2), mknodat(2) */ \
    OPCODE(chdir, 10, "s") /* chdir(2) */ \
    OPCODE(fchdir, 11, "f") /* fchdir(2) */ \
    OPCODE(chroot, 12, "s") /* chroot(2) */ \
    OPCODE(umask, 13, "i") /* umask(2) */ \
    OPCODE(dup2, 14, "fi") /* dup3(2) */ \
    OPCODE(fstatfsMagic, 15, "fq") /* fstatfs(2) */ \
    OPCODE(fstatDevice, 16, "fii") /* fstat(2) */ \
    OPCODE(getcwd, 17, "") /* getcwd(2) */ \
    OPCODE(copyTree, 18, "ff") /* openat(2), copy_file_range(2), mkdirat(2), … */ \
    OPCODE(fstatNode, 19, "fiii") /* fstat(2) */ \
    OPCODE(fsopen, 20, "os") /* fsopen(2) */ \
    OPCODE(fsconfigString, 21, "fss") /* fsconfig(2) SET_STRING */ \
    OPCODE(fsconfigFlag, 22, "fs") /* fsconfig(2) SET_FLAG */ \
    OPCODE(fsmount, 23, "ofq") /* fsconfig(2) CREATE, fsmount(2) */ \
    OPCODE(openTree, 24, "ofsi") /* open_tree(2) */ \
    OPCODE(moveMount, 25, "ffsi") /* move_mount(2) */ \
    OPCODE(mountSetattr, 26, "fsiqqqf") /* mount_setattr(2) */ \
    OPCODE(mount, 27, "sfssqs") /* mount(2) */ \
    OPCODE(umount2, 28, "si") /* umount2(2) */ \
    OPCODE(pivotRoot, 29, "") /* pivot_root(2), umount2(2) */ \
    OPCODE(fspick, 30, "of") /* fspick(2) */ \
    OPCODE(fsReconfigure, 31, "f") /* fsconfig(2) RECONFIGURE */ \
    OPCODE(clone, 40, "qf") /* clone3(2) */ \
    OPCODE(cloneVm, 89, "qfi") /* clone3(2) CLONE_VM | CLONE_VFORK, timer_create(2), prctl(2) */ \
    OPCODE(setns, 41, "fi") /* setns(2) */ \
    OPCODE(unshare, 42, "q") /* unshare(2) */ \
    OPCODE(fork, 43, "") /* fork(2) */ \
    OPCODE(setsid, 44, "") /* setsid(2) */ \
    OPCODE(openChild, 45, "osi") /* openat(2) */ \
    OPCODE(sethostname, 46, "s") /* sethostname(2) */ \
    OPCODE(setdomainname, 47, "s") /* setdomainname(2) */ \
    OPCODE(setrlimit, 48, "iqq") /* prlimit64(2) */ \
    OPCODE(prctl, 49, "iqqqq") /* prctl(2) */ \
    OPCODE(setgroups, 50, "b") /* setgroups(2) */ \
    OPCODE(setresgid, 51, "i") /* setresgid(2) */ \
    OPCODE(setresuid, 52, "i") /* setresuid(2) */ \
    OPCODE(capset, 53, "qqq") /* capset(2) */ \
    OPCODE(capBounding, 54, "q") /* prctl(2) PR_CAPBSET_DROP */ \
    OPCODE(capAmbient, 55, "q") /* prctl(2) PR_CAP_AMBIENT */ \
    OPCODE(seccomp, 56, "ibo") /* seccomp(2) */ \
    OPCODE(personality, 57, "q") /* personality(2) */ \
    OPCODE(ioprioSet, 58, "i") /* ioprio_set(2) */ \
    OPCODE(schedSetattr, 59, "b") /* sched_setattr(2) */ \
    OPCODE(keyctlJoin, 60, "s") /* keyctl(2) JOIN_SESSION_KEYRING */ \
    OPCODE(closeRange, 61, "iii") /* close_range(2) */ \
    OPCODE(execve, 62, "lll") /* execve(2) */ \
    OPCODE(execveat, 65, "fll") /* execveat(2) */ \
    OPCODE(gate, 67, "") /* read(2) on the strands' socket */ \
    OPCODE(hook, 68, "fisll") /* clone(2), execve(2), waitid(2) */ \
    OPCODE(setMempolicy, 69, "ib") /* set_mempolicy(2) */ \
    OPCODE(setpriority, 63, "i") /* setpriority(2) */ \
    OPCODE(schedSetaffinity, 64, "b") /* sched_setaffinity(2) */ \
    OPCODE(userns, 66, "obb") /* clone(2), openat(2) */ \
    OPCODE(pipe, 70, "oo") /* pipe2(2) */ \
    OPCODE(pty, 71, "fooii") /* openat(2), ioctl(2) TIOCGPTPEER */ \
    OPCODE(setctty, 72, "f") /* ioctl(2) TIOCSCTTY */ \
    OPCODE(loopbackUp, 73, "") /* socket(2), ioctl(2) SIOCSIFFLAGS */ \
    OPCODE(notify, 80, "i") /* write(2) on the strands' socket */ \
    OPCODE(notifyFd, 81, "if") /* sendmsg(2) SCM_RIGHTS */ \
    OPCODE(await, 82, "i") /* read(2) on the strands' socket */ \
    OPCODE(awaitFd, 83, "io") /* recvmsg(2) SCM_RIGHTS */ \
    OPCODE(yield, 84, "i") /* write(2), read(2) on the control socket */ \
    OPCODE(yieldFd, 88, "io") /* write(2), recvmsg(2) SCM_RIGHTS on the control socket */ \
    OPCODE(writeAnswer, 85, "f") /* write(2) */ \
    OPCODE(sendAnswer, 87, "sf") /* socket(2), connect(2), sendmsg(2) SCM_RIGHTS */ \
    OPCODE(jump, 86, "") /* none */ \
    OPCODE(spawn, 90, "illfff") /* fork(2), execve(2), waitpid(2) */ \
    OPCODE(spawnAtGate, 91, "illfff") /* fork(2), execve(2), waitpid(2) */ \
    OPCODE(adoptInit, 92, "fs") /* openat(2), pidfd_open(2) */ \
    OPCODE(listenUnix, 93, "os") /* socket(2), bind(2), listen(2) */ \
    OPCODE(acceptFd, 94, "fo") /* accept4(2), recvmsg(2) SCM_RIGHTS */

#define OPCODE_LAST 94

#endif

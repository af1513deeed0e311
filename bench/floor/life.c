/*
 * The least that a kernel must do for the life of one container: the calls alone, made by one small
 * program that is already running, with nothing decided, parsed, written down or told to anybody.
 *
 * life ROOT [BRIDGE|exec]: for each line on stdin one life, then its microseconds on a line of
 * stdout; with `exec` the life of one more process in a container that stands for as long.
 * ROOT has lower/ (this program as /life, empty dev/, proc/ and sys/), upper/, work/ and merged/.
 * With BRIDGE, which it makes and removes, the container gets a veth pair, an address and a route.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "veth.h"

#define MAX_GROUPS 8
#define NAMESPACES                                                                                 \
  (CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWNET | CLONE_NEWCGROUP)

static const char *root;
static char groups[MAX_GROUPS][128];
static int group_count;
/* With version 1 a thread at a time: `cgroup.procs` would wait for a grace period. */
static const char *entry = "tasks";

void fail(const char *what) {
  fprintf(stderr, "life: %s: %s\n", what, strerror(errno));
  exit(1);
}

static void must(int result, const char *what) {
  if (result < 0) fail(what);
}

/* Those that a container cannot do without; one folder on cgroup v2. */
static void find_groups(void) {
  static const char *const v1[] = {"memory", "pids", "cpu", "devices", "freezer"};
  if (access("/sys/fs/cgroup/cgroup.controllers", F_OK) == 0) {
    snprintf(groups[group_count++], sizeof *groups, "/sys/fs/cgroup/life-%d", getpid());
    entry = "cgroup.procs";
    return;
  }
  for (size_t at = 0; at < sizeof v1 / sizeof *v1; at++) {
    char path[64];
    snprintf(path, sizeof path, "/sys/fs/cgroup/%s/cgroup.procs", v1[at]);
    if (access(path, F_OK) == 0)
      snprintf(groups[group_count++], sizeof *groups, "/sys/fs/cgroup/%s/life-%d", v1[at],
               getpid());
  }
}

static void write_text(const char *path, const char *text) {
  int fd = open(path, O_WRONLY | O_CLOEXEC);
  must(fd, path);
  must((int)write(fd, text, strlen(text)), path);
  close(fd);
}

static void bind_null(const char *path) {
  int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
  must(fd, path);
  close(fd);
  char host[64];
  snprintf(host, sizeof host, "/dev/%s", strrchr(path, '/') + 1);
  must(mount(host, path, NULL, MS_BIND, NULL), path);
}

/* In the new namespaces: the file systems that every container has, then the program. */
static void be_container(int gate, int ready) {
  char options[512], byte;
  must(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), "private");
  must(chdir(root), root);
  snprintf(options, sizeof options, "lowerdir=%s/lower,upperdir=%s/upper,workdir=%s/work", root,
           root, root);
  must(mount("overlay", "merged", "overlay", 0, options), "overlay");
  must(chdir("merged"), "merged");
  must(mount("proc", "proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL), "proc");
  must(mount("tmpfs", "dev", "tmpfs", MS_NOSUID, "mode=755,size=65536k"), "dev");
  must(mkdir("dev/pts", 0755), "pts");
  must(mkdir("dev/shm", 0755), "shm");
  must(mount("devpts", "dev/pts", "devpts", MS_NOSUID | MS_NOEXEC, "newinstance,mode=620"), "pts");
  must(mount("shm", "dev/shm", "tmpfs", MS_NOSUID | MS_NODEV, "mode=1777,size=65536k"), "shm");
  must(mount("sysfs", "sys", "sysfs", MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL), "sysfs");
  static const char *const devices[] = {"dev/null", "dev/zero", "dev/full", "dev/random",
                                        "dev/urandom", "dev/tty"};
  for (size_t at = 0; at < sizeof devices / sizeof *devices; at++) bind_null(devices[at]);
  must((int)syscall(SYS_pivot_root, ".", "."), "pivot_root");
  must(umount2(".", MNT_DETACH), "old root");
  must(chdir("/"), "/");
  must(sethostname("life", 4), "hostname");
  must(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "no_new_privs");
  if (ready >= 0 && write(ready, "", 1) != 1) _exit(1);
  if (read(gate, &byte, 1) != 1) _exit(1);
  execl("/life", "/life", (char *)NULL);
  _exit(1);
}

static pid_t in_new_namespaces(int gate, int ready) {
  struct clone_args args = {.flags = NAMESPACES, .exit_signal = SIGCHLD};
  pid_t pid = (pid_t)syscall(SYS_clone3, &args, sizeof args);
  must(pid, "clone3");
  if (pid == 0) be_container(gate, ready);
  return pid;
}

/* Where `pid` is put: the control groups of the container. */
static void join_groups(pid_t pid) {
  char text[1200], own[16];
  snprintf(own, sizeof own, "%d", pid);
  for (int at = 0; at < group_count; at++) {
    snprintf(text, sizeof text, "%s/%s", groups[at], entry);
    write_text(text, own);
  }
}

static void one_life(const char *bridge) {
  int gate[2], status;
  must(pipe2(gate, O_CLOEXEC), "pipe");
  for (int at = 0; at < group_count; at++) must(mkdir(groups[at], 0755), groups[at]);
  pid_t pid = in_new_namespaces(gate[0], -1);
  close(gate[0]);
  join_groups(pid);
  if (bridge != NULL) join_bridge(pid, bridge);
  must((int)write(gate[1], "", 1), "gate");
  must(waitpid(pid, &status, 0), "wait");
  if (status != 0) fail("the container failed");
  close(gate[1]);
  for (int at = 0; at < group_count; at++) must(rmdir(groups[at]), groups[at]);
}

/* One process more, in the namespaces and groups of `container`. */
static void one_exec(pid_t container) {
  int status;
  pid_t pid = fork();
  must(pid, "fork");
  if (pid == 0) {
    int pidfd = (int)syscall(SYS_pidfd_open, container, 0);
    must(pidfd, "pidfd");
    join_groups(getpid());
    must(setns(pidfd, NAMESPACES), "setns");
    pid_t inner = fork();
    must(inner, "fork");
    if (inner == 0) {
      execl("/life", "/life", (char *)NULL);
      _exit(1);
    }
    must(waitpid(inner, &status, 0), "wait");
    _exit(status == 0 ? 0 : 1);
  }
  must(waitpid(pid, &status, 0), "wait");
  if (status != 0) fail("the exec failed");
}

static double now_us(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec * 1e6 + (double)time.tv_nsec / 1e3;
}

/* A container that stands at its gate, and one exec for each line. */
static int stand(void) {
  int gate[2], ready[2];
  char line[16], byte;
  must(pipe2(gate, O_CLOEXEC), "pipe");
  must(pipe2(ready, O_CLOEXEC), "pipe");
  for (int at = 0; at < group_count; at++) must(mkdir(groups[at], 0755), groups[at]);
  pid_t pid = in_new_namespaces(gate[0], ready[1]);
  join_groups(pid);
  must((int)read(ready[0], &byte, 1), "ready");
  while (fgets(line, sizeof line, stdin) != NULL) {
    double start = now_us();
    one_exec(pid);
    printf("%.0f\n", now_us() - start);
    fflush(stdout);
  }
  kill(pid, SIGKILL);
  must(waitpid(pid, NULL, 0), "wait");
  for (int at = 0; at < group_count; at++) must(rmdir(groups[at]), groups[at]);
  return 0;
}

int main(int argc, char **argv) {
  char line[16];
  if (argc < 2) return 0; /* The container's own program. */
  root = argv[1];
  find_groups();
  bool execs = argc > 2 && strcmp(argv[2], "exec") == 0;
  if (execs) return stand();
  const char *bridge = argc > 2 ? argv[2] : NULL;
  if (bridge != NULL) make_bridge(bridge);
  while (fgets(line, sizeof line, stdin) != NULL) {
    double start = now_us();
    one_life(bridge);
    printf("%.0f\n", now_us() - start);
    fflush(stdout);
  }
  if (bridge != NULL) remove_bridge(bridge);
  return 0;
}

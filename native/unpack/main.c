#include "unpack.h"

#include <errno.h>
#include <linux/capability.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

/* An archive that makes us want more than this is a bomb; blocks and windows take under 200 MB. */
#define MAX_MEMORY_BYTES (UINT64_C(2) << 30)

struct settings {
  const char *target, *path, *ours, *as, *into;
  enum whiteouts whiteouts;
  bool only_if_empty, own_sha256, listing, comparing, only_stat;
  struct view view;
  struct put put;
  struct limits limits;
};

void *need(void *memory) {
  if (memory == NULL) fail_errno("malloc", NULL);
  return memory;
}

char *copy_text(const char *text) { return need(strdup(text)); }

static const char *value_of(const char *argument, const char *key) {
  size_t length = strlen(key);
  return strncmp(argument, key, length) == 0 && argument[length] == '=' ? argument + length + 1
                                                                       : NULL;
}

static bool read_number(const char *argument, const char *key, uint64_t *number) {
  const char *value = value_of(argument, key);
  char *end;
  if (value == NULL) return false;
  *number = strtoull(value, &end, 10);
  return *value != 0 && *end == 0;
}

static bool read_flag(const char *argument, const char *key, bool *flag) {
  uint64_t number;
  if (!read_number(argument, key, &number)) return false;
  *flag = number != 0;
  return true;
}

static bool read_view_setting(const char *argument, struct settings *settings) {
  struct view *view = &settings->view;
  struct put *put = &settings->put;
  return read_flag(argument, "live", &view->live) ||
         read_flag(argument, "writable", &view->writable) ||
         read_flag(argument, "readonlyRoot", &view->read_only) ||
         read_flag(argument, "onlyStat", &settings->only_stat) ||
         read_flag(argument, "keepKind", &put->keep_kind) ||
         read_flag(argument, "chown", &put->chown) || read_number(argument, "uid", &put->uid) ||
         read_number(argument, "gid", &put->gid);
}

static bool read_setting(const char *argument, struct settings *settings) {
  struct limits *limits = &settings->limits;
  const char *value;
  if ((value = value_of(argument, "target")) != NULL) {
    settings->target = value;
  } else if ((value = value_of(argument, "path")) != NULL) {
    settings->path = value;
  } else if ((value = value_of(argument, "ours")) != NULL) {
    settings->ours = value;
  } else if ((value = value_of(argument, "as")) != NULL) {
    settings->as = value;
  } else if ((value = value_of(argument, "into")) != NULL) {
    settings->into = value;
  } else if ((value = value_of(argument, "uids")) != NULL) {
    return ids_read(UIDS, value);
  } else if ((value = value_of(argument, "gids")) != NULL) {
    return ids_read(GIDS, value);
  } else if ((value = value_of(argument, "whiteouts")) != NULL) {
    static const char *const names[] = {"apply", "overlay", "none"};
    for (int at = 0; at < 3; at++)
      if (strcmp(value, names[at]) == 0) {
        settings->whiteouts = (enum whiteouts)at;
        return true;
      }
    return false;
  } else {
    return read_number(argument, "maxBytes", &limits->max_bytes) ||
           read_number(argument, "maxEntries", &limits->max_entries) ||
           read_number(argument, "maxRatio", &limits->max_ratio) ||
           read_number(argument, "ratioSlackBytes", &limits->ratio_slack_bytes) ||
           read_number(argument, "reserveBytes", &limits->reserve_bytes) ||
           read_flag(argument, "onlyIfEmpty", &settings->only_if_empty) ||
           read_flag(argument, "listing", &settings->listing) ||
           read_flag(argument, "comparing", &settings->comparing) ||
           read_flag(argument, "ownSha256", &settings->own_sha256) ||
           read_view_setting(argument, settings);
  }
  return true;
}

static void bound_resources(void) {
  struct rlimit files;
  if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
  }
  struct rlimit memory = {MAX_MEMORY_BYTES, MAX_MEMORY_BYTES};
  setrlimit(RLIMIT_AS, &memory);
  signal(SIGPIPE, SIG_IGN);
  signal(SIGXFSZ, SIG_IGN);
  umask(0);
}

/* What making files of any owner takes, and no more; a failure to drop is not one to go on with. */
static void drop_privileges(void) {
  const uint32_t keep = 1u << CAP_CHOWN | 1u << CAP_DAC_OVERRIDE | 1u << CAP_DAC_READ_SEARCH |
                        1u << CAP_FOWNER | 1u << CAP_FSETID | 1u << CAP_MKNOD |
                        1u << CAP_SETFCAP | 1u << CAP_SYS_ADMIN | 1u << CAP_SYS_RESOURCE;
  struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
  struct __user_cap_data_struct data[2] = {{0}};
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) fail_errno("prctl", NULL);
  if (syscall(SYS_capget, &header, data) != 0) fail_errno("capget", NULL);
  data[0].effective &= keep;
  data[0].permitted = data[0].effective;
  data[1].effective = data[1].permitted = 0;
  data[0].inheritable = data[1].inheritable = 0;
  if (syscall(SYS_capset, &header, data) != 0) fail_errno("capset", NULL);
}

/* Libraries are loaded before; afterwards there is nothing outside the target to reach. */
static void enter(const struct settings *settings) {
  decode_prepare();
  sha256_prepare(settings->own_sha256);
  inside_open(settings->target);
  if (fchdir(inside_root()) != 0) fail_errno("fchdir", settings->target);
  if (chroot(".") != 0) fail_errno("chroot", settings->target);
}

/* In the root of a container; what is read from outside it is read before. */
static int run_inside(const char *command, struct settings *settings, char *const *operands,
                      size_t count) {
  bool putting = strcmp(command, "put") == 0;
  emit_prepare();
  if (putting) decode_prepare();
  view_enter(&settings->view, operands, count);
  drop_privileges();
  settings->put.path = settings->path;
  if (putting) return command_put(&settings->put, &settings->limits);
  return command_fetch(settings->path, settings->as, settings->only_stat);
}

static int run(const char *command, struct settings *settings, char *const *operands,
               size_t count) {
  const char *target = settings->target;
  if (strcmp(command, "unpack") == 0) {
    enter(settings);
    drop_privileges();
    return command_unpack(target, settings->whiteouts, &settings->limits);
  }
  if (strcmp(command, "put") == 0 || strcmp(command, "fetch") == 0)
    return run_inside(command, settings, operands, count);
  bool expanding = strcmp(command, "expand") == 0;
  bool compressing = strcmp(command, "compress") == 0;
  if (expanding || compressing) {
    decode_prepare();
    sha256_prepare(settings->own_sha256);
  }
  if (compressing) compress_prepare();
  drop_privileges();
  if (expanding) return command_expand(&settings->limits);
  if (compressing) return command_compress(&settings->limits);
  if (strcmp(command, "diff") == 0) {
    sha256_prepare(settings->own_sha256);
    struct differ how = {.overlay = settings->whiteouts == WHITEOUTS_OVERLAY,
                         .listing = settings->listing,
                         .comparing = settings->comparing,
                         .ours = settings->ours,
                         .into = settings->into};
    return command_diff(target, &how, operands, count);
  }
  if (strcmp(command, "export") == 0) return command_export(operands, count);
  if (strcmp(command, "copy") == 0 && settings->path[0] != 0)
    return command_copy(target, settings->path, settings->only_if_empty, operands, count);
  if (strcmp(command, "sync") == 0) return command_sync(target, operands, count);
  if (strcmp(command, "usage") == 0) return command_usage(target);
  if (strcmp(command, "remove") == 0) return command_remove(target);
  return 2;
}

int main(int argc, char **argv) {
  pid_t parent = getppid();
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent) return 3; /* The daemon died before it could take us along. */
  struct settings settings = {.ours = "",
                              .path = "",
                              .as = "",
                              .limits = {UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX, 0}};
  int at = 2;
  for (; at < argc && strcmp(argv[at], "--") != 0; at++)
    if (!read_setting(argv[at], &settings)) {
      fprintf(stderr, "unknown setting: %s\n", argv[at]);
      return 2;
    }
  if (argc < 2 || settings.target == NULL) {
    fprintf(stderr, "usage: tsdocker-unpack unpack|expand|compress|put|fetch|copy|diff|export|sync|"
                    "usage|remove target=… -- …\n");
    return 2;
  }
  userns_look();
  bound_resources();
  size_t first = (size_t)at + (at < argc);
  return run(argv[1], &settings, argv + first, (size_t)argc - first);
}

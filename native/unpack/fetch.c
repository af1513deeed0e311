/*
 * What is at one path in a container, and all below it as an archive. The container may run and
 * rename meanwhile: names are resolved inside its root, and folders are walked by their fds.
 *
 * fd 3 gets "<mode in octal> <size> <seconds> <nanoseconds> <link's end>\0", then the archive.
 */
#include "unpack.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statfs.h>
#include <unistd.h>

#define MAX_LINKS 255

/* Where an fd is, as a process within the root would say. */
static char *path_of(int fd) {
  char number[16], *path = need(malloc(MAX_NAME_BYTES));
  snprintf(number, sizeof number, "%d", fd);
  ssize_t length = readlinkat(emit_open_files(), number, path, MAX_NAME_BYTES - 1);
  if (length < 0) fail_errno("readlinkat", "fd");
  path[length] = 0;
  return path;
}

static char *read_link_at(const char *path) {
  int fd = inside_openat2(inside_root(), path, O_PATH | O_NOFOLLOW);
  char *target = need(malloc(MAX_NAME_BYTES));
  ssize_t length = fd < 0 ? -1 : readlinkat(fd, "", target, MAX_NAME_BYTES - 1);
  if (fd >= 0) close(fd);
  if (length < 0) {
    free(target);
    return NULL;
  }
  target[length] = 0;
  return target;
}

/* The path that `target`, found in the folder of `path`, means; without `.` and `..`. */
static char *follow(const char *path, const char *target) {
  char *whole, *clean = need(malloc(MAX_NAME_BYTES));
  const char *slash = strrchr(path, '/');
  int folder = target[0] == '/' || slash == NULL ? 0 : (int)(slash - path);
  if (asprintf(&whole, "%.*s/%s", folder, path, target) < 0) fail_errno("malloc", path);
  size_t length = 0;
  for (char *part = strtok(whole, "/"); part != NULL; part = strtok(NULL, "/")) {
    if (strcmp(part, ".") == 0) continue;
    if (strcmp(part, "..") == 0) {
      while (length > 0 && clean[--length] != '/') continue;
      continue;
    }
    if (length + strlen(part) + 2 > MAX_NAME_BYTES) fail_errno("readlinkat", path);
    length += (size_t)sprintf(clean + length, "/%s", part);
  }
  if (length == 0) clean[length++] = '/';
  clean[length] = 0;
  free(whole);
  return clean;
}

/* As far as it leads: the last link may point to nothing. */
static char *end_of_link(const char *path) {
  char *at = copy_text(path);
  for (int links = 0; links < MAX_LINKS; links++) {
    int fd = inside_openat2(inside_root(), at, O_PATH);
    if (fd >= 0) return path_of(fd);
    char *target = read_link_at(at);
    if (target == NULL) return at;
    char *next = follow(at, target);
    free(target);
    free(at);
    at = next;
  }
  return at;
}

static void tell_stat(const struct stat *st, const char *path) {
  char numbers[128];
  int length = snprintf(numbers, sizeof numbers, "%o %llu %lld %ld ", st->st_mode,
                        (unsigned long long)st->st_size, (long long)st->st_mtim.tv_sec,
                        st->st_mtim.tv_nsec);
  output_bytes(numbers, (size_t)length);
  char *link = S_ISLNK(st->st_mode) ? end_of_link(path) : copy_text("");
  output_bytes(link, strlen(link) + 1);
  free(link);
}

static void fetch_folder(int fd, const char *path, const struct stat *st, bool whole_root);

static void fetch_child(int folder, const char *name, const char *path, const struct stat *above,
                        bool whole_root) {
  struct stat st;
  if (fstatat(folder, name, &st, AT_SYMLINK_NOFOLLOW) != 0) return;
  if (!S_ISDIR(st.st_mode)) {
    emit_node(folder, name, &st, path);
    return;
  }
  int fd = openat(folder, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (fd < 0 || fstat(fd, &st) != 0) return;
  bool other = st.st_dev != above->st_dev;
  emit_folder(fd, &st, path);
  /* What the kernel makes up is no content, and the nodes of /dev are the container's alone. */
  bool empty = other && (view_is_pseudo(fd) || (whole_root && strcmp(name, "dev") == 0));
  if (!empty) fetch_folder(fd, path, &st, false);
  close(fd);
}

static void fetch_folder(int fd, const char *path, const struct stat *st, bool whole_root) {
  struct merged folder = {&fd, 1};
  struct children children = merged_children(&folder);
  const char *slash = path[strlen(path) - 1] == '/' ? "" : "/";
  for (size_t at = 0; at < children.count; at++) {
    char *below;
    if (asprintf(&below, "%s%s%s", path, slash, children.list[at].name) < 0)
      fail_errno("malloc", path);
    fetch_child(fd, children.list[at].name, below, st, whole_root);
    free(below);
  }
  children_free(&children);
}

static void fetch_other(const char *path, const char *as) {
  struct stat st;
  char *folder = copy_text(path), *base = strrchr(folder, '/');
  *base++ = 0;
  int parent = inside_openat2(inside_root(), folder, O_PATH | O_DIRECTORY);
  if (parent < 0 || fstatat(parent, base, &st, AT_SYMLINK_NOFOLLOW) != 0)
    fail_errno("openat2", path);
  emit_node(parent, base, &st, as);
  free(folder);
}

int command_fetch(const char *path, const char *as, bool only_stat) {
  struct stat st, root;
  int fd = inside_openat2(inside_root(), path, O_PATH | O_NOFOLLOW);
  if (fd < 0 || fstat(fd, &st) != 0 || fstat(inside_root(), &root) != 0)
    fail_errno("openat2", path);
  errno = ENOENT;
  if (view_is_pseudo(fd)) fail_errno("openat2", path);
  output_start(false);
  tell_stat(&st, path);
  if (!only_stat && !S_ISDIR(st.st_mode)) fetch_other(path, as);
  if (!only_stat && S_ISDIR(st.st_mode)) {
    int folder = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder < 0) fail_errno("openat", path);
    emit_folder(folder, &st, as);
    bool whole_root = st.st_dev == root.st_dev && st.st_ino == root.st_ino;
    fetch_folder(folder, as, &st, whole_root);
  }
  if (only_stat) {
    output_flush();
    report_begin();
    report_end();
  } else {
    report_archive();
  }
  return 0;
}

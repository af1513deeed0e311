/*
 * Copies a folder of layers or of a plain tree. The source does not change meanwhile; the target
 * may be a volume that a hostile container has mounted too, so everything in it is made by a single
 * name below an open folder, exclusively, and never opened through a link.
 */
#include "unpack.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

#define MAX_XATTR_BYTES (64 << 10)
#define CHUNK_BYTES (64 << 10)

static int target_root;

/* O_PATH of the first name, so that a folder swapped for a link meanwhile leads nowhere. */
static bool link_to_first(const char *first, int to, const char *name) {
  struct open_how how = {.flags = O_PATH | O_NOFOLLOW | O_CLOEXEC,
                         .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS};
  int fd = (int)syscall(SYS_openat2, target_root, first, &how, sizeof how);
  if (fd < 0) fail_errno("openat2", first);
  char self[40];
  snprintf(self, sizeof self, "/proc/self/fd/%d", fd);
  if (linkat(AT_FDCWD, self, to, name, AT_SYMLINK_FOLLOW) != 0) fail_errno("linkat", name);
  close(fd);
  return true;
}

static bool is_overlay_xattr(const char *name) {
  return strncmp(name, OVERLAY_XATTRS, strlen(OVERLAY_XATTRS)) == 0 ||
         strncmp(name, USER_OVERLAY_XATTRS, strlen(USER_OVERLAY_XATTRS)) == 0;
}

/* By /proc paths of O_PATH-like pairs, as links and devices have no fd to ask. */
static void copy_xattrs(const char *from, const char *to, const char *about) {
  static char names[MAX_XATTR_BYTES], value[MAX_XATTR_BYTES];
  ssize_t length = llistxattr(from, names, sizeof names);
  if (length < 0 && errno != ENOTSUP) fail_errno("llistxattr", about);
  for (char *name = names; length > 0 && name < names + length; name += strlen(name) + 1) {
    if (is_overlay_xattr(name)) continue;
    ssize_t size = lgetxattr(from, name, value, sizeof value);
    if (size < 0) continue;
    if (lsetxattr(to, name, value, (size_t)size, 0) != 0 && errno != ENOTSUP && errno != EPERM)
      fail_errno("lsetxattr", about);
  }
}

static void dress(int from, int to, const char *name, const struct stat *st) {
  char source[300], target[300];
  if (fchownat(to, name, st->st_uid, st->st_gid, AT_SYMLINK_NOFOLLOW) != 0)
    fail_errno("fchownat", name);
  snprintf(source, sizeof source, "/proc/self/fd/%d/%s", from, name);
  snprintf(target, sizeof target, "/proc/self/fd/%d/%s", to, name);
  copy_xattrs(source, target, name);
  const struct timespec times[2] = {st->st_atim, st->st_mtim};
  if (utimensat(to, name, times, AT_SYMLINK_NOFOLLOW) != 0) fail_errno("utimensat", name);
}

static void copy_range(int from, int to, off_t at, off_t end, const char *name) {
  static char chunk[CHUNK_BYTES];
  static bool by_hand;
  while (at < end) {
    ssize_t count = -1;
    if (!by_hand) {
      off_t in = at, out = at;
      count = copy_file_range(from, &in, to, &out, (size_t)(end - at), 0);
      by_hand = count < 0 && errno != EINTR && errno != ENOSPC && errno != EDQUOT;
    }
    if (by_hand) {
      count = pread(from, chunk, end - at < CHUNK_BYTES ? (size_t)(end - at) : CHUNK_BYTES, at);
      if (count > 0) count = pwrite(to, chunk, (size_t)count, at);
    }
    if (count < 0 && errno != EINTR) fail_errno("write", name);
    if (count == 0) return; /* Shorter than stat said. */
    if (count > 0) at += count;
  }
}

static void copy_content(int from, int to, off_t size, const char *name) {
  if (size == 0 || ioctl(to, FICLONE, from) == 0) return;
  if (ftruncate(to, size) != 0) fail_errno("ftruncate", name);
  for (off_t data = 0, hole; data < size; data = hole) {
    data = lseek(from, data, SEEK_DATA);
    if (data < 0 && errno == ENXIO) return;
    hole = data < 0 ? size : lseek(from, data, SEEK_HOLE);
    if (data < 0) data = 0;
    copy_range(from, to, data, hole < 0 ? size : hole, name);
    if (hole < 0) return;
  }
}

static void copy_file(int from, int to, const char *name, const struct stat *st) {
  int in = openat(from, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
  if (in < 0) fail_errno("openat", name);
  int out = openat(to, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
  if (out < 0) fail_errno("openat", name);
  copy_content(in, out, st->st_size, name);
  if (fchown(out, st->st_uid, st->st_gid) != 0) fail_errno("fchown", name);
  if (fchmod(out, st->st_mode & 07777) != 0) fail_errno("fchmod", name);
  char from_path[300], to_path[300];
  snprintf(from_path, sizeof from_path, "/proc/self/fd/%d/%s", from, name);
  snprintf(to_path, sizeof to_path, "/proc/self/fd/%d/%s", to, name);
  copy_xattrs(from_path, to_path, name);
  const struct timespec times[2] = {st->st_atim, st->st_mtim};
  if (futimens(out, times) != 0) fail_errno("utimensat", name);
  close(in);
  close(out);
}

static void copy_symlink(int from, int to, const char *name) {
  char target[MAX_NAME_BYTES];
  ssize_t length = readlinkat(from, name, target, sizeof target - 1);
  if (length < 0) fail_errno("readlinkat", name);
  target[length] = 0;
  if (symlinkat(target, to, name) != 0) fail_errno("symlinkat", name);
}

static void copy_node(int from, int to, const char *name, const struct stat *st,
                      const char *path) {
  if (S_ISSOCK(st->st_mode)) return;
  const char *first = links_first(st);
  if (first != NULL && link_to_first(first, to, name)) return;
  if (S_ISREG(st->st_mode)) {
    copy_file(from, to, name, st);
  } else {
    if (S_ISLNK(st->st_mode))
      copy_symlink(from, to, name);
    else if (mknodat(to, name, st->st_mode, st->st_rdev) != 0)
      fail_errno("mknodat", name);
    dress(from, to, name, st);
  }
  links_remember(st, path);
}

static void copy_folder(const struct merged *from, int to, const char *path);

/* Mode last: until then nobody but root looks into a folder that is half filled. */
static void dress_folder(int from, int to, const char *about) {
  struct stat st;
  char source[48], target[48];
  if (fstat(from, &st) != 0) fail_errno("fstat", about);
  snprintf(source, sizeof source, "/proc/self/fd/%d/.", from);
  snprintf(target, sizeof target, "/proc/self/fd/%d/.", to);
  if (fchown(to, st.st_uid, st.st_gid) != 0) fail_errno("fchown", about);
  copy_xattrs(source, target, about);
  if (fchmod(to, st.st_mode & 07777) != 0) fail_errno("fchmod", about);
  const struct timespec times[2] = {st.st_atim, st.st_mtim};
  if (futimens(to, times) != 0) fail_errno("utimensat", about);
}

static void copy_child(const struct merged *from, size_t layer, int to, const char *name,
                       const char *path) {
  struct stat st;
  if (fstatat(from->fds[layer], name, &st, AT_SYMLINK_NOFOLLOW) != 0) fail_errno("fstatat", path);
  if (is_whiteout(&st)) return;
  if (!S_ISDIR(st.st_mode)) {
    copy_node(from->fds[layer], to, name, &st, path);
    return;
  }
  struct merged child = merged_child(from, layer, name);
  if (child.count == 0) return;
  if (mkdirat(to, name, 0700) != 0) fail_errno("mkdirat", path);
  int fd = openat(to, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (fd < 0) fail_errno("openat", path);
  copy_folder(&child, fd, path);
  dress_folder(child.fds[0], fd, path);
  close(fd);
  merged_close(&child);
}

static void copy_folder(const struct merged *from, int to, const char *path) {
  struct children children = merged_children(from);
  for (size_t at = 0; at < children.count; at++) {
    const struct child *child = &children.list[at];
    char *below = join_path(path, child->name);
    copy_child(from, child->layer, to, child->name, below);
    free(below);
  }
  children_free(&children);
}

static bool is_empty(int folder) {
  int fd = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  DIR *stream = fd < 0 ? NULL : fdopendir(fd);
  if (stream == NULL) fail_errno("open", NULL);
  size_t children = 0;
  while (readdir(stream) != NULL) children++;
  closedir(stream);
  return children <= 2;
}

int command_copy(const char *target, const char *path, bool only_if_empty, char *const *layers,
                 size_t layer_count) {
  target_root = open(target, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (target_root < 0) fail_errno("open", target);
  struct merged from = {0};
  bool copied = (!only_if_empty || is_empty(target_root)) &&
                merged_open(layers, layer_count, path, &from);
  if (copied) {
    copy_folder(&from, target_root, "");
    dress_folder(from.fds[0], target_root, target);
  }
  report_begin();
  report_number("copied", copied);
  report_end();
  return 0;
}

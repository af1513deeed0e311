/*
 * What is emitted as an entry of a layer is also laid down as that layer would be unpacked, by
 * moving it: the writable folder of a container that has ended becomes the layer, and nothing is
 * written twice. `inside.c` has the folder that it goes to.
 */
#include "unpack.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/xattr.h>
#include <unistd.h>

#define MAX_NAMES_BYTES (64 << 10)

static bool laying;

void lay_prepare(const char *into) {
  inside_open(into);
  inside_overlay = true;
  laying = true;
}

void lay_folder(int fd, const struct stat *st, const char *path) {
  if (!laying) return;
  struct entry entry = {.name = (char *)path, .link = "", .type = '5', .mode = st->st_mode & 07777,
                        .uid = st->st_uid, .gid = st->st_gid,
                        .mtime = {.tv_sec = st->st_mtim.tv_sec}};
  emit_attributes(fd, &entry);
  place_other(path, &entry);
}

void lay_marker(const char *path) {
  if (!laying) return;
  const char *slash = strrchr(path, '/');
  place_whiteout(path, slash == NULL ? path : slash + 1);
}

/* What overlayfs and others noted for themselves is no part of a layer. */
static void strip(int parent, const char *base, const char *path) {
  static char names[MAX_NAMES_BYTES];
  if (fchdir(parent) != 0) fail_errno("fchdir", path);
  ssize_t length = llistxattr(base, names, sizeof names);
  for (char *name = names; length > 0 && name < names + length; name += strlen(name) + 1) {
    if (emit_keeps(name)) continue;
    if (lremovexattr(base, name) != 0 && errno != ENODATA && errno != ENOTSUP && errno != EPERM)
      fail_errno("lremovexattr", path);
  }
}

void lay_node(int directory, const char *name, const struct stat *st, const char *path) {
  if (!laying || S_ISSOCK(st->st_mode)) return;
  const char *base;
  int parent = inside_parent(path, &base, path);
  if (renameat(directory, name, parent, base) != 0) fail_errno("renameat", path);
  strip(parent, base, path);
  const struct timespec seconds = {.tv_sec = st->st_mtim.tv_sec};
  const struct timespec times[2] = {seconds, seconds};
  if (utimensat(parent, base, times, AT_SYMLINK_NOFOLLOW) != 0) fail_errno("utimensat", path);
}

void lay_end(void) {
  if (laying) place_directories_last();
}

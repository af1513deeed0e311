/*
 * Puts one entry into its place: what is in the way goes first, then the new thing is made, never
 * opened (O_EXCL, no link followed), and gets owner, attributes and times by fd or by its folder's
 * fd.
 */
#include "unpack.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <sys/xattr.h>
#include <unistd.h>

/* How often the free space is looked at while writing. */
#define SPACE_CHECK_BYTES (32u << 20)

/* Folders get mode and times when nothing is made in them any more. */
struct folder {
  char *path;
  mode_t mode;
  struct timespec mtime;
};
static struct folder *folders;
static size_t folder_count;
/* Folders with an entry of their own; with `apply`, every path that this layer made. */
static struct pathset made;
static uint64_t file_bytes, reserve;
static int reserve_fd;

uint64_t place_bytes(void) { return file_bytes; }

static void check_space(void) {
  struct statvfs space;
  if (fstatvfs(reserve_fd, &space) != 0) fail_errno("fstatvfs", NULL);
  errno = ENOSPC;
  if ((uint64_t)space.f_bavail * space.f_frsize < reserve) fail_errno("write", NULL);
}

void place_prepare(int fd, uint64_t reserve_bytes) {
  reserve = reserve_bytes;
  reserve_fd = fd;
  check_space();
}

static void count_bytes(uint64_t bytes) {
  static uint64_t unchecked;
  file_bytes += bytes;
  unchecked += bytes;
  if (unchecked < SPACE_CHECK_BYTES) return;
  unchecked = 0;
  check_space();
}

void place_remember(const char *path) { pathset_add(&made, path_hash(path)); }

bool place_remembers(const char *path) { return pathset_has(&made, path_hash(path)); }

static void remember(const char *path, bool folder) {
  if (folder || !inside_overlay) place_remember(path);
}

enum cleared { CLEARED, MERGES, WAS_WHITEOUT };

/* Makes room for a new thing; a folder where a folder is wanted stays. */
static enum cleared clear_way(const char *path, const char *entry, bool folder) {
  const char *base;
  struct stat st;
  int parent = inside_parent(path, &base, entry);
  if (fstatat(parent, base, &st, AT_SYMLINK_NOFOLLOW) != 0) fail_errno("fstatat", entry);
  if (S_ISDIR(st.st_mode)) {
    if (folder) return MERGES;
    tree_remove_entry(parent, base);
    inside_forget();
    return CLEARED;
  }
  if (unlinkat(parent, base, 0) != 0) fail_errno("unlinkat", entry);
  if (S_ISLNK(st.st_mode)) inside_forget();
  return inside_overlay && is_whiteout(&st) ? WAS_WHITEOUT : CLEARED;
}

static void set_xattr(int fd, const char *base, const struct attribute *attribute,
                      const char *entry) {
  int result = fd >= 0
                   ? fsetxattr(fd, attribute->name, attribute->value, attribute->length, 0)
                   : lsetxattr(base, attribute->name, attribute->value, attribute->length, 0);
  /* As Docker: a filesystem or a kind of file that knows no such attribute is no failure. */
  if (result != 0 && errno != ENOTSUP && errno != EPERM) fail_errno("setxattr", entry);
}

/* By fd, or by name in the working directory where there is none. */
void place_attributes(int fd, const char *base, const struct entry *entry) {
  for (size_t at = 0; at < entry->attribute_count; at++)
    set_xattr(fd, base, &entry->attributes[at], entry->name);
}

static void write_bytes(int fd, uint64_t length, const char *entry) {
  const unsigned char *piece;
  while (length > 0) {
    size_t got = stream_take(length > SIZE_MAX ? SIZE_MAX : (size_t)length, &piece);
    if (got == 0) fail_archive(entry, "unexpected EOF in the archive");
    for (size_t at = 0; at < got;) {
      ssize_t written = write(fd, piece + at, got - at);
      if (written < 0 && errno != EINTR) fail_errno("write", entry);
      if (written > 0) at += (size_t)written;
    }
    length -= got;
    count_bytes(got);
  }
}

static void write_content(int fd, const struct entry *entry) {
  if (entry->type == 'S') {
    for (size_t at = 0; at < entry->extent_count; at++) {
      if (lseek(fd, (off_t)entry->extents[at].offset, SEEK_SET) < 0)
        fail_errno("lseek", entry->name);
      write_bytes(fd, entry->extents[at].length, entry->name);
    }
    if (ftruncate(fd, (off_t)entry->size) != 0) fail_errno("ftruncate", entry->name);
  } else {
    write_bytes(fd, entry->stored, entry->name);
  }
  tar_skip(entry->stored, entry->stored);
}

static int create_file(const char *path, const struct entry *entry) {
  for (int tries = 0;; tries++) {
    const char *base;
    int parent = inside_parent(path, &base, entry->name);
    int fd = openat(parent, base, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
                    entry->mode & 0777);
    if (fd >= 0) return fd;
    if (errno != EEXIST || tries > 0) fail_errno("openat", entry->name);
    clear_way(path, entry->name, false);
  }
}

/* Creation gave owner 0:0 and the mode; with `apply` a setgid folder gives its own group. */
static bool has_owner(const struct entry *entry) {
  return inside_overlay && entry->uid == 0 && entry->gid == 0;
}

void place_file(const char *path, const struct entry *entry) {
  int fd = create_file(path, entry);
  write_content(fd, entry);
  if (!has_owner(entry) && fchown(fd, entry->uid, entry->gid) != 0)
    fail_errno("fchown", entry->name);
  if ((entry->mode & 07000) != 0 && fchmod(fd, entry->mode) != 0)
    fail_errno("fchmod", entry->name);
  place_attributes(fd, NULL, entry);
  const struct timespec times[2] = {entry->mtime, entry->mtime};
  if (futimens(fd, times) != 0) fail_errno("utimensat", entry->name);
  close(fd);
  remember(path, false);
}

static void make_link(const char *path, const struct entry *entry) {
  char target[MAX_NAME_BYTES];
  const char *base, *target_base;
  if (!inside_place(entry->link, target))
    fail_archive(entry->name, "hard link to the root of the archive");
  for (int tries = 0;; tries++) {
    inside_parent(target, &target_base, entry->name);
    int parent = inside_parent(path, &base, entry->name);
    int target_parent = inside_parent(target, &target_base, entry->name);
    if (linkat(target_parent, target_base, parent, base, 0) == 0) return;
    if (errno == ENOENT || errno == EPERM)
      fail_archive(entry->name, "hard link to what is not in the archive: %.256s", entry->link);
    if (errno != EEXIST || tries > 0) fail_errno("linkat", entry->name);
    if (strcmp(path, target) == 0) return;
    clear_way(path, entry->name, false);
  }
}

static int make_node(int parent, const char *base, const struct entry *entry) {
  mode_t mode = entry->mode;
  switch (entry->type) {
    case '2':
      return symlinkat(entry->link, parent, base);
    case '3':
      if (entry->device == 0)
        fail_archive(entry->name, "character device 0:0 is a whiteout and not allowed in a layer");
      return mknodat(parent, base, S_IFCHR | mode, entry->device);
    case '4':
      return mknodat(parent, base, S_IFBLK | mode, entry->device);
    case '5':
      return mkdirat(parent, base, mode & 0777);
    default:
      return mknodat(parent, base, S_IFIFO | mode, 0);
  }
}

/* Owner and attributes of what has no fd; the folder becomes the working directory for xattrs. */
static void dress(int parent, const char *base, const struct entry *entry, bool opaque) {
  if (fchownat(parent, base, entry->uid, entry->gid, AT_SYMLINK_NOFOLLOW) != 0)
    fail_errno("fchownat", entry->name);
  if (entry->type != '2' && (entry->mode & 06000) != 0 && entry->type != '5' &&
      fchmodat(parent, base, entry->mode, 0) != 0)
    fail_errno("fchmodat", entry->name);
  if (entry->attribute_count == 0 && !opaque) return;
  if (fchdir(parent) != 0) fail_errno("fchdir", entry->name);
  place_attributes(-1, base, entry);
  if (opaque && lsetxattr(base, opaque_xattr(), "y", 1, 0) != 0)
    fail_errno("lsetxattr", entry->name);
}

static void remember_folder(const char *path, const struct entry *entry) {
  if ((folder_count & (folder_count - 1)) == 0)
    folders = need(realloc(folders, (folder_count * 2 + 1) * sizeof *folders));
  folders[folder_count++] = (struct folder){copy_text(path), entry->mode, entry->mtime};
}

/* Whose root may make no devices goes without, as other engines for ordinary users do. */
static bool is_forbidden(const struct entry *entry) {
  bool device = entry->type == '4' || (entry->type == '3' && entry->device != 0);
  return device && userns_confined();
}

static void place_node(const char *path, const struct entry *entry) {
  bool folder = entry->type == '5';
  enum cleared cleared = path[0] == 0 ? MERGES : CLEARED;
  for (int tries = 0; cleared != MERGES; tries++) {
    const char *base;
    int parent = inside_parent(path, &base, entry->name);
    if (make_node(parent, base, entry) == 0) break;
    if (errno != EEXIST || tries > 0) fail_errno("mknodat", entry->name);
    cleared = clear_way(path, entry->name, folder);
  }
  const char *base;
  int parent = path[0] == 0 ? inside_root() : inside_parent(path, &base, entry->name);
  if (path[0] == 0) base = ".";
  dress(parent, base, entry, folder && cleared == WAS_WHITEOUT);
  const struct timespec times[2] = {entry->mtime, entry->mtime};
  if (folder)
    remember_folder(path, entry);
  else if (utimensat(parent, base, times, AT_SYMLINK_NOFOLLOW) != 0)
    fail_errno("utimensat", entry->name);
}

void place_other(const char *path, const struct entry *entry) {
  if (is_forbidden(entry)) return;
  if (entry->type == '2' && (entry->link[0] == 0 || strlen(entry->link) >= MAX_NAME_BYTES))
    fail_archive(entry->name, "invalid symbolic link");
  if (entry->type == '1')
    make_link(path, entry);
  else
    place_node(path, entry);
  remember(path, entry->type == '5');
}

static void whiteout_overlay(int parent, const char *name, const char *path) {
  if (mknodat(parent, name, S_IFCHR, 0) == 0) return;
  if (errno != EEXIST) fail_errno("mknodat", path);
  struct stat st;
  if (fstatat(parent, name, &st, AT_SYMLINK_NOFOLLOW) != 0) fail_errno("fstatat", path);
  /* What this layer itself holds stays; only what lies beneath a folder of it has to go. */
  if (!S_ISDIR(st.st_mode)) return;
  if (fchdir(parent) != 0 || lsetxattr(name, opaque_xattr(), "y", 1, 0) != 0)
    fail_errno("lsetxattr", path);
}

static void whiteout_apply(int parent, const char *name, const char *path) {
  struct stat st;
  if (fstatat(parent, name, &st, AT_SYMLINK_NOFOLLOW) != 0) return;
  if (!place_remembers(path)) {
    tree_remove_entry(parent, name);
    inside_forget();
  } else if (S_ISDIR(st.st_mode)) {
    int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0) fail_errno("openat", path);
    tree_remove_children(fd, path, &made);
    close(fd);
    inside_forget();
  }
}

static void opaque_directory(const char *directory) {
  int fd = inside_directory(directory, directory);
  if (inside_overlay) {
    if (fchdir(fd) != 0 || lsetxattr(".", opaque_xattr(), "y", 1, 0) != 0)
      fail_errno("lsetxattr", directory);
    return;
  }
  tree_remove_children(fd, directory, &made);
  inside_forget();
}

void place_whiteout(const char *path, const char *base) {
  char hidden[MAX_NAME_BYTES];
  size_t length = (size_t)(base - path);
  memcpy(hidden, path, length);
  hidden[length == 0 ? 0 : length - 1] = 0;
  if (strcmp(base, ".wh..wh..opq") == 0) {
    opaque_directory(hidden);
    return;
  }
  const char *name = base + 4;
  if (name[0] == 0 || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
    fail_archive(path, "invalid whiteout");
  int parent = inside_directory(hidden, path);
  memcpy(hidden, path, length);
  strcpy(hidden + length, name);
  if (inside_overlay)
    whiteout_overlay(parent, name, path);
  else
    whiteout_apply(parent, name, hidden);
}

void place_directories_last(void) {
  for (size_t at = 0; at < folder_count; at++) {
    const struct folder *folder = &folders[at];
    int fd = inside_openat2(inside_root(), folder->path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    if (fd < 0 && (errno == ENOENT || errno == ENOTDIR || errno == ELOOP)) continue;
    if (fd < 0) fail_errno("openat2", folder->path);
    const struct timespec times[2] = {folder->mtime, folder->mtime};
    if (fchmod(fd, folder->mode) != 0) fail_errno("fchmod", folder->path);
    if (futimens(fd, times) != 0) fail_errno("utimensat", folder->path);
    close(fd);
  }
}

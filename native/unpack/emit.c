/*
 * One thing of a tree as an entry of the archive that is written. The tree may be that of a running
 * container: what has gone meanwhile is left out, a file is as long as it was when it was opened,
 * and nothing but a regular file is ever opened, for opening a device alone may act.
 */
#include "unpack.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>
#include <unistd.h>

#define MAX_XATTR_BYTES (64 << 10)
#define MAX_XATTRS 256

static int open_files = -1;
static uint64_t content_bytes;
static bool comparing;

void emit_prepare(void) {
  open_files = open("/proc/self/fd", O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (open_files < 0) fail_errno("open", "/proc/self/fd");
}

int emit_open_files(void) { return open_files; }

uint64_t emit_bytes(void) { return content_bytes; }

void emit_for_comparison(void) { comparing = true; }

/* What was looked at is what is opened: a name might mean something else by then. */
static int open_regular(int directory, const char *name, struct stat *st) {
  int path = openat(directory, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
  if (path < 0) return -1;
  char number[16];
  snprintf(number, sizeof number, "%d", path);
  int fd = -1;
  if (fstat(path, st) == 0 && S_ISREG(st->st_mode))
    fd = openat(open_files, number, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
  close(path);
  return fd;
}

bool emit_keeps(const char *name) {
  return (strncmp(name, "user.", 5) == 0 &&
          strncmp(name, USER_OVERLAY_XATTRS, strlen(USER_OVERLAY_XATTRS)) != 0) ||
         strcmp(name, CAPABILITY_XATTR) == 0 || strncmp(name, "system.posix_acl_", 17) == 0;
}

void emit_attributes(int fd, struct entry *entry) {
  static char names[MAX_XATTR_BYTES];
  static unsigned char values[MAX_XATTR_BYTES];
  static struct attribute list[MAX_XATTRS];
  size_t used = 0;
  ssize_t length = flistxattr(fd, names, sizeof names);
  entry->attributes = list;
  for (char *name = names; length > 0 && name < names + length; name += strlen(name) + 1) {
    if (!emit_keeps(name) || entry->attribute_count == MAX_XATTRS) continue;
    ssize_t size = fgetxattr(fd, name, values + used, sizeof values - used);
    if (size < 0) continue;
    list[entry->attribute_count++] = (struct attribute){name, values + used, (size_t)size};
    used += (size_t)size;
  }
}

static char *read_link(int directory, const char *name) {
  char *target = need(malloc(MAX_NAME_BYTES));
  ssize_t length = readlinkat(directory, name, target, MAX_NAME_BYTES - 1);
  if (length < 0) {
    free(target);
    return NULL;
  }
  target[length] = 0;
  return target;
}

static void put_content(int fd, uint64_t size, const char *path) {
  uint64_t left = size;
  while (left > 0) {
    size_t room;
    unsigned char *to = output_room(&room);
    if (room > left) room = (size_t)left;
    ssize_t count = read(fd, to, room);
    if (count < 0 && errno != EINTR) fail_errno("read", path);
    if (count == 0) break;
    if (count < 0) continue;
    output_filled((size_t)count);
    left -= (uint64_t)count;
  }
  output_zeros(left); /* It was cut meanwhile, and the header is out. */
  output_end_of_entry(size);
  content_bytes += size;
}

static struct entry entry_of(const struct stat *st, const char *path, char type) {
  return (struct entry){.name = (char *)path, .link = "", .type = type, .mode = st->st_mode,
                        .uid = ids_inside(UIDS, st->st_uid),
                        .gid = ids_inside(GIDS, st->st_gid), .mtime = st->st_mtim};
}

static bool emit_link(const struct stat *st, const char *path) {
  const char *first = links_first(st);
  if (first == NULL) return false;
  struct entry entry = entry_of(st, path, '1');
  entry.link = (char *)first;
  output_entry(&entry);
  return true;
}

static void emit_file(int directory, const char *name, const char *path) {
  struct stat st;
  int fd = open_regular(directory, name, &st);
  if (fd < 0) return;
  if (!emit_link(&st, path)) {
    struct entry entry = entry_of(&st, path, '0');
    entry.stored = (uint64_t)st.st_size;
    emit_attributes(fd, &entry);
    output_entry(&entry);
    put_content(fd, entry.stored, path);
    links_remember(&st, path);
  }
  close(fd);
}

static void emit_symlink(int directory, const char *name, const struct stat *st,
                         const char *path) {
  char *target = read_link(directory, name);
  if (target == NULL) return;
  struct entry entry = entry_of(st, path, '2');
  entry.mode = 0777;
  entry.link = target;
  output_entry(&entry);
  free(target);
}

void emit_node(int directory, const char *name, const struct stat *st, const char *path) {
  if (S_ISSOCK(st->st_mode)) return; /* No archive knows them. */
  if (S_ISREG(st->st_mode)) {
    emit_file(directory, name, path);
    return;
  }
  if (emit_link(st, path)) return;
  if (S_ISLNK(st->st_mode)) {
    emit_symlink(directory, name, st, path);
  } else {
    struct entry entry = entry_of(st, path, S_ISCHR(st->st_mode)   ? '3'
                                            : S_ISBLK(st->st_mode) ? '4'
                                                                   : '6');
    entry.device = S_ISFIFO(st->st_mode) ? 0 : st->st_rdev;
    output_entry(&entry);
  }
  links_remember(st, path);
}

void emit_folder(int fd, const struct stat *st, const char *path) {
  size_t length = strlen(path);
  char *name = need(malloc(length + 2));
  memcpy(name, path, length + 1);
  if (length == 0 || path[length - 1] != '/') strcpy(name + length, "/");
  struct entry entry = entry_of(st, name, '5');
  if (comparing) entry.mtime = (struct timespec){0};
  emit_attributes(fd, &entry);
  output_entry(&entry);
  free(name);
}

/* An empty file; `path` ends in its `.wh.` name. */
void emit_marker(const char *path, const struct stat *about) {
  struct entry entry = {.name = (char *)path, .link = "", .type = '0', .mode = 0,
                        .mtime = about->st_mtim};
  if (comparing) entry.mtime = (struct timespec){0};
  output_entry(&entry);
}

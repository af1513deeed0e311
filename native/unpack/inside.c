/*
 * Directories of the target by name. The process has made the target its root before it reads a
 * name, and still lets the kernel resolve every one within that root (RESOLVE_IN_ROOT): links that
 * an archive made may be walked through, as Docker does, and lead nowhere else.
 */
#include "unpack.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

#define CACHE_SLOTS 128
#define MAX_IMPLIED 1000

static int root_fd = -1;
bool inside_overlay;
static struct implied implied;
static char beginning[MAX_NAME_BYTES];

/* Directories that entries lie in, by path; the one longest unused makes room. */
static struct {
  char *path;
  int fd;
  uint64_t used;
} cache[CACHE_SLOTS];
static uint64_t uses;

void inside_open(const char *target) {
  root_fd = open(target, O_PATH | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
  if (root_fd < 0) fail_errno("open", target);
}

void inside_adopt(int root) { root_fd = root; }

int inside_root(void) { return root_fd; }

void inside_begin_at(const char *path) { inside_clean(path, beginning); }

const struct implied *inside_implied(void) { return &implied; }

void inside_clean(const char *name, char *out) {
  size_t length = 0;
  if (strlen(name) >= MAX_NAME_BYTES) fail_archive(name, "name in the archive is too long");
  for (const char *at = name; *at != 0;) {
    size_t part = strcspn(at, "/");
    if (part == 2 && at[0] == '.' && at[1] == '.') {
      if (length == 0) fail_archive(name, "name in the archive leads out of it");
      while (length > 0 && out[--length] != '/') continue;
    } else if (part > 0 && !(part == 1 && at[0] == '.')) {
      if (length > 0) out[length++] = '/';
      memcpy(out + length, at, part);
      length += part;
    }
    at += part;
    at += *at == '/';
  }
  out[length] = 0;
}

bool inside_place(const char *name, char *out) {
  size_t length = strlen(beginning);
  if (length + strlen(name) + 2 > MAX_NAME_BYTES)
    fail_archive(name, "name in the archive is too long");
  memcpy(out, beginning, length + 1);
  size_t start = length == 0 ? 0 : length + 1;
  inside_clean(name, out + start);
  if (out[start] == 0) return false;
  if (length > 0) out[length] = '/';
  return true;
}

int inside_openat2(int root, const char *path, int flags) {
  struct open_how how = {.flags = (uint64_t)(flags | O_CLOEXEC),
                         .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS};
  for (int tries = 0;; tries++) {
    int fd = (int)syscall(SYS_openat2, root, path[0] == 0 ? "." : path, &how, sizeof how);
    if (fd >= 0 || (errno != EAGAIN && errno != EINTR) || tries == 64) return fd;
  }
}

static void add_implied(const char *path) {
  if (!inside_overlay) place_remember(path);
  if (implied.count == MAX_IMPLIED) return;
  if (implied.paths == NULL) implied.paths = need(calloc(MAX_IMPLIED, sizeof *implied.paths));
  implied.paths[implied.count++] = copy_text(path);
}

static void make_opaque(int parent, const char *base, const char *entry) {
  if (fchdir(parent) != 0) fail_errno("fchdir", entry);
  if (lsetxattr(base, opaque_xattr(), "y", 1, 0) != 0) fail_errno("lsetxattr", entry);
}

/* What is in the way of an implied folder may be a whiteout: then the new folder hides the old. */
static void make_directory(int parent, const char *base, const char *path, const char *entry) {
  if (mkdirat(parent, base, 0755) == 0) {
    add_implied(path);
    return;
  }
  if (errno != EEXIST) fail_errno("mkdirat", entry);
  struct stat st;
  if (fstatat(parent, base, &st, AT_SYMLINK_NOFOLLOW) != 0) fail_errno("fstatat", entry);
  if (!inside_overlay || !is_whiteout(&st)) return;
  if (unlinkat(parent, base, 0) != 0 || mkdirat(parent, base, 0755) != 0)
    fail_errno("mkdirat", entry);
  make_opaque(parent, base, entry);
  add_implied(path);
}

/*
 * Folder by folder from the root on, each resolved anew: a link on the way may lead anywhere
 * inside.
 */
static int make_directories(const char *path, const char *entry) {
  char prefix[MAX_NAME_BYTES];
  size_t length = strlen(path);
  memcpy(prefix, path, length + 1);
  int parent = inside_openat2(root_fd, "", O_PATH | O_DIRECTORY);
  for (size_t start = 0, end; start < length; start = end + 1) {
    end = start + strcspn(path + start, "/");
    prefix[end] = 0;
    make_directory(parent, prefix + start, prefix, entry);
    close(parent);
    parent = inside_openat2(root_fd, prefix, O_PATH | O_DIRECTORY);
    if (parent < 0) fail_archive(entry, "name in the archive goes through what is no folder");
    if (end < length) prefix[end] = '/';
  }
  return parent;
}

static int open_directory(const char *path, const char *entry) {
  int fd = inside_openat2(root_fd, path, O_PATH | O_DIRECTORY);
  if (fd >= 0) return fd;
  if (path[0] == 0 || (errno != ENOENT && errno != ENOTDIR)) fail_errno("openat2", entry);
  return make_directories(path, entry);
}

static size_t oldest_slot(void) {
  size_t oldest = 0;
  for (size_t at = 0; at < CACHE_SLOTS; at++) {
    if (cache[at].path == NULL) return at;
    if (cache[at].used < cache[oldest].used) oldest = at;
  }
  return oldest;
}

int inside_directory(const char *path, const char *entry) {
  static size_t last;
  if (cache[last].path != NULL && strcmp(cache[last].path, path) == 0) {
    cache[last].used = ++uses;
    return cache[last].fd;
  }
  for (size_t at = 0; at < CACHE_SLOTS; at++) {
    if (cache[at].path == NULL || strcmp(cache[at].path, path) != 0) continue;
    cache[at].used = ++uses;
    last = at;
    return cache[at].fd;
  }
  int fd = open_directory(path, entry);
  size_t slot = oldest_slot();
  if (cache[slot].path != NULL) {
    close(cache[slot].fd);
    free(cache[slot].path);
  }
  cache[slot].path = copy_text(path);
  cache[slot].fd = fd;
  cache[slot].used = ++uses;
  last = slot;
  return fd;
}

int inside_parent(const char *path, const char **base, const char *entry) {
  char parent[MAX_NAME_BYTES];
  const char *slash = strrchr(path, '/');
  size_t length = slash == NULL ? 0 : (size_t)(slash - path);
  memcpy(parent, path, length);
  parent[length] = 0;
  *base = slash == NULL ? path : slash + 1;
  return inside_directory(parent, entry);
}

void inside_forget(void) {
  for (size_t at = 0; at < CACHE_SLOTS; at++) {
    if (cache[at].path == NULL) continue;
    close(cache[at].fd);
    free(cache[at].path);
    cache[at].path = NULL;
  }
}

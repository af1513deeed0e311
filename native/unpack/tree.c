/* Walks over trees that containers have written: removal, usage, sync. Links are never followed. */
#include "unpack.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Deeper folders are moved up and then removed: fds stay few, however deep a container went. */
#define MAX_DEPTH 200
#define MAX_RETRIES 16
/* Up to this many files are synced one by one; syncfs would wait for a stranger's pages too. */
#define SYNC_FILES 128

struct removal {
  int base;
  dev_t device;
  unsigned moved;
};

static int open_child(int directory, const char *name) {
  return openat(directory, name,
                O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
}

static bool is_dots(const char *name) {
  return name[0] == '.' && (name[1] == 0 || (name[1] == '.' && name[2] == 0));
}

static void remove_one(struct removal *removal, int directory, const char *name, int depth);

static void moved_name(char name[40], unsigned number) {
  snprintf(name, 40, ".tsdocker-removed-%u", number);
}

static void empty_directory(struct removal *removal, int fd, int depth) {
  DIR *stream = fdopendir(fd);
  if (stream == NULL) fail_errno("fdopendir", NULL);
  for (struct dirent *child; (child = readdir(stream)) != NULL;)
    if (!is_dots(child->d_name)) remove_one(removal, fd, child->d_name, depth + 1);
  closedir(stream);
}

static void remove_one(struct removal *removal, int directory, const char *name, int depth) {
  for (int tries = 0; tries < MAX_RETRIES; tries++) {
    if (unlinkat(directory, name, 0) == 0 || errno == ENOENT) return;
    if (errno != EISDIR) fail_errno("unlinkat", name);
    if (unlinkat(directory, name, AT_REMOVEDIR) == 0) return;
    if (errno != ENOTEMPTY && errno != EEXIST) fail_errno("rmdir", name);
    if (depth == MAX_DEPTH) {
      char new_name[40];
      moved_name(new_name, removal->moved);
      if (renameat(directory, name, removal->base, new_name) != 0) fail_errno("renameat", name);
      removal->moved++;
      return;
    }
    int fd = open_child(directory, name);
    if (fd < 0 && errno == ENOENT) return;
    struct stat st;
    if (fd < 0 || fstat(fd, &st) != 0) fail_errno("open", name);
    errno = EXDEV; /* Something is mounted there: not ours to empty. */
    if (st.st_dev != removal->device) fail_errno("remove", name);
    empty_directory(removal, fd, depth);
  }
  errno = ENOTEMPTY;
  fail_errno("rmdir", name);
}

static void remove_moved(struct removal *removal) {
  for (unsigned number = 0; number < removal->moved; number++) {
    char name[40];
    moved_name(name, number);
    remove_one(removal, removal->base, name, 0);
  }
}

void tree_remove_entry(int directory, const char *name) {
  struct stat st;
  if (fstat(directory, &st) != 0) fail_errno("fstat", name);
  struct removal removal = {.base = directory, .device = st.st_dev};
  remove_one(&removal, directory, name, 0);
  remove_moved(&removal);
}

static void remove_unless_kept(int fd, const char *name, const char *path,
                               const struct pathset *keep) {
  if (!pathset_has(keep, path_hash(path))) {
    tree_remove_entry(fd, name);
    return;
  }
  int kept = open_child(fd, name);
  if (kept < 0) return;
  tree_remove_children(kept, path, keep);
  close(kept);
}

/* Removes what is not in `keep`; what is kept may hold things that are not. */
void tree_remove_children(int directory, const char *path, const struct pathset *keep) {
  int fd = open_child(directory, ".");
  DIR *stream = fd < 0 ? NULL : fdopendir(fd);
  if (stream == NULL) fail_errno("open", path);
  for (struct dirent *child; (child = readdir(stream)) != NULL;) {
    char *below = NULL;
    if (is_dots(child->d_name)) continue;
    if (asprintf(&below, "%s%s%s", path, path[0] == 0 ? "" : "/", child->d_name) < 0)
      fail_errno("malloc", path);
    remove_unless_kept(fd, child->d_name, below, keep);
    free(below);
  }
  closedir(stream);
}

int command_remove(const char *target) {
  char *parent = copy_text(target);
  char *slash = strrchr(parent, '/');
  if (slash == NULL || slash[1] == 0) fail_archive(target, "not an absolute path of a folder");
  *slash = 0;
  int fd = open(parent[0] == 0 ? "/" : parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0 && errno != ENOENT) fail_errno("open", parent);
  if (fd >= 0) {
    struct stat st;
    int top = open_child(fd, slash + 1);
    if (top >= 0 && fstat(top, &st) == 0) {
      struct removal removal = {.base = dup(top), .device = st.st_dev};
      empty_directory(&removal, top, 0);
      remove_moved(&removal);
    } else if (errno != ENOENT && errno != ENOTDIR) {
      fail_errno("open", target);
    }
    tree_remove_entry(fd, slash + 1);
  }
  report_begin();
  report_end();
  return 0;
}

/* Calls `visit` for all but folders before, and for folders after what is in them. */
typedef void visit(int directory, const char *name, const struct stat *st, void *context);

static void walk(int fd, int depth, visit *visit_one, void *context) {
  DIR *stream = fdopendir(fd);
  if (stream == NULL) fail_errno("fdopendir", NULL);
  for (struct dirent *child; (child = readdir(stream)) != NULL;) {
    struct stat st;
    if (is_dots(child->d_name)) continue;
    if (fstatat(fd, child->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0) continue;
    if (S_ISDIR(st.st_mode) && depth < MAX_DEPTH) {
      int below = open_child(fd, child->d_name);
      if (below >= 0) walk(below, depth + 1, visit_one, context);
    }
    visit_one(fd, child->d_name, &st, context);
  }
  closedir(stream);
}

static int open_tree_root(const char *target) {
  int fd = open(target, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (fd < 0) fail_errno("open", target);
  return fd;
}

struct usage {
  uint64_t bytes, inodes;
  struct pathset linked;
};

static void count_one(int directory, const char *name, const struct stat *st, void *context) {
  (void)directory, (void)name;
  struct usage *usage = context;
  char id[48];
  snprintf(id, sizeof id, "%llx:%llx", (unsigned long long)st->st_dev,
           (unsigned long long)st->st_ino);
  if (!S_ISDIR(st->st_mode) && st->st_nlink > 1 && !pathset_add(&usage->linked, path_hash(id)))
    return;
  usage->inodes++;
  if (!S_ISDIR(st->st_mode)) usage->bytes += (uint64_t)st->st_size;
}

int command_usage(const char *target) {
  struct usage usage = {.inodes = 1};
  walk(open_tree_root(target), 0, count_one, &usage);
  report_begin();
  report_number("sizeBytes", usage.bytes);
  report_number("inodes", usage.inodes);
  report_end();
  return 0;
}

static void count_file(int directory, const char *name, const struct stat *st, void *context) {
  (void)directory, (void)name, (void)st;
  ++*(uint64_t *)context;
}

static void sync_one(int directory, const char *name, const struct stat *st, void *context) {
  (void)context;
  if (!S_ISREG(st->st_mode) && !S_ISDIR(st->st_mode)) return; /* Its folder's sync holds it. */
  int fd = openat(directory, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
  if (fd < 0 || fsync(fd) != 0) fail_errno("fsync", name);
  close(fd);
}

/* What is gone needs no sync: it was removed while others were collected. */
static int open_if_there(const char *target) {
  int fd = open(target, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
  if (fd < 0 && errno != ENOENT) fail_errno("open", target);
  return fd;
}

static bool is_folder(int fd, const char *target) {
  struct stat st;
  if (fstat(fd, &st) != 0) fail_errno("fstat", target);
  return S_ISDIR(st.st_mode);
}

static void count_tree(const char *target, uint64_t *files) {
  int fd = open_if_there(target);
  if (fd < 0) return;
  ++*files;
  if (is_folder(fd, target))
    walk(fd, 0, count_file, files);
  else
    close(fd);
}

static void sync_tree(const char *target) {
  int fd = open_if_there(target);
  if (fd < 0) return;
  if (is_folder(fd, target)) walk(dup(fd), 0, sync_one, NULL);
  if (fsync(fd) != 0) fail_errno("fsync", target);
  close(fd);
}

/* The name lasts once its folder is on disk: once for neighbours that follow each other. */
static void sync_parent(const char *path) {
  static char last[MAX_NAME_BYTES];
  const char *slash = strrchr(path, '/');
  size_t length = slash == NULL ? 0 : (size_t)(slash - path);
  if (length == 0 || length >= sizeof last) return;
  if (strlen(last) == length && memcmp(last, path, length) == 0) return;
  memcpy(last, path, length);
  last[length] = 0;
  int fd = open_if_there(last);
  if (fd < 0) return;
  if (fsync(fd) != 0) fail_errno("fsync", last);
  close(fd);
}

/* `target` has to be there; of the files and folders in `more`, and their names, what is. */
int command_sync(const char *target, char *const *more, size_t count) {
  uint64_t files = 0;
  int root = open_tree_root(target);
  if (count == 0) count_tree(target, &files);
  for (size_t at = 0; at < count; at++) count_tree(more[at], &files);
  if (files > SYNC_FILES) {
    if (syncfs(root) != 0) fail_errno("syncfs", target);
  } else {
    for (size_t at = 0; at < count; at++) sync_tree(more[at]);
    for (size_t at = 0; at < count; at++) sync_parent(more[at]);
    if (count == 0) sync_tree(target);
  }
  report_begin();
  report_end();
  return 0;
}

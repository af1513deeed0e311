#include "unpack.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>
#include <unistd.h>

#define MAX_LINKS 40
#define MAX_TRAIL 512

void merged_close(struct merged *merged) {
  for (size_t at = 0; at < merged->count; at++) close(merged->fds[at]);
  free(merged->fds);
  *merged = (struct merged){0};
}

bool merged_is_opaque(int fd) {
  char value;
  return (fgetxattr(fd, OVERLAY_XATTRS "opaque", &value, 1) == 1 && value == 'y') ||
         (fgetxattr(fd, USER_OVERLAY_XATTRS "opaque", &value, 1) == 1 && value == 'y');
}

static int open_folder(int directory, const char *name) {
  return openat(directory, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

struct merged merged_child(const struct merged *parent, size_t from, const char *name) {
  struct merged child = {need(calloc(parent->count, sizeof(int))), 0};
  for (size_t at = from; at < parent->count; at++) {
    int fd = open_folder(parent->fds[at], name);
    if (fd < 0 && errno == ENOENT) continue;
    if (fd < 0 && (errno == ENOTDIR || errno == ELOOP)) break;
    if (fd < 0) fail_errno("openat", name);
    child.fds[child.count++] = fd;
    if (merged_is_opaque(fd)) break;
  }
  return child;
}

/* The target of `name` where the topmost layer that has it has a link; false for anything else. */
static bool link_at(const struct merged *parent, const char *name, char target[MAX_NAME_BYTES]) {
  for (size_t at = 0; at < parent->count; at++) {
    ssize_t length = readlinkat(parent->fds[at], name, target, MAX_NAME_BYTES - 1);
    if (length >= 0) {
      target[length] = 0;
      return true;
    }
    if (errno != ENOENT) return false;
  }
  return false;
}

struct way {
  struct merged trail[MAX_TRAIL];
  size_t depth;
  int links;
};

static void back_to(struct way *way, size_t depth) {
  while (way->depth > depth) merged_close(&way->trail[--way->depth]);
}

static bool go(struct way *way, const char *path);

static bool step(struct way *way, const char *name) {
  if (strcmp(name, ".") == 0) return true;
  if (strcmp(name, "..") == 0) {
    if (way->depth > 1) back_to(way, way->depth - 1);
    return true;
  }
  const struct merged *here = &way->trail[way->depth - 1];
  struct merged child = merged_child(here, 0, name);
  if (child.count > 0) {
    if (way->depth == MAX_TRAIL) fail_archive(name, "path is too deep");
    way->trail[way->depth++] = child;
    return true;
  }
  merged_close(&child);
  char target[MAX_NAME_BYTES];
  if (!link_at(here, name, target) || ++way->links > MAX_LINKS) return false;
  if (target[0] == '/') back_to(way, 1);
  return go(way, target);
}

static bool go(struct way *way, const char *path) {
  char *parts = copy_text(path), *rest = NULL;
  bool found = true;
  for (char *part = strtok_r(parts, "/", &rest); part != NULL && found;
       part = strtok_r(NULL, "/", &rest))
    found = step(way, part);
  free(parts);
  return found;
}

bool merged_open(char *const *layers, size_t layer_count, const char *path,
                 struct merged *found) {
  static struct way way;
  way.depth = 1;
  way.trail[0] = (struct merged){need(calloc(layer_count + 1, sizeof(int))), 0};
  for (size_t at = 0; at < layer_count; at++) {
    int fd = open(layers[at], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) fail_errno("open", layers[at]);
    way.trail[0].fds[way.trail[0].count++] = fd;
    if (merged_is_opaque(fd)) break;
  }
  if (!go(&way, path)) return false;
  *found = way.trail[--way.depth];
  back_to(&way, 0);
  return true;
}

static void add_children(const struct merged *folder, size_t layer, struct pathset *seen,
                         struct children *children) {
  int fd = openat(folder->fds[layer], ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  DIR *stream = fd < 0 ? NULL : fdopendir(fd);
  if (stream == NULL) fail_errno("open", NULL);
  for (struct dirent *entry; (entry = readdir(stream)) != NULL;) {
    const char *name = entry->d_name;
    if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0) continue;
    if (folder->count > 1 && !pathset_add(seen, path_hash(name))) continue;
    size_t count = children->count;
    if ((count & (count - 1)) == 0)
      children->list = need(realloc(children->list, (count * 2 + 1) * sizeof *children->list));
    children->list[children->count++] = (struct child){copy_text(name), layer};
  }
  closedir(stream);
}

static int by_name(const void *a, const void *b) {
  return strcmp(((const struct child *)a)->name, ((const struct child *)b)->name);
}

struct children merged_children(const struct merged *folder) {
  struct children children = {0};
  struct pathset seen = {0};
  for (size_t layer = 0; layer < folder->count; layer++)
    add_children(folder, layer, &seen, &children);
  free(seen.slots);
  if (children.count > 0) qsort(children.list, children.count, sizeof *children.list, by_name);
  return children;
}

void children_free(struct children *children) {
  for (size_t at = 0; at < children->count; at++) free(children->list[at].name);
  free(children->list);
  *children = (struct children){0};
}

char *join_path(const char *path, const char *name) {
  size_t length = strlen(path) + strlen(name) + 2;
  errno = ENAMETOOLONG;
  if (length > MAX_NAME_BYTES) fail_errno("open", name);
  char *joined = need(malloc(length));
  snprintf(joined, length, "%s%s%s", path, path[0] != 0 ? "/" : "", name);
  return joined;
}

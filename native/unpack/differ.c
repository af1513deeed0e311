/*
 * What a container changed: its own folder against the layers beneath. Two answers from one walk:
 * a layer (a tar by the OCI's rules) and a list. A folder that is as it was is told only when
 * something in it changed, and then before that.
 *
 * With overlay the folder holds changes only, whiteouts and opaque folders among them; else it
 * holds everything, and what is missing was removed.
 */
#include "unpack.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>
#include <unistd.h>

enum kind { MODIFIED, ADDED, DELETED };

static bool overlay, listing, comparing;
/* Comma-separated paths that the engine itself makes in every container. */
static const char *ours = "";

struct frame {
  struct frame *above;
  const char *path;
  int fd;
  struct stat st;
  bool told;
};

static bool is_ours(const char *path) {
  size_t length = strlen(path);
  for (const char *at = ours; *at != 0; at += strcspn(at, ","), at += *at == ',')
    if (strcspn(at, ",") == length && memcmp(at, path, length) == 0) return true;
  return false;
}

static void list_one(enum kind kind, const char *path) {
  const char number[] = {(char)('0' + kind), '/', 0};
  output_bytes(number, 2);
  output_bytes(path, strlen(path) + 1);
}

static void tell_folder(struct frame *frame, enum kind kind) {
  if (frame->told) return;
  frame->told = true;
  if (frame->above != NULL) tell_folder(frame->above, MODIFIED);
  if (listing) {
    list_one(kind, frame->path);
    return;
  }
  emit_folder(frame->fd, &frame->st, frame->path);
  lay_folder(frame->fd, &frame->st, frame->path);
}

static void tell_marker(const struct frame *in, const char *name, const struct stat *st) {
  char *path;
  if (asprintf(&path, "%s%s.wh.%s", in->path, in->path[0] == 0 ? "" : "/", name) < 0)
    fail_errno("malloc", name);
  emit_marker(path, st);
  lay_marker(path);
  free(path);
}

static void tell_deleted(struct frame *in, const char *name, const char *path,
                         const struct stat *st) {
  tell_folder(in, MODIFIED);
  if (listing)
    list_one(DELETED, path);
  else
    tell_marker(in, name, st);
}

struct before {
  bool there;
  size_t layer;
  struct stat st;
};

static struct before look_up(const struct merged *old, const char *name) {
  struct before before = {0};
  for (size_t at = 0; at < old->count; at++) {
    if (fstatat(old->fds[at], name, &before.st, AT_SYMLINK_NOFOLLOW) != 0) continue;
    before.there = !is_whiteout(&before.st);
    before.layer = at;
    break;
  }
  return before;
}

/* Whole seconds are what an archive keeps: without a fraction on one side it says nothing. */
static bool same_time(const struct timespec *a, const struct timespec *b) {
  return a->tv_sec == b->tv_sec &&
         (a->tv_nsec == b->tv_nsec || a->tv_nsec == 0 || b->tv_nsec == 0);
}

static bool same_capability(int a, int b, const char *name) {
  char path[300], one[64] = {0}, other[64] = {0};
  snprintf(path, sizeof path, "/proc/self/fd/%d/%s", a, name);
  ssize_t length = lgetxattr(path, CAPABILITY_XATTR, one, sizeof one);
  snprintf(path, sizeof path, "/proc/self/fd/%d/%s", b, name);
  return lgetxattr(path, CAPABILITY_XATTR, other, sizeof other) == length &&
         memcmp(one, other, sizeof one) == 0;
}

/* As Docker lists: not the size or time of a folder, which say nothing. */
static bool differs(const struct stat *st, const struct stat *old) {
  if (st->st_mode != old->st_mode || st->st_uid != old->st_uid || st->st_gid != old->st_gid ||
      st->st_rdev != old->st_rdev)
    return true;
  return !S_ISDIR(st->st_mode) &&
         (st->st_size != old->st_size || !same_time(&st->st_mtim, &old->st_mtim));
}

/*
 * In a layer the time of a folder is a change as any other: something came and went there. Where
 * the whole tree lies in one place it may have been the engine.
 */
static bool is_touched(const struct stat *st, const struct stat *old) {
  return overlay && !listing && !same_time(&st->st_mtim, &old->st_mtim);
}

static void compare(struct frame *here, const struct merged *old, bool alone);

static void compare_folder(struct frame *here, const struct merged *old, const char *name,
                           struct frame *child, const struct before *before) {
  bool opaque = overlay && merged_is_opaque(child->fd);
  struct merged beneath = {0};
  if (before->there && S_ISDIR(before->st.st_mode))
    beneath = merged_child(old, before->layer, name);
  bool known = before->there || is_ours(child->path);
  child->above = here;
  if (!known) tell_folder(child, ADDED);
  if (before->there &&
      (differs(&child->st, &before->st) || is_touched(&child->st, &before->st)))
    tell_folder(child, MODIFIED);
  if (!listing && opaque && (comparing || beneath.count > 0)) {
    tell_folder(child, MODIFIED);
    struct frame in = {.path = child->path};
    tell_marker(&in, ".wh..opq", &child->st);
    merged_close(&beneath); /* Nothing beneath shows through: all that is here is new. */
  }
  compare(child, &beneath, !overlay || opaque || beneath.count == 0);
  merged_close(&beneath);
}

static bool is_changed(struct frame *here, const struct merged *old, const char *name,
                       const struct stat *st, const struct before *before) {
  if (overlay && !listing) return true; /* It was copied up to be written to. */
  return differs(st, &before->st) ||
         (S_ISREG(st->st_mode) && !same_capability(here->fd, old->fds[before->layer], name));
}

static void compare_child(struct frame *here, const struct merged *old, const char *name,
                          const char *path) {
  struct stat st;
  if (fstatat(here->fd, name, &st, AT_SYMLINK_NOFOLLOW) != 0) return;
  struct before before = look_up(old, name);
  if (overlay && is_whiteout(&st)) {
    if (before.there || comparing) tell_deleted(here, name, path, &st);
    return;
  }
  /* There it would remove another, and be lost itself. */
  if (!listing && !comparing && strncmp(name, ".wh.", 4) == 0 && !is_ours(path))
    fail_archive(path, "no layer can hold a name that begins with .wh.");
  if (S_ISDIR(st.st_mode)) {
    int fd = openat(here->fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    struct frame child = {.path = path, .fd = fd};
    if (fd < 0 || fstat(fd, &child.st) != 0) return;
    compare_folder(here, old, name, &child, &before);
    close(fd);
    return;
  }
  if (before.there && !is_changed(here, old, name, &st, &before)) return;
  if (!before.there && is_ours(path) && (!S_ISREG(st.st_mode) || st.st_size == 0)) return;
  tell_folder(here, MODIFIED);
  if (listing) {
    list_one(before.there ? MODIFIED : ADDED, path);
    return;
  }
  emit_node(here->fd, name, &st, path);
  lay_node(here->fd, name, &st, path);
}

static void compare_removed(struct frame *here, const struct merged *old) {
  struct children children = merged_children(old);
  for (size_t at = 0; at < children.count; at++) {
    const char *name = children.list[at].name;
    struct stat st;
    struct before before = look_up(old, name);
    if (!before.there || fstatat(here->fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0) continue;
    char *path = join_path(here->path, name);
    tell_deleted(here, name, path, &before.st);
    free(path);
  }
  children_free(&children);
}

/* `alone`: what lies beneath does not show through by itself. */
static void compare(struct frame *here, const struct merged *old, bool alone) {
  struct merged top = {&here->fd, 1};
  struct children children = merged_children(&top);
  for (size_t at = 0; at < children.count; at++) {
    char *path = join_path(here->path, children.list[at].name);
    compare_child(here, old, children.list[at].name, path);
    free(path);
  }
  children_free(&children);
  if (alone) compare_removed(here, old);
}

static void walk(const char *target, char *const *layers, size_t layer_count) {
  struct merged old = {0};
  struct frame root = {.path = "", .told = true};
  root.fd = open(target, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (root.fd < 0 || fstat(root.fd, &root.st) != 0) fail_errno("open", target);
  if (!merged_open(layers, layer_count, "", &old)) fail_errno("open", "layers");
  emit_prepare();
  output_start(!listing);
  compare(&root, &old, !overlay);
}

void report_archive(void) {
  char hex[65];
  uint64_t tar_bytes = output_finish(hex);
  report_begin();
  report_text("sha256", hex);
  report_number("entries", output_entries());
  report_number("sizeBytes", emit_bytes());
  report_number("tarBytes", tar_bytes);
  report_end();
}

int command_diff(const char *target, const struct differ *how, char *const *layers,
                 size_t layer_count) {
  overlay = how->overlay;
  listing = how->listing;
  comparing = how->comparing;
  if (comparing) emit_for_comparison();
  ours = how->ours;
  if (how->into != NULL) lay_prepare(how->into);
  walk(target, layers, layer_count);
  if (!listing) {
    lay_end();
    report_archive();
    return 0;
  }
  output_flush();
  report_begin();
  report_end();
  return 0;
}

/*
 * The root of a container as the container sees it, to work in: that of a running one by an fd from
 * its shim, that of one at rest mounted here, in a mount namespace that ends with this process.
 * Afterwards the process is inside: no name leads out of the root any more.
 */
#include "unpack.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#define LIVE_ROOT_FD 4
#define ROOT_FLAGS (O_PATH | O_DIRECTORY | O_CLOEXEC)

static const char *joined(const char *folder, const char *name) {
  char *path;
  if (asprintf(&path, "%s/%s", folder, name) < 0) fail_errno("malloc", folder);
  return path;
}

static void must(int result, const char *call, const char *about) {
  if (result < 0) fail_errno(call, about);
}

/*
 * Changes are kept: they go to the container's own folder, which nobody else may have mounted.
 * Names below `links` are short and relative; its own name makes room for the mount.
 */
static const char *mount_for_writing(const char *links, const char *options) {
  must(mount("overlay", links, "overlay", MS_NODEV, options), "mount", "overlay");
  return links;
}

/* What has to be made for mounts to lie on goes to memory, and the container's folder is lower. */
static const char *mount_for_reading(const char *links, const char *options) {
  must(mount("tmpfs", links, "tmpfs", 0, "mode=700"), "mount", "tmpfs");
  const char *upper = joined(links, "upper"), *work = joined(links, "work");
  const char *root = joined(links, "root");
  must(mkdir(upper, 0755) | mkdir(work, 0700) | mkdir(root, 0755), "mkdir", links);
  char *all;
  if (asprintf(&all, "%s,upperdir=%s,workdir=%s", options, upper, work) < 0)
    fail_errno("malloc", links);
  must(mount("overlay", root, "overlay", MS_NODEV, all), "mount", "overlay");
  return root;
}

static int clone_tree(const char *source, bool recursive) {
  int flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | (recursive ? AT_RECURSIVE : 0);
  int tree = (int)syscall(SYS_open_tree, AT_FDCWD, source, flags);
  must(tree, "open_tree", source);
  return tree;
}

/* Links in the source lead nowhere else: it is a root for them. */
static int clone_part(const char *source, const char *part, bool recursive) {
  int flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH | (recursive ? AT_RECURSIVE : 0);
  int whole = open(source, ROOT_FLAGS);
  must(whole, "open", source);
  int fd = inside_openat2(whole, part, O_PATH);
  must(fd, "openat2", part);
  int tree = (int)syscall(SYS_open_tree, fd, "", flags);
  must(tree, "open_tree", source);
  close(fd);
  close(whole);
  return tree;
}

static void make_readonly(int tree, bool recursive, const char *about) {
  struct mount_attr attributes = {.attr_set = MOUNT_ATTR_RDONLY};
  must((int)syscall(SYS_mount_setattr, tree, "", AT_EMPTY_PATH | (recursive ? AT_RECURSIVE : 0),
                    &attributes, sizeof attributes),
       "mount_setattr", about);
}

static void attach(int tree, int target, const char *about) {
  must((int)syscall(SYS_move_mount, tree, "", target, "",
                    MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH),
       "move_mount", about);
}

static int file_target(const char *path, const char *about) {
  const char *base;
  int fd = inside_openat2(inside_root(), path, O_PATH);
  if (fd >= 0 || errno != ENOENT) return fd;
  int parent = inside_parent(path, &base, about);
  must(mknodat(parent, base, S_IFREG | 0644, 0), "mknodat", about);
  return inside_openat2(inside_root(), path, O_PATH);
}

static bool says(const char *how, char letter) {
  const char *at = strchr(how, letter);
  return at != NULL && at < how + strcspn(how, ":");
}

static int take_tree(const char *source, const char *how) {
  const char *part = strchr(how, ':');
  return part == NULL ? clone_tree(source, says(how, 'b'))
                      : clone_part(source, part + 1, says(how, 'b'));
}

/* Layers of an image: mounted where their short names are, taken from there, unmounted. */
static int take_stack(const char *links, const char *options, const char *how) {
  must(mount("overlay", links, "overlay", MS_NODEV | MS_RDONLY, options), "mount", "overlay");
  int tree = take_tree(links, how);
  must(umount2(links, MNT_DETACH), "umount2", links);
  return tree;
}

/*
 * Letters: `b` with what is mounted below it, `r` read-only, `R` that too below, `o` layers, whose
 * options are the source; then, behind a colon, what of the source.
 */
static void place_mount(const char *links, char *const *operands) {
  const char *destination = operands[0], *source = operands[1], *how = operands[2];
  char path[MAX_NAME_BYTES];
  struct stat st;
  int tree = says(how, 'o') ? take_stack(links, source, how) : take_tree(source, how);
  must(fstat(tree, &st), "fstat", source);
  if (says(how, 'r')) make_readonly(tree, says(how, 'R'), source);
  inside_clean(destination, path);
  int target = S_ISDIR(st.st_mode) ? dup(inside_directory(path, destination))
                                   : file_target(path, destination);
  must(target, "openat2", destination);
  attach(tree, target, destination);
  close(target);
  close(tree);
  inside_forget();
}

static void mount_bind(const char *source, bool writable) {
  int tree = clone_tree(source, false), target = open(source, ROOT_FLAGS);
  must(target, "open", source);
  if (!writable) make_readonly(tree, false, source);
  attach(tree, target, source);
  close(target);
  close(tree);
  inside_open(source);
}

/* `overlay` links options, or `bind` source ``; then destination, source and how of each mount. */
static void mount_view(const struct view *view, char *const *operands, size_t count) {
  if (count < 3 || count % 3 != 0) fail_archive(NULL, "bad operands");
  must(unshare(CLONE_NEWNS), "unshare", NULL);
  must(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), "mount", "/");
  if (strcmp(operands[0], "bind") == 0) {
    mount_bind(operands[1], true);
  } else {
    must(chdir(operands[1]), "chdir", operands[1]);
    inside_open(view->writable ? mount_for_writing(operands[1], operands[2])
                               : mount_for_reading(operands[1], operands[2]));
  }
  for (size_t at = 3; at < count; at += 3) place_mount(operands[1], operands + at);
}

static void close_root_to_writing(void) {
  struct mount_attr attributes = {.attr_set = MOUNT_ATTR_RDONLY};
  must((int)syscall(SYS_mount_setattr, inside_root(), "", AT_EMPTY_PATH, &attributes,
                    sizeof attributes),
       "mount_setattr", "root");
}

void view_enter(const struct view *view, char *const *operands, size_t count) {
  if (view->live) {
    inside_adopt(LIVE_ROOT_FD);
  } else {
    mount_view(view, operands, count);
    if (view->read_only) close_root_to_writing();
  }
  if (fchdir(inside_root()) != 0 || chroot(".") != 0) fail_errno("chroot", "root");
}

bool view_is_pseudo(int fd) {
  static const unsigned long kinds[] = {
      0x9fa0 /* proc */,        0x62656572 /* sysfs */,   0x27e0eb /* cgroup */,
      0x63677270 /* cgroup2 */, 0x1cd1 /* devpts */,      0x19800202 /* mqueue */,
      0x64626720 /* debugfs */, 0x74726163 /* tracefs */, 0x73636673 /* securityfs */,
      0xcafe4a11 /* bpf */,     0x6165676c /* pstore */,  0x62656570 /* configfs */,
      0xde5e81e4 /* efivarfs */};
  struct statfs st;
  if (fstatfs(fd, &st) != 0) return true;
  for (size_t at = 0; at < sizeof kinds / sizeof *kinds; at++)
    if ((unsigned long)st.f_type == kinds[at]) return true;
  return false;
}

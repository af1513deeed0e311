/* One layer: every entry of a tar put into its place. */
#include "unpack.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define WHITEOUT ".wh."
#define WHITEOUT_META ".wh..wh."

static const char *base_of(const char *path) {
  const char *slash = strrchr(path, '/');
  return slash == NULL ? path : slash + 1;
}

static bool starts_with(const char *text, const char *prefix) {
  return strncmp(text, prefix, strlen(prefix)) == 0;
}

/*
 * AUFS kept its own things under `.wh..wh.` names; layers of that time still have them. Only the
 * opaque marker means something.
 */
static bool is_aufs_metadata(const char *path) {
  const char *base = base_of(path);
  return (starts_with(base, WHITEOUT_META) && strcmp(base, ".wh..wh..opq") != 0) ||
         (starts_with(path, WHITEOUT_META) && strchr(path, '/') != NULL);
}

static void refuse_attributes(const struct entry *entry) {
  for (size_t at = 0; at < entry->attribute_count; at++) {
    const char *name = entry->attributes[at].name;
    if (starts_with(name, OVERLAY_XATTRS) || starts_with(name, USER_OVERLAY_XATTRS))
      fail_archive(entry->name, "attributes of overlayfs are not allowed in a layer");
  }
}

/* Only in a layer do `.wh.` names mean something. */
static bool is_layer = true;

static bool is_file(const struct entry *entry) {
  return entry->type == '0' || entry->type == 0 || entry->type == '7' || entry->type == 'S';
}

static bool has_content(char type) { return type < '1' || type > '6'; }

static bool next_entry(struct entry *entry, uint64_t *entries, const struct limits *limits) {
  if (!tar_next(entry)) return false;
  if (++*entries > limits->max_entries)
    fail_limit(NULL, "archive holds more than %llu entries",
               (unsigned long long)limits->max_entries);
  refuse_attributes(entry);
  size_t length = strlen(entry->name);
  bool is_folder = length > 0 && entry->name[length - 1] == '/';
  if (is_folder && entry->type == 0) entry->type = '5'; /* As the v7 format has it. */
  if (!has_content(entry->type)) entry->stored = 0;
  return true;
}

static void place_by_type(struct entry *entry, const char *path) {
  if (is_file(entry))
    place_file(path, entry);
  else if (entry->type >= '1' && entry->type <= '6')
    place_other(path, entry);
  else
    fail_archive(entry->name, "unhandled tar header type %d", entry->type);
}

static void place(struct entry *entry, const char *path) {
  const char *base = base_of(path);
  if (is_layer && is_aufs_metadata(path)) {
    tar_skip(entry->stored, 0);
  } else if (is_layer && starts_with(base, WHITEOUT)) {
    tar_skip(entry->stored, 0);
    place_whiteout(path, base);
  } else if (path[0] == 0 && entry->type != '5') {
    fail_archive(entry->name, "name in the archive is that of its root");
  } else {
    place_by_type(entry, path);
  }
}

static void report(uint64_t entries, uint64_t tar_bytes, const char *hex) {
  report_begin();
  report_text("sha256", hex);
  report_number("entries", entries);
  report_number("sizeBytes", place_bytes());
  report_number("tarBytes", tar_bytes);
  report_list_begin("implied");
  const struct implied *implied = inside_implied();
  for (size_t at = 0; at < implied->count; at++)
    if (!place_remembers(implied->paths[at])) report_list_item(implied->paths[at]);
  report_list_end();
  report_end();
}

int command_unpack(const char *target, enum whiteouts whiteouts, const struct limits *limits) {
  (void)target;
  inside_overlay = whiteouts == WHITEOUTS_OVERLAY;
  is_layer = whiteouts != WHITEOUTS_NONE;
  place_prepare(inside_root(), limits->reserve_bytes);
  stream_start(limits, true);
  struct entry entry = {0};
  uint64_t entries = 0;
  while (next_entry(&entry, &entries, limits)) {
    char path[MAX_NAME_BYTES];
    inside_clean(entry.name, path);
    place(&entry, path);
  }
  char hex[65];
  uint64_t tar_bytes = stream_finish(hex);
  place_directories_last();
  report(entries, tar_bytes, hex);
  return 0;
}

/* The folder that a client named, refused where nothing may be put. */
static int open_destination(const char *path) {
  struct stat st, root;
  struct statvfs space;
  int fd = inside_openat2(inside_root(), path, O_PATH | O_DIRECTORY);
  if (fd < 0 || fstat(fd, &st) != 0 || fstat(inside_root(), &root) != 0 ||
      fstatvfs(fd, &space) != 0)
    fail_errno("openat2", path);
  errno = ENOENT;
  if (view_is_pseudo(fd)) fail_errno("openat2", path);
  errno = EROFS;
  if ((space.f_flag & ST_RDONLY) != 0)
    fail_errno("openat2", st.st_dev == root.st_dev ? "rootfs" : "volume");
  return fd;
}

/* A client may ask that no folder becomes something else, and nothing else a folder. */
static void check_kind(const struct entry *entry, const char *path, const char *destination) {
  struct stat st;
  int fd = inside_openat2(inside_root(), path, O_PATH | O_NOFOLLOW);
  if (fd < 0) return;
  if (fstat(fd, &st) != 0) fail_errno("fstat", path);
  close(fd);
  if (S_ISDIR(st.st_mode) == (entry->type == '5')) return;
  fail_archive(NULL,
               S_ISDIR(st.st_mode) ? "cannot overwrite directory \"/%.256s\" with non-directory "
                                     "\"%.256s\""
                                   : "cannot overwrite non-directory \"/%.256s\" with directory "
                                     "\"%.256s\"",
               path, destination);
}

int command_put(const struct put *put, const struct limits *limits) {
  struct stat st, root;
  int destination = open_destination(put->path);
  if (fstat(destination, &st) != 0 || fstat(inside_root(), &root) != 0)
    fail_errno("fstat", put->path);
  /* A small tmpfs is meant to be filled; the disk that all containers share is not. */
  place_prepare(destination, st.st_dev == root.st_dev ? limits->reserve_bytes : 0);
  inside_begin_at(put->path);
  stream_start(limits, false);
  struct entry entry = {0};
  uint64_t entries = 0;
  char path[MAX_NAME_BYTES], hex[65];
  while (next_entry(&entry, &entries, limits)) {
    bool itself = !inside_place(entry.name, path);
    if (itself && entry.type != '5')
      fail_archive(entry.name, "name in the archive is that of its root");
    if (itself) continue; /* The folder is the container's, and stays as it is. */
    if (put->keep_kind) check_kind(&entry, path, put->path);
    if (put->chown) entry.uid = (uid_t)put->uid, entry.gid = (gid_t)put->gid;
    entry.uid = ids_outside(UIDS, entry.uid, entry.name);
    entry.gid = ids_outside(GIDS, entry.gid, entry.name);
    place_by_type(&entry, path);
  }
  uint64_t tar_bytes = stream_finish(hex);
  place_directories_last();
  report(entries, tar_bytes, hex);
  return 0;
}

/*
 * tsdocker-unpack: bulk work on file trees for the daemon, as a process of its own that can be
 * killed.
 *
 * It runs once per task and shares nothing with the daemon but a tar on stdin and one line of JSON
 * on stdout, so an error ends it at once: fail_*() report and exit, and nothing needs unwinding.
 * Names come from archives and containers: every one of them is resolved relative to a directory
 * fd, without following a link that the caller did not mean to follow.
 */
#ifndef TSDOCKER_UNPACK_H
#define TSDOCKER_UNPACK_H

#define _GNU_SOURCE
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <time.h>

/* report.c: the one line on stdout. */
_Noreturn void fail_archive(const char *entry, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
_Noreturn void fail_limit(const char *entry, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
_Noreturn void fail_errno(const char *syscall_name, const char *entry);
void report_begin(void);
void report_number(const char *field, uint64_t value);
void report_text(const char *field, const char *value);
void report_list_begin(const char *field);
void report_list_item(const char *value);
void report_list_end(void);
void report_end(void);

/* main.c: memory that is there, or the end. */
void *need(void *memory);
char *copy_text(const char *text);

/* sha256.c: libcrypto's when it can be loaded (it knows the CPU), else our own. */
struct sha256 {
  _Alignas(16) unsigned char opaque[256];
};
void sha256_prepare(bool own);
void sha256_init(struct sha256 *hash);
void sha256_update(struct sha256 *hash, const void *data, size_t length);
void sha256_final(struct sha256 *hash, unsigned char digest[32]);

/* decode.c: the archive as it was before compression. */
void decode_prepare(void);
/* Fills up to `capacity` bytes; fewer only at the end of the archive. */
size_t decode_read(unsigned char *out, size_t capacity);
/* Bytes of the archive taken from stdin so far. */
uint64_t decode_consumed(void);

/* stream.c: one thread decodes, one hashes, the caller's reads. */
struct limits {
  uint64_t max_bytes;
  uint64_t max_entries;
  uint64_t max_ratio;
  uint64_t ratio_slack_bytes;
  uint64_t reserve_bytes;
};
/* Without a digest wanted, `stream_finish` tells none. */
void stream_start(const struct limits *limits, bool with_hash);
/* The next at most `want` bytes in one piece, valid until the next call; 0 at the end. */
size_t stream_take(size_t want, const unsigned char **piece);
/* Takes what is left and returns the digest in hex of all of it. */
uint64_t stream_finish(char hex[65]);

/* tar.c: headers, whatever dialect. */
struct attribute {
  char *name;
  unsigned char *value;
  size_t length;
};
struct extent {
  uint64_t offset;
  uint64_t length;
};
struct entry {
  char *name;
  char *link;
  char type;
  mode_t mode;
  uid_t uid;
  gid_t gid;
  dev_t device;
  /* Bytes in the archive, and of the file where it is sparse. */
  uint64_t stored;
  uint64_t size;
  struct timespec mtime;
  struct attribute *attributes;
  size_t attribute_count;
  struct extent *extents;
  size_t extent_count;
};
/* False at the end of the archive. What `entry` points to lives until the next call. */
bool tar_next(struct entry *entry);
/* Skips what the caller did not take of the entry's bytes, and the padding. */
void tar_skip(uint64_t stored, uint64_t taken);
/* tar_fields.c */
bool tar_number(const unsigned char *field, size_t length, int64_t *value);
bool tar_checksum(const unsigned char *header);
void pax_parse(char *records, size_t length, struct entry *entry);

/* inside.c: directories of the target by name, resolved by the kernel beneath its root. */
void inside_open(const char *target);
/* The same for an open folder, which stays open. */
void inside_adopt(int root);
/* Where in the root the names of an archive are meant, a clean path. */
void inside_begin_at(const char *path);
int inside_root(void);
/* Lexical: no leading slash, no `.`, no `..`; an archive whose name climbs out is refused. */
void inside_clean(const char *name, char *out);
/* The same, where the names of the archive are meant; false when it is that folder itself. */
bool inside_place(const char *name, char *out);
/* O_PATH fd of a directory, valid until the next call but one; made with its parents if absent. */
int inside_directory(const char *path, const char *entry);
/* The same for what a clean path lies in; `base` points into `path`. */
int inside_parent(const char *path, const char **base, const char *entry);
/* After a directory or a link was removed: fds held for names beneath it are wrong now. */
void inside_forget(void);
int inside_openat2(int root, const char *path, int flags);
struct implied {
  char **paths;
  size_t count;
};
const struct implied *inside_implied(void);
extern bool inside_overlay;

/* links.c: files with several names; NULL for one that was not met before or has one name. */
const char *links_first(const struct stat *st);
void links_remember(const struct stat *st, const char *path);

/* output.c: the archive that is written, on fd 3. */
void output_start(bool with_hash);
void output_entry(const struct entry *entry);
/* Where the next bytes go, at least one; `output_filled` says how many came. */
unsigned char *output_room(size_t *room);
void output_filled(size_t length);
void output_bytes(const void *data, size_t length);
void output_zeros(uint64_t length);
void output_end_of_entry(uint64_t stored);
uint64_t output_entries(void);
void output_flush(void);
/* Ends the archive; its size, and its digest where one was wanted. */
uint64_t output_finish(char hex[65]);
/* As `output_finish` of what is no archive. */
uint64_t output_digest(char hex[65]);

/* emit.c: things of a tree as entries of that archive. */
/* Before the process enters a root, for it needs /proc. */
void emit_prepare(void);
int emit_open_files(void);
void emit_node(int directory, const char *name, const struct stat *st, const char *path);
void emit_folder(int fd, const struct stat *st, const char *path);
/* From now on folders and markers have no time: theirs is that of their making here. */
void emit_for_comparison(void);
void emit_marker(const char *path, const struct stat *about);
void emit_attributes(int fd, struct entry *entry);
/* Whether an attribute is part of what an archive holds. */
bool emit_keeps(const char *name);
uint64_t emit_bytes(void);

/* lay.c: what is emitted also lies in a folder, moved there; nothing before `lay_prepare`. */
void lay_prepare(const char *into);
void lay_folder(int fd, const struct stat *st, const char *path);
void lay_marker(const char *path);
void lay_node(int directory, const char *name, const struct stat *st, const char *path);
void lay_end(void);

/* pathset.c: whether a path was seen, by a keyed 64-bit hash. */
struct pathset {
  uint64_t *slots;
  size_t capacity;
  size_t count;
};
uint64_t path_hash(const char *path);
bool pathset_add(struct pathset *set, uint64_t hash);
bool pathset_has(const struct pathset *set, uint64_t hash);

/* tree.c */
void tree_remove_entry(int directory, const char *name);
void tree_remove_children(int directory, const char *path, const struct pathset *keep);
int command_remove(const char *target);
int command_usage(const char *target);
int command_sync(const char *target, char *const *more, size_t count);

/* extract.c, place.c, copy.c */
enum whiteouts { WHITEOUTS_APPLY, WHITEOUTS_OVERLAY, WHITEOUTS_NONE };
/* With `WHITEOUTS_NONE` a `.wh.` name is a name as any other: the archive is no layer. */
int command_unpack(const char *target, enum whiteouts whiteouts, const struct limits *limits);
void place_attributes(int fd, const char *base, const struct entry *entry);
void place_file(const char *path, const struct entry *entry);
void place_other(const char *path, const struct entry *entry);
void place_whiteout(const char *path, const char *base);
void place_directories_last(void);
/* Paths with an entry of their own; with `apply`, also the folders that were implied. */
void place_remember(const char *path);
bool place_remembers(const char *path);
uint64_t place_bytes(void);
/* Looks at the free space where `fd` is, now and then. */
void place_prepare(int fd, uint64_t reserve_bytes);

/* merged.c: folders of unmounted overlay layers as overlayfs would merge them, topmost first. */
struct merged {
  int *fds;
  size_t count;
};
/* The folder at `path` within the layers; false when there is none, or something else is. */
bool merged_open(char *const *layers, size_t layer_count, const char *path, struct merged *found);
/*
 * The folder `name` of the layers from `from` on; empty when the first that has it has no folder.
 */
struct merged merged_child(const struct merged *parent, size_t from, const char *name);
void merged_close(struct merged *merged);
bool merged_is_opaque(int fd);
/* The names in a folder, sorted, each with the topmost layer that has it; whiteouts among them. */
struct child {
  char *name;
  size_t layer;
};
struct children {
  struct child *list;
  size_t count;
};
struct children merged_children(const struct merged *folder);
void children_free(struct children *children);
/* On the heap, as trees may be two thousand folders deep. */
char *join_path(const char *path, const char *name);
int command_copy(const char *target, const char *path, bool only_if_empty, char *const *layers,
                 size_t layer_count);

/* view.c: the root of a container. */
struct view {
  bool live, writable, read_only;
};
void view_enter(const struct view *view, char *const *operands, size_t count);
/* Whether an fd is of a filesystem that the kernel makes up. */
bool view_is_pseudo(int fd);

/* ids.c: without maps, which are `inside:outside:size,…`, both are the same. */
enum id_kind { UIDS, GIDS };
/* What the kernel shows for an owner that a user namespace does not have. */
#define NOBODY 65534
bool ids_read(enum id_kind kind, const char *text);
uint32_t ids_inside(enum id_kind kind, uint32_t id);
/* Fails for an id that has none outside: `name` is whose it is. */
uint32_t ids_outside(enum id_kind kind, uint32_t id, const char *name);

/* fetch.c, extract.c: out of a container's root and into it. */
struct put {
  const char *path;
  bool keep_kind, chown;
  uint64_t uid, gid;
};
int command_fetch(const char *path, const char *as, bool only_stat);
int command_put(const struct put *put, const struct limits *limits);

/* differ.c, export.c */
struct differ {
  bool overlay, listing;
  /* To be compared with another tree: without times of folders, but with every opaque marker. */
  bool comparing;
  const char *ours;
  /* Where what is written is moved to; NULL leaves it. */
  const char *into;
};
int command_diff(const char *target, const struct differ *how, char *const *layers,
                 size_t layer_count);
int command_export(char *const *layers, size_t layer_count);
int command_expand(const struct limits *limits);
/* compress.c: before and after the process gives up its root. */
void compress_prepare(void);
int command_compress(const struct limits *limits);
void report_archive(void);

#define OVERLAY_XATTRS "trusted.overlay."
#define USER_OVERLAY_XATTRS "user.overlay."
#define CAPABILITY_XATTR "security.capability"
#define MAX_NAME_BYTES 4096
/* userns.c: looked up once, before the process gives up its root. */
void userns_look(void);
/* Devices cannot be made, and attributes of the kind `trusted` neither read nor written. */
bool userns_confined(void);
const char *opaque_xattr(void);
static inline bool is_whiteout(const struct stat *st) {
  return S_ISCHR(st->st_mode) && st->st_rdev == 0;
}

#endif

/* One layer: every entry of a tar put into its place. */
#include "unpack.h"

#include <stdio.h>
#include <string.h>

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

static bool is_file(const struct entry *entry) {
  return entry->type == '0' || entry->type == 0 || entry->type == '7' || entry->type == 'S';
}

static bool has_content(char type) { return type < '1' || type > '6'; }

static void place(struct entry *entry, const char *path) {
  size_t length = strlen(entry->name);
  bool is_folder = length > 0 && entry->name[length - 1] == '/';
  if (is_folder && entry->type == 0) entry->type = '5'; /* As the v7 format has it. */
  if (!has_content(entry->type)) entry->stored = 0;
  const char *base = base_of(path);
  if (is_aufs_metadata(path)) {
    tar_skip(entry->stored, 0);
  } else if (starts_with(base, WHITEOUT)) {
    tar_skip(entry->stored, 0);
    place_whiteout(path, base);
  } else if (path[0] == 0 && entry->type != '5') {
    fail_archive(entry->name, "name in the archive is that of its root");
  } else if (is_file(entry)) {
    place_file(path, entry);
  } else if (entry->type >= '1' && entry->type <= '6') {
    place_other(path, entry);
  } else {
    fail_archive(entry->name, "unhandled tar header type %d", entry->type);
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

int command_unpack(const char *target, bool overlay, const struct limits *limits) {
  (void)target;
  inside_overlay = overlay;
  place_prepare(limits->reserve_bytes);
  stream_start(limits);
  struct entry entry = {0};
  uint64_t entries = 0;
  while (tar_next(&entry)) {
    char path[MAX_NAME_BYTES];
    if (++entries > limits->max_entries)
      fail_limit(NULL, "archive holds more than %llu entries",
                 (unsigned long long)limits->max_entries);
    refuse_attributes(&entry);
    inside_clean(entry.name, path);
    place(&entry, path);
  }
  char hex[65];
  uint64_t tar_bytes = stream_finish(hex);
  place_directories_last();
  report(entries, tar_bytes, hex);
  return 0;
}

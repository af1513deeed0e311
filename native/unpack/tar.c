/*
 * Reads tar headers of all dialects that layers come in: v7, ustar, GNU (long names, old sparse
 * files, base-256 numbers) and PAX. What archive/tar of Go refuses is refused here: Docker's
 * diffIDs were made and read by it.
 */
#include "unpack.h"

#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>

#define RECORD 512
/* As in Go: names and attributes of one entry. */
#define MAX_SPECIAL_BYTES (1 << 20)
#define MAX_EXTENTS 65536

/* What one entry owns, given back at the next. */
static struct {
  char *pax, *long_name, *long_link;
  char name[256 + 1], link[100 + 1];
} own;

static const unsigned char *take_record(void) {
  const unsigned char *record;
  size_t length = stream_take(RECORD, &record);
  if (length == 0) return NULL;
  if (length < RECORD) fail_archive(NULL, "unexpected EOF in the archive");
  return record;
}

void tar_skip(uint64_t stored, uint64_t taken) {
  const unsigned char *piece;
  uint64_t padding = (RECORD - stored % RECORD) % RECORD;
  for (uint64_t left = stored - taken + padding; left > 0;) {
    size_t length = stream_take(left > SIZE_MAX ? SIZE_MAX : (size_t)left, &piece);
    /* Docker's client ends an archive that it has changed after the last byte of its last file. */
    if (length == 0 && left <= padding) return;
    if (length == 0) fail_archive(NULL, "unexpected EOF in the archive");
    left -= length;
  }
}

static char *take_special(uint64_t size) {
  if (size > MAX_SPECIAL_BYTES) fail_archive(NULL, "invalid tar header: too long");
  char *text = need(calloc(1, (size_t)size + 1));
  const unsigned char *piece;
  for (size_t at = 0; at < size;) {
    size_t length = stream_take((size_t)size - at, &piece);
    if (length == 0) fail_archive(NULL, "unexpected EOF in the archive");
    memcpy(text + at, piece, length);
    at += length;
  }
  tar_skip(size, size);
  return text;
}

static int64_t field(const unsigned char *record, size_t at, size_t length) {
  int64_t value;
  if (!tar_number(record + at, length, &value))
    fail_archive((const char *)own.name, "invalid tar header");
  return value;
}

static uint32_t small_field(const unsigned char *record, size_t at, size_t length) {
  int64_t value = field(record, at, length);
  if (value < 0 || value >= UINT32_MAX)
    fail_archive((const char *)own.name, "invalid tar header: number out of range");
  return (uint32_t)value;
}

/* ustar keeps the front of a long name in a prefix; GNU has other things there. */
static void read_names(const unsigned char *record) {
  size_t prefix = 0;
  if (memcmp(record + 257, "ustar\0", 6) == 0) prefix = strnlen((const char *)record + 345, 155);
  memcpy(own.name, record + 345, prefix);
  if (prefix > 0) own.name[prefix++] = '/';
  size_t length = strnlen((const char *)record, 100);
  memcpy(own.name + prefix, record, length);
  own.name[prefix + length] = 0;
  length = strnlen((const char *)record + 157, 100);
  memcpy(own.link, record + 157, length);
  own.link[length] = 0;
}

static void add_extents(struct entry *entry, const unsigned char *map, size_t count) {
  for (size_t at = 0; at < count; at++, map += 24) {
    if (map[0] == 0) return;
    if (entry->extent_count == MAX_EXTENTS) fail_archive(own.name, "too many sparse extents");
    struct extent *list = entry->extents;
    if ((entry->extent_count & (entry->extent_count - 1)) == 0)
      list = need(realloc(list, (entry->extent_count * 2 + 1) * sizeof *list));
    int64_t offset = field(map, 0, 12), length = field(map, 12, 12);
    if (offset < 0 || length < 0) fail_archive(own.name, "invalid tar header: sparse map");
    list[entry->extent_count++] = (struct extent){(uint64_t)offset, (uint64_t)length};
    entry->extents = list;
  }
}

/* GNU's old format: four extents in the header, 21 in each record that follows. */
static void read_sparse(const unsigned char *record, struct entry *entry) {
  int64_t size = field(record, 483, 12);
  if (size < 0) fail_archive(own.name, "invalid tar header: sparse size");
  bool extended = record[482] != 0;
  add_extents(entry, record + 386, 4);
  while (extended) {
    record = take_record();
    if (record == NULL) fail_archive(own.name, "unexpected EOF in the archive");
    add_extents(entry, record, 21);
    extended = record[504] != 0;
  }
  entry->size = (uint64_t)size;
  uint64_t at = 0, stored = 0;
  for (size_t i = 0; i < entry->extent_count; i++) {
    const struct extent *extent = &entry->extents[i];
    if (extent->offset < at || extent->length > entry->size ||
        extent->offset > entry->size - extent->length)
      fail_archive(own.name, "invalid tar header: sparse map");
    at = extent->offset + extent->length;
    stored += extent->length;
  }
  if (stored != entry->stored) fail_archive(own.name, "invalid tar header: sparse map");
}

static void read_header(const unsigned char *record, struct entry *entry) {
  read_names(record);
  entry->name = own.name;
  entry->link = own.link;
  entry->type = (char)record[156];
  entry->mode = (mode_t)(field(record, 100, 8) & 07777);
  entry->uid = small_field(record, 108, 8);
  entry->gid = small_field(record, 116, 8);
  int64_t size = field(record, 124, 12);
  if (size < 0) fail_archive(own.name, "invalid tar header: negative size");
  entry->stored = (uint64_t)size;
  entry->mtime = (struct timespec){.tv_sec = field(record, 136, 12)};
  if (entry->type == '3' || entry->type == '4')
    entry->device = makedev(small_field(record, 329, 8), small_field(record, 337, 8));
}

static void give_back(struct entry *entry) {
  free(own.pax);
  free(own.long_name);
  free(own.long_link);
  own.pax = own.long_name = own.long_link = NULL;
  free(entry->attributes);
  free(entry->extents);
  *entry = (struct entry){0};
}

/* Two records of zeros end an archive; so does its end, as Go has it. */
static const unsigned char *next_header(void) {
  static const unsigned char zeros[RECORD];
  const unsigned char *record = take_record();
  if (record == NULL) return NULL;
  if (memcmp(record, zeros, RECORD) == 0) {
    record = take_record();
    if (record == NULL || memcmp(record, zeros, RECORD) == 0) return NULL;
    fail_archive(NULL, "invalid tar header");
  }
  if (!tar_checksum(record)) fail_archive(NULL, "invalid tar header");
  return record;
}

static uint64_t special_size(const unsigned char *record) {
  int64_t size = field(record, 124, 12);
  if (size < 0) fail_archive(NULL, "invalid tar header: negative size");
  return (uint64_t)size;
}

static void replace(char **text, char *by) {
  free(*text);
  *text = by;
}

bool tar_next(struct entry *entry) {
  give_back(entry);
  size_t pax_length = 0;
  for (;;) {
    const unsigned char *record = next_header();
    if (record == NULL) {
      if (own.pax || own.long_name || own.long_link)
        fail_archive(NULL, "unexpected EOF in the archive");
      return false;
    }
    char type = (char)record[156];
    uint64_t size = special_size(record);
    if (type == 'x') {
      pax_length = (size_t)size;
      replace(&own.pax, take_special(size));
    } else if (type == 'L') {
      replace(&own.long_name, take_special(size));
    } else if (type == 'K') {
      replace(&own.long_link, take_special(size));
    } else if (type == 'g') {
      tar_skip(size, 0); /* Docker ignores global headers. */
    } else {
      read_header(record, entry);
      bool sparse = type == 'S';
      if (own.pax != NULL) pax_parse(own.pax, pax_length, entry);
      if (own.long_name != NULL) entry->name = own.long_name;
      if (own.long_link != NULL) entry->link = own.long_link;
      entry->size = entry->stored;
      if (sparse) read_sparse(record, entry);
      return true;
    }
  }
}

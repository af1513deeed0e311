/*
 * The archive that is written, on fd 3: ustar headers, and PAX records for what does not fit into
 * one. The same tree gives the same bytes: no names of users, no times but mtime in whole seconds.
 */
#include "unpack.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define OUTPUT_FD 3
#define OUTPUT_BYTES (1 << 20)
#define RECORD 512
#define XATTR_PREFIX "SCHILY.xattr."

static unsigned char *output;
static size_t held;
static uint64_t total, entries;
static bool hashed;
static struct sha256 hash;

void output_start(bool with_hash) {
  output = need(malloc(OUTPUT_BYTES));
  hashed = with_hash;
  if (hashed) sha256_init(&hash);
}

uint64_t output_entries(void) { return entries; }

void output_flush(void) {
  if (hashed) sha256_update(&hash, output, held);
  for (size_t at = 0; at < held;) {
    ssize_t written = write(OUTPUT_FD, output + at, held - at);
    if (written < 0 && errno != EINTR) fail_errno("write", "archive");
    if (written > 0) at += (size_t)written;
  }
  total += held;
  held = 0;
}

unsigned char *output_room(size_t *room) {
  if (held == OUTPUT_BYTES) output_flush();
  *room = OUTPUT_BYTES - held;
  return output + held;
}

void output_filled(size_t length) { held += length; }

void output_bytes(const void *data, size_t length) {
  for (size_t at = 0, room; at < length; at += room) {
    unsigned char *to = output_room(&room);
    if (room > length - at) room = length - at;
    memcpy(to, (const unsigned char *)data + at, room);
    output_filled(room);
  }
}

void output_zeros(uint64_t length) {
  for (size_t room; length > 0; length -= room) {
    unsigned char *to = output_room(&room);
    if (room > length) room = (size_t)length;
    memset(to, 0, room);
    output_filled(room);
  }
}

static void pad(uint64_t length) { output_zeros((RECORD - length % RECORD) % RECORD); }

/* The digits and the NUL behind them; false when the number has more. */
static bool put_octal(unsigned char *record, size_t at, size_t width, uint64_t number) {
  char digits[32];
  int length = snprintf(digits, sizeof digits, "%0*llo", (int)width - 1,
                        (unsigned long long)number);
  bool fits = (size_t)length < width;
  if (fits) memcpy(record + at, digits, (size_t)length);
  return fits;
}

struct pax {
  char *records;
  size_t length;
};

/* "<length> <key>=<value>\n", where the length counts its own digits. */
static void add_record(struct pax *pax, const char *key, const void *value, size_t size) {
  size_t body = strlen(key) + size + 3, length = body + 1;
  char digits[24];
  while (body + (size_t)snprintf(digits, sizeof digits, "%zu", length) != length)
    length = body + strlen(digits);
  pax->records = need(realloc(pax->records, pax->length + length + 1));
  char *at = pax->records + pax->length;
  at += sprintf(at, "%zu %s=", length, key);
  memcpy(at, value, size);
  at[size] = '\n';
  pax->length += length;
}

static void add_text(struct pax *pax, const char *key, const char *value) {
  add_record(pax, key, value, strlen(value));
}

static void add_number(struct pax *pax, const char *key, int64_t number) {
  char text[24];
  snprintf(text, sizeof text, "%lld", (long long)number);
  add_text(pax, key, text);
}

static bool is_plain(const char *text, size_t room) {
  for (const unsigned char *c = (const unsigned char *)text; *c != 0; c++)
    if (*c >= 0x80) return false;
  return strlen(text) <= room;
}

static void put_name(unsigned char *record, size_t at, const char *name, const char *key,
                     struct pax *pax) {
  if (!is_plain(name, 100)) add_text(pax, key, name);
  memcpy(record + at, name, strnlen(name, 100));
}

static void put_header(unsigned char *record, char type, mode_t mode) {
  record[156] = (unsigned char)type;
  put_octal(record, 100, 8, mode & 07777);
  memcpy(record + 257, "ustar\00000", 8);
}

static void put_sum(unsigned char *record) {
  uint64_t sum = 0;
  memset(record + 148, ' ', 8);
  for (size_t at = 0; at < RECORD; at++) sum += record[at];
  put_octal(record, 148, 7, sum);
  output_bytes(record, RECORD);
}

static void put_pax(const struct pax *pax, const char *name) {
  unsigned char record[RECORD] = {0};
  const char *slash = strrchr(name, '/');
  snprintf((char *)record, 100, "PaxHeaders.0/%.80s",
           slash != NULL && slash[1] != 0 ? slash + 1 : name);
  put_header(record, 'x', 0644);
  put_octal(record, 108, 8, 0);
  put_octal(record, 116, 8, 0);
  put_octal(record, 124, 12, pax->length);
  put_octal(record, 136, 12, 0);
  put_sum(record);
  output_bytes(pax->records, pax->length);
  pad(pax->length);
}

static void put_numbers(unsigned char *record, const struct entry *entry, struct pax *pax) {
  int64_t seconds = entry->mtime.tv_sec;
  if (!put_octal(record, 108, 8, entry->uid)) add_number(pax, "uid", entry->uid);
  if (!put_octal(record, 116, 8, entry->gid)) add_number(pax, "gid", entry->gid);
  if (!put_octal(record, 124, 12, entry->stored)) add_number(pax, "size", (int64_t)entry->stored);
  if (seconds < 0 || !put_octal(record, 136, 12, (uint64_t)seconds))
    add_number(pax, "mtime", seconds);
  put_octal(record, 329, 8, major(entry->device));
  put_octal(record, 337, 8, minor(entry->device));
}

static void put_attributes(const struct entry *entry, struct pax *pax) {
  for (size_t at = 0; at < entry->attribute_count; at++) {
    const struct attribute *attribute = &entry->attributes[at];
    char key[sizeof XATTR_PREFIX + 256];
    snprintf(key, sizeof key, XATTR_PREFIX "%s", attribute->name);
    add_record(pax, key, attribute->value, attribute->length);
  }
}

void output_entry(const struct entry *entry) {
  unsigned char record[RECORD] = {0};
  struct pax pax = {0};
  put_header(record, entry->type, entry->mode);
  put_name(record, 0, entry->name, "path", &pax);
  put_name(record, 157, entry->link, "linkpath", &pax);
  put_numbers(record, entry, &pax);
  put_attributes(entry, &pax);
  if (pax.length > 0) put_pax(&pax, entry->name);
  free(pax.records);
  put_sum(record);
  entries++;
}

void output_end_of_entry(uint64_t stored) { pad(stored); }

uint64_t output_finish(char hex[65]) {
  output_zeros(2 * RECORD);
  return output_digest(hex);
}

uint64_t output_digest(char hex[65]) {
  output_flush();
  hex[0] = 0;
  if (!hashed) return total;
  unsigned char digest[32];
  sha256_final(&hash, digest);
  for (int at = 0; at < 32; at++) snprintf(hex + 2 * at, 3, "%02x", digest[at]);
  return total;
}

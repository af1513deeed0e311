#include "unpack.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

/* Octal with spaces or NULs around, or base 256 when the top bit is set; false when neither. */
bool tar_number(const unsigned char *field, size_t length, int64_t *value) {
  if (field[0] & 0x80) {
    bool negative = (field[0] & 0x40) != 0;
    uint64_t result = negative ? ~UINT64_C(0) : 0;
    for (size_t at = 0; at < length; at++) {
      unsigned char byte = field[at];
      if (at == 0) byte = negative ? byte : (unsigned char)(byte & 0x7f);
      if (at + 8 < length && byte != (negative ? 0xff : 0)) return false;
      result = result << 8 | byte;
    }
    *value = (int64_t)result;
    return negative == (*value < 0);
  }
  size_t at = 0;
  while (at < length && (field[at] == ' ' || field[at] == 0)) at++;
  uint64_t result = 0;
  for (; at < length && field[at] >= '0' && field[at] <= '7'; at++) {
    if (result >> 60 != 0) return false;
    result = result << 3 | (uint64_t)(field[at] - '0');
  }
  for (; at < length; at++)
    if (field[at] != ' ' && field[at] != 0) return false;
  *value = (int64_t)result;
  return true;
}

/* Some old writers summed signed bytes. */
bool tar_checksum(const unsigned char *header) {
  int64_t stored, sum = 0, signed_sum = 0;
  if (!tar_number(header + 148, 8, &stored)) return false;
  for (size_t at = 0; at < 512; at++) {
    unsigned char byte = at >= 148 && at < 156 ? ' ' : header[at];
    sum += byte;
    signed_sum += (signed char)byte;
  }
  return stored == sum || stored == signed_sum;
}

static int64_t pax_number(const char *value, const char *key) {
  char *end;
  long long number = strtoll(value, &end, 10);
  if (end == value || *end != 0 || number < 0 || number == LLONG_MAX)
    fail_archive(NULL, "invalid tar header: PAX %s=%.64s", key, value);
  return number;
}

/* "1700000000.25", also negative; digits past nanoseconds are dropped. */
static struct timespec pax_time(const char *value) {
  char *end;
  struct timespec time = {.tv_sec = strtoll(value, &end, 10)};
  if (end == value || (*end != 0 && *end != '.'))
    fail_archive(NULL, "invalid tar header: PAX mtime=%.64s", value);
  long digit = 100000000;
  for (const char *c = end; *c != 0 && *++c >= '0' && *c <= '9'; digit /= 10)
    time.tv_nsec += (*c - '0') * digit;
  if (value[0] == '-' && time.tv_nsec > 0) {
    time.tv_sec--;
    time.tv_nsec = 1000000000 - time.tv_nsec;
  }
  return time;
}

static void pax_xattr(char *name, char *value, size_t length, struct entry *entry) {
  struct attribute *list = entry->attributes;
  list = need(realloc(list, (entry->attribute_count + 1) * sizeof *list));
  list[entry->attribute_count++] = (struct attribute){name, (unsigned char *)value, length};
  entry->attributes = list;
}

static void pax_record(char *key, char *value, size_t length, struct entry *entry) {
  static const char xattr[] = "SCHILY.xattr.";
  if (strncmp(key, xattr, sizeof xattr - 1) == 0) {
    pax_xattr(key + sizeof xattr - 1, value, length, entry);
    return;
  }
  if (strncmp(key, "GNU.sparse.", 11) == 0)
    fail_archive(NULL, "sparse files in PAX format are not supported");
  if (strlen(value) != length) fail_archive(NULL, "invalid tar header: NUL in PAX %.64s", key);
  if (length == 0) return; /* An empty value takes the header's own again. */
  if (strcmp(key, "path") == 0) {
    entry->name = value;
  } else if (strcmp(key, "linkpath") == 0) {
    entry->link = value;
  } else if (strcmp(key, "size") == 0) {
    entry->stored = (uint64_t)pax_number(value, key);
  } else if (strcmp(key, "uid") == 0 || strcmp(key, "gid") == 0) {
    int64_t id = pax_number(value, key);
    if (id >= UINT32_MAX) fail_archive(NULL, "invalid tar header: PAX %s=%s", key, value);
    *(key[0] == 'u' ? &entry->uid : &entry->gid) = (uid_t)id;
  } else if (strcmp(key, "mtime") == 0) {
    entry->mtime = pax_time(value);
  }
}

/* Records are "<length> <key>=<value>\n"; they are cut up in place and pointed to. */
void pax_parse(char *records, size_t length, struct entry *entry) {
  char *end = records + length;
  for (char *record = records; record < end;) {
    char *key;
    unsigned long size = record[0] >= '1' && record[0] <= '9' ? strtoul(record, &key, 10) : 0;
    if (size == 0 || size > (size_t)(end - record) || *key != ' ' ||
        record[size - 1] != '\n' || ++key >= record + size)
      fail_archive(NULL, "invalid tar header: bad PAX record");
    char *value = memchr(key, '=', (size_t)(record + size - key));
    if (value == NULL || value == key) fail_archive(NULL, "invalid tar header: bad PAX record");
    *value++ = 0;
    record[size - 1] = 0;
    pax_record(key, value, (size_t)(record + size - 1 - value), entry);
    record += size;
  }
}

/* Owners of a container's files as its archive has them, and as the host does. */
#include "unpack.h"

#include <stdlib.h>

/* As many ranges as the kernel takes in a map. */
#define MAX_RANGES 340

struct range {
  uint32_t inside, outside, size;
};

static struct map {
  struct range ranges[MAX_RANGES];
  size_t count;
} maps[2];

static bool read_part(const char **at, char end, uint32_t *number) {
  char *after;
  unsigned long long value = strtoull(*at, &after, 10);
  if (after == *at || value > UINT32_MAX || (*after != end && *after != 0)) return false;
  *number = (uint32_t)value;
  *at = *after == 0 ? after : after + 1;
  return true;
}

bool ids_read(enum id_kind kind, const char *text) {
  struct map *map = &maps[kind];
  while (*text != 0) {
    if (map->count == MAX_RANGES) return false;
    struct range *range = &map->ranges[map->count++];
    if (!read_part(&text, ':', &range->inside) || !read_part(&text, ':', &range->outside) ||
        !read_part(&text, ',', &range->size))
      return false;
  }
  return true;
}

uint32_t ids_inside(enum id_kind kind, uint32_t id) {
  const struct map *map = &maps[kind];
  for (size_t at = 0; at < map->count; at++) {
    const struct range *range = &map->ranges[at];
    if (id - range->outside < range->size) return range->inside + (id - range->outside);
  }
  return map->count == 0 ? id : NOBODY;
}

uint32_t ids_outside(enum id_kind kind, uint32_t id, const char *name) {
  const struct map *map = &maps[kind];
  for (size_t at = 0; at < map->count; at++) {
    const struct range *range = &map->ranges[at];
    if (id - range->inside < range->size) return range->outside + (id - range->inside);
  }
  if (map->count > 0)
    fail_archive(name, "owner %u has no id outside the container's user namespace", id);
  return id;
}

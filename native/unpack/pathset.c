/*
 * A set of paths kept as keyed 64-bit hashes: eight bytes a path, whatever its length. The key is
 * drawn per run, so an archive cannot be made to collide; a chance collision at a million paths has
 * the odds of one in 10^7, and would only keep a file that a whiteout meant to remove.
 */
#include "unpack.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

static uint64_t key[2];

static uint64_t mix(uint64_t a, uint64_t b) {
  __uint128_t product = (__uint128_t)a * b;
  return (uint64_t)product ^ (uint64_t)(product >> 64);
}

uint64_t path_hash(const char *path) {
  if (key[0] == 0 && getrandom(key, sizeof key, 0) != sizeof key) fail_errno("getrandom", NULL);
  uint64_t hash = key[0];
  size_t length = strlen(path);
  for (size_t at = 0; at < length; at += 8) {
    uint64_t word = 0;
    memcpy(&word, path + at, length - at < 8 ? length - at : 8);
    hash = mix(hash ^ word ^ key[1], 0x9e3779b97f4a7c15u ^ key[0]);
  }
  hash = mix(hash ^ length, key[1] | 1);
  return hash == 0 ? 1 : hash;
}

static uint64_t *slot_of(uint64_t *slots, size_t capacity, uint64_t hash) {
  size_t at = hash & (capacity - 1);
  while (slots[at] != 0 && slots[at] != hash) at = (at + 1) & (capacity - 1);
  return &slots[at];
}

static void grow(struct pathset *set) {
  size_t capacity = set->capacity == 0 ? 1024 : set->capacity * 2;
  uint64_t *slots = need(calloc(capacity, sizeof *slots));
  for (size_t at = 0; at < set->capacity; at++)
    if (set->slots[at] != 0) *slot_of(slots, capacity, set->slots[at]) = set->slots[at];
  free(set->slots);
  set->slots = slots;
  set->capacity = capacity;
}

bool pathset_add(struct pathset *set, uint64_t hash) {
  if (set->count * 2 >= set->capacity) grow(set);
  uint64_t *slot = slot_of(set->slots, set->capacity, hash);
  if (*slot == hash) return false;
  *slot = hash;
  set->count++;
  return true;
}

bool pathset_has(const struct pathset *set, uint64_t hash) {
  return set->capacity != 0 && *slot_of(set->slots, set->capacity, hash) == hash;
}

/*
 * Three threads over one ring of blocks: decode → { sha256, untar }. Each block is read twice,
 * where it lies, and comes back to the decoder when both readers are past it. Blocks are multiples
 * of a tar record and full but for the last, so that a header never straddles two of them.
 */
#include "unpack.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK_BYTES (1 << 20)
#define BLOCK_COUNT 8
enum reader { HASHING, UNTARRING, READERS };

static struct {
  pthread_mutex_t lock;
  pthread_cond_t changed;
  unsigned char *data[BLOCK_COUNT];
  size_t length[BLOCK_COUNT];
  uint64_t made, done[READERS];
} ring = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

static pthread_t decoder, hasher;
static struct sha256 hash;
static uint64_t total;
static bool hashed;
static struct limits bounds;

static void check_limits(void) {
  if (total > bounds.max_bytes)
    fail_limit(NULL, "archive holds more than %llu bytes", (unsigned long long)bounds.max_bytes);
  if (total > bounds.ratio_slack_bytes && total / bounds.max_ratio > decode_consumed())
    fail_limit(NULL, "archive expands more than %llu times", (unsigned long long)bounds.max_ratio);
}

static void *decode_blocks(void *unused) {
  for (size_t length = BLOCK_BYTES; length == BLOCK_BYTES;) {
    pthread_mutex_lock(&ring.lock);
    while (ring.made - ring.done[HASHING] == BLOCK_COUNT ||
           ring.made - ring.done[UNTARRING] == BLOCK_COUNT)
      pthread_cond_wait(&ring.changed, &ring.lock);
    size_t slot = ring.made % BLOCK_COUNT;
    pthread_mutex_unlock(&ring.lock);
    length = decode_read(ring.data[slot], BLOCK_BYTES);
    total += length;
    check_limits();
    pthread_mutex_lock(&ring.lock);
    ring.length[slot] = length;
    ring.made++;
    pthread_cond_broadcast(&ring.changed);
    pthread_mutex_unlock(&ring.lock);
  }
  return unused;
}

/* The slot that `who` reads next; waits for it. */
static size_t next_block(enum reader who) {
  pthread_mutex_lock(&ring.lock);
  while (ring.done[who] == ring.made) pthread_cond_wait(&ring.changed, &ring.lock);
  size_t slot = ring.done[who] % BLOCK_COUNT;
  pthread_mutex_unlock(&ring.lock);
  return slot;
}

static void release_block(enum reader who) {
  pthread_mutex_lock(&ring.lock);
  ring.done[who]++;
  pthread_cond_broadcast(&ring.changed);
  pthread_mutex_unlock(&ring.lock);
}

static void *hash_blocks(void *unused) {
  for (size_t length = BLOCK_BYTES; length == BLOCK_BYTES;) {
    size_t slot = next_block(HASHING);
    length = ring.length[slot];
    if (hashed) sha256_update(&hash, ring.data[slot], length);
    release_block(HASHING);
  }
  return unused;
}

void stream_start(const struct limits *limits, bool with_hash) {
  bounds = *limits;
  hashed = with_hash;
  sha256_init(&hash);
  for (size_t at = 0; at < BLOCK_COUNT; at++) ring.data[at] = need(malloc(BLOCK_BYTES));
  if (pthread_create(&decoder, NULL, decode_blocks, NULL) != 0 ||
      pthread_create(&hasher, NULL, hash_blocks, NULL) != 0)
    fail_errno("pthread_create", NULL);
}

size_t stream_take(size_t want, const unsigned char **piece) {
  static size_t slot, at, end;
  static bool holding, over;
  if (at == end && !over) {
    if (holding) release_block(UNTARRING);
    slot = next_block(UNTARRING);
    holding = true;
    at = 0;
    end = ring.length[slot];
    over = end < BLOCK_BYTES;
  }
  size_t length = end - at < want ? end - at : want;
  *piece = ring.data[slot] + at;
  at += length;
  return length;
}

uint64_t stream_finish(char hex[65]) {
  const unsigned char *piece;
  while (stream_take(BLOCK_BYTES, &piece) > 0) continue;
  pthread_join(decoder, NULL);
  pthread_join(hasher, NULL);
  unsigned char digest[32];
  hex[0] = 0;
  if (!hashed) return total;
  sha256_final(&hash, digest);
  for (int at = 0; at < 32; at++) snprintf(hex + 2 * at, 3, "%02x", digest[at]);
  return total;
}

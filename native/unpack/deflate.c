#include "unpack.h"

#include "deflate.h"

#include <dlfcn.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/*
 * isa-l's best level is seven times as fast as zlib's 4, and seven percent larger. Its structure up
 * to what is used of it.
 */
#define ISAL_LEVEL 3
#define ISAL_LEVEL_BYTES (1 << 20)
struct isal_stream {
  const uint8_t *next_in;
  uint32_t avail_in;
  uint32_t total_in;
  uint8_t *next_out;
  uint32_t avail_out;
  uint32_t total_out;
  const void *tables;
  uint32_t level;
  uint32_t level_bytes;
  uint8_t *level_buffer;
  uint16_t end_of_stream;
  uint16_t flush;
  uint16_t gzip_flag;
  uint16_t history_bits;
  uint32_t block[5];
  uint32_t state;
  uint8_t rest[512 << 10];
};
_Static_assert(offsetof(struct isal_stream, state) == 84, "as in igzip_lib.h");
enum { ISAL_GZIP = 1, ISAL_OK = 0, ISAL_STATE_END = 11 };
static struct isal_stream *isal;
static void (*isal_init)(struct isal_stream *);
static int (*isal_deflate)(struct isal_stream *);

static void isal_start(void) {
  uint8_t *buffer = isal->level_buffer;
  isal_init(isal);
  isal->level = ISAL_LEVEL;
  isal->level_bytes = ISAL_LEVEL_BYTES;
  isal->level_buffer = buffer;
  isal->gzip_flag = ISAL_GZIP;
}

static enum step isal_step(struct flow *flow, bool last) {
  isal->next_in = flow->in;
  isal->avail_in = (uint32_t)flow->in_length;
  isal->next_out = flow->out;
  isal->avail_out = (uint32_t)flow->out_length;
  isal->end_of_stream = last;
  int result = isal_deflate(isal);
  flow->in = isal->next_in;
  flow->in_length = isal->avail_in;
  flow->out = isal->next_out;
  flow->out_length = isal->avail_out;
  if (result != ISAL_OK) return STEP_BAD;
  return isal->state == ISAL_STATE_END ? STEP_MEMBER_END : STEP_MORE;
}

/* The structure is not part of a promise: what was written must be readable by a decoder. */
static bool isal_agrees(void) {
  unsigned char sample[1000], packed[1000], plain[sizeof sample + 1];
  for (size_t at = 0; at < sizeof sample; at++) sample[at] = (unsigned char)(at % 7 * at / 40);
  struct flow in = {sample, sizeof sample, packed, sizeof packed};
  isal_start();
  if (isal_step(&in, true) != STEP_MEMBER_END) return false;
  struct flow out = {packed, sizeof packed - in.out_length, plain, sizeof plain};
  for (size_t at = 0; at < codec_count; at++) {
    if (memcmp(codecs[at].name, "gzip", sizeof "gzip") != 0 || !codecs[at].load()) continue;
    codecs[at].start();
    return codecs[at].step(&out) == STEP_MEMBER_END && out.out_length == 1 &&
           memcmp(plain, sample, sizeof sample) == 0;
  }
  return false;
}

static bool isal_load(void) {
  void *library = dlopen("libisal.so.2", RTLD_NOW);
  if (library == NULL || !library_symbol(library, "isal_deflate_init", &isal_init) ||
      !library_symbol(library, "isal_deflate", &isal_deflate))
    return false;
  isal = need(aligned_alloc(64, (sizeof *isal + 63) / 64 * 64));
  memset(isal, 0, sizeof *isal);
  isal->level_buffer = need(malloc(ISAL_LEVEL_BYTES));
  if (!isal_agrees()) return false;
  isal_start();
  return true;
}

/* A sixth faster than zlib's default, 6; a layer of programs is one percent larger. */
#define ZLIB_LEVEL 4
enum { ZLIB_DEFLATED = 8, ZLIB_MEMORY = 8, ZLIB_NO_FLUSH = 0, ZLIB_FINISH = 4 };
static struct zlib_stream zlib;
static int (*zlib_init)(struct zlib_stream *, int, int, int, int, int, const char *, int);
static int (*zlib_deflate)(struct zlib_stream *, int);

static bool zlib_load(void) {
  void *library = dlopen("libz.so.1", RTLD_NOW);
  return library != NULL && library_symbol(library, "deflateInit2_", &zlib_init) &&
         library_symbol(library, "deflate", &zlib_deflate) &&
         zlib_init(&zlib, ZLIB_LEVEL, ZLIB_DEFLATED, ZLIB_GZIP_WINDOW, ZLIB_MEMORY, 0, "1.2.11",
                   (int)sizeof zlib) == ZLIB_OK;
}

static enum step zlib_step(struct flow *flow, bool last) {
  return zlib_run(&zlib, flow, zlib_deflate, last ? ZLIB_FINISH : ZLIB_NO_FLUSH);
}

static const struct encoder encoders[] = {{isal_load, isal_step}, {zlib_load, zlib_step}};

const struct encoder *deflate_encoder(void) {
  for (size_t at = 0; at < sizeof encoders / sizeof *encoders; at++)
    if (encoders[at].load()) return &encoders[at];
  return NULL;
}

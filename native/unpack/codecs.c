#include "unpack.h"

#include "codecs.h"

#include <dlfcn.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* A window of a zstd frame or an xz dictionary may not take more than this. */
#define MAX_WINDOW_LOG 27
#define MAX_XZ_MEMORY (UINT64_C(256) << 20)

bool library_symbol(void *library, const char *name, void *function) {
  void *found = dlsym(library, name);
  memcpy(function, &found, sizeof found);
  return found != NULL;
}

/* gzip by isa-l, twice as fast as zlib; libisal's structure up to what is used of it. */
struct isal_state {
  uint8_t *next_out;
  uint32_t avail_out;
  uint32_t total_out;
  const uint8_t *next_in;
  uint64_t read_in;
  uint32_t avail_in;
  int32_t read_in_length;
  uint8_t tables[21160 - 40];
  uint32_t block_state;
  uint32_t dict_length;
  uint32_t bfinal;
  uint32_t crc_flag;
  uint8_t rest[256 << 10];
};
_Static_assert(offsetof(struct isal_state, block_state) == 21160, "as in igzip_lib.h");
enum { ISAL_GZIP = 1, ISAL_OK = 0, ISAL_BLOCK_FINISH = 5 };
static struct isal_state *isal;
static void (*isal_init)(struct isal_state *);
static int (*isal_inflate)(struct isal_state *);

static void isal_start(void) {
  isal_init(isal);
  isal->crc_flag = ISAL_GZIP;
}

static enum step isal_step(struct flow *flow) {
  isal->next_in = flow->in;
  isal->avail_in = (uint32_t)flow->in_length;
  isal->next_out = flow->out;
  isal->avail_out = (uint32_t)flow->out_length;
  int result = isal_inflate(isal);
  flow->in = isal->next_in;
  flow->in_length = isal->avail_in;
  flow->out = isal->next_out;
  flow->out_length = isal->avail_out;
  if (result != ISAL_OK) return STEP_BAD;
  return isal->block_state == ISAL_BLOCK_FINISH ? STEP_MEMBER_END : STEP_MORE;
}

/* The structure is not part of a promise: a library that does not agree with it is not used. */
static bool isal_agrees(void) {
  static const unsigned char x_in_gzip[] = {0x1f, 0x8b, 8, 0,    0,    0,    0,    0, 0, 3,
                                            0xab, 0,    0, 0x83, 0x16, 0xdc, 0x8c, 1, 0, 0, 0};
  unsigned char out[8] = {0};
  struct flow flow = {x_in_gzip, sizeof x_in_gzip, out, sizeof out};
  isal_start();
  return isal_step(&flow) == STEP_MEMBER_END && flow.out == out + 1 && out[0] == 'x' &&
         flow.in_length == 0;
}

static bool isal_load(void) {
  void *library = dlopen("libisal.so.2", RTLD_NOW);
  if (library == NULL || !library_symbol(library, "isal_inflate_init", &isal_init) ||
      !library_symbol(library, "isal_inflate", &isal_inflate))
    return false;
  isal = need(calloc(1, sizeof *isal));
  return isal_agrees();
}

/* gzip by zlib, which is on every Debian. */
static struct zlib_stream zlib;
static int (*zlib_init)(struct zlib_stream *, int, const char *, int);
static int (*zlib_inflate)(struct zlib_stream *, int);
static int (*zlib_reset)(struct zlib_stream *);

static bool zlib_load(void) {
  void *library = dlopen("libz.so.1", RTLD_NOW);
  return library != NULL && library_symbol(library, "inflateInit2_", &zlib_init) &&
         library_symbol(library, "inflate", &zlib_inflate) &&
         library_symbol(library, "inflateReset", &zlib_reset);
}

static void zlib_start(void) {
  if (zlib.state == NULL)
    zlib_init(&zlib, ZLIB_GZIP_WINDOW, "1.2.11", (int)sizeof zlib);
  else
    zlib_reset(&zlib);
}

enum step zlib_run(struct zlib_stream *stream, struct flow *flow,
                   int (*code)(struct zlib_stream *, int), int flush) {
  stream->next_in = flow->in;
  stream->avail_in = (unsigned)flow->in_length;
  stream->next_out = flow->out;
  stream->avail_out = (unsigned)flow->out_length;
  int result = code(stream, flush);
  flow->in = stream->next_in;
  flow->in_length = stream->avail_in;
  flow->out = stream->next_out;
  flow->out_length = stream->avail_out;
  if (result == ZLIB_END) return STEP_MEMBER_END;
  return result == ZLIB_OK || result == ZLIB_BUF_ERROR ? STEP_MORE : STEP_BAD;
}

static enum step zlib_step(struct flow *flow) { return zlib_run(&zlib, flow, zlib_inflate, 0); }

/* zstd */
struct zstd_buffer {
  const void *data;
  size_t size;
  size_t position;
};
enum { ZSTD_WINDOW_LOG_MAX = 100 };
static void *zstd;
static void *(*zstd_create)(void);
static size_t (*zstd_set)(void *, int, int);
static size_t (*zstd_decompress)(void *, struct zstd_buffer *, struct zstd_buffer *);
static unsigned (*zstd_is_error)(size_t);

static bool zstd_load(void) {
  void *library = dlopen("libzstd.so.1", RTLD_NOW);
  if (library == NULL || !library_symbol(library, "ZSTD_createDCtx", &zstd_create) ||
      !library_symbol(library, "ZSTD_DCtx_setParameter", &zstd_set) ||
      !library_symbol(library, "ZSTD_decompressStream", &zstd_decompress) ||
      !library_symbol(library, "ZSTD_isError", &zstd_is_error))
    return false;
  zstd = need(zstd_create());
  zstd_set(zstd, ZSTD_WINDOW_LOG_MAX, MAX_WINDOW_LOG);
  return true;
}

static void zstd_start(void) {}

static enum step zstd_step(struct flow *flow) {
  struct zstd_buffer in = {flow->in, flow->in_length, 0};
  struct zstd_buffer out = {flow->out, flow->out_length, 0};
  size_t result = zstd_decompress(zstd, &out, &in);
  flow->in += in.position;
  flow->in_length -= in.position;
  flow->out += out.position;
  flow->out_length -= out.position;
  if (zstd_is_error(result)) return STEP_BAD;
  return result == 0 ? STEP_MEMBER_END : STEP_MORE;
}

/* xz */
struct xz_stream {
  const uint8_t *next_in;
  size_t avail_in;
  uint64_t total_in;
  uint8_t *next_out;
  size_t avail_out;
  uint64_t total_out;
  const void *allocator;
  void *internal;
  void *reserved[4];
  uint64_t numbers[2];
  size_t sizes[2];
  int kinds[2];
};
enum { XZ_OK = 0, XZ_END = 1, XZ_BUF_ERROR = 10 };
static struct xz_stream xz;
static uint32_t (*xz_decoder)(struct xz_stream *, uint64_t, uint32_t);
static int (*xz_code)(struct xz_stream *, int);

static bool xz_load(void) {
  void *library = dlopen("liblzma.so.5", RTLD_NOW);
  return library != NULL && library_symbol(library, "lzma_stream_decoder", &xz_decoder) &&
         library_symbol(library, "lzma_code", &xz_code);
}

static void xz_start(void) { xz_decoder(&xz, MAX_XZ_MEMORY, 0); }

static enum step xz_step(struct flow *flow) {
  xz.next_in = flow->in;
  xz.avail_in = flow->in_length;
  xz.next_out = flow->out;
  xz.avail_out = flow->out_length;
  int result = xz_code(&xz, 0);
  flow->in = xz.next_in;
  flow->in_length = xz.avail_in;
  flow->out = xz.next_out;
  flow->out_length = xz.avail_out;
  if (result == XZ_END) return STEP_MEMBER_END;
  return result == XZ_OK || result == XZ_BUF_ERROR ? STEP_MORE : STEP_BAD;
}

/* bzip2 */
struct bzip2_stream {
  const char *next_in;
  unsigned avail_in;
  unsigned total_in[2];
  char *next_out;
  unsigned avail_out;
  unsigned total_out[2];
  void *state;
  void *allocate;
  void *release;
  void *opaque;
};
enum { BZIP2_OK = 0, BZIP2_END = 4 };
static struct bzip2_stream bzip2;
static int (*bzip2_init)(struct bzip2_stream *, int, int);
static int (*bzip2_decompress)(struct bzip2_stream *);
static int (*bzip2_end)(struct bzip2_stream *);

static bool bzip2_load(void) {
  void *library = dlopen("libbz2.so.1.0", RTLD_NOW);
  return library != NULL && library_symbol(library, "BZ2_bzDecompressInit", &bzip2_init) &&
         library_symbol(library, "BZ2_bzDecompress", &bzip2_decompress) &&
         library_symbol(library, "BZ2_bzDecompressEnd", &bzip2_end);
}

static void bzip2_start(void) {
  if (bzip2.state != NULL) bzip2_end(&bzip2);
  memset(&bzip2, 0, sizeof bzip2);
  bzip2_init(&bzip2, 0, 0);
}

static enum step bzip2_step(struct flow *flow) {
  bzip2.next_in = (const char *)flow->in;
  bzip2.avail_in = (unsigned)flow->in_length;
  bzip2.next_out = (char *)flow->out;
  bzip2.avail_out = (unsigned)flow->out_length;
  int result = bzip2_decompress(&bzip2);
  flow->in = (const unsigned char *)bzip2.next_in;
  flow->in_length = bzip2.avail_in;
  flow->out = (unsigned char *)bzip2.next_out;
  flow->out_length = bzip2.avail_out;
  if (result == BZIP2_END) return STEP_MEMBER_END;
  return result == BZIP2_OK ? STEP_MORE : STEP_BAD;
}

#define MAGIC(text) (const unsigned char *)text, sizeof text - 1
/* The first that matches and loads is used: isa-l before zlib. */
const struct codec codecs[] = {
    {"gzip", MAGIC("\x1f\x8b\x08"), isal_load, isal_start, isal_step},
    {"gzip", MAGIC("\x1f\x8b\x08"), zlib_load, zlib_start, zlib_step},
    {"zstd", MAGIC("\x28\xb5\x2f\xfd"), zstd_load, zstd_start, zstd_step},
    {"xz", MAGIC("\xfd\x37zXZ\x00"), xz_load, xz_start, xz_step},
    {"bzip2", MAGIC("BZh"), bzip2_load, bzip2_start, bzip2_step},
};
const size_t codec_count = sizeof codecs / sizeof *codecs;

/*
 * Decompression by the system's shared libraries, opened at run time with structures declared here:
 * no header and no library is needed to build, and each format works where its library is.
 */
#ifndef TSDOCKER_CODECS_H
#define TSDOCKER_CODECS_H

#include <stdbool.h>
#include <stddef.h>

/* What a step may read and write; it moves the pointers on. */
struct flow {
  const unsigned char *in;
  size_t in_length;
  unsigned char *out;
  size_t out_length;
};

enum step { STEP_MORE, STEP_MEMBER_END, STEP_BAD };

struct codec {
  const char *name;
  const unsigned char *magic;
  size_t magic_length;
  /* Loads the library; false where it is not installed. */
  bool (*load)(void);
  /* Begins a member; a format of several members begins each anew. */
  void (*start)(void);
  enum step (*step)(struct flow *flow);
};

extern const struct codec codecs[];
extern const size_t codec_count;

/* Finds a function of an open library; false where it has none of that name. */
bool library_symbol(void *library, const char *name, void *function);

/* zlib's, for both ways. */
struct zlib_stream {
  const unsigned char *next_in;
  unsigned avail_in;
  unsigned long total_in;
  unsigned char *next_out;
  unsigned avail_out;
  unsigned long total_out;
  const char *message;
  void *state;
  void *allocate;
  void *release;
  void *opaque;
  int data_type;
  unsigned long adler;
  unsigned long reserved;
};
enum { ZLIB_GZIP_WINDOW = 15 + 16, ZLIB_OK = 0, ZLIB_END = 1, ZLIB_BUF_ERROR = -5 };

/* One call of zlib's `inflate` or `deflate`. */
enum step zlib_run(struct zlib_stream *stream, struct flow *flow,
                   int (*code)(struct zlib_stream *, int), int flush);

#endif

#include "unpack.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "codecs.h"

#define INPUT_BYTES (256 << 10)

static const struct codec *codec; /* None for a plain tar. */
static unsigned char *input;
static size_t input_at, input_end;
static uint64_t consumed;
static bool input_over, between_members = true;

static size_t read_stdin(unsigned char *out, size_t capacity) {
  for (;;) {
    ssize_t count = read(STDIN_FILENO, out, capacity);
    if (count >= 0) {
      consumed += (uint64_t)count;
      return (size_t)count;
    }
    if (errno != EINTR) fail_errno("read", "archive");
  }
}

/* The first bytes say what it is; the library is loaded before the process gives up its root. */
void decode_prepare(void) {
  input = need(malloc(INPUT_BYTES));
  while (input_end < 8 && !input_over) {
    size_t count = read_stdin(input + input_end, INPUT_BYTES - input_end);
    input_over = count == 0;
    input_end += count;
  }
  const char *missing = NULL;
  for (size_t at = 0; at < codec_count && codec == NULL; at++) {
    const struct codec *candidate = &codecs[at];
    if (input_end < candidate->magic_length ||
        memcmp(input, candidate->magic, candidate->magic_length) != 0)
      continue;
    missing = candidate->name;
    if (candidate->load()) codec = candidate;
  }
  if (missing != NULL && codec == NULL)
    fail_archive(NULL, "archive is compressed by %s, whose library is not installed", missing);
}

static size_t read_plain(unsigned char *out, size_t capacity) {
  size_t length = input_end - input_at < capacity ? input_end - input_at : capacity;
  memcpy(out, input + input_at, length);
  input_at += length;
  while (length < capacity && !input_over) {
    size_t count = read_stdin(out + length, capacity - length);
    input_over = count == 0;
    length += count;
  }
  return length;
}

static void refill(void) {
  if (input_at < input_end || input_over) return;
  input_at = 0;
  input_end = read_stdin(input, INPUT_BYTES);
  input_over = input_end == 0;
}

size_t decode_read(unsigned char *out, size_t capacity) {
  if (codec == NULL) return read_plain(out, capacity);
  struct flow flow = {NULL, 0, out, capacity};
  while (flow.out_length > 0) {
    refill();
    if (between_members) {
      if (input_at == input_end) break;
      codec->start();
      between_members = false;
    }
    flow.in = input + input_at;
    flow.in_length = input_end - input_at;
    size_t room = flow.out_length;
    enum step step = codec->step(&flow);
    if (step == STEP_BAD) fail_archive(NULL, "archive is not valid %s", codec->name);
    bool moved = flow.out_length < room || flow.in_length < input_end - input_at;
    input_at = input_end - flow.in_length;
    between_members = step == STEP_MEMBER_END;
    if (!moved && !between_members && input_over)
      fail_archive(NULL, "archive ends early: unexpected end of %s stream", codec->name);
  }
  return capacity - flow.out_length;
}

uint64_t decode_consumed(void) { return __atomic_load_n(&consumed, __ATOMIC_RELAXED); }

/* An archive as gzip, on fd 3, and the digests of what went in and of what came out. */
#include "unpack.h"

#include "deflate.h"

static const struct encoder *encoder;

void compress_prepare(void) { encoder = deflate_encoder(); }

static void encode_all(void) {
  const unsigned char *piece = NULL;
  struct flow flow = {0};
  bool last = false;
  for (enum step step = STEP_MORE; step != STEP_MEMBER_END;) {
    if (flow.in_length == 0 && !last) {
      flow.in_length = stream_take(SIZE_MAX, &piece);
      flow.in = piece;
      last = flow.in_length == 0;
    }
    flow.out = output_room(&flow.out_length);
    size_t room = flow.out_length;
    step = encoder->step(&flow, last);
    if (step == STEP_BAD) fail_archive(NULL, "gzip does not go on");
    output_filled(room - flow.out_length);
  }
}

int command_compress(const struct limits *limits) {
  char plain[65], packed[65];
  if (encoder == NULL) fail_archive(NULL, "there is no library for gzip");
  stream_start(limits, true);
  output_start(true);
  encode_all();
  uint64_t size = output_digest(packed);
  stream_finish(plain);
  report_begin();
  report_text("plainSha256", plain);
  report_text("sha256", packed);
  report_number("sizeBytes", size);
  report_end();
  return 0;
}

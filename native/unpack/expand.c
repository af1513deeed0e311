/* What an archive holds once it is no longer compressed, on fd 3, and its digest. */
#include "unpack.h"

int command_expand(const struct limits *limits) {
  const unsigned char *piece;
  char hex[65];
  stream_start(limits, true);
  output_start(false);
  for (size_t length; (length = stream_take(SIZE_MAX, &piece)) > 0;) output_bytes(piece, length);
  output_flush();
  uint64_t total = stream_finish(hex);
  report_begin();
  report_text("sha256", hex);
  report_number("tarBytes", total);
  report_end();
  return 0;
}

/* One kept connection to an engine, which carries one request at a time. */
#ifndef TSDOCKER_BENCH_LINE_H
#define TSDOCKER_BENCH_LINE_H

#include <stdbool.h>
#include <stddef.h>

struct line {
  int fd; /* Below 0 while there is none. */
  char *bytes;
  size_t size, room;
  size_t body; /* Where the body begins; 0 until the whole head has been read. */
  bool is_over; /* The engine has closed it. */
};

/* Each returns NULL, or says in a few words what went wrong. */
const char *line_send(struct line *line, const char *socket_path, const char *bytes, size_t size);
const char *line_read_head(struct line *line);
/* Afterwards the body without its framing is `bytes + body`, a string, and the line is free. */
const char *line_read_body(struct line *line);
/* What is opened again by the next request. */
void line_close(struct line *line);
int line_status(const struct line *line);

#endif

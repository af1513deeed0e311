/* HTTP/1.1 as far as engines speak it: RFC 9112, sections 6.3 and 7.1. */
#include "line.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#define TIMEOUT_S 300
#define READ_BYTES 16384

static const char end_of_head[] = "\r\n\r\n";

static const char *connected(struct line *line, const char *path) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  struct timeval timeout = {.tv_sec = TIMEOUT_S};
  if (strlen(path) >= sizeof address.sun_path) return "the socket's path is too long";
  strcpy(address.sun_path, path);
  line->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (line->fd < 0) return strerror(errno);
  setsockopt(line->fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout);
  setsockopt(line->fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof timeout);
  if (connect(line->fd, (struct sockaddr *)&address, sizeof address) < 0) return strerror(errno);
  return NULL;
}

void line_close(struct line *line) {
  if (line->fd >= 0) close(line->fd);
  line->fd = -1;
}

const char *line_send(struct line *line, const char *socket_path, const char *bytes, size_t size) {
  char byte;
  /* An engine closes what was not used for some seconds. */
  if (line->fd >= 0 && recv(line->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0) line_close(line);
  if (line->fd < 0) {
    const char *problem = connected(line, socket_path);
    if (problem != NULL) return problem;
  }
  line->size = line->body = 0;
  line->is_over = false;
  while (size > 0) {
    ssize_t sent = send(line->fd, bytes, size, MSG_NOSIGNAL);
    if (sent < 0) return strerror(errno);
    bytes += sent;
    size -= (size_t)sent;
  }
  return NULL;
}

/* What has been read is always a string. */
static const char *read_more(struct line *line) {
  if (line->room < line->size + READ_BYTES + 1) {
    size_t room = line->size * 2 + READ_BYTES + 1;
    char *bytes = realloc(line->bytes, room);
    if (bytes == NULL) return "out of memory";
    line->bytes = bytes;
    line->room = room;
  }
  ssize_t got = recv(line->fd, line->bytes + line->size, READ_BYTES, 0);
  if (got < 0) return strerror(errno);
  line->is_over = got == 0;
  line->size += (size_t)got;
  line->bytes[line->size] = 0;
  return NULL;
}

const char *line_read_head(struct line *line) {
  for (;;) {
    char *end = line->size == 0 ? NULL : strstr(line->bytes, end_of_head);
    if (end != NULL) {
      *end = 0;
      line->body = (size_t)(end - line->bytes) + sizeof end_of_head - 1;
      return NULL;
    }
    if (line->is_over) return "the engine has closed the connection";
    const char *problem = read_more(line);
    if (problem != NULL) return problem;
  }
}

int line_status(const struct line *line) {
  return atoi(line->bytes + sizeof "HTTP/1.1 " - 1);
}

/* The value of a field of the head; NULL where it has none. */
static const char *field(const struct line *line, const char *name) {
  size_t length = strlen(name);
  for (const char *at = strstr(line->bytes, "\r\n"); at != NULL; at = strstr(at, "\r\n")) {
    at += 2;
    if (strncasecmp(at, name, length) == 0 && at[length] == ':')
      return at + length + 1 + strspn(at + length + 1, " ");
  }
  return NULL;
}

/* Takes the framing out of a chunked body, if all of it is there: nothing is moved before. */
static bool join_chunks(struct line *line) {
  char *to = line->bytes + line->body;
  for (int moves = 0; moves < 2; moves++) {
    char *from = line->bytes + line->body;
    size_t size;
    do {
      char *start = strstr(from, "\r\n");
      if (start == NULL) return false;
      start += 2;
      size = strtoul(from, NULL, 16);
      if ((size_t)(line->bytes + line->size - start) < size + 2) return false;
      from = start + size + 2;
      if (moves == 0) continue;
      memmove(to, start, size);
      to += size;
    } while (size > 0);
  }
  *to = 0;
  line->size = (size_t)(to - line->bytes);
  return true;
}

static bool has_body(struct line *line) {
  int status = line_status(line);
  if (status == 204 || status == 304) return true;
  const char *coding = field(line, "transfer-encoding"), *length = field(line, "content-length");
  if (coding != NULL && strncasecmp(coding, "chunked", 7) == 0) return join_chunks(line);
  return length == NULL ? line->is_over : line->size - line->body >= strtoul(length, NULL, 10);
}

const char *line_read_body(struct line *line) {
  while (!has_body(line)) {
    if (line->is_over) return "the engine has closed the connection";
    const char *problem = read_more(line);
    if (problem != NULL) return problem;
  }
  const char *connection = field(line, "connection");
  if (line->is_over || (connection != NULL && strncasecmp(connection, "close", 5) == 0))
    line_close(line);
  return NULL;
}

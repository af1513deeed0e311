#include "unpack.h"

#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The first failure is the one that is told: other threads fail because of it. */
static pthread_mutex_t failing = PTHREAD_MUTEX_INITIALIZER;
static bool more;

static void put_json(const char *text) {
  putchar('"');
  for (const unsigned char *c = (const unsigned char *)text; *c != 0; c++) {
    if (*c == '"' || *c == '\\') {
      putchar('\\');
      putchar(*c);
    } else if (*c < 0x20) {
      printf("\\u%04x", *c);
    } else {
      putchar(*c);
    }
  }
  putchar('"');
}

static void put_field(const char *field) {
  if (more) putchar(',');
  more = true;
  put_json(field);
  putchar(':');
}

void report_begin(void) {
  putchar('{');
  more = false;
}

void report_number(const char *field, uint64_t value) {
  put_field(field);
  printf("%llu", (unsigned long long)value);
}

void report_text(const char *field, const char *value) {
  put_field(field);
  put_json(value);
}

void report_list_begin(const char *field) {
  put_field(field);
  putchar('[');
  more = false;
}

void report_list_item(const char *value) {
  if (more) putchar(',');
  more = true;
  put_json(value);
}

void report_list_end(void) {
  putchar(']');
  more = true;
}

void report_end(void) {
  puts("}");
  if (fflush(stdout) != 0) _exit(3);
}

static _Noreturn void fail_message(const char *kind, const char *entry, const char *format,
                                   va_list arguments) {
  pthread_mutex_lock(&failing);
  char what[512];
  vsnprintf(what, sizeof what, format, arguments);
  char *message = NULL;
  if (entry == NULL || asprintf(&message, "%s: \"%.256s\"", what, entry) < 0) message = what;
  report_begin();
  report_text("kind", kind);
  report_text("message", message);
  report_end();
  _exit(1);
}

void fail_archive(const char *entry, const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  fail_message("archive", entry, format, arguments);
}

void fail_limit(const char *entry, const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  fail_message("limit", entry, format, arguments);
}

void fail_errno(const char *syscall_name, const char *entry) {
  const char *name = strerrorname_np(errno);
  pthread_mutex_lock(&failing);
  report_begin();
  report_text("kind", "errno");
  report_text("message", "");
  report_text("syscall", syscall_name);
  report_text("errno", name == NULL ? "EIO" : name);
  report_text("entry", entry == NULL ? "" : entry);
  report_end();
  _exit(1);
}

/*
 * A client that takes next to no time itself: it holds a conversation that was written down for it.
 *
 * talk SOCKET SCRIPT LANES TIMES: for each line on stdin LANES conversations at once, each TIMES
 * in a row, then on a line of stdout the microseconds of all, or `failed: ` and why.
 *
 * SCRIPT holds steps, each `LINE UNTIL REQUEST-BYTES EXPECTED-BYTES\n`, the request and the words
 * that the body must have. LINE is the connection; UNTIL is `h` where the answer's head is enough
 * to go on, `b` for its end; without a request the answer is read on. In a request
 * `{given}` and `{made}` become the line that was read and the last `"Id"` of an answer: both are
 * written with as many spaces behind them as an id is long, 64 bytes in all.
 */
#include "line.h"
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define MAX_STEPS 16
#define MAX_LINES 4
#define MAX_LANES 64
#define ID_BYTES 64
#define PROBLEM_BYTES 512

struct step {
  unsigned line;
  char until;
  size_t request_size;
  char *request, *expected;
};

struct lane {
  pthread_t thread;
  struct line lines[MAX_LINES];
  char made[ID_BYTES], problem[PROBLEM_BYTES];
};

static const char *socket_path;
static struct step steps[MAX_STEPS];
static size_t step_count;
static int times;
static char given[ID_BYTES];

static void fail(const char *what) {
  fprintf(stderr, "talk: %s\n", what);
  exit(1);
}

static char *text_of(FILE *file, size_t size) {
  char *text = calloc(size + 1, 1);
  if (text == NULL || fread(text, 1, size, file) != size) fail("the script is too short");
  return text;
}

static void read_script(const char *path) {
  FILE *file = fopen(path, "r");
  size_t expected_size;
  if (file == NULL) fail("the script cannot be read");
  for (struct step *step = steps;; step++) {
    int got = fscanf(file, "%u %c %zu %zu", &step->line, &step->until, &step->request_size,
                     &expected_size);
    if (got == EOF) break;
    if (got != 4 || fgetc(file) != '\n' || step->line >= MAX_LINES) fail("a step is malformed");
    if (++step_count == MAX_STEPS) fail("the script is too long");
    step->request = text_of(file, step->request_size);
    step->expected = text_of(file, expected_size);
  }
  fclose(file);
}

static void put_id(char *request, const char *name, const char *id) {
  char *at = strstr(request, name);
  if (at != NULL) memcpy(at, id, ID_BYTES);
}

static const char *send_step(struct lane *lane, const struct step *step) {
  char request[4096];
  if (step->request_size >= sizeof request) return "a request is too long";
  memcpy(request, step->request, step->request_size + 1);
  put_id(request, "{given}", given);
  put_id(request, "{made}", lane->made);
  return line_send(&lane->lines[step->line], socket_path, request, step->request_size);
}

static const char *take_body(struct lane *lane, const struct step *step) {
  static const char before_id[] = "\"Id\":\"";
  struct line *line = &lane->lines[step->line];
  const char *problem = line_read_body(line);
  if (problem != NULL) return problem;
  const char *body = line->bytes + line->body;
  const char *id = strstr(body, before_id);
  if (line_status(line) >= 400 || strstr(body, step->expected) == NULL) {
    snprintf(lane->problem, PROBLEM_BYTES, "%d %s", line_status(line), body);
    return lane->problem;
  }
  if (id != NULL && strlen(id) > sizeof before_id - 1 + ID_BYTES)
    memcpy(lane->made, id + sizeof before_id - 1, ID_BYTES);
  return NULL;
}

static const char *talk(struct lane *lane) {
  for (const struct step *step = steps; step < steps + step_count; step++) {
    const char *problem = NULL;
    if (step->request_size > 0) {
      problem = send_step(lane, step);
      if (problem == NULL) problem = line_read_head(&lane->lines[step->line]);
    }
    if (problem == NULL && step->until == 'b') problem = take_body(lane, step);
    if (problem != NULL) return problem;
  }
  return NULL;
}

static void *run_lane(void *argument) {
  struct lane *lane = argument;
  const char *problem = NULL;
  for (int done = 0; done < times && problem == NULL; done++) problem = talk(lane);
  if (problem != lane->problem)
    snprintf(lane->problem, PROBLEM_BYTES, "%s", problem == NULL ? "" : problem);
  if (problem == NULL) return NULL;
  for (int line = 0; line < MAX_LINES; line++) line_close(&lane->lines[line]);
  return NULL;
}

static double now_us(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec * 1e6 + (double)time.tv_nsec / 1e3;
}

static void run_all(struct lane *lanes, int count) {
  if (count == 1) {
    run_lane(lanes);
    return;
  }
  for (int at = 0; at < count; at++)
    if (pthread_create(&lanes[at].thread, NULL, run_lane, &lanes[at]) != 0) fail("no thread");
  for (int at = 0; at < count; at++) pthread_join(lanes[at].thread, NULL);
}

int main(int argc, char **argv) {
  static struct lane lanes[MAX_LANES];
  char asked[ID_BYTES + 2];
  if (argc != 5) fail("usage: talk SOCKET SCRIPT LANES TIMES");
  int count = atoi(argv[3]);
  socket_path = argv[1];
  times = atoi(argv[4]);
  if (count < 1 || count > MAX_LANES) fail("too many lanes");
  read_script(argv[2]);
  for (int at = 0; at < count; at++)
    for (int line = 0; line < MAX_LINES; line++) lanes[at].lines[line].fd = -1;
  while (fgets(asked, sizeof asked, stdin) != NULL) {
    const char *problem = "";
    memset(given, ' ', ID_BYTES);
    memcpy(given, asked, strcspn(asked, "\n"));
    double start = now_us();
    run_all(lanes, count);
    double took = now_us() - start;
    for (int at = 0; at < count; at++)
      if (lanes[at].problem[0] != 0) problem = lanes[at].problem;
    if (*problem == 0) printf("%.0f\n", took);
    else printf("failed: %.*s\n", (int)strcspn(problem, "\r\n"), problem);
    fflush(stdout);
  }
  return 0;
}

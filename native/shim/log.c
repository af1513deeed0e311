/*
 * The log file: Docker's json-file lines, rotated as Docker rotates. Lines are written in large
 * batches; the time is the batch's, since the bytes of one read have arrived together.
 */
#include "monitor.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define TIME_BYTES 40

struct log {
    int dir, fd;
    char *name;
    uint64_t size, max_size, lost, rotations;
    uint32_t max_files, kept;
    /* `\n","stream":"stdout","attrs":{…},"time":"…"}` with its newline; the time is set per batch.
     */
    char *tail[STREAMS];
    uint32_t tail_fixed[STREAMS];
    uint32_t carried[STREAMS];
    bool in_line[STREAMS];
    /* Docker gives all pieces of a line the time of the first. */
    char line_time[STREAMS][TIME_BYTES];
    uint32_t line_time_size[STREAMS];
};
static struct log the_log = {.dir = -1, .fd = -1};

static int open_file(int more_flags)
{
    int flags = O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW | more_flags;
    return openat(the_log.dir, the_log.name, flags, 0640);
}

static int make_tails(const char *attrs)
{
    static const char *const names[STREAMS] = {"stdout", "stderr"};
    size_t attrs_size = strlen(attrs);
    if (attrs_size > MAX_ATTRS_BYTES)
        return -E2BIG;
    for (int i = 0; i < STREAMS; i++) {
        char *tail = realloc(the_log.tail[i], attrs_size + 64 + TIME_BYTES);
        if (!tail)
            return -ENOMEM;
        int size = *attrs ? sprintf(tail, "\\n\",\"stream\":\"%s\",\"attrs\":%s,\"time\":\"",
                                    names[i], attrs)
                          : sprintf(tail, "\\n\",\"stream\":\"%s\",\"time\":\"", names[i]);
        the_log.tail[i] = tail;
        the_log.tail_fixed[i] = (uint32_t)size;
    }
    return 0;
}

int log_open(const struct settings *settings)
{
    const char *name;
    struct stat stat;
    if (settings->log_kind == 0)
        return 0;
    the_log.dir = open_parent(settings->log_path, &name);
    if (the_log.dir < 0)
        return the_log.dir;
    the_log.name = strdup(name);
    if (!the_log.name)
        return -ENOMEM;
    the_log.fd = open_file(0);
    if (the_log.fd < 0 || fstat(the_log.fd, &stat) < 0)
        return -errno;
    the_log.size = (uint64_t)stat.st_size;
    the_log.max_size = settings->log_max_size ? settings->log_max_size : UINT64_MAX;
    the_log.max_files = settings->log_max_files;
    return make_tails(settings->log_attrs);
}

uint64_t log_lost(void)
{
    return the_log.lost;
}

uint64_t log_rotations(void)
{
    return the_log.rotations;
}

bool log_position(uint64_t *inode, uint64_t *offset)
{
    struct stat stat;
    if (the_log.fd < 0 || fstat(the_log.fd, &stat) < 0)
        return false;
    *inode = stat.st_ino;
    *offset = the_log.size;
    return true;
}

const uint8_t *log_carried(enum stream_name stream, uint32_t *size)
{
    *size = the_log.carried[stream];
    return the_buffers->carry[stream];
}

/* A full disk: whole lines that got there stay, the torn one goes, the rest is counted as lost. */
static void cut_torn_line(const uint8_t *bytes, uint32_t written, uint32_t size)
{
    while (written > 0 && bytes[written - 1] != '\n')
        written--;
    the_log.size += written;
    the_log.lost += size - written;
    if (ftruncate(the_log.fd, (off_t)the_log.size) < 0)
        the_log.lost += 0; /* nothing better can be done; readers skip a torn line */
}

static void write_out(const uint8_t *bytes, uint32_t size)
{
    uint32_t done = 0;
    while (done < size) {
        ssize_t written = write(the_log.fd, bytes + done, size - done);
        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0) {
            cut_torn_line(bytes, done, size);
            return;
        }
        done += (uint32_t)written;
    }
    the_log.size += size;
}

#define NAME_BYTES 288

/* The current file's number is 0; a rotated one may have been compressed meanwhile. */
static void numbered(char out[NAME_BYTES], uint32_t number, bool compressed)
{
    if (number == 0)
        snprintf(out, NAME_BYTES, "%s", the_log.name);
    else
        snprintf(out, NAME_BYTES, "%s.%u%s", the_log.name, number, compressed ? ".gz" : "");
}

static void move_up(uint32_t number, bool compressed)
{
    char from[NAME_BYTES], to[NAME_BYTES];
    numbered(from, number, compressed);
    numbered(to, number + 1, compressed);
    /* A number that does not exist yet is no failure. */
    renameat(the_log.dir, from, the_log.dir, to);
}

static void discard(uint32_t number)
{
    char name[NAME_BYTES];
    numbered(name, number, true);
    unlinkat(the_log.dir, name, 0);
    numbered(name, number, false);
    unlinkat(the_log.dir, name, 0);
}

void log_keep(uint32_t files)
{
    if (the_log.fd < 0)
        return;
    for (; the_log.kept > files; the_log.kept--)
        discard(the_log.max_files + the_log.kept - 1);
    the_log.kept = files;
}

int log_settings(uint64_t max_size, uint32_t max_files, const char *attrs)
{
    if (the_log.fd < 0)
        return -ENODATA;
    int result = make_tails(attrs);
    if (result < 0)
        return result;
    /* What is kept for a reader comes after what is kept anyway. */
    for (uint32_t i = max_files; i < the_log.max_files; i++)
        discard(i + the_log.kept);
    the_log.max_size = max_size ? max_size : UINT64_MAX;
    the_log.max_files = max_files;
    return 0;
}

static void rotate(void)
{
    uint32_t files = the_log.max_files + the_log.kept;
    if (files > 1)
        discard(files - 1);
    for (uint32_t i = files; i > 2; i--) {
        move_up(i - 2, true);
        move_up(i - 2, false);
    }
    if (files > 1)
        move_up(0, false);
    int fd = open_file(O_TRUNC);
    if (fd < 0)
        return; /* go on with the old one: better long than lost */
    close(the_log.fd);
    the_log.fd = fd;
    the_log.size = 0;
    the_log.rotations++;
}

int log_compressed(uint64_t inode)
{
    char plain[NAME_BYTES], packed[NAME_BYTES], draft[NAME_BYTES];
    struct stat stat;
    if (the_log.fd < 0)
        return -ENODATA;
    snprintf(draft, sizeof draft, "%s.z%llu", the_log.name, (unsigned long long)inode);
    for (uint32_t i = 1; i < the_log.max_files + the_log.kept; i++) {
        numbered(plain, i, false);
        if (fstatat(the_log.dir, plain, &stat, AT_SYMLINK_NOFOLLOW) < 0 || stat.st_ino != inode)
            continue;
        numbered(packed, i, true);
        if (renameat(the_log.dir, draft, the_log.dir, packed) < 0)
            return -errno;
        /* In between both are there, and say the same. */
        return unlinkat(the_log.dir, plain, 0) < 0 ? -errno : 0;
    }
    return -ENOENT;
}

/* A batch on its way into the buffer. */
struct batch {
    enum stream_name stream;
    uint8_t *out, *rotate_at;
    char time[TIME_BYTES];
    uint32_t time_size, tail_size;
};

static void set_tail_time(struct batch *batch, const char *time, uint32_t size)
{
    char *at = the_log.tail[batch->stream] + the_log.tail_fixed[batch->stream];
    memcpy(at, time, size);
    memcpy(at + size, "\"}\n", 3);
    batch->tail_size = the_log.tail_fixed[batch->stream] + size + 3;
}

static void begin(struct batch *batch)
{
    uint8_t *base = the_buffers->log;
    uint64_t left = the_log.max_size > the_log.size ? the_log.max_size - the_log.size : 0;
    batch->out = base;
    batch->rotate_at = left < LOG_BUFFER_BYTES ? base + left : base + LOG_BUFFER_BYTES;
}

static void flush_batch(struct batch *batch)
{
    write_out(the_buffers->log, (uint32_t)(batch->out - the_buffers->log));
    begin(batch);
}

#define WORST_PIECE (6 * PIECE_BYTES + MAX_ATTRS_BYTES + 256)

/* Whole blocks, up to 15 bytes more than asked for: a call of memcpy costs as much as the copy. */
static inline void copy_blocks(uint8_t *out, const char *from, uint32_t size)
{
    for (uint32_t done = 0; done < size; done += 16)
        __builtin_memcpy(out + done, from + done, 16);
}

/* One piece of a line, ended by its newline or not; says where the next begins. */
static const uint8_t *put_piece(struct batch *batch, const uint8_t *at, const uint8_t *end)
{
    if (batch->out >= batch->rotate_at) {
        flush_batch(batch);
        rotate();
        begin(batch);
    } else if (batch->out > the_buffers->log + LOG_BUFFER_BYTES - WORST_PIECE) {
        flush_batch(batch);
    }
    memcpy(batch->out, "{\"log\":\"", 8);
    batch->out = json_escape(batch->out + 8, &at, end);
    bool line_ended = at < end;
    const char *tail = the_log.tail[batch->stream];
    uint32_t skip = line_ended ? 0 : 2; /* the tail begins with an escaped newline */
    copy_blocks(batch->out, tail + skip, batch->tail_size - skip);
    batch->out += batch->tail_size - skip;
    return at + line_ended;
}

/* Pieces of one line share the first one's time; afterwards the batch's holds again. */
static void note_line_state(struct batch *batch, bool in_line)
{
    enum stream_name stream = batch->stream;
    if (in_line && !the_log.in_line[stream]) {
        memcpy(the_log.line_time[stream], batch->time, batch->time_size);
        the_log.line_time_size[stream] = batch->time_size;
    } else if (!in_line && the_log.in_line[stream]) {
        set_tail_time(batch, batch->time, batch->time_size);
    }
    the_log.in_line[stream] = in_line;
}

static void put_bytes(enum stream_name stream, uint8_t *at, uint8_t *end, bool final)
{
    struct batch batch = {.stream = stream};
    batch.time_size = format_time(batch.time);
    if (the_log.in_line[stream])
        set_tail_time(&batch, the_log.line_time[stream], the_log.line_time_size[stream]);
    else
        set_tail_time(&batch, batch.time, batch.time_size);
    begin(&batch);
    while (at < end) {
        bool whole = end - at >= PIECE_BYTES;
        uint8_t *limit = whole ? at + PIECE_BYTES : end;
        /* The last piece of a batch may go on in the next read. */
        if (!whole && !final && !memrchr(at, '\n', (size_t)(end - at)))
            break;
        at = (uint8_t *)put_piece(&batch, at, limit);
        note_line_state(&batch, at[-1] != '\n');
    }
    write_out(the_buffers->log, (uint32_t)(batch.out - the_buffers->log));
    the_log.carried[stream] = (uint32_t)(end - at);
    memcpy(the_buffers->carry[stream], at, (size_t)(end - at));
}

void log_feed(enum stream_name stream, uint8_t *bytes, uint32_t size)
{
    if (the_log.fd < 0)
        return;
    uint32_t carried = the_log.carried[stream];
    if (carried + size < PIECE_BYTES && !memchr(bytes, '\n', size)) {
        memcpy(the_buffers->carry[stream] + carried, bytes, size);
        the_log.carried[stream] += size;
        return;
    }
    uint8_t *begin_at = bytes - carried;
    memcpy(begin_at, the_buffers->carry[stream], carried);
    put_bytes(stream, begin_at, bytes + size, false);
}

void log_end(enum stream_name stream)
{
    uint32_t carried = the_log.carried[stream];
    if (the_log.fd < 0 || carried == 0)
        return;
    uint8_t *at = the_buffers->read;
    memcpy(at, the_buffers->carry[stream], carried);
    the_log.carried[stream] = 0;
    put_bytes(stream, at, at + carried, true);
}

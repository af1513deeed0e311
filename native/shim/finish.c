/* The end of the process: what is left is killed, the exit file written, the waiters told. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "monitor.h"

/* The file's size never changes, so that a full disk cannot keep the status from being written. */
#define EXIT_FILE_BYTES 192

static int exit_dir = -1, exit_fd = -1;
static char *exit_name, exit_draft[272];
static char *kill_paths[MAX_PATHS];
static uint32_t kill_count;

static int write_record(const char *text)
{
    char record[EXIT_FILE_BYTES];
    memset(record, ' ', sizeof record);
    memcpy(record, text, strlen(text));
    record[sizeof record - 1] = '\n';
    return pwrite(exit_fd, record, sizeof record, 0) == sizeof record ? 0 : -ENOSPC;
}

int exit_file_open(const char *path)
{
    const char *name;
    if (!*path)
        return 0;
    exit_dir = open_parent(path, &name);
    if (exit_dir < 0)
        return exit_dir;
    exit_name = strdup(name);
    if (!exit_name)
        return -ENOMEM;
    int size = snprintf(exit_draft, sizeof exit_draft, "%s.draft", name);
    if (size < 0 || (size_t)size >= sizeof exit_draft)
        return -ENAMETOOLONG;
    int flags = O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW;
    exit_fd = openat(exit_dir, exit_draft, flags, 0600);
    if (exit_fd < 0)
        return -errno;
    return write_record("");
}

void exit_file_cancel(void)
{
    if (exit_fd >= 0)
        unlinkat(exit_dir, exit_draft, 0);
}

int exit_paths_copy(const struct settings *settings)
{
    kill_count = settings->kill_count;
    return paths_copy(kill_paths, settings->kill_files, kill_count);
}

static bool kill_procs(int fd)
{
    char text[4096];
    bool found = false;
    size_t kept = 0;
    for (;;) {
        ssize_t got = read(fd, text + kept, sizeof text - 1 - kept);
        if (got <= 0)
            return found;
        char *line = text;
        text[kept + (size_t)got] = 0;
        for (char *end; (end = strchr(line, '\n')); line = end + 1) {
            long pid = strtol(line, NULL, 10);
            if (pid > 1 && pid != getpid())
                found |= kill((pid_t)pid, SIGKILL) == 0;
        }
        kept = strlen(line);
        memmove(text, line, kept);
    }
}

bool kill_rest(void)
{
    bool found = false;
    for (uint32_t i = 0; i < kill_count; i++) {
        const char *name = strrchr(kill_paths[i], '/');
        bool at_once = name && strcmp(name, "/cgroup.kill") == 0;
        cleanup_fd int fd = open(kill_paths[i], (at_once ? O_WRONLY : O_RDONLY) | O_CLOEXEC);
        if (fd < 0)
            continue; /* gone already */
        if (at_once)
            found |= write(fd, "1", 1) < 0;
        else
            found |= kill_procs(fd);
    }
    return found;
}

void begin_drain(int status)
{
    struct timespec now;
    struct exit_status *result = &the_monitor.exit;
    clock_gettime(CLOCK_REALTIME, &now);
    result->finished_ms = (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
    result->signal = WIFSIGNALED(status) ? (uint32_t)WTERMSIG(status) : 0;
    result->code = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
    result->oom_killed = oom_kills() > 0;
    control_tell_oom(oom_kills());
    the_monitor.phase = DRAINING;
    the_monitor.drain_until_ms = now_ms() + the_monitor.drain_ms;
    stdin_close();
    kill_rest();
}

static void close_inner(void)
{
    for (uint32_t slot = FIRST_INNER_SLOT; slot < SLOTS; slot++)
        slot_put(the_monitor.shim, slot, -1);
}

static void exit_file_write(const struct exit_status *status)
{
    char text[EXIT_FILE_BYTES];
    snprintf(text, sizeof text,
             "{\"exitCode\":%d,\"signal\":%u,\"oomKilled\":%s,\"finishedAtMs\":%llu,"
             "\"logBytesLost\":%llu}",
             status->code, status->signal, status->oom_killed ? "true" : "false",
             (unsigned long long)status->finished_ms, (unsigned long long)status->log_lost);
    if (write_record(text) == 0)
        renameat(exit_dir, exit_draft, exit_dir, exit_name);
    close(exit_fd);
    exit_fd = -1;
}

void finish(void)
{
    the_monitor.exit.log_lost = log_lost();
    if (exit_fd >= 0)
        exit_file_write(&the_monitor.exit);
    /* Before anybody is told: who hears of the end may take the ports. */
    held_close();
    close_inner();
    the_monitor.phase = ENDED;
    tell_opened();
    control_tell_exit();
}

/*
 * Out of memory: who was killed for it in the container's cgroups, told while it lives. cgroup v1
 * says so by an eventfd, v2 by changing a file; how many there were is a line of the same file.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "monitor.h"

/* v1 tells of it before it has killed anybody: so long and so often is looked again. */
#define LOOK_FOR_MS 1000
#define LOOK_EVERY_MS 20

static char *paths[MAX_PATHS];
static uint64_t before[MAX_PATHS];
static uint32_t count;
static int notices = -1;
static uint64_t look_until_ms;

int paths_copy(char **copies, const char *const *from, uint32_t number)
{
    for (uint32_t i = 0; i < number; i++) {
        copies[i] = strdup(from[i]);
        if (!copies[i])
            return -ENOMEM;
    }
    return 0;
}

/* The `oom_kill` counter, spelt alike in memory.oom_control (v1) and memory.events (v2). */
static uint64_t kills_in(const char *path)
{
    char text[512];
    cleanup_fd int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t size = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
    if (size < 0)
        return 0;
    text[size] = 0;
    for (char *line = text; line; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (strncmp(line, "oom_kill ", 9) == 0)
            return strtoull(line + 9, NULL, 10);
    }
    return 0;
}

static void watch_v1(const char *path)
{
    const char *name;
    char text[32];
    cleanup_fd int dir = open_parent(path, &name);
    cleanup_fd int fd = open(path, O_RDONLY | O_CLOEXEC);
    cleanup_fd int control = openat(dir, "cgroup.event_control", O_WRONLY | O_CLOEXEC);
    if (fd < 0 || control < 0)
        return;
    if (notices < 0)
        notices = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    int size = snprintf(text, sizeof text, "%d %d", notices, fd);
    /* Best effort, as all of this: the exit tells of it in any case. */
    if (write(control, text, (size_t)size) < 0)
        errno = 0;
}

static void watch_v2(const char *path)
{
    if (notices < 0)
        notices = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    if (notices >= 0)
        inotify_add_watch(notices, path, IN_MODIFY);
}

int oom_open(const struct settings *settings)
{
    count = settings->oom_count;
    int result = paths_copy(paths, settings->oom_files, count);
    for (uint32_t i = 0; result == 0 && i < count; i++)
        before[i] = kills_in(paths[i]);
    return result;
}

void oom_watch(void)
{
    for (uint32_t i = 0; i < count; i++) {
        const char *name = strrchr(paths[i], '/');
        if (name && strcmp(name, "/memory.oom_control") == 0)
            watch_v1(paths[i]);
        else
            watch_v2(paths[i]);
        /* The process may have been running for a moment. */
        if (kills_in(paths[i]) > before[i])
            look_until_ms = now_ms() + LOOK_FOR_MS;
    }
}

uint64_t oom_kills(void)
{
    uint64_t kills = 0;
    for (uint32_t i = 0; i < count; i++) {
        uint64_t now = kills_in(paths[i]);
        kills += now > before[i] ? now - before[i] : 0;
    }
    return kills;
}

int oom_fd(void)
{
    return notices;
}

void oom_noticed(void)
{
    uint8_t unused[4096];
    while (read(notices, unused, sizeof unused) > 0)
        ;
    look_until_ms = now_ms() + LOOK_FOR_MS;
}

int oom_timeout(void)
{
    return look_until_ms ? LOOK_EVERY_MS : -1;
}

bool oom_check(uint64_t *kills)
{
    if (!look_until_ms)
        return false;
    if (now_ms() >= look_until_ms)
        look_until_ms = 0;
    *kills = oom_kills();
    return true;
}

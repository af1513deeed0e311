/* The control group, as daemon/runtime/cgroup/ has to do with it. */
#include "door.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Then Node goes on, which waits longer and tells what it is. */
#define TIMEOUT_MS 2000
#define MAX_PAUSE_MS 100
#define MAX_FILE_BYTES (1024u * 1024)
#define MAX_DEPTH 64

static bool is_gone(int error)
{
    return error == ENOENT || error == ENODEV;
}

/* As readText of files.ts: empty when it is gone. NULL for what is no answer. */
static char *read_control(const char *path)
{
    size_t size;
    char *text = read_whole(AT_FDCWD, path, MAX_FILE_BYTES, &size);
    if (text || !(is_gone(errno) || errno == EOPNOTSUPP || errno == EINVAL))
        return text;
    return strdup("");
}

static enum outcome write_control(const char *path, const char *value)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT ? DONE : ASK_NODE;
    ssize_t put = write(fd, value, strlen(value));
    int error = errno;
    close(fd);
    return put >= 0 || is_gone(error) ? DONE : ASK_NODE;
}

enum outcome is_frozen(const struct door *door, bool *frozen)
{
    char *text = read_control(door->cgroup_freezer);
    if (!text)
        return ASK_NODE;
    const char *frozen_line = strstr(text, "frozen 1");
    *frozen = door->cgroup_version == 1 ? strcmp(text, "FROZEN\n") == 0
                                        : frozen_line && (frozen_line == text ||
                                                          frozen_line[-1] == '\n');
    free(text);
    return DONE;
}

/* Signals each process in the group; how many there were, or negative. */
static int signal_here(const char *folder, int signal)
{
    char path[4096];
    if (snprintf(path, sizeof path, "%s/cgroup.procs", folder) >= (int)sizeof path)
        return -1;
    char *text = read_control(path);
    if (!text)
        return -1;
    int count = 0;
    char *rest = text;
    while (count >= 0 && isdigit((unsigned char)*rest)) {
        long pid = strtol(rest, &rest, 10);
        rest += *rest == '\n';
        count++;
        /* 0 is a process of a namespace above ours. */
        if (pid > 1 && kill((pid_t)pid, signal) < 0 && errno != ESRCH)
            count = -1;
    }
    free(text);
    return count;
}

/* Calls for each group right below; negative as soon as that is, else the sum. */
typedef int each_group(const char *folder, int argument, int depth);
static int below(const char *folder, each_group *call, int argument, int depth)
{
    DIR *dir = depth > MAX_DEPTH ? NULL : opendir(folder);
    if (!dir)
        return depth <= MAX_DEPTH && is_gone(errno) ? 0 : -1;
    int sum = 0;
    for (struct dirent *entry; sum >= 0 && (entry = readdir(dir));) {
        char path[4096];
        if (entry->d_type != DT_DIR || strcmp(entry->d_name, ".") == 0 ||
            strcmp(entry->d_name, "..") == 0)
            continue;
        bool fits = snprintf(path, sizeof path, "%s/%s", folder, entry->d_name) < (int)sizeof path;
        int count = fits ? call(path, argument, depth + 1) : -1;
        sum = count < 0 ? -1 : sum + count;
    }
    closedir(dir);
    return sum;
}

static int signal_tree(const char *folder, int signal, int depth)
{
    int here = signal_here(folder, signal);
    int rest = here < 0 ? -1 : below(folder, signal_tree, signal, depth);
    return rest < 0 ? -1 : here + rest;
}

static int signal_all(const struct door *door, int signal)
{
    return door->cgroup_version == 1 ? signal_here(door->cgroup_home, signal)
                                     : signal_tree(door->cgroup_home, signal, 0);
}

enum outcome signal_group(const struct door *door, int signal)
{
    return signal_all(door, signal) < 0 ? ASK_NODE : DONE;
}

/* A frozen process of version 1 would not die; one of version 2 is told at once with all others. */
static enum outcome ease_death(const struct door *door, bool first)
{
    if (door->cgroup_version == 1) {
        if (door->cgroup_freezer[0] == '\0')
            return DONE;
        char *text = read_control(door->cgroup_freezer);
        bool thawed = text && (text[0] == '\0' || strcmp(text, "THAWED\n") == 0);
        bool known = text;
        free(text);
        if (!known || thawed)
            return known ? DONE : ASK_NODE;
        return write_control(door->cgroup_freezer, "THAWED");
    }
    char path[4096];
    if (!first)
        return DONE;
    if (snprintf(path, sizeof path, "%s/cgroup.kill", door->cgroup_home) >= (int)sizeof path)
        return ASK_NODE;
    return write_control(path, "1");
}

static unsigned longer(unsigned pause_ms)
{
    return pause_ms * 2 > MAX_PAUSE_MS ? MAX_PAUSE_MS : pause_ms * 2;
}

enum outcome kill_group(const struct door *door)
{
    uint64_t give_up = now_ms() + TIMEOUT_MS;
    for (unsigned pause = 1; now_ms() < give_up; pause = longer(pause)) {
        if (ease_death(door, pause == 1) != DONE)
            return ASK_NODE;
        int left = signal_all(door, SIGKILL);
        if (left <= 0)
            return left < 0 ? ASK_NODE : DONE;
        sleep_ms(pause);
    }
    return ASK_NODE;
}

static int remove_tree(const char *folder, int unused, int depth)
{
    uint64_t give_up = now_ms() + TIMEOUT_MS;
    for (unsigned pause = 1; now_ms() < give_up; pause = longer(pause)) {
        if (rmdir(folder) == 0 || is_gone(errno))
            return 1;
        /* Busy with groups below it, which few have, or with a process that is dying. */
        if (errno != EBUSY)
            return -1;
        int children = below(folder, remove_tree, unused, depth);
        if (children < 0)
            return -1;
        if (children == 0)
            sleep_ms(pause);
    }
    return -1;
}

enum outcome remove_group(const struct door *door)
{
    for (uint32_t i = 0; i < door->cgroup_folders.count; i++)
        if (remove_tree(door->cgroup_folders.list[i], 0, 0) < 0)
            return ASK_NODE;
    return DONE;
}

/* A container's folder below --root, its process, its status. */
#include "door.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "../shim/sys.h"

#define RECORD "state.json"
#define LOCK_TIMEOUT_MS 10000
#define LOCK_RETRY_MS 10
#define MAX_STAT_BYTES 4096
/* Of /proc/<pid>/stat, see proc(5). */
#define NAME_FIELD 2
#define START_FIELD 22
#define REMOVE_TIMEOUT_MS 2000

const char *const status_names[] = {
    [CREATED] = "created", [RUNNING] = "running", [PAUSED] = "paused", [STOPPED] = "stopped"};

enum outcome open_container(struct container *container, const struct call *call)
{
    *container = (struct container){.call = call, .pidfd = -1, .shim = -1};
    int flags = O_DIRECTORY | O_CLOEXEC;
    container->root = open(call->root, O_PATH | flags);
    if (container->root < 0)
        return errno == ENOENT ? REFUSED : ASK_NODE;
    container->folder = openat(container->root, call->id, O_RDONLY | O_NOFOLLOW | flags);
    if (container->folder < 0)
        return errno == ENOENT ? REFUSED : ASK_NODE;
    /* One that died early, or is being created or deleted. */
    if (faccessat(container->folder, RECORD, R_OK, 0) < 0)
        return ASK_NODE;
    return read_door(&container->door, container->folder);
}

enum outcome lock_container(const struct container *container)
{
    int flags = O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW;
    int fd = openat(container->folder, "lock", flags, 0600);
    if (fd < 0)
        return ASK_NODE;
    struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    uint64_t give_up = now_ms() + LOCK_TIMEOUT_MS;
    while (fcntl(fd, F_OFD_SETLK, &whole) < 0) {
        if (errno != EAGAIN && errno != EACCES)
            return ASK_NODE;
        if (now_ms() > give_up)
            return refuse(container->call, "container %s is busy", container->call->id);
        sleep_ms(LOCK_RETRY_MS);
    }
    /* Who had the lock may have deleted it. */
    return faccessat(container->folder, RECORD, R_OK, 0) < 0 ? ASK_NODE : DONE;
}

int is_alive(const struct door *door)
{
    char path[64];
    size_t size;
    snprintf(path, sizeof path, "/proc/%llu/stat", (unsigned long long)door->pid);
    char *text = read_whole(AT_FDCWD, path, MAX_STAT_BYTES, &size);
    if (!text)
        return errno == ENOENT || errno == ESRCH ? 0 : -1;
    /* The name may hold anything: what follows the last parenthesis is fields. */
    char *at = strrchr(text, ')');
    char state = at && at[1] == ' ' ? at[2] : '\0';
    for (int field = NAME_FIELD; at && field < START_FIELD; field++)
        at = strchr(at + 1, ' ');
    uint64_t start = at ? strtoull(at + 1, NULL, 10) : 0;
    free(text);
    if (start == 0)
        return -1;
    return start == door->pid_start && state != 'Z' && state != 'X';
}

/* The descriptor first: if the number is still its own after that, so is the descriptor. */
static enum outcome open_process(struct container *container)
{
    int pidfd = (int)syscall(SYS_pidfd_open, (pid_t)container->door.pid, 0);
    if (pidfd < 0)
        return errno == ESRCH ? DONE : ASK_NODE;
    int alive = is_alive(&container->door);
    if (alive > 0)
        container->pidfd = pidfd;
    return alive < 0 ? ASK_NODE : DONE;
}

enum outcome read_status(struct container *container, enum status *status)
{
    if (open_process(container) != DONE)
        return ASK_NODE;
    *status = STOPPED;
    if (container->pidfd < 0)
        return DONE;
    container->shim = connect_gate(container->folder);
    *status = CREATED;
    if (container->shim >= 0)
        return DONE;
    bool frozen;
    if (container->shim == ASK_GATE || is_frozen(&container->door, &frozen) != DONE)
        return ASK_NODE;
    *status = frozen ? PAUSED : RUNNING;
    return DONE;
}

/* What is in the folder but the record. */
static enum outcome empty_folder(int folder)
{
    int copy = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = copy < 0 ? NULL : fdopendir(copy);
    if (!dir)
        return errno == ENOENT ? DONE : ASK_NODE;
    enum outcome outcome = DONE;
    for (struct dirent *entry; outcome == DONE && (entry = readdir(dir));) {
        const char *name = entry->d_name;
        if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0 || strcmp(name, RECORD) == 0)
            continue;
        if (unlinkat(folder, name, 0) < 0 && errno != ENOENT)
            outcome = ASK_NODE;
    }
    closedir(dir);
    return outcome;
}

enum outcome forget_container(const struct container *container)
{
    const char *id = container->call->id;
    enum outcome outcome = empty_folder(container->folder);
    if (outcome != DONE)
        return outcome;
    if (unlinkat(container->folder, RECORD, 0) < 0 && errno != ENOENT)
        return ASK_NODE;
    uint64_t give_up = now_ms() + REMOVE_TIMEOUT_MS;
    /* A shim that ends just now may have left its exit file meanwhile. */
    while (unlinkat(container->root, id, AT_REMOVEDIR) < 0 && errno != ENOENT) {
        if (errno != ENOTEMPTY || now_ms() > give_up || empty_folder(container->folder) != DONE)
            return refuse(container->call, "the folder of %s cannot be removed", id);
    }
    return DONE;
}

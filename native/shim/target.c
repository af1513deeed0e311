/*
 * The `target` step: opens the place in a root where something will be mounted, making what is
 * missing. The root belongs to a container, so every name in it may be a trap: each component is
 * resolved by the kernel within the root, and what is made is made by its parent's fd.
 */
#include "steps.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "sys.h"

/* EAGAIN means that somebody renames in the same root; somebody who never stops gets an error. */
#define MAX_TRIES 64
#define MAX_LINKS 40

static int open_inside(int root, const char *path, uint64_t flags)
{
    struct open_how_args how = {
        .flags = O_PATH | O_CLOEXEC | flags,
        .resolve = RESOLVE_IN_ROOT_FLAG | RESOLVE_NO_MAGICLINKS_FLAG,
    };
    long fd = -1;
    for (int i = 0; i < MAX_TRIES; i++) {
        fd = syscall(SYS_openat2, root, *path ? path : ".", &how, sizeof how);
        if (fd >= 0 || errno != EAGAIN)
            break;
    }
    return fd < 0 ? -errno : (int)fd;
}

struct walk {
    char path[PATH_MAX]; /* what is still meant, links put in place */
    uint32_t mode, links;
    bool as_file;
};

static int make_entry(int parent, const char *name, const struct walk *walk, bool last)
{
    int made;
    if (last && walk->as_file)
        made = mknodat(parent, name, S_IFREG | walk->mode, 0);
    else
        made = mkdirat(parent, name, walk->as_file ? 0755 : walk->mode);
    return made < 0 ? -errno : 0;
}

/* `name` ends at `end`; it is a link to nothing: its content takes its place. */
static int follow_dangling(int parent, struct walk *walk, const char *name, size_t end)
{
    char link[PATH_MAX], next[PATH_MAX];
    ssize_t size = readlinkat(parent, name, link, sizeof link - 1);
    if (size < 0)
        return -errno == -EINVAL ? -EAGAIN : -errno;
    link[size] = 0;
    if (++walk->links > MAX_LINKS)
        return -ELOOP;
    size_t before = end - strlen(name);
    int kept = link[0] == '/' ? 0 : (int)before;
    int length = snprintf(next, sizeof next, "%.*s/%s%s", kept, walk->path, link, walk->path + end);
    if (length < 0 || (size_t)length >= sizeof next)
        return -ENAMETOOLONG;
    memcpy(walk->path, next, (size_t)length + 1);
    return 1;
}

/* Makes the component that ends at `end`; 1 when the path has changed and the walk starts again. */
static int make_component(int root, struct walk *walk, size_t begin, size_t end)
{
    char prefix[PATH_MAX], name[NAME_MAX + 1];
    size_t size = end - begin;
    if (size > NAME_MAX)
        return -ENAMETOOLONG;
    memcpy(name, walk->path + begin, size);
    name[size] = 0;
    memcpy(prefix, walk->path, end);
    prefix[end] = 0;
    cleanup_fd int there = open_inside(root, prefix, 0);
    if (there != -ENOENT)
        return there < 0 ? there : 0;
    prefix[begin] = 0;
    cleanup_fd int parent = open_inside(root, prefix, O_DIRECTORY);
    if (parent < 0)
        return parent;
    bool last = walk->path[end + strspn(walk->path + end, "/")] == 0;
    int made = make_entry(parent, name, walk, last);
    return made == -EEXIST ? follow_dangling(parent, walk, name, end) : made;
}

static int make_path(int root, struct walk *walk)
{
    int result = 0;
    size_t begin = strspn(walk->path, "/");
    while (walk->path[begin]) {
        size_t end = begin + strcspn(walk->path + begin, "/");
        result = make_component(root, walk, begin, end);
        if (result < 0)
            return result;
        /* A changed path starts anew. */
        begin = result > 0 ? 0 : end;
        begin += strspn(walk->path + begin, "/");
    }
    return 0;
}

int step_target(struct shim *shim, struct reader *operands)
{
    uint32_t out = read_u32(operands);
    int root = operand_fd(shim, operands);
    const char *path = read_str(operands);
    struct walk walk = {.as_file = read_u32(operands) != 0};
    walk.mode = read_u32(operands);
    if (strlen(path) >= sizeof walk.path)
        return -ENAMETOOLONG;
    int fd = open_inside(root, path, 0);
    for (int i = 0; i < MAX_TRIES && (fd == -ENOENT || fd == -EAGAIN); i++) {
        strcpy(walk.path, path);
        int made = make_path(root, &walk);
        if (made < 0 && made != -EAGAIN)
            return made;
        fd = open_inside(root, path, 0);
    }
    struct stat stat;
    if (fd < 0)
        return fd;
    if (fstat(fd, &stat) < 0 || S_ISDIR(stat.st_mode) == walk.as_file) {
        close(fd);
        return walk.as_file ? -EISDIR : -ENOTDIR;
    }
    slot_put(shim, out, fd);
    return 0;
}

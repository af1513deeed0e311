/*
 * The removal of a small tree, in one call of one thread: a container that wrote little leaves a
 * dozen entries, for which a process would cost more than they do. Every step is relative to an
 * open folder and follows no link; what is too much is left to the process that removes any tree.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tsdocker.h"

enum { MAX_DEPTH = 16 };

static int32_t remove_at(int folder, const char *name, int32_t *left, int depth);

static int32_t remove_entries(DIR *open, int32_t *left, int depth)
{
    struct dirent *entry;

    while ((errno = 0, entry = readdir(open)) != NULL) {
        int32_t result;

        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        if ((*left)-- <= 0)
            return -E2BIG;
        result = remove_at(dirfd(open), entry->d_name, left, depth + 1);
        if (result < 0)
            return result;
    }
    return -errno;
}

static int32_t remove_folder(int parent, const char *name, int32_t *left, int depth)
{
    int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
    DIR *open;
    int32_t result;

    if (fd < 0)
        return errno == ENOENT ? 0 : -errno;
    open = fdopendir(fd);
    if (open == NULL) {
        result = -errno;
        close(fd);
        return result;
    }
    result = remove_entries(open, left, depth);
    closedir(open);
    if (result < 0)
        return result;
    return unlinkat(parent, name, AT_REMOVEDIR) < 0 && errno != ENOENT ? -errno : 0;
}

static int32_t remove_at(int folder, const char *name, int32_t *left, int depth)
{
    if (depth > MAX_DEPTH)
        return -E2BIG;
    if (unlinkat(folder, name, 0) == 0 || errno == ENOENT)
        return 0;
    if (errno != EISDIR)
        return -errno;
    /* An empty one, which most are, needs no look inside. */
    if (unlinkat(folder, name, AT_REMOVEDIR) == 0)
        return 0;
    if (errno != ENOTEMPTY && errno != EEXIST)
        return -errno;
    return remove_folder(folder, name, left, depth);
}

int32_t tsd_remove_small(const char *path, int32_t entries)
{
    return remove_at(AT_FDCWD, path, &entries, 0);
}

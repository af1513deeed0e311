/*
 * The `copyTree` step: a tmpfs begins as the folder that it covers. What is copied is a
 * container's, so every name is opened by its folder's fd and no link is followed.
 */
#include "steps.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Each level holds two open folders. */
#define MAX_DEPTH 128

static int copy_level(int from, int to, int depth);

/* Owner before mode: the kernel takes setuid away when the owner changes. */
static int dress(int to, const char *name, const struct stat *stat)
{
    const struct timespec times[2] = {stat->st_atim, stat->st_mtim};
    if (fchownat(to, name, stat->st_uid, stat->st_gid, AT_SYMLINK_NOFOLLOW) < 0)
        return -errno;
    /* It was made here, and nobody else can see it: it is what it was. */
    if (!S_ISLNK(stat->st_mode) && fchmodat(to, name, stat->st_mode & 07777, 0) < 0)
        return -errno;
    return utimensat(to, name, times, AT_SYMLINK_NOFOLLOW) < 0 ? -errno : 0;
}

static int copy_content(int from, int to)
{
    char buffer[16 * 1024];
    ssize_t got;
    while ((got = read(from, buffer, sizeof buffer)) > 0)
        for (ssize_t done = 0; done < got;) {
            ssize_t written = write(to, buffer + done, (size_t)(got - done));
            if (written < 0)
                return -errno;
            done += written;
        }
    return got < 0 ? -errno : 0;
}

static int copy_file(int from, int to, const char *name)
{
    cleanup_fd int source = openat(from, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (source < 0)
        return -errno;
    cleanup_fd int made = openat(to, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    return made < 0 ? -errno : copy_content(source, made);
}

static int copy_link(int from, int to, const char *name)
{
    char target[PATH_MAX];
    ssize_t size = readlinkat(from, name, target, sizeof target - 1);
    if (size < 0)
        return -errno;
    target[size] = 0;
    return result_of(symlinkat(target, to, name));
}

static int copy_folder(int from, int to, const char *name, int depth)
{
    const int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
    if (mkdirat(to, name, 0700) < 0)
        return -errno;
    cleanup_fd int source = openat(from, name, flags);
    cleanup_fd int made = openat(to, name, flags);
    if (source < 0 || made < 0)
        return -errno;
    return copy_level(source, made, depth + 1);
}

static int copy_entry(int from, int to, const char *name, int depth)
{
    struct stat stat;
    int result;
    if (fstatat(from, name, &stat, AT_SYMLINK_NOFOLLOW) < 0)
        return -errno;
    if (S_ISDIR(stat.st_mode))
        result = copy_folder(from, to, name, depth);
    else if (S_ISREG(stat.st_mode))
        result = copy_file(from, to, name);
    else if (S_ISLNK(stat.st_mode))
        result = copy_link(from, to, name);
    else
        result = result_of(mknodat(to, name, stat.st_mode, stat.st_rdev));
    return result < 0 ? result : dress(to, name, &stat);
}

static int copy_level(int from, int to, int depth)
{
    int listed = openat(from, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *folder = listed < 0 ? NULL : fdopendir(listed);
    if (!folder || depth > MAX_DEPTH)
        return folder ? -ELOOP : -errno;
    int result = 0;
    struct dirent *entry;
    while (result == 0 && (errno = 0, entry = readdir(folder)))
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            result = copy_entry(from, to, entry->d_name, depth);
    if (result == 0)
        result = -errno;
    closedir(folder);
    return result;
}

int step_copyTree(struct shim *shim, struct reader *operands)
{
    struct stat stat;
    int from = operand_fd(shim, operands);
    int to = operand_fd(shim, operands);
    if (fstat(from, &stat) < 0)
        return -errno;
    int result = copy_level(from, to, 0);
    return result < 0 ? result : dress(to, ".", &stat);
}

/*
 * The daemon executes itself once with settings that Node reads before any JavaScript runs. libuv
 * marks all inherited descriptors close-on-exec; those that are the next program's too are
 * unmarked.
 */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "tsdocker.h"

int32_t tsd_execve(const char *path, char *const *argv, char *const *env, int32_t last)
{
    for (int32_t fd = 0; fd <= last; fd++) {
        int flags = fcntl(fd, F_GETFD);
        if (flags >= 0 && fcntl(fd, F_SETFD, flags & ~FD_CLOEXEC) < 0)
            return -errno;
    }
    execve(path, argv, env);
    return -errno;
}

/* Several small files, in one call of one thread. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "tsdocker.h"

static int32_t write_whole(const char *path, const char *text, uint32_t mode)
{
    size_t left = strlen(text);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);

    if (fd < 0)
        return -1;
    while (left > 0) {
        ssize_t written = write(fd, text, left);

        if (written < 0 && errno != EINTR)
            break;
        if (written > 0) {
            text += written;
            left -= (size_t)written;
        }
    }
    return close(fd) == 0 && left == 0 ? 0 : -1;
}

int32_t tsd_write_files(char *const *paths, char *const *texts, uint32_t mode)
{
    int32_t written = 0;

    while (paths[written] != NULL && write_whole(paths[written], texts[written], mode) == 0)
        written++;
    return written;
}

#include "door.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static char *read_all(int fd, size_t limit, size_t *size)
{
    size_t room = 4096, used = 0;
    char *text = malloc(room);
    while (text) {
        ssize_t got = read(fd, text + used, room - used - 1);
        if (got < 0 && errno == EINTR)
            continue;
        if (got == 0) {
            text[used] = '\0';
            *size = used;
            return text;
        }
        if (got > 0)
            used += (size_t)got;
        if (got < 0 || used > limit) {
            int error = got < 0 ? errno : EFBIG;
            free(text);
            errno = error;
            return NULL;
        }
        if (room - used < 2) {
            char *grown = realloc(text, room *= 2);
            if (!grown)
                free(text);
            text = grown;
        }
    }
    errno = ENOMEM;
    return NULL;
}

char *read_whole(int dir, const char *path, size_t limit, size_t *size)
{
    int fd = openat(dir, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return NULL;
    char *text = read_all(fd, limit, size);
    int error = errno;
    close(fd);
    errno = error;
    return text;
}

uint64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

void sleep_ms(unsigned ms)
{
    struct timespec pause = {.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000};
    nanosleep(&pause, NULL);
}

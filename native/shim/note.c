/*
 * What the launcher wants to be found beside the process: kept in memory, so that it needs no file,
 * goes with the shim, and is there from before the first step on.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "monitor.h"

static uint8_t *note;
static uint32_t size;

int note_keep(const struct settings *settings)
{
    size = settings->note_size;
    note = size > 0 ? malloc(size) : NULL;
    if (note)
        memcpy(note, settings->note, size);
    return note || size == 0 ? 0 : -ENOMEM;
}

int note_fd(void)
{
    int fd = size > 0 ? memfd_create("note", MFD_CLOEXEC) : -1;
    if (fd < 0)
        return size > 0 ? -errno : -EBADF;
    if (write(fd, note, size) == (ssize_t)size)
        return fd;
    close(fd);
    return -ENOSPC;
}

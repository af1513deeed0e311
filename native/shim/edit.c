/* What is changed of a container while it runs: its ports, and how its log is written. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "monitor.h"
#include "proxy.h"

/* Ports are given back with the end of the process. */
static bool has_ports(void)
{
    return the_monitor.phase == RUNNING;
}

int edit_hold(struct client *client)
{
    if (!has_ports())
        return -ESRCH;
    if (client->passed < 0)
        return -EBADF;
    int result = port_hold(client->passed);
    if (result == 0)
        client->passed = -1;
    return result;
}

int edit_aim(struct reader *reader)
{
    struct place place;
    struct forward forward = {.fd = -1};
    if (!read_place(reader, &place) || !read_target(reader, &forward))
        return -EINVAL;
    return has_ports() ? port_aim(&place, &forward) : -ESRCH;
}

int edit_drop(struct reader *reader)
{
    struct place place;
    if (!read_place(reader, &place))
        return -EINVAL;
    return has_ports() ? port_drop(&place) : -ESRCH;
}

/* The attributes come as a file: they may be larger than a request. */
static char *read_attrs(int fd, uint32_t size)
{
    char *attrs = calloc(1, (size_t)size + 1);
    if (attrs && size > 0 && pread(fd, attrs, size, 0) != (ssize_t)size) {
        free(attrs);
        return NULL;
    }
    return attrs;
}

int edit_log(const struct client *client, struct reader *reader)
{
    uint64_t max_size = read_u64(reader);
    uint32_t max_files = read_u32(reader);
    uint32_t size = read_u32(reader);
    if (reader->bad || max_files == 0 || size > MAX_ATTRS_BYTES)
        return -EINVAL;
    if (size > 0 && client->passed < 0)
        return -EBADF;
    char *attrs = read_attrs(client->passed, size);
    if (!attrs)
        return -EIO;
    int result = log_settings(max_size, max_files, attrs);
    free(attrs);
    return result;
}

/* Before the first step: everything that the monitor opens by path, in the daemon's view. */
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>

#include "monitor.h"

static int open_spill_dir(const struct settings *settings)
{
    the_monitor.spill_bytes = settings->spill_bytes;
    if (settings->spill_bytes == 0)
        return 0;
    the_monitor.spill_dir = open(settings->spill_dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
    return the_monitor.spill_dir < 0 ? -errno : 0;
}

static int map_buffers(void)
{
    if (the_buffers)
        return 0; /* of an earlier launch */
    void *buffers = mmap(NULL, sizeof *the_buffers, PROT_READ | PROT_WRITE,
                         MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (buffers == MAP_FAILED)
        return -errno;
    /* A huge page for a container that says one line an hour would cost more than all of us. */
    madvise(buffers, sizeof *the_buffers, MADV_NOHUGEPAGE);
    the_buffers = buffers;
    return 0;
}

int prepare_monitor(const struct settings *settings, enum shim_part *part)
{
    *part = PART_MESSAGE;
    int result = map_buffers();
    if (result < 0)
        return result;
    the_monitor.stall_ms = settings->stall_ms;
    the_monitor.drain_ms = settings->drain_ms;
    the_monitor.root_slot = settings->root_slot;
    result = exit_paths_copy(settings);
    if (result == 0)
        result = note_keep(settings);
    if (result == 0)
        result = oom_open(settings);
    if (result == 0) {
        *part = PART_LOG;
        result = log_open(settings);
    }
    if (result == 0) {
        *part = PART_SPILL;
        result = open_spill_dir(settings);
    }
    if (result == 0) {
        *part = PART_SOCKET;
        result = control_open(settings->socket_path);
    }
    if (result == 0) {
        *part = PART_EXIT;
        result = exit_file_open(settings->exit_path);
    }
    if (result == 0) {
        *part = PART_PORTS;
        result = forwards_open(settings);
    }
    if (result < 0)
        cancel_monitor();
    return result;
}

void cancel_monitor(void)
{
    control_close();
    exit_file_cancel();
}

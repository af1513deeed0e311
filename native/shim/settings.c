#include "shim.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define LAUNCH_MAGIC 0x314d5354u

static uint32_t read_slot(struct reader *reader)
{
    uint32_t slot = read_u32(reader);
    if (slot >= SLOTS && slot != NO_SLOT)
        reader->bad = true;
    return slot;
}

static uint32_t read_paths(struct reader *reader, const char *paths[MAX_PATHS])
{
    uint32_t count = read_u32(reader);
    if (count > MAX_PATHS)
        reader->bad = true;
    for (uint32_t i = 0; i < count && !reader->bad; i++)
        paths[i] = read_str(reader);
    return reader->bad ? 0 : count;
}

static void place_passed(struct reader *reader, int slots[SLOTS])
{
    uint32_t count = read_u32(reader);
    if (count > SLOTS)
        reader->bad = true;
    for (uint32_t i = 0; i < count && !reader->bad; i++) {
        uint32_t slot = read_slot(reader);
        int fd = CONTROL_FD + 1 + (int)i;
        if (slot == NO_SLOT || slots[slot] >= 0 || fcntl(fd, F_SETFD, FD_CLOEXEC) < 0)
            reader->bad = true;
        else
            slots[slot] = fd;
    }
}

static void read_settings(struct reader *reader, struct settings *settings)
{
    settings->socket_path = read_str(reader);
    settings->exit_path = read_str(reader);
    settings->stdio = read_u32(reader);
    settings->stdin_slot = read_slot(reader);
    settings->stdout_slot = read_slot(reader);
    settings->stderr_slot = read_slot(reader);
    settings->stdin_once = read_u32(reader);
    settings->log_kind = read_u32(reader);
    settings->log_path = read_str(reader);
    settings->log_max_size = read_u64(reader);
    settings->log_max_files = read_u32(reader);
    settings->log_attrs = read_str(reader);
    settings->spill_dir = read_str(reader);
    settings->spill_bytes = read_u64(reader);
    settings->stall_ms = read_u32(reader);
    settings->drain_ms = read_u32(reader);
    settings->oom_count = read_paths(reader, settings->oom_files);
    settings->kill_count = read_paths(reader, settings->kill_files);
    settings->root_slot = read_slot(reader);
    uint32_t kept = read_u32(reader);
    for (uint32_t i = 0; i < kept && i < SLOTS && !reader->bad; i++) {
        uint32_t slot = read_slot(reader);
        if (slot != NO_SLOT)
            settings->keep[slot] = 1;
    }
    if (kept > SLOTS || settings->stdio > STDIO_PTY)
        reader->bad = true;
}

int decode_launch(struct launch *launch, const uint8_t *bytes, size_t size, int slots[SLOTS])
{
    struct reader reader = {bytes, bytes + size, false};
    memset(launch, 0, sizeof *launch);
    if (read_u32(&reader) != LAUNCH_MAGIC)
        return -EBADMSG;
    place_passed(&reader, slots);
    read_settings(&reader, &launch->settings);
    uint32_t program_size;
    const uint8_t *program = read_bytes(&reader, &program_size);
    if (reader.bad || reader.at != reader.end)
        return -EBADMSG;
    return decode_program(&launch->program, program, program_size);
}

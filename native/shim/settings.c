#include "proxy.h"
#include "shim.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define LAUNCH_MAGIC 0x314d5354u

static uint32_t read_slot(struct reader *reader)
{
    uint32_t slot = read_u32(reader);
    if (slot < SLOTS)
        return slot;
    if (slot != NO_SLOT)
        reader->bad = true;
    return NO_SLOT;
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

static uint32_t place_passed(struct reader *reader, int slots[SLOTS])
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
    return reader->bad ? 0 : count;
}

/* Behind those of the slots. */
static void place_held(struct reader *reader, struct settings *settings, uint32_t passed)
{
    settings->first_held = CONTROL_FD + 1 + (int)passed;
    settings->held_count = read_u32(reader);
    if (settings->held_count > MAX_HELD)
        reader->bad = true;
    for (uint32_t i = 0; i < settings->held_count && !reader->bad; i++)
        if (fcntl(settings->first_held + (int)i, F_SETFD, FD_CLOEXEC) < 0)
            reader->bad = true;
}

static socklen_t read_address(struct reader *reader, union address *address)
{
    uint16_t port = htons((uint16_t)read_u32(reader));
    uint32_t size;
    const uint8_t *bytes = read_bytes(reader, &size);
    if (reader->bad || (size != 4 && size != 16))
        return 0;
    memset(address, 0, sizeof *address);
    if (size == 4) {
        address->four = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = port};
        memcpy(&address->four.sin_addr, bytes, size);
        return sizeof address->four;
    }
    address->six = (struct sockaddr_in6){.sin6_family = AF_INET6, .sin6_port = port};
    memcpy(&address->six.sin6_addr, bytes, size);
    return sizeof address->six;
}

bool read_target(struct reader *reader, struct forward *forward)
{
    forward->protocol = read_u32(reader);
    if (reader->bad || forward->protocol > FORWARD_UDP)
        return false;
    if (!forward->protocol)
        return true;
    forward->size = read_address(reader, &forward->to);
    return forward->size > 0;
}

bool read_place(struct reader *reader, struct place *place)
{
    place->protocol = (int)read_u32(reader);
    return read_address(reader, &place->at) > 0;
}

bool read_forward(struct reader *reader, struct forward *forward, const struct settings *settings)
{
    uint32_t index = read_u32(reader);
    if (!read_target(reader, forward) || !forward->protocol || index >= settings->held_count)
        return false;
    forward->fd = settings->first_held + (int)index;
    return true;
}

static void read_forwards(struct reader *reader, struct settings *settings)
{
    struct forward unused;
    settings->forward_count = read_u32(reader);
    settings->forwards = *reader;
    if (settings->forward_count > settings->held_count)
        reader->bad = true;
    for (uint32_t i = 0; i < settings->forward_count && !reader->bad; i++)
        if (!read_forward(reader, &unused, settings))
            reader->bad = true;
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
    settings->client_slot = read_slot(reader);
    settings->client_flags = read_u32(reader);
    settings->client_keys = read_bytes(reader, &settings->client_key_count);
    settings->open_tag = read_u32(reader);
    settings->wait_tag = read_u32(reader);
    settings->leaves = read_u32(reader);
    settings->open_wait_ms = read_u32(reader);
    settings->note = read_bytes(reader, &settings->note_size);
    read_forwards(reader, settings);
    if (kept > SLOTS || settings->stdio > STDIO_PTY || settings->open_tag > UINT16_MAX ||
        settings->wait_tag > UINT16_MAX ||
        settings->client_key_count > MAX_DETACH_KEYS)
        reader->bad = true;
}

int decode_launch(struct launch *launch, const uint8_t *bytes, size_t size, int slots[SLOTS])
{
    struct reader reader = {bytes, bytes + size, false};
    memset(launch, 0, sizeof *launch);
    if (read_u32(&reader) != LAUNCH_MAGIC)
        return -EBADMSG;
    uint32_t passed = place_passed(&reader, slots);
    place_held(&reader, &launch->settings, passed);
    read_settings(&reader, &launch->settings);
    uint32_t program_size;
    const uint8_t *program = read_bytes(&reader, &program_size);
    if (reader.bad || reader.at != reader.end)
        return -EBADMSG;
    return decode_program(&launch->program, program, program_size);
}

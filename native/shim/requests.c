/* What clients ask, and what they are told: PROTOCOL.md. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "monitor.h"
#include "proxy.h"
#include "sys.h"

static uint32_t exit_payload(uint8_t out[32])
{
    const struct exit_status *status = &the_monitor.exit;
    memcpy(out, &status->code, 4);
    memcpy(out + 4, &status->signal, 4);
    memcpy(out + 8, &status->oom_killed, 4);
    memcpy(out + 12, &status->finished_ms, 8);
    memcpy(out + 20, &status->log_lost, 8);
    return 28;
}

static void tell_one(struct client *client)
{
    uint8_t payload[32];
    struct frame frame = {.type = WAIT, .tag = client->wait_tag};
    client->waiting = false;
    control_reply(client, frame, 0, payload, exit_payload(payload));
}

void control_tell_exit(void)
{
    for (struct client *client = the_monitor.clients; client; client = client->next)
        if (client->waiting)
            tell_one(client);
}

static void on_hello(struct client *client, struct frame frame)
{
    uint8_t payload[16 + 32];
    uint32_t flags = the_monitor.phase >= RUNNING ? 1 : 0;
    if (the_monitor.phase == ENDED)
        flags |= 2;
    uint32_t words[4] = {PROTOCOL_VERSION, (uint32_t)getpid(), (uint32_t)the_monitor.shim->pid,
                         flags};
    memcpy(payload, words, sizeof words);
    control_reply(client, frame, 0, payload, 16 + exit_payload(payload + 16));
}

static void on_attach(struct client *client, struct frame frame, struct reader *reader)
{
    uint32_t flags = read_u32(reader);
    uint32_t count;
    const uint8_t *keys = read_bytes(reader, &count);
    if (reader->bad || count > MAX_DETACH_KEYS || client->launcher) {
        control_reply(client, frame, EINVAL, NULL, 0);
        return;
    }
    uint64_t position[2] = {0, 0};
    bool after_log = flags & ATTACH_AFTER_LOG && log_position(&position[0], &position[1]);
    control_reply(client, frame, 0, position, flags & ATTACH_AFTER_LOG ? sizeof position : 0);
    attach_begin(client, flags, keys, count);
    if (after_log)
        attach_carried(client);
}

static void tell_turn(struct client *client)
{
    uint64_t payload = log_rotations();
    struct frame frame = {.type = LOG_TURN, .tag = client->turn_tag};
    client->turning = false;
    control_reply(client, frame, 0, &payload, sizeof payload);
}

void control_tell_turn(void)
{
    static uint64_t told;
    if (told == log_rotations())
        return;
    told = log_rotations();
    for (struct client *client = the_monitor.clients; client; client = client->next)
        if (client->turning)
            tell_turn(client);
}

static void tell_oom(struct client *client, uint64_t kills)
{
    struct frame frame = {.type = OOM_TURN, .tag = client->oom_tag};
    client->oom_waiting = false;
    control_reply(client, frame, 0, &kills, sizeof kills);
}

void control_tell_oom(uint64_t kills)
{
    for (struct client *client = the_monitor.clients; client; client = client->next)
        if (client->oom_waiting && client->oom_seen < kills)
            tell_oom(client, kills);
}

static void on_oom_turn(struct client *client, struct frame frame, struct reader *reader)
{
    client->oom_seen = read_u64(reader);
    client->oom_tag = frame.tag;
    client->oom_waiting = true;
    control_tell_oom(oom_kills());
}

void control_keep_logs(void)
{
    uint32_t most = 0;
    for (struct client *client = the_monitor.clients; client; client = client->next)
        if (!client->gone && client->log_keep > most)
            most = client->log_keep;
    log_keep(most);
}

static int on_log_keep(struct client *client, struct reader *reader)
{
    uint32_t files = read_u32(reader);
    if (reader->bad || files > MAX_KEPT_FILES)
        return -EINVAL;
    client->log_keep = files;
    control_keep_logs();
    return 0;
}

static void on_log_turn(struct client *client, struct frame frame, struct reader *reader)
{
    uint64_t seen = read_u64(reader);
    client->turn_tag = frame.tag;
    client->turning = true;
    if (seen != log_rotations())
        tell_turn(client);
}

static int resize(struct reader *reader)
{
    struct winsize size = {.ws_row = read_u16(reader)};
    size.ws_col = read_u16(reader);
    if (the_monitor.stdio != STDIO_PTY)
        return -ENOTTY;
    return ioctl(the_monitor.out[OUT], TIOCSWINSZ, &size) < 0 ? -errno : 0;
}

static int send_signal(struct reader *reader)
{
    uint32_t number = read_u32(reader);
    if (reader->bad)
        return -EINVAL;
    if (the_monitor.phase >= DRAINING)
        return -ESRCH;
    long result = syscall(SYS_pidfd_send_signal, the_monitor.shim->pidfd, number, NULL, 0);
    return result < 0 ? -errno : 0;
}

static int open_netns(void)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/ns/net", the_monitor.shim->pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

static int find_fd(uint32_t kind, uint32_t slot)
{
    struct shim *shim = the_monitor.shim;
    if (kind == FD_NOTE)
        return note_fd();
    if (kind == FD_ROOT)
        slot = the_monitor.root_slot;
    int held = kind == FD_PIDFD ? shim->pidfd : slot < SLOTS ? shim->slots[slot] : -1;
    if (kind < FD_NETNS || kind > FD_SLOT)
        return -EINVAL;
    if (kind == FD_NETNS)
        return the_monitor.phase >= DRAINING ? -ESRCH : open_netns();
    return held < 0 ? -EBADF : fcntl(held, F_DUPFD_CLOEXEC, 0);
}

static void reply_fd(struct client *client, struct frame frame, int answered)
{
    cleanup_fd int fd = answered;
    int32_t error = 0;
    if (fd < 0) {
        control_reply(client, frame, fd, NULL, 0);
        return;
    }
    struct frame answer = {.size = 4, .type = frame.type | REPLY, .tag = frame.tag};
    if (send_frame(client->fd, answer, &error, fd, MSG_DONTWAIT) < 0)
        client->gone = true;
}

static void on_get_fd(struct client *client, struct frame frame, struct reader *reader)
{
    uint32_t kind = read_u32(reader);
    uint32_t slot = read_u32(reader);
    reply_fd(client, frame, reader->bad ? -EINVAL : find_fd(kind, slot));
}

static void on_port_bind(struct client *client, struct frame frame, struct reader *reader)
{
    struct place place;
    bool known = read_place(reader, &place);
    bool listens = read_u32(reader);
    reply_fd(client, frame, !known || reader->bad ? -EINVAL : port_bind(&place, listens));
}

static int add_fd(struct client *client, struct reader *reader)
{
    uint32_t slot = read_u32(reader);
    if (reader->bad || slot >= SLOTS)
        return -EINVAL;
    if (client->passed < 0)
        return -EBADF;
    if (slot >= FIRST_INNER_SLOT && the_monitor.phase == ENDED)
        return -ESRCH;
    slot_put(the_monitor.shim, slot, client->passed);
    client->passed = -1;
    return 0;
}

static int drop_fd(struct reader *reader)
{
    uint32_t slot = read_u32(reader);
    if (reader->bad || slot >= SLOTS)
        return -EINVAL;
    slot_put(the_monitor.shim, slot, -1);
    return 0;
}

void request_wait(struct client *client, uint16_t tag)
{
    client->wait_tag = tag;
    client->waiting = true;
    if (the_monitor.phase == ENDED)
        tell_one(client);
}

/* From here on the name is free for another shim, even if attached clients still read. */
static int on_bye(struct client *client, struct frame frame)
{
    if (the_monitor.phase != ENDED)
        return -EBUSY;
    the_monitor.farewell = true;
    control_close();
    control_reply(client, frame, 0, NULL, 0);
    for (struct client *other = the_monitor.clients; other; other = other->next)
        if (!other->attached)
            other->gone = true;
    return 1;
}

void request_opened(struct client *client, uint16_t tag)
{
    client->opener = true;
    the_monitor.open_tag = tag;
    the_monitor.phase = OPENING;
}

int request_open(struct client *client, uint16_t tag)
{
    uint32_t token = GATE_TOKEN;
    if ((!client->launcher && !the_monitor.left) || the_monitor.phase != AT_GATE)
        return -EINVAL;
    request_opened(client, tag);
    ssize_t sent = send(the_monitor.shim->peer, &token, sizeof token, MSG_NOSIGNAL);
    /* A dead init is noticed by its report pipe; the reply comes then. */
    return sent < 0 && errno != EPIPE ? -errno : 1;
}

/* The launcher goes and init stays at the gate, for whoever opens it. */
static int on_leave(const struct client *client, struct reader *reader)
{
    uint32_t flags = read_u32(reader);
    if (reader->bad || !client->launcher || the_monitor.phase != AT_GATE)
        return -EINVAL;
    the_monitor.left = true;
    the_monitor.hand_over = flags & LEAVE_HAND_OVER;
    return 0;
}

static int on_abort(struct client *client)
{
    if (!client->launcher && !(the_monitor.left && the_monitor.phase < RUNNING))
        return -EINVAL;
    /* With nobody left who wants it the loop undoes the launch. */
    the_monitor.left = false;
    for (struct client *other = the_monitor.clients; other; other = other->next)
        other->gone |= other->launcher;
    client->gone = true;
    return 1;
}

int request_answer(struct client *client, struct frame frame, struct reader *reader)
{
    switch (frame.type) {
    case RESIZE:
        return resize(reader);
    case SIGNAL:
        return send_signal(reader);
    case ADD_FD:
        return add_fd(client, reader);
    case DROP_FD:
        return drop_fd(reader);
    case BYE:
        return on_bye(client, frame);
    case LOG_KEEP:
        return on_log_keep(client, reader);
    case LOG_COMPRESSED:
        return log_compressed(read_u64(reader));
    case OOM_TURN:
        on_oom_turn(client, frame, reader);
        return 1;
    case PORT_HOLD:
        return edit_hold(client);
    case PORT_AIM:
        return edit_aim(reader);
    case PORT_DROP:
        return edit_drop(reader);
    case PORT_BIND:
        on_port_bind(client, frame, reader);
        return 1;
    case LOG_SETTINGS:
        return edit_log(client, reader);
    case OPEN:
        return request_open(client, frame.tag);
    case ABORT:
        return on_abort(client);
    case LEAVE:
        return on_leave(client, reader);
    case HELLO:
        on_hello(client, frame);
        return 1;
    case ATTACH:
        on_attach(client, frame, reader);
        return 1;
    case GET_FD:
        on_get_fd(client, frame, reader);
        return 1;
    case WAIT:
        request_wait(client, frame.tag);
        return 1;
    case LOG_TURN:
        on_log_turn(client, frame, reader);
        return 1;
    default:
        return -ENOSYS; /* a newer daemon asks for what we do not know */
    }
}

/* The shim that keeps a container's gate, by its socket: native/shim/PROTOCOL.md. */
#include "door.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "../shim/protocol.h"

#define ANSWER_TIMEOUT_S 5
#define OPEN_TIMEOUT_S 30
#define HELLO_STARTED 1u
#define MAX_ANSWER 256

struct answer {
    struct frame frame;
    unsigned char bytes[MAX_ANSWER];
};

static int32_t number_at(const struct answer *answer, size_t offset)
{
    uint32_t value;
    if (offset + sizeof value > answer->frame.size)
        return -1;
    memcpy(&value, answer->bytes + offset, sizeof value);
    return (int32_t)value;
}

static int ask(int shim, uint16_t type, const void *payload, uint32_t size, int seconds)
{
    struct timeval limit = {.tv_sec = seconds};
    struct frame frame = {.size = size, .type = type, .tag = 1};
    setsockopt(shim, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    return send_frame(shim, frame, payload, -1, 0);
}

static int next_answer(int shim, struct answer *answer)
{
    int result = read_exact(shim, &answer->frame, sizeof answer->frame);
    if (result == 0 && answer->frame.size > MAX_ANSWER)
        result = -EPROTO;
    return result == 0 ? read_exact(shim, answer->bytes, answer->frame.size) : result;
}

static bool has_started(int shim, int *result)
{
    struct answer answer;
    uint32_t version = PROTOCOL_VERSION;
    *result = ask(shim, HELLO, &version, sizeof version, ANSWER_TIMEOUT_S);
    if (*result == 0)
        *result = next_answer(shim, &answer);
    if (*result < 0)
        return false;
    bool known = answer.frame.type == (HELLO | REPLY) && number_at(&answer, 0) == 0;
    if (!known)
        *result = -EPROTO;
    return known && (number_at(&answer, 16) & HELLO_STARTED) != 0;
}

int connect_gate(int folder)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    /* Through the folder: sun_path holds 107 bytes. */
    snprintf(address.sun_path, sizeof address.sun_path, "/proc/self/fd/%d/shim.sock", folder);
    int shim = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (shim < 0)
        return ASK_GATE;
    int result = 0;
    if (connect(shim, (struct sockaddr *)&address, sizeof address) < 0)
        result = -errno;
    if (result == 0 && !has_started(shim, &result) && result == 0)
        return shim;
    close(shim);
    bool gone = result == 0 || result == -ENOENT || result == -ECONNREFUSED || result == -EPIPE ||
                result == -ECONNRESET;
    return gone ? -1 : ASK_GATE;
}

int open_gate(int shim)
{
    struct answer answer;
    int result = ask(shim, OPEN, NULL, 0, OPEN_TIMEOUT_S);
    while (result == 0 && (result = next_answer(shim, &answer)) == 0) {
        if (answer.frame.type == FAILED)
            return number_at(&answer, 8) > 0 ? number_at(&answer, 8) : EIO;
        if (answer.frame.type == (OPEN | REPLY))
            return number_at(&answer, 0) == 0 ? 0 : -EINVAL;
    }
    return result;
}

enum outcome abandon_gate(int shim)
{
    struct answer answer;
    /* Answered only when it is refused: a shim that agrees just goes. */
    int result = ask(shim, ABORT, NULL, 0, OPEN_TIMEOUT_S);
    if (result == 0)
        result = next_answer(shim, &answer);
    return result == 0 || result == -EPIPE || result == -ECONNRESET ? DONE : ASK_NODE;
}

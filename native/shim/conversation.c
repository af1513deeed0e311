/* Host strand, init strand and daemon talk to each other while the launch goes on. */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "protocol.h"
#include "shim.h"
#include "steps.h"

int take_reports(struct shim *shim)
{
    for (;;) {
        struct report record;
        ssize_t got = read(shim->report, &record, sizeof record);
        if (got < 0)
            return errno == EAGAIN || errno == EINTR ? 0 : -errno;
        if (got != sizeof record)
            return -EPIPE;
        switch (record.kind) {
        case REPORT_FORKED:
            follow_fork(shim, record.value);
            break;
        case REPORT_READY:
            shim->ready = true;
            break;
        case REPORT_EXEC:
            shim->ready = shim->executing = true;
            break;
        default:
            shim->init_failed = true;
            shim->init_step = record.index;
            shim->init_error = record.value;
        }
    }
}

/* -ECHILD when init has failed or died: more telling than that the host waited for it. */
static int check_init(struct shim *shim)
{
    if (shim->report < 0)
        return 0;
    int result = take_reports(shim);
    /* Behind a word of its execve, the end of its reports means that it has succeeded. */
    if (result == -EPIPE && !shim->init_failed && !shim->executing) {
        shim->init_failed = true;
        shim->init_step = NO_STEP;
        shim->init_error = ESRCH;
    }
    return shim->init_failed ? -ECHILD : 0;
}

static int take_answer(struct shim *shim)
{
    struct frame frame;
    int passed;
    int got = receive_some(shim->control, &frame, sizeof frame, &passed, MSG_WAITALL);
    if (shim->answer_fd >= 0)
        close(shim->answer_fd);
    shim->answer_fd = passed;
    if (got != sizeof frame || frame.type != ANSWER || frame.size > MAX_ANSWER_BYTES)
        return -ECANCELED;
    free(shim->answer);
    shim->answer = malloc(frame.size + 1);
    shim->answer_size = frame.size;
    if (!shim->answer)
        return -ENOMEM;
    return read_exact(shim->control, shim->answer, frame.size) < 0 ? -ECANCELED : 1;
}

enum waited_for { WAIT_ANSWER, WAIT_PEER, WAIT_READY };

/* Until what is waited for can be read; the daemon's going and init's failing end every wait. */
static int host_wait(struct shim *shim, enum waited_for what)
{
    for (;;) {
        struct pollfd fds[3] = {
            {.fd = shim->control, .events = POLLIN},
            {.fd = shim->report, .events = POLLIN},
            {.fd = what == WAIT_PEER ? shim->peer : -1, .events = POLLIN},
        };
        if (what == WAIT_READY && shim->ready)
            return 0;
        if (poll(fds, 3, -1) < 0 && errno != EINTR)
            return -errno;
        int result = check_init(shim);
        if (result < 0)
            return result;
        if (fds[2].revents & POLLIN)
            return 0;
        if (fds[0].revents)
            return what == WAIT_ANSWER ? take_answer(shim) : -ECANCELED;
    }
}

int converse_yield(struct shim *shim, uint32_t token)
{
    uint32_t payload[2] = {token, (uint32_t)shim->pid};
    struct frame frame = {.size = sizeof payload, .type = YIELD};
    if (!(token & UNASKED) && send_frame(shim->control, frame, payload, -1, 0) < 0)
        return -ECANCELED;
    int result = host_wait(shim, WAIT_ANSWER);
    return result < 0 ? result : 0;
}

int await_ready(struct shim *shim)
{
    return host_wait(shim, WAIT_READY);
}

static bool take_early(struct shim *shim, uint32_t token, int *fd)
{
    for (uint32_t i = 0; i < shim->early_count; i++) {
        if (shim->early[i].token != token)
            continue;
        *fd = shim->early[i].fd;
        shim->early[i] = shim->early[--shim->early_count];
        return true;
    }
    return false;
}

int converse_await(struct shim *shim, uint32_t token, int *fd)
{
    while (!take_early(shim, token, fd)) {
        if (shim->early_count == MAX_EARLY)
            return -ENOBUFS;
        int result = shim->strand == HOST ? host_wait(shim, WAIT_PEER) : 0;
        if (result < 0)
            return result;
        struct token *next = &shim->early[shim->early_count];
        result = receive_some(shim->peer, &next->token, sizeof next->token, &next->fd, 0);
        if (result == 0)
            return -ECANCELED; /* the other side has gone */
        if (result != sizeof next->token)
            return result < 0 ? result : -EBADMSG;
        shim->early_count++;
    }
    return 0;
}

int converse_notify(struct shim *shim, uint32_t token, int fd)
{
    return send_bytes(shim->peer, &token, sizeof token, fd);
}

int step_sendAnswer(struct shim *shim, struct reader *operands)
{
    struct sockaddr_un address;
    int result = unix_address(&address, read_str(operands));
    int passed = operand_fd(shim, operands);
    if (result < 0)
        return result;
    cleanup_fd int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) < 0)
        return -errno;
    return passed < 0 ? -EBADF : send_bytes(fd, shim->answer, shim->answer_size, passed);
}

static void wait_at_gate(const struct shim *shim)
{
    uint32_t token = 0;
    /* read(2), not recvmsg(2): the container's own seccomp filter may be on already. */
    while (token != GATE_TOKEN) {
        ssize_t got = read(shim->peer, &token, sizeof token);
        if (got <= 0 && errno != EINTR)
            _exit(127);
    }
}

int pass_gate(struct shim *shim)
{
    if (!shim->opens) {
        report(shim, REPORT_READY, 0, 0);
        wait_at_gate(shim);
    }
    report(shim, REPORT_EXEC, 0, 0);
    shim->gate_passed = true;
    return 0;
}

int step_gate(struct shim *shim, struct reader *operands)
{
    (void)operands;
    return shim->strand == INIT ? pass_gate(shim) : -EINVAL;
}

int step_notify(struct shim *shim, struct reader *operands)
{
    return converse_notify(shim, read_u32(operands), -1);
}

int step_notifyFd(struct shim *shim, struct reader *operands)
{
    uint32_t token = read_u32(operands);
    int fd = operand_fd(shim, operands);
    return fd < 0 ? -EBADF : converse_notify(shim, token, fd);
}

int step_await(struct shim *shim, struct reader *operands)
{
    int fd = -1;
    int result = converse_await(shim, read_u32(operands), &fd);
    if (fd >= 0)
        close(fd);
    return result;
}

int step_awaitFd(struct shim *shim, struct reader *operands)
{
    int fd = -1;
    int result = converse_await(shim, read_u32(operands), &fd);
    if (result == 0 && fd < 0)
        result = -EBADMSG;
    return result < 0 ? result : put_result(shim, read_u32(operands), fd);
}

int step_yield(struct shim *shim, struct reader *operands)
{
    return shim->strand == HOST ? converse_yield(shim, read_u32(operands)) : -EINVAL;
}

int step_yieldFd(struct shim *shim, struct reader *operands)
{
    int result = step_yield(shim, operands);
    int fd = shim->answer_fd;
    if (result < 0)
        return result;
    if (fd < 0)
        return -EBADF;
    shim->answer_fd = -1;
    return put_result(shim, read_u32(operands), fd);
}

int step_jump(struct shim *shim, struct reader *operands)
{
    (void)shim;
    (void)operands;
    return 0; /* run_step has taken it */
}

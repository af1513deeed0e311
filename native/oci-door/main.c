/* The commands. */
#include "door.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "../shim/sys.h"

#define END_TIMEOUT_MS 2000

static enum outcome write_out(const char *text, size_t size)
{
    for (size_t done = 0; done < size;) {
        ssize_t put = write(STDOUT_FILENO, text + done, size - done);
        if (put < 0 && errno == EINTR)
            continue;
        /* Half a document is told: another whole one behind it would be none. */
        if (put < 0)
            return done == 0 ? ASK_NODE : REFUSED;
        done += (size_t)put;
    }
    return DONE;
}

static enum outcome state(struct container *container)
{
    enum status status;
    if (read_status(container, &status) != DONE)
        return ASK_NODE;
    const struct door *door = &container->door;
    char *text;
    const char *name = status_names[status];
    int size = status == STOPPED
                   ? asprintf(&text, "%s%s\"%s", door->state_head, name, door->state_tail)
                   : asprintf(&text, "%s%s\",\n  \"pid\": %llu%s", door->state_head, name,
                              (unsigned long long)door->pid, door->state_tail);
    return size < 0 ? ASK_NODE : write_out(text, (size_t)size);
}

static enum outcome start(struct container *container, int *failed)
{
    const struct door *door = &container->door;
    if (!door->has_process || door->has_poststart)
        return ASK_NODE;
    enum outcome outcome = lock_container(container);
    enum status status;
    if (outcome == DONE)
        outcome = read_status(container, &status);
    if (outcome != DONE)
        return outcome;
    if (status != CREATED)
        return refuse(container->call, "cannot start a container that is %s", status_names[status]);
    int result = open_gate(container->shim);
    if (result > 0)
        *failed = result;
    return result == 0 ? DONE : ASK_NODE;
}

static enum outcome kill_container(struct container *container)
{
    const struct call *call = container->call;
    enum status status;
    if (read_status(container, &status) != DONE || status == PAUSED)
        return ASK_NODE;
    if (call->all)
        return signal_group(&container->door, call->signal);
    bool sent = status != STOPPED &&
                syscall(SYS_pidfd_send_signal, container->pidfd, call->signal, NULL, 0) == 0;
    if (sent)
        return DONE;
    if (status != STOPPED && errno != ESRCH)
        return ASK_NODE;
    return refuse(call, "container not running");
}

static enum outcome await_end(const struct door *door)
{
    for (uint64_t give_up = now_ms() + END_TIMEOUT_MS; now_ms() < give_up; sleep_ms(5)) {
        int alive = is_alive(door);
        if (alive <= 0)
            return alive < 0 ? ASK_NODE : DONE;
    }
    return ASK_NODE;
}

/* Each part may be done twice: Node goes on where this one gives up. */
static enum outcome remove_all(const struct container *container)
{
    const struct door *door = &container->door;
    enum outcome outcome = kill_group(door);
    if (outcome == DONE)
        outcome = await_end(door);
    if (outcome == DONE)
        outcome = remove_group(door);
    return outcome == DONE ? forget_container(container) : outcome;
}

static enum outcome delete(struct container *container)
{
    const struct call *call = container->call;
    if (container->door.has_poststop)
        return ASK_NODE;
    enum outcome outcome = lock_container(container);
    enum status status;
    if (outcome == DONE)
        outcome = read_status(container, &status);
    if (outcome != DONE || status == PAUSED)
        return outcome == DONE ? ASK_NODE : outcome;
    if (status != STOPPED && !call->force)
        return refuse(call, "cannot delete container %s that is not stopped: %s", call->id,
                      status_names[status]);
    if (status == CREATED && abandon_gate(container->shim) != DONE)
        return ASK_NODE;
    return remove_all(container);
}

int main(int argc, char **argv)
{
    struct call call;
    if (parse_call(&call, argc, argv) != DONE)
        become_node(argv, 0, NULL);
    signal(SIGPIPE, SIG_IGN);
    struct container container;
    int failed = 0;
    enum outcome outcome = open_container(&container, &call);
    if (outcome == REFUSED && call.command == DELETE && call.force)
        return DONE;
    if (outcome == DONE) {
        if (call.command == STATE)
            outcome = state(&container);
        else if (call.command == START)
            outcome = start(&container, &failed);
        else if (call.command == KILL)
            outcome = kill_container(&container);
        else
            outcome = delete(&container);
    } else if (outcome == REFUSED) {
        outcome = refuse(&call, "container does not exist: %s", call.id);
    }
    if (outcome != ASK_NODE)
        return outcome;
    char more[32];
    snprintf(more, sizeof more, "--failed=%d", failed);
    become_node(argv, call.command_at, failed ? more : NULL);
}

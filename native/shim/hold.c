/*
 * `tsdocker-shim hold FIFO GRACE_MS NAME [LEAF]`: a process that is nothing but its namespaces. It
 * stays for as long as somebody has the fifo open for writing (the daemon, the shims of
 * containers), and a grace period more, in which the next daemon may come. NAME goes with it: who
 * watches that name, outside, learns so that the namespaces are gone. LEAF is its own control
 * group, which goes too, with all that is beside it.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "shim.h"

#define LOOK_MS 100

static const char *watched;

static void go(int number)
{
    (void)number;
    unlink(watched);
    _exit(0);
}

/* Until the last writer has gone; before the first has come that is not yet so. */
static bool is_left(int fifo, int timeout_ms)
{
    struct pollfd writers = {.fd = fifo};
    return poll(&writers, 1, timeout_ms) > 0 && writers.revents & POLLHUP;
}

int hold_main(int argc, char **argv)
{
    if (argc < 3)
        return 2;
    watched = argv[2];
    signal(SIGTERM, go);
    prctl(PR_SET_NAME, "tsdocker-hold");
    int fifo = open(argv[0], O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    uint64_t grace_ms = strtoull(argv[1], NULL, 10);
    if (fifo < 0) {
        perror(argv[0]);
        return 1;
    }
    for (;;) {
        if (!is_left(fifo, -1))
            continue;
        uint64_t until = now_ms() + grace_ms;
        while (is_left(fifo, 0) && now_ms() < until)
            poll(NULL, 0, LOOK_MS);
        if (is_left(fifo, 0))
            break;
    }
    /* Who comes from here on finds no reader, and makes namespaces of its own. */
    close(fifo);
    unlink(watched);
    if (argc > 3)
        leave_group(argv[3]);
    return 0;
}

/* The shim's life: one message, two strands, then the monitor. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "protocol.h"
#include "shim.h"

/* One shim per process; static, so that it costs no page until it is used. */
static struct shim the_shim;
static struct launch the_launch;

static void become_shim(void)
{
    sigset_t all;
    sigfillset(&all);
    /* All signals wait: SIGCHLD is read from a signalfd, and a stray SIGTERM must not end us. */
    sigprocmask(SIG_SETMASK, &all, NULL);
    signal(SIGPIPE, SIG_IGN);
    prctl(PR_SET_NAME, "tsdocker-shim");
    prctl(PR_SET_DUMPABLE, 0);
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    umask(0);
    fcntl(CONTROL_FD, F_SETFD, FD_CLOEXEC);
    fresh_shim(&the_shim);
}

static int tell_failure(uint32_t strand, uint32_t index, int error)
{
    int32_t payload[3] = {(int32_t)strand, (int32_t)index, error < 0 ? -error : error};
    struct frame frame = {.size = sizeof payload, .type = FAILED};
    send_last(CONTROL_FD, frame, payload);
    return 1;
}

/* Everything up to the gate; 0 there, else the exit status of the shim. */
static int launch(const uint8_t *message, uint32_t size)
{
    enum shim_part part = PART_MESSAGE;
    int result = decode_launch(&the_launch, message, size, the_shim.slots);
    if (result < 0)
        return tell_failure(SHIM, part, result);
    the_shim.program = &the_launch.program;
    the_shim.opens = the_launch.settings.open_tag != 0;
    result = prepare_monitor(&the_launch.settings, &part);
    if (result < 0)
        return tell_failure(SHIM, part, result);
    result = run_strand(&the_shim, &the_launch.program, HOST);
    uint32_t step = the_shim.failed_step;
    if (result == 0) {
        step = NO_STEP;
        result = the_shim.pid > 0 ? await_ready(&the_shim) : -ESRCH;
    }
    if (result == 0)
        return 0;
    undo(&the_shim);
    cancel_monitor();
    if (the_shim.init_failed)
        return tell_failure(INIT, the_shim.init_step, the_shim.init_error);
    return tell_failure(HOST, step, result);
}

int main(int argc, char **argv, char **envp)
{
    /* A container with --init executes us by this name, from a sealed memfd. */
    const char *slash = argc > 0 ? strrchr(argv[0], '/') : NULL;
    if (argc > 0 && strcmp(slash ? slash + 1 : argv[0], "docker-init") == 0)
        return reaper_main(argc - 1, argv + 1, envp);
    if (argc > 1 && strcmp(argv[1], "init") == 0)
        return reaper_main(argc - 2, argv + 2, envp);
    if (argc > 1 && strcmp(argv[1], "hold") == 0)
        return hold_main(argc - 2, argv + 2);
    if (argc > 1 && strcmp(argv[1], "run") == 0)
        return run_main(argc - 2, argv + 2);
    if (argc < 2 || strcmp(argv[1], "monitor") != 0) {
        fputs("tsdocker-shim: started by tsdockerd, or as: tsdocker-shim init -- command\n",
              stderr);
        return 2;
    }
    become_shim();
    int result;
    do {
        uint8_t *message = NULL;
        uint32_t size = 0;
        result = take_message(&message, &size);
        result = result < 0 ? tell_failure(SHIM, PART_MESSAGE, result) : launch(message, size);
        if (result == 0)
            result = monitor(&the_shim, &the_launch, message, size);
    } while (result == 0 && begin_again(&the_shim, &the_launch));
    cancel_monitor();
    return result;
}

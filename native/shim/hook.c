/* The `hook` step: a program of the caller's, run by init where it stands at that moment. */
#include "steps.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "sys.h"

struct hook {
    int input;
    const char *path;
    char **argv, **env;
};

static _Noreturn void run_hook(const struct hook *hook, int failure)
{
    int null = open("/dev/null", O_RDWR);
    if (lseek(hook->input, 0, SEEK_SET) == 0 && dup2(hook->input, 0) == 0 && dup2(null, 1) == 1 &&
        dup2(null, 2) == 2) {
        /* What is of the launch is not the hook's. */
        syscall(SYS_close_range, 3, ~0u, CLOSE_RANGE_CLOEXEC_FLAG);
        execve(hook->path, hook->argv, hook->env);
    }
    int error = errno;
    ssize_t unused = write(failure, &error, sizeof error);
    (void)unused;
    _exit(127);
}

static int carry_out(const struct hook *hook, uint32_t timeout_ms)
{
    int failure[2], status = 0, error;
    if (pipe2(failure, O_CLOEXEC) < 0)
        return -errno;
    pid_t pid = fork();
    if (pid == 0)
        run_hook(hook, failure[1]);
    int result = pid < 0 ? -errno : 0;
    close(failure[1]);
    /* EOF: it has been executed. */
    if (result == 0 && read(failure[0], &error, sizeof error) == sizeof error)
        result = -error;
    close(failure[0]);
    int waited = pid > 0 ? await_child(pid, -1, result == 0 ? timeout_ms : 0, &status) : 0;
    if (result < 0 || waited < 0)
        return result < 0 ? result : waited;
    return status == 0 ? 0 : -ECANCELED;
}

int step_hook(struct shim *shim, struct reader *operands)
{
    struct hook hook = {.input = operand_fd(shim, operands)};
    uint32_t timeout_ms = read_u32(operands);
    hook.path = read_str(operands);
    if (build_list(operands, &hook.argv))
        return -ENOMEM;
    int result = build_list(operands, &hook.env);
    if (result == 0) {
        result = carry_out(&hook, timeout_ms);
        free(hook.env);
    }
    free(hook.argv);
    /* Who opens the gate tells by the errno whether it was the program: that has others. */
    bool is_start = shim->gate_passed && result < 0 && result != -ETIMEDOUT;
    return is_start ? -ECANCELED : result;
}

/*
 * Steps by which another OCI runtime makes the container: its program is run to its end, and the
 * process that it leaves behind is taken over, as is the terminal that it sends.
 */
#include "steps.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "protocol.h"
#include "sys.h"

static _Noreturn void become(char **argv, char **env, const int fds[3])
{
    restore_defaults();
    for (int fd = 0; fd < 3; fd++)
        if (dup2(fds[fd], fd) < 0)
            _exit(126);
    execve(argv[0], argv, env);
    _exit(127);
}

static int run(struct shim *shim, struct reader *operands)
{
    char **argv, **env;
    uint32_t timeout_ms = read_u32(operands);
    if (build_list(operands, &argv) || build_list(operands, &env))
        return -ENOMEM;
    int fds[3];
    for (int fd = 0; fd < 3; fd++)
        fds[fd] = operand_fd(shim, operands);
    pid_t pid = fork();
    if (pid < 0)
        return -errno;
    if (pid == 0)
        become(argv, env, fds);
    free(argv);
    free(env);
    /* The daemon, which would hear of it, may go before it ends. */
    int status = -1;
    int result = await_child(pid, shim->control, timeout_ms, &status);
    if (result == -ETIMEDOUT)
        return result;
    return result == 0 && status == 0 ? 0 : -EPROTO;
}

int step_spawn(struct shim *shim, struct reader *operands)
{
    return run(shim, operands);
}

int step_spawnAtGate(struct shim *shim, struct reader *operands)
{
    int result = pass_gate(shim);
    if (result == 0)
        result = run(shim, operands);
    if (result == 0)
        _exit(0); /* the shim sees the end of the report: the container runs */
    return result;
}

int step_adoptInit(struct shim *shim, struct reader *operands)
{
    int dir = operand_fd(shim, operands);
    cleanup_fd int fd = openat(dir, read_str(operands), O_RDONLY | O_CLOEXEC);
    char text[16] = "";
    if (fd < 0 || read(fd, text, sizeof text - 1) < 0)
        return -errno;
    long pid = strtol(text, NULL, 10);
    if (pid <= 1 || shim->strand != HOST)
        return -EINVAL;
    follow_fork(shim, (pid_t)pid);
    return shim->pidfd < 0 ? -ESRCH : 0;
}

int step_listenUnix(struct shim *shim, struct reader *operands)
{
    uint32_t out = read_u32(operands);
    struct sockaddr_un address;
    int result = unix_address(&address, read_str(operands));
    if (result < 0)
        return result;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    result = put_result(shim, out, fd);
    if (result < 0)
        return result;
    unlink(address.sun_path);
    if (bind(fd, (struct sockaddr *)&address, sizeof address) < 0 || listen(fd, 1) < 0)
        return -errno;
    return 0;
}

/* Who sends has ended by now: what is not there does not come any more, -EAGAIN. */
int step_acceptFd(struct shim *shim, struct reader *operands)
{
    int listener = operand_fd(shim, operands);
    uint32_t out = read_u32(operands);
    cleanup_fd int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd < 0)
        return -errno;
    char name[256];
    int passed = -1;
    int got = receive_some(fd, name, sizeof name, &passed, 0);
    if (got < 0)
        return got;
    return passed < 0 ? -EBADMSG : put_result(shim, out, passed);
}

/*
 * PID 1 of a container with --init: runs the command, forwards signals to it, reaps everything,
 * ends as it ends. Started inside the container by `execveat` of the shim's own sealed memfd.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "shim.h"

/* As a shell tells them apart. */
#define EXIT_NOT_FOUND 127
#define EXIT_NOT_EXECUTABLE 126

static _Noreturn void run_command(char **argv, char **envp, const sigset_t *mask)
{
    /* A group of its own in the foreground, so that ^C reaches the command and not us twice. */
    setpgid(0, 0);
    signal(SIGTTOU, SIG_IGN);
    if (isatty(0))
        tcsetpgrp(0, getpid());
    signal(SIGTTOU, SIG_DFL);
    sigprocmask(SIG_SETMASK, mask, NULL);
    execvpe(argv[0], argv, envp);
    int error = errno;
    fprintf(stderr, "docker-init: exec %s: %s\n", argv[0], strerror(error));
    _exit(error == ENOENT ? EXIT_NOT_FOUND : EXIT_NOT_EXECUTABLE);
}

/* The command's exit status once it has ended, else -1. */
static int reap_all(pid_t command)
{
    for (;;) {
        int status;
        pid_t pid = waitpid(-1, &status, WNOHANG);
        if (pid <= 0)
            return -1;
        if (pid == command)
            return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
    }
}

int reaper_main(int argc, char **argv, char **envp)
{
    sigset_t all, before;
    if (argc > 0 && strcmp(argv[0], "--") == 0) {
        argc--;
        argv++;
    }
    if (argc < 1) {
        fputs("docker-init: no command\n", stderr);
        return EXIT_NOT_FOUND;
    }
    prctl(PR_SET_NAME, "docker-init");
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, &before);
    pid_t command = fork();
    if (command < 0)
        return EXIT_NOT_EXECUTABLE;
    if (command == 0)
        run_command(argv, envp, &before);
    for (;;) {
        siginfo_t info;
        int number = sigwaitinfo(&all, &info);
        if (number == SIGCHLD) {
            int status = reap_all(command);
            if (status >= 0)
                return status;
        } else if (number > 0) {
            kill(-command, number) < 0 ? kill(command, number) : 0;
        }
    }
}

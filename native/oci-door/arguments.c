/* The command line: what is plain of it, as cli/oci-runtime/arguments.ts reads it. */
#include "door.h"

#include <ctype.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define DEFAULT_ROOT "/run/tsdocker-runtime"
#define LAST_SIGNAL 64
#define MAX_ID 1024
#define MAX_WORDS 2

static const char *const commands[] = {
    [STATE] = "state", [START] = "start", [KILL] = "kill", [DELETE] = "delete"};

static const struct {
    const char *name;
    int number;
} signals[] = {
    {"HUP", SIGHUP},   {"INT", SIGINT},       {"QUIT", SIGQUIT}, {"ILL", SIGILL},
    {"TRAP", SIGTRAP}, {"ABRT", SIGABRT},     {"BUS", SIGBUS},   {"FPE", SIGFPE},
    {"KILL", SIGKILL}, {"USR1", SIGUSR1},     {"SEGV", SIGSEGV}, {"USR2", SIGUSR2},
    {"PIPE", SIGPIPE}, {"ALRM", SIGALRM},     {"TERM", SIGTERM}, {"CHLD", SIGCHLD},
    {"CONT", SIGCONT}, {"STOP", SIGSTOP},     {"TSTP", SIGTSTP}, {"TTIN", SIGTTIN},
    {"TTOU", SIGTTOU}, {"URG", SIGURG},       {"XCPU", SIGXCPU}, {"XFSZ", SIGXFSZ},
    {"PROF", SIGPROF}, {"VTALRM", SIGVTALRM}, {"IO", SIGIO},     {"WINCH", SIGWINCH},
};

int signal_number(const char *text)
{
    size_t length = strlen(text);
    if (length == 0)
        return -1;
    if (strspn(text, "0123456789") == length) {
        long number = length > 2 ? -1 : strtol(text, NULL, 10);
        return number > LAST_SIGNAL ? -1 : (int)number;
    }
    const char *name = strncasecmp(text, "SIG", 3) == 0 ? text + 3 : text;
    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++)
        if (strcasecmp(name, signals[i].name) == 0)
            return signals[i].number;
    return -1;
}

/* The value of `--name VALUE`, `--name=VALUE`, or either with one dash; NULL for another flag. */
static const char *flag_value(const char *name, int *at, int argc, char **argv)
{
    const char *arg = argv[*at] + (strncmp(argv[*at], "--", 2) == 0 ? 2 : 1);
    size_t length = strlen(name);
    if (strncmp(arg, name, length) != 0)
        return NULL;
    if (arg[length] == '=')
        return arg + length + 1;
    if (arg[length] != '\0' || *at + 1 >= argc)
        return NULL;
    return argv[++*at];
}

/* The global flags, up to the command's name. */
static enum outcome parse_global(struct call *call, int argc, char **argv)
{
    /* Which manager is asked for matters to `create` only. */
    const char *format = "text", *manager = "cgroupfs";
    const struct {
        const char *name, **value;
    } flags[] = {{"root", &call->root},
                 {"log", &call->log},
                 {"log-format", &format},
                 {"cgroup-manager", &manager}};
    int at = 1;
    for (; at < argc && argv[at][0] == '-'; at++) {
        if (strcmp(argv[at], "--systemd-cgroup") == 0)
            continue;
        const char *value = NULL;
        for (size_t i = 0; i < sizeof flags / sizeof *flags && !value; i++) {
            value = flag_value(flags[i].name, &at, argc, argv);
            if (value)
                *flags[i].value = value;
        }
        if (!value || value[0] == '\0' || value[0] == '-')
            return ASK_NODE;
    }
    call->command_at = at;
    call->json = strcmp(format, "json") == 0;
    bool known = (call->json || strcmp(format, "text") == 0) &&
                 (strcmp(manager, "cgroupfs") == 0 || strcmp(manager, "systemd") == 0);
    return known && at < argc ? DONE : ASK_NODE;
}

static bool is_id(const char *id)
{
    size_t length = strlen(id);
    for (size_t i = 0; i < length; i++)
        if (!isalnum((unsigned char)id[i]) && !strchr("_+.-", id[i]))
            return false;
    return length > 0 && length <= MAX_ID && strcmp(id, ".") != 0 && strcmp(id, "..") != 0;
}

static bool take_flag(struct call *call, const char *arg)
{
    if (call->command == KILL && (strcmp(arg, "--all") == 0 || strcmp(arg, "-a") == 0))
        return call->all = true;
    if (call->command == DELETE && (strcmp(arg, "--force") == 0 || strcmp(arg, "-f") == 0))
        return call->force = true;
    return false;
}

enum outcome parse_call(struct call *call, int argc, char **argv)
{
    *call = (struct call){.root = DEFAULT_ROOT};
    if (parse_global(call, argc, argv) != DONE)
        return ASK_NODE;
    size_t command = 0, count = sizeof commands / sizeof *commands;
    while (command < count && strcmp(commands[command], argv[call->command_at]) != 0)
        command++;
    if (command == count)
        return ASK_NODE;
    call->command = (enum command)command;
    const char *words[MAX_WORDS];
    int found = 0;
    for (int at = call->command_at + 1; at < argc; at++) {
        if (argv[at][0] == '-' ? !take_flag(call, argv[at]) : found == MAX_WORDS)
            return ASK_NODE;
        if (argv[at][0] != '-')
            words[found++] = argv[at];
    }
    if (found < 1 || (found > 1 && call->command != KILL) || !is_id(words[0]))
        return ASK_NODE;
    call->id = words[0];
    call->signal = found > 1 ? signal_number(words[1]) : SIGTERM;
    return call->signal < 0 ? ASK_NODE : DONE;
}

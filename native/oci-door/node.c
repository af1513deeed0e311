/* The other entry: dist/cli/oci-runtime/main.cjs, beside this program's own folder. */
#include "door.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ENTRY "/cli/oci-runtime/main.cjs"
/* dist/native/tsdocker-runtime: so many parts are not dist's. */
#define OWN_PARTS 2

#ifndef BUILT_BY
#define BUILT_BY "/usr/bin/node"
#endif

static bool find_entry(char *path, size_t room)
{
    ssize_t size = readlink("/proc/self/exe", path, room - sizeof ENTRY);
    if (size < 0)
        return false;
    path[size] = '\0';
    for (int i = 0; i < OWN_PARTS; i++) {
        char *slash = strrchr(path, '/');
        if (!slash)
            return false;
        *slash = '\0';
    }
    strcat(path, ENTRY);
    return access(path, R_OK) == 0;
}

static _Noreturn void fail(const char *what, const char *why)
{
    fprintf(stderr, "tsdocker-runtime: %s: %s\n", what, why);
    _exit(1);
}

_Noreturn void become_node(char **argv, int command_at, const char *more)
{
    char entry[PATH_MAX];
    if (!find_entry(entry, sizeof entry))
        fail(ENTRY, "not found: this program belongs beside it, in dist/native; link to it");
    int count = 0;
    while (argv[count])
        count++;
    char **words = calloc((size_t)count + 4, sizeof *words);
    if (!words)
        fail("arguments", strerror(errno));
    int at = 0;
    words[at++] = "node";
    words[at++] = entry;
    for (int i = 1; i < count; i++) {
        words[at++] = argv[i];
        if (more && i == command_at)
            words[at++] = (char *)more;
    }
    const char *named = getenv("TSDOCKER_NODE");
    if (named && named[0] != '\0') {
        execv(named, words);
        fail(named, strerror(errno));
    }
    execvp("node", words);
    execv(BUILT_BY, words);
    fail("node", "not found: name it in TSDOCKER_NODE");
}

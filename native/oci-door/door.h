/*
 * dist/native/tsdocker-runtime: state, start, kill and delete of an OCI container without Node, for
 * who calls them by the hundred. What a container is, `create` has left for it in a file
 * (cli/oci-runtime/door-file.ts); whatever is not plain here is Node's: the program becomes the
 * other entry, with the same arguments, so long as nothing was changed that is not to be changed
 * twice. So errors in rare cases have one home, and their words too.
 */
#ifndef TSDOCKER_OCI_DOOR_H
#define TSDOCKER_OCI_DOOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* The layout of the file; a unit test holds it against door-file.ts. */
#define DOOR_MAGIC "tsdoor 1"
#define DOOR_FILE "door"
/* Little-endian: a number is u64, a text u32 and its bytes and NUL, texts are u32 and so many. */
#define DOOR_FIELDS(NUMBER, TEXT, TEXTS)                                                           \
    NUMBER(pid)                                                                                    \
    NUMBER(pid_start)                                                                              \
    NUMBER(has_process)                                                                            \
    NUMBER(has_poststart)                                                                          \
    NUMBER(has_poststop)                                                                           \
    NUMBER(cgroup_version)                                                                         \
    TEXT(cgroup_home)                                                                              \
    TEXT(cgroup_freezer)                                                                           \
    TEXTS(cgroup_folders)                                                                          \
    TEXT(state_head)                                                                               \
    TEXT(state_tail)

struct texts {
    uint32_t count;
    const char **list;
};

struct door {
#define NUMBER(name) uint64_t name;
#define TEXT(name) const char *name;
#define TEXTS(name) struct texts name;
    DOOR_FIELDS(NUMBER, TEXT, TEXTS)
#undef NUMBER
#undef TEXT
#undef TEXTS
};

/* How a command or a part of one ends. */
enum outcome {
    DONE = 0,
    REFUSED = 1,   /* and the caller was told why */
    ASK_NODE = -1, /* nothing has changed, or nothing that Node would not find and finish */
};

enum command { STATE, START, KILL, DELETE };

struct call {
    enum command command;
    const char *root, *id, *log;
    bool json, all, force;
    int signal;
    int command_at; /* in argv */
};

/* arguments.c: ASK_NODE for whatever is not plain. */
enum outcome parse_call(struct call *call, int argc, char **argv);
/* The number of `TERM`, `SIGTERM` or `15`; negative for what is not in the table. */
int signal_number(const char *text);

/* container.c: the folder of a container, and what is known of it. */
struct container {
    const struct call *call;
    struct door door;
    int root, folder;
    int pidfd; /* -1 once it has ended */
    int shim;  /* connected while it stands at the gate, else -1 */
};
/* REFUSED when there is none. */
enum outcome open_container(struct container *container, const struct call *call);
/* One transition at a time; the lock goes with the process. */
enum outcome lock_container(const struct container *container);
enum status { CREATED, RUNNING, PAUSED, STOPPED };
extern const char *const status_names[];
enum outcome read_status(struct container *container, enum status *status);
/* Whether its first process lives: 1 or 0, or negative when that cannot be told. */
int is_alive(const struct door *door);
/* Removes its folder, the record last. */
enum outcome forget_container(const struct container *container);

/* gate.c: the shim that keeps the gate. */
/* The connection while the process stands at the gate, -1 when it does not, ASK_GATE if unclear. */
#define ASK_GATE (-2)
int connect_gate(int folder);
/* 0 once execve has succeeded, its errno when it failed; negative when nobody opened it. */
int open_gate(int shim);
/* Returns when the shim has gone, or has said no. */
enum outcome abandon_gate(int shim);

/* cgroup.c */
enum outcome is_frozen(const struct door *door, bool *frozen);
enum outcome signal_group(const struct door *door, int signal);
enum outcome kill_group(const struct door *door);
enum outcome remove_group(const struct door *door);

/* report.c: tells the error, on stderr and in the log; ASK_NODE when the log cannot be written. */
enum outcome refuse(const struct call *call, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* node.c: becomes the other entry; `more` goes behind the command's name unless it is NULL. */
_Noreturn void become_node(char **argv, int command_at, const char *more);

/* door-file.c: DONE, or ASK_NODE when there is none, or another version's. */
enum outcome read_door(struct door *door, int folder);

/* files.c */
/* The whole file, with a NUL behind it, and its size; NULL and errno. At most `limit` bytes. */
char *read_whole(int dir, const char *path, size_t limit, size_t *size);
uint64_t now_ms(void);
void sleep_ms(unsigned ms);

#endif

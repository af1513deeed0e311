/*
 * The shim: executes a launch program, then keeps watch over the process that it started.
 *
 * Error contract: a function returns 0 (or something positive that it documents) or a negative
 * errno. Who executes a strand adds the strand and the number of the step; the daemon knows what
 * that step was meant to be. Nothing here decides anything: paths, limits and order come with the
 * message.
 */
#ifndef TSDOCKER_SHIM_H
#define TSDOCKER_SHIM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define SLOTS 256
/* From here on: sockets inside the container, which would keep its network alive after it. */
#define FIRST_INNER_SLOT 248
#define NO_SLOT 0xffffffffu

/* Bounds of a message; encode.ts and client.ts have the same. */
#define MAX_MESSAGE_BYTES (9u * 1024 * 1024)
#define MAX_STEPS 4096
#define MAX_STRINGS 65536
#define MAX_TOLERATED 16
#define MAX_ANSWER_BYTES (64 * 1024)
#define MAX_PATHS 64
/* Sockets of published ports; spawn.c passes as many. */
#define MAX_HELD 16384

#define MAX_DETACH_KEYS 16

#define CONTROL_FD 3

/* Bounds-checked reading of little-endian bytes; once `bad`, everything reads as zero. */
struct reader {
    const uint8_t *at, *end;
    bool bad;
};
uint16_t read_u16(struct reader *reader);
uint32_t read_u32(struct reader *reader);
uint64_t read_u64(struct reader *reader);
/* A string that ends in NUL and holds no other; "" when bad. */
const char *read_str(struct reader *reader);
const uint8_t *read_bytes(struct reader *reader, uint32_t *size);
/* Passes over a list of strings and says how many; build_list makes the array that execve wants. */
uint32_t skip_strs(struct reader *reader);
int build_list(struct reader *reader, char ***list);

struct program {
    const uint8_t *base;
    size_t size;
    const uint8_t *offsets;
    uint32_t count[2];
};
enum strand_name { HOST, INIT, SHIM };

/* Checks every offset, opcode, operand and jump, so that execution needs no checks of its own. */
int decode_program(struct program *program, const uint8_t *bytes, size_t size);

enum stdio_kind { STDIO_NONE, STDIO_PIPES, STDIO_PTY };

struct settings {
    const char *socket_path, *exit_path;
    uint32_t stdio, stdin_slot, stdout_slot, stderr_slot, stdin_once;
    uint32_t log_kind, log_max_files;
    const char *log_path, *log_attrs;
    uint64_t log_max_size;
    const char *spill_dir;
    uint64_t spill_bytes;
    uint32_t stall_ms, drain_ms;
    const char *oom_files[MAX_PATHS], *kill_files[MAX_PATHS];
    uint32_t oom_count, kill_count;
    uint32_t root_slot;
    uint8_t keep[SLOTS];
    /* Attached before anything has run; NO_SLOT for nobody. */
    uint32_t client_slot, client_flags, client_key_count;
    const uint8_t *client_keys;
    /* The gate opens at once, as if an `open` with this tag had come; 0 when it waits for one. */
    uint32_t open_tag;
    /* As good as sent: a `wait` with this tag (0 for none); what comes at the end: enum leaving. */
    uint32_t wait_tag, leaves;
    /* For how long the answer to that `open` may wait for the one to that `wait`. */
    uint32_t open_wait_ms;
    /* What the shim keeps for who finds it; nothing of it is ours to read. */
    const uint8_t *note;
    uint32_t note_size;
    /* Passed fds that no step uses: they are open for as long as the process lives. */
    int first_held;
    uint32_t held_count, forward_count;
    struct reader forwards;
};
struct launch {
    struct settings settings;
    struct program program;
};
/* The launch message, as it comes on the launching connection. */
int take_message(uint8_t **message, uint32_t *size);
/* Its memory is given back, unless all of ours will be in a moment. */
void drop_message(void *message, size_t size, bool soon_gone);

/* Reads a launch message; `passed` fds, from CONTROL_FD + 1 on, go to the slots that it names. */
int decode_launch(struct launch *launch, const uint8_t *bytes, size_t size, int slots[SLOTS]);

/* Tokens that came before their `await`. */
#define MAX_EARLY 16
struct token {
    uint32_t token;
    int fd;
};

struct shim {
    int control; /* the daemon that launches; -1 when it has gone */
    int peer;    /* to the other strand */
    int report;  /* from init: struct report, then EOF at execve */
    int pidfd;
    pid_t pid; /* of init, as the host sees it; 0 before `clone` */
    int slots[SLOTS];
    const struct program *program;
    enum strand_name strand;
    /* `opens`: init passes the gate without waiting there. */
    bool umask_set, gate_passed, opens;
    /* Of an init that lives in the shim's memory, and dies with it. */
    bool borrows;
    uint8_t *answer;
    uint32_t answer_size;
    int answer_fd; /* what came with it, -1 for nothing */
    uint32_t failed_step;
    struct token early[MAX_EARLY];
    uint32_t early_count;
    /* What init has reported. */
    bool ready, executing, init_failed;
    uint32_t init_step;
    int init_error;
};

/* Nothing that was allocated is of use any more; false where that cannot be done. */
bool forget_memory(void);

/*
 * Once its process has ended: all is as if the shim had just been executed, and the daemon knows,
 * who may pass one fd with the next launch. False when that cannot be; the shim ends then.
 */
bool begin_again(struct shim *shim, struct launch *launch);
/* As it is before a launch, and the monitor with it. */
void fresh_shim(struct shim *shim);

/* What init tells the shim before execve. */
enum report_kind { REPORT_FAILED = 1, REPORT_FORKED, REPORT_READY, REPORT_EXEC };
struct report {
    uint32_t kind, index;
    int32_t value; /* errno, or the pid of the fork */
    uint32_t unused;
};

/* The token on the strands' socket that opens the gate. */
#define GATE_TOKEN 0xffffffffu
/* "Not a step": the strand itself was lost. */
#define NO_STEP 0xffffffffu

/* Executes one strand; on failure shim->failed_step is the step. */
int run_strand(struct shim *shim, const struct program *program, enum strand_name strand);
/* What the shim changed for itself, and what it executes must not inherit. */
void restore_defaults(void);
/* In init: executes its strand, reports, never returns. */
_Noreturn void run_init(struct shim *shim, const struct program *program);

int slot_fd(const struct shim *shim, uint32_t slot);
void slot_put(struct shim *shim, uint32_t slot, int fd);

/* The `fork` step of the init strand: the parent reports the child's pid and ends. */
int fork_init(struct shim *shim);
void report(struct shim *shim, enum report_kind kind, uint32_t index, int32_t value);
/* Takes all that init has reported so far; -EPIPE once its end is closed. */
int take_reports(struct shim *shim);
/* From now on `pid` is init. */
void follow_fork(struct shim *shim, pid_t pid);

/*
 * The host waits for the daemon's answer, or for init. -ECANCELED: give up, -ECHILD: init did. With
 * `UNASKED` in its token the daemon answers without having been told.
 */
#define UNASKED 0x80000000u
int converse_yield(struct shim *shim, uint32_t token);
int converse_await(struct shim *shim, uint32_t token, int *fd);
int converse_notify(struct shim *shim, uint32_t token, int fd);
/* In init, before execve: returns once the daemon has opened the gate. */
int pass_gate(struct shim *shim);
/* At the host, once its strand is through: until init stands at the gate. */
int await_ready(struct shim *shim);
/* Kills init and waits for its end. */
void undo(struct shim *shim);
/* Kills it; who is above us waits for it. */
void undo_unwaited(struct shim *shim);

/* After the gate is reached: serves until the process has ended and the daemon has taken note. */
int monitor(struct shim *shim, struct launch *launch, void *message, size_t message_size);
/* Before the first step: everything that the monitor opens by path. On failure `part` says what. */
enum shim_part {
    PART_MESSAGE,
    PART_SOCKET,
    PART_EXIT,
    PART_LOG,
    PART_SPILL,
    PART_STREAMS,
    PART_PORTS,
};
int prepare_monitor(const struct settings *settings, enum shim_part *part);
/* Removes what prepare_monitor has made. */
void cancel_monitor(void);

uint64_t now_ms(void);

/*
 * Until a child has ended: 0. It is killed after `timeout_ms` (0: never), -ETIMEDOUT, or when
 * `watched` (-1: nothing) is hung up, -ECANCELED.
 */
int await_child(pid_t pid, int watched, uint32_t timeout_ms, int *status);

/* `tsdocker-shim init -- cmd…`: PID 1 of a container with --init. */
int reaper_main(int argc, char **argv, char **envp);
/*
 * `tsdocker-shim hold FIFO GRACE_MS NAME [LEAF]` and `run PROGRAM NAME…`: the daemon's own
 * namespaces, and its control group, whose leaf has this path.
 */
void leave_group(const char *path);
int hold_main(int argc, char **argv);
int run_main(int argc, char **argv);

/* Cleanup attributes, as crun has them. */
static inline void cleanup_close_fd(const int *fd)
{
    extern int close(int);
    if (*fd >= 0)
        close(*fd);
}
#define cleanup_fd __attribute__((cleanup(cleanup_close_fd)))

#endif

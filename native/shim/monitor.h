/* What the parts of the monitor share. Every buffer's bound is named here. */
#ifndef TSDOCKER_MONITOR_H
#define TSDOCKER_MONITOR_H

#include "protocol.h"
#include "shim.h"

/* Docker's: a line longer than this is logged in pieces. */
#define PIECE_BYTES (16 * 1024)
/* Read from a pipe at once; less while clients are attached, whose queues must take it whole. */
#define READ_BYTES (256 * 1024)
#define ATTACHED_READ_BYTES (64 * 1024)
#define LOG_BUFFER_BYTES (512 * 1024)
#define MAX_ATTRS_BYTES (32 * 1024)
#define STDIN_BYTES (16 * 1024)
/* Largest payload of one stdcopy frame, as Docker writes them. */
#define FRAME_BYTES (32 * 1024)
/* A slow client's memory, before its spill file. */
#define RING_BYTES (128 * 1024)
/* What is still in the pipes when the process has ended may exceed the spill file's bound. */
#define SPILL_SLACK_BYTES (4 * 1024 * 1024)
#define MAX_PIPE_BYTES (1024 * 1024)
#define MAX_CLIENTS 256
#define MAX_KEPT_FILES 512
#define MAX_REQUEST_BYTES 64
/* Buffers are given back to the kernel after this long without output. */
#define IDLE_MS 1000
/* Between two looks at a cgroup that is being killed. */
#define KILL_AGAIN_MS 20

enum stream_name { OUT, ERR, STREAMS };

/* Bytes that a client has not taken yet: a ring in memory, what is newer in an unlinked file. */
struct queue {
    uint8_t *ring;
    uint32_t head, size;
    int spill;
    uint64_t spill_head, spill_size;
    /* Where in a stdcopy frame the client is. */
    uint8_t frame_header[8];
    uint32_t frame_have, frame_left;
};

struct client {
    struct client *next;
    int fd, poll_index, passed;
    bool launcher, opener, attached, waiting, gone;
    uint16_t wait_tag;
    /* Who waits for the log to be rotated. */
    bool turning;
    uint16_t turn_tag;
    /* Who waits for more processes to be killed than it knows of. */
    bool oom_waiting;
    uint16_t oom_tag;
    uint64_t oom_seen;
    /* How many rotated files more it wants to find. */
    uint32_t log_keep;
    uint32_t in_size;
    uint8_t in[sizeof(struct frame) + MAX_REQUEST_BYTES];
    /* attached: */
    uint32_t flags;
    bool input_ended, hung_up, dropping, said_why;
    struct queue queue;
    uint64_t progress_ms;
    uint8_t detach_keys[MAX_DETACH_KEYS];
    uint32_t detach_count, detach_matched;
};

struct exit_status {
    int32_t code;
    uint32_t signal, oom_killed;
    uint64_t finished_ms, log_lost;
};

enum phase {
    AT_GATE,
    OPENING, /* init is on its way through execve */
    RUNNING,
    DRAINING, /* it has ended, its output has not */
    ENDED,    /* the exit file is there */
};

struct monitor {
    struct shim *shim;
    enum phase phase;
    uint32_t stdio;
    bool stdin_once, stdin_seen, farewell;
    /* Nobody needs to say bye; the launcher may have something else to do for us afterwards. */
    bool leaves, returns;
    /* It has, and nobody else is here. */
    bool returning;
    /* The launcher has gone and wants no undoing; after execve the shim is not needed. */
    bool left, hand_over;
    int out[STREAMS]; /* read ends; a pty's controller is OUT */
    int in;           /* write end; the controller's own number for a pty */
    uint32_t in_size, in_done;
    uint64_t last_output_ms, drain_until_ms;
    /* When who has opened the gate is told that execve has succeeded, at the latest; 0: it was. */
    uint64_t open_due_ms;
    uint32_t open_wait_ms;
    int signals, listener;
    struct client *clients;
    uint32_t client_count, attached_count;
    struct exit_status exit;
    uint16_t open_tag;
    uint32_t stall_ms, drain_ms;
    uint64_t spill_bytes;
    int spill_dir;
    uint32_t root_slot;
};
extern struct monitor the_monitor;

/* One mapping for all large buffers, so that idle ones cost address space only. */
struct buffers {
    uint8_t carry[STREAMS][PIECE_BYTES];
    uint8_t stdin_bytes[STDIN_BYTES];
    /* From here on given back when idle. */
    uint8_t before_read[PIECE_BYTES];
    uint8_t read[READ_BYTES];
    uint8_t log[LOG_BUFFER_BYTES];
};
extern struct buffers *the_buffers;

/* log.c: Docker's json-file. */
int log_open(const struct settings *settings);
/* `bytes` must lie in the_buffers->read: the carried piece is put in front of them. */
void log_feed(enum stream_name stream, uint8_t *bytes, uint32_t size);
void log_end(enum stream_name stream);
uint64_t log_lost(void);
/* How often it was rotated by this shim. */
uint64_t log_rotations(void);
/* Where the log ends: false without one. What has come in behind that is in log_carried. */
bool log_position(uint64_t *inode, uint64_t *offset);
const uint8_t *log_carried(enum stream_name stream, uint32_t *size);
/* `<name>.z<inode>` takes the place of the rotated file with that inode: 0, or a negative errno. */
int log_compressed(uint64_t inode);
/* So many rotated files more than are configured stay. */
void log_keep(uint32_t files);
/* Other bounds and attributes (JSON, or empty) from the next line on; 0 or a negative errno. */
int log_settings(uint64_t max_size, uint32_t max_files, const char *attrs);

/* json.c: escaping, in one pass. */
uint8_t *json_escape(uint8_t *out, const uint8_t **at, const uint8_t *end);
uint32_t format_time(char *out);

/* streams.c */
int streams_open(const struct settings *settings);
void streams_read(enum stream_name stream);
bool streams_ended(void);
/* May output be read, or must a client take some first? */
bool streams_have_room(void);
void stdin_flush(void);
void stdin_client_ended(void);
/* Takes what fits of a client's bytes. */
void stdin_close(void);

/* queue.c */
bool queue_put(struct queue *queue, const uint8_t *bytes, uint32_t size, bool final);
uint64_t queue_room(const struct queue *queue, bool final);
uint64_t queue_size(const struct queue *queue);
/* Sends what the client takes: 0, or a negative errno when it has gone. */
int queue_drain(struct client *client);
void queue_sent(struct queue *queue, const uint8_t *bytes, uint32_t size);
/* Bytes up to the end of the frame that the client is in the midst of; 0 between two. */
uint32_t queue_frame_rest(const struct queue *queue);
void queue_close(struct queue *queue);

/* attach.c */
void attach_output(enum stream_name stream, const uint8_t *bytes, uint32_t size);
void attach_begin(struct client *client, uint32_t flags, const uint8_t *keys, uint32_t count);
/* Who came with the launch: 0 or a negative errno; no connection of its own is waited for. */
int attach_first(const struct settings *settings);
/* After the end: attached clients get EOF once they have everything. */
void attach_end(void);
/* The beginnings of lines that are in no log yet. */
void attach_carried(struct client *client);
void attach_input(struct client *client);
void attach_writable(struct client *client);
void attach_hung_up(struct client *client);
void attach_take(struct client *client, const uint8_t *bytes, uint32_t size);
/* Drops who has stalled; ms until the next one may have, or -1. */
int attach_check_stalled(void);

/* monitor.c: who has opened the gate hears of it, if it has not yet. */
void tell_opened(void);

/* control.c */
int control_open(const char *path);
/* No more of it, nor of its name. */
void control_close(void);
/* What of it outlasts a launch, for who closes everything else: a descriptor, or -1. */
int control_kept(void);
void control_accept(void);
void control_input(struct client *client);
struct client *control_add(int fd, bool launcher);
void control_drop(struct client *client);
void control_sweep(void);
/* A shim that leaves by itself has nothing more to say; it goes when its clients have heard it. */
void control_take_leave(void);
void control_reply(struct client *client, struct frame request, int error, const void *payload,
                   uint32_t size);

/* requests.c: 0 or a negative errno to reply with, 1 when it has replied or will later. */
int request_answer(struct client *client, struct frame frame, struct reader *reader);
/* Who asks is told, by this tag, once execve has succeeded. */
int request_open(struct client *client, uint16_t tag);
/* The same of a launch whose init waits for nobody. */
void request_opened(struct client *client, uint16_t tag);
/* It is told of the end, by this tag. */
void request_wait(struct client *client, uint16_t tag);
void control_tell_exit(void);
void control_tell_turn(void);
void control_tell_oom(uint64_t kills);
/* What the clients that are left want to be kept. */
void control_keep_logs(void);

/* edit.c: what a running container's owner may change; 0 or a negative errno. */
int edit_hold(struct client *client);
int edit_aim(struct reader *reader);
int edit_drop(struct reader *reader);
int edit_log(const struct client *client, struct reader *reader);

/* forward.c: sockets of published ports. */
int forwards_open(const struct settings *settings);
/* What to poll for POLLIN; -1 when there is nothing to watch now. */
int forwards_fd(void);
/* ms until there is again, or -1. */
int forwards_timeout(void);
/* Somebody has come: starts the proxy. */
void forwards_serve(void);
/* Was this child the proxy? */
bool forwards_reaped(pid_t pid);
/* Ends the proxy and gives the ports back. */
void held_close(void);

/* note.c: what is kept for who asks by get-fd; 0 or a negative errno, and a new fd of its bytes. */
int note_keep(const struct settings *settings);
int note_fd(void);

/* finish.c; no exit file at an empty path. */
int exit_file_open(const char *path);
void exit_file_cancel(void);
int exit_paths_copy(const struct settings *settings);
/* init has been reaped with this wait status. */
void begin_drain(int status);
/* Kills what is left in the cgroup; false when nothing was. */
bool kill_rest(void);
void finish(void);

/* oom.c: processes of the container that were killed because memory had run out. */
int oom_open(const struct settings *settings);
/* From here on they are noticed; those since oom_open count. */
void oom_watch(void);
uint64_t oom_kills(void);
/* What to poll for POLLIN, or -1. */
int oom_fd(void);
void oom_noticed(void);
/* ms until it is to be looked again, or -1. */
int oom_timeout(void);
/* False when nothing has been noticed of late. */
bool oom_check(uint64_t *kills);

int open_parent(const char *path, const char **name);
int paths_copy(char **copies, const char *const *from, uint32_t number);

#endif

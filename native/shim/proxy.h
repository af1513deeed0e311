/* The proxy of ports that nftables cannot serve; see forward.c for its life. */
#ifndef TSDOCKER_PROXY_H
#define TSDOCKER_PROXY_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

/* Connections and flows at once; more wait in the socket's queue. */
#define MAX_LINKS 1024
#define MAX_FLOWS 1024
/* As long as Docker's remembers who has sent a datagram. */
#define FLOW_MS 90000
/* Without anything to do for this long, the proxy ends. */
#define PROXY_IDLE_MS 30000

enum forward_protocol { FORWARD_TCP = 1, FORWARD_UDP };

/* A socket of ours, and where in the container what comes to it goes. */
struct forward {
    int fd;
    enum forward_protocol protocol;
    socklen_t size;
    union address {
        struct sockaddr any;
        struct sockaddr_in four;
        struct sockaddr_in6 six;
    } to;
};

/* The name of a held socket: IPPROTO_…, and where it is bound. */
struct place {
    int protocol;
    union address at;
};

struct reader;
struct settings;
/* One entry of the launch message's list; false when it is malformed. settings.c. */
bool read_forward(struct reader *reader, struct forward *forward, const struct settings *settings);
/* Where to: protocol (0 for nowhere), port, address. `fd` is left alone. */
bool read_target(struct reader *reader, struct forward *forward);
bool read_place(struct reader *reader, struct place *place);

/* forward.c, while it runs: each is 0 or a negative errno, ENOENT for a port that is not held. */
int port_hold(int fd);
int port_aim(const struct place *place, struct forward *forward);
int port_drop(const struct place *place);

/* bind.c: a socket that is bound there, or a negative errno. */
int port_bind(const struct place *place, bool listens);

/* What an event is about: the kind in the upper half, the number in the lower. */
enum event_kind { ACCEPT = 1, LINK_OUTER, LINK_INNER, DATAGRAM, FLOW, RETIRE };

/*
 * Serves until it has been idle; returns the exit status. When the shim hangs up on `line` it takes
 * nobody in any more, says so by hanging up too, and ends with its last connection.
 */
int proxy_main(const struct forward *forwards, uint32_t count, int line);

/* 0, or a negative errno; `events` 0 takes the fd out. */
int proxy_watch(int fd, uint32_t before, uint32_t events, enum event_kind kind, uint32_t number);

/* proxy-tcp.c: false when no more can be taken now. */
bool links_accept(const struct forward *forward);
void links_event(uint32_t number, enum event_kind kind);
/* Frees what was closed while events were served; how many are open. */
uint32_t links_sweep(void);

/* proxy-udp.c */
int flows_open(const struct forward *forward);
void flows_outer(const struct forward *forwards, uint32_t number);
void flows_inner(const struct forward *forwards, uint32_t number);
/* All of them at once. */
void flows_close(void);
/* Drops who has been silent; how many are left. */
uint32_t flows_sweep(uint64_t now_ms);

#endif

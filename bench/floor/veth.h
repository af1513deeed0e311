#pragma once
#include <sys/types.h>

/* Ends the program with a message. */
void fail(const char *what);

/* A bridge without an address, up. */
void make_bridge(const char *name);
void remove_bridge(const char *name);

/* A veth pair: one end a port of `bridge`, the other eth0 of `pid`'s network namespace, with an
 * address and a default route; lo up. It goes with that namespace. */
void join_bridge(pid_t pid, const char *bridge);

/*
 * What a daemon without privileges leaves of the control group that was delegated to it: nothing.
 * Who holds the namespaces is the last one there, when no Node is left to do it.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "monitor.h"

#define FOLDER_FLAGS (O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
/* Each level holds an open folder. */
#define MAX_DEPTH 64
/* Processes may begin others while they are moved. */
#define MAX_ROUNDS 100
#define MAX_TEXT (64 * 1024)

/* What all groups of ours are called at the top; the user may have others there. */
static const char OWN[] = "tsdocker-";

/* Groups that somebody is in stay, and so do those above them: the kernel says EBUSY. */
static void remove_below(int folder, const char *except, int depth)
{
    int readable = openat(folder, ".", FOLDER_FLAGS);
    DIR *listing = readable < 0 ? NULL : fdopendir(readable);
    if (!listing) {
        if (readable >= 0)
            close(readable);
        return;
    }
    for (struct dirent *entry; (entry = readdir(listing));) {
        const char *name = entry->d_name;
        bool is_child = entry->d_type == DT_DIR && strcmp(name, ".") && strcmp(name, "..");
        bool is_ours = depth > 0 || strncmp(name, OWN, sizeof OWN - 1) == 0;
        if (!is_child || !is_ours || (except && strcmp(name, except) == 0))
            continue;
        cleanup_fd int child = openat(folder, name, FOLDER_FLAGS);
        if (child >= 0 && depth < MAX_DEPTH)
            remove_below(child, NULL, depth + 1);
        unlinkat(folder, name, AT_REMOVEDIR);
    }
    closedir(listing);
}

/* False when it is empty, or cannot be read. */
static bool read_file(int folder, const char *name, char text[MAX_TEXT])
{
    cleanup_fd int fd = openat(folder, name, O_RDONLY | O_CLOEXEC);
    ssize_t size = fd < 0 ? -1 : read(fd, text, MAX_TEXT - 1);
    text[size < 0 ? 0 : size] = 0;
    return size > 0;
}

/* A group of version 2 may have processes again when it hands no controller down. */
static bool hand_nothing_down(int root, char text[MAX_TEXT])
{
    cleanup_fd int fd = openat(root, "cgroup.subtree_control", O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    read_file(root, "cgroup.subtree_control", text);
    for (char *word = strtok(text, " \n"); word; word = strtok(NULL, " \n"))
        if (dprintf(fd, "-%s", word) < 0)
            return false;
    return true;
}

/* This process too; true when nobody is left. */
static bool move_up(int leaf, int root, char text[MAX_TEXT])
{
    cleanup_fd int fd = openat(root, "cgroup.procs", O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    for (int round = 0; round < MAX_ROUNDS; round++) {
        if (!read_file(leaf, "cgroup.procs", text))
            return true;
        /* One that has ended meanwhile is no failure. */
        for (char *pid = strtok(text, "\n"); pid; pid = strtok(NULL, "\n"))
            if (dprintf(fd, "%s", pid) < 0 && errno != ESRCH)
                return false;
    }
    return false;
}

void leave_group(const char *path)
{
    static char text[MAX_TEXT];
    const char *name;
    cleanup_fd int root = open_parent(path, &name);
    if (root < 0)
        return;
    remove_below(root, name, 0);
    cleanup_fd int leaf = openat(root, name, FOLDER_FLAGS);
    if (leaf >= 0 && hand_nothing_down(root, text) && move_up(leaf, root, text))
        unlinkat(root, name, AT_REMOVEDIR);
}

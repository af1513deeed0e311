/* Files with several names, by inode: under which path each was met first. */
#include "unpack.h"

#include <stdlib.h>

#define LINK_BUCKETS 4096

struct linked {
  dev_t device;
  ino_t inode;
  char *path;
  struct linked *next;
};
static struct linked *buckets[LINK_BUCKETS];

static struct linked **bucket_of(const struct stat *st) {
  return &buckets[(st->st_ino ^ st->st_dev) % LINK_BUCKETS];
}

const char *links_first(const struct stat *st) {
  if (st->st_nlink < 2) return NULL;
  for (struct linked *at = *bucket_of(st); at != NULL; at = at->next)
    if (at->inode == st->st_ino && at->device == st->st_dev) return at->path;
  return NULL;
}

void links_remember(const struct stat *st, const char *path) {
  if (st->st_nlink < 2) return;
  struct linked *linked = need(malloc(sizeof *linked));
  *linked = (struct linked){st->st_dev, st->st_ino, copy_text(path), *bucket_of(st)};
  *bucket_of(st) = linked;
}

/* What is different for the root of a user namespace, who is nobody to the disk. */
#include "unpack.h"

#include <stdio.h>

/* How many ids the first user namespace has; no other can have them all. */
#define ALL_IDS UINT32_MAX

static bool confined;

void userns_look(void) {
  FILE *file = fopen("/proc/self/uid_map", "re");
  unsigned inside, outside, count;
  if (file == NULL) return;
  int read = fscanf(file, "%u %u %u", &inside, &outside, &count);
  confined = read == 3 && (inside != 0 || outside != 0 || count != ALL_IDS);
  fclose(file);
}

bool userns_confined(void) { return confined; }

/* As overlayfs wants it: with `userxattr` where the other kind may not be written. */
const char *opaque_xattr(void) {
  return confined ? USER_OVERLAY_XATTRS "opaque" : OVERLAY_XATTRS "opaque";
}

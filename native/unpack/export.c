/* All of a stack of layers, as overlayfs would show it, as one archive. */
#include "unpack.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

static void export_folder(const struct merged *from, const char *path);

static void export_child(const struct merged *from, const struct child *child, const char *path) {
  struct stat st;
  int directory = from->fds[child->layer];
  if (fstatat(directory, child->name, &st, AT_SYMLINK_NOFOLLOW) != 0 || is_whiteout(&st)) return;
  if (!S_ISDIR(st.st_mode)) {
    emit_node(directory, child->name, &st, path);
    return;
  }
  struct merged folder = merged_child(from, child->layer, child->name);
  if (folder.count > 0 && fstat(folder.fds[0], &st) == 0) {
    emit_folder(folder.fds[0], &st, path);
    export_folder(&folder, path);
  }
  merged_close(&folder);
}

static void export_folder(const struct merged *from, const char *path) {
  struct children children = merged_children(from);
  for (size_t at = 0; at < children.count; at++) {
    char *below = join_path(path, children.list[at].name);
    export_child(from, &children.list[at], below);
    free(below);
  }
  children_free(&children);
}

int command_export(char *const *layers, size_t layer_count) {
  struct merged root = {0};
  errno = ENOENT;
  if (!merged_open(layers, layer_count, "", &root)) fail_errno("open", "layers");
  emit_prepare();
  output_start(false);
  export_folder(&root, "");
  report_archive();
  return 0;
}

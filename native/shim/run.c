/*
 * `tsdocker-shim run PROGRAM NAME…`: the init strand of a program, in this very process, which its
 * last step turns into another. For who has threads, and so cannot enter a namespace itself. The
 * names are those of the steps, for the error.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shim.h"

static struct shim here;
static struct program steps;

static int load(const char *path)
{
    cleanup_fd int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat stat;
    if (fd < 0 || fstat(fd, &stat) < 0)
        return -errno;
    if (stat.st_size <= 0 || stat.st_size > (off_t)MAX_MESSAGE_BYTES)
        return -EFBIG;
    size_t size = (size_t)stat.st_size;
    void *bytes = mmap(NULL, size, PROT_READ, MAP_PRIVATE, fd, 0);
    return bytes == MAP_FAILED ? -errno : decode_program(&steps, bytes, size);
}

static int fail(const char *what, int error)
{
    fprintf(stderr, "tsdockerd: %s: %s\n", what, strerror(-error));
    return 1;
}

int run_main(int argc, char **argv)
{
    if (argc < 1)
        return 2;
    int result = load(argv[0]);
    if (result < 0)
        return fail(argv[0], result);
    here.control = here.peer = here.report = here.pidfd = here.answer_fd = -1;
    memset(here.slots, -1, sizeof here.slots);
    here.strand = INIT;
    /* Nobody holds a gate here, and the umask stays what it was. */
    here.gate_passed = here.umask_set = true;
    result = run_strand(&here, &steps, INIT);
    uint32_t name = here.failed_step + 1;
    return fail(name < (uint32_t)argc ? argv[name] : argv[0], result < 0 ? result : -ENOEXEC);
}

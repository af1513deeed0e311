/* The loop over the steps of one strand. */
#include "steps.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define NEXT_STEP 0xffff

int slot_fd(const struct shim *shim, uint32_t slot)
{
    if (slot == NO_SLOT)
        return AT_FDCWD;
    /* An empty slot reads as a closed fd: the call answers EBADF and names the step. */
    return shim->slots[slot];
}

void slot_put(struct shim *shim, uint32_t slot, int fd)
{
    if (slot == NO_SLOT) {
        if (fd >= 0)
            close(fd);
        return;
    }
    if (shim->slots[slot] >= 0)
        close(shim->slots[slot]);
    shim->slots[slot] = fd;
}

static int carry_out(struct shim *shim, uint16_t opcode, struct reader *operands)
{
    switch (opcode) {
#define OPCODE(name, code, kinds) \
    case code: \
        return step_##name(shim, operands);
        OPCODES
#undef OPCODE
    default:
        return -ENOSYS;
    }
}

/* One step: 0 to go on with the next, a positive number + 1 to go there, or its negative errno. */
static int run_step(struct shim *shim, const struct program *program, uint32_t nth)
{
    uint32_t offset;
    memcpy(&offset, program->offsets + 4 * (size_t)nth, sizeof offset);
    struct reader reader = {program->base + offset, program->base + program->size, false};
    uint16_t opcode = read_u16(&reader);
    uint16_t target = read_u16(&reader);
    uint16_t count = read_u16(&reader);
    uint16_t tolerated[MAX_TOLERATED];
    for (uint16_t i = 0; i < count; i++)
        tolerated[i] = read_u16(&reader);
    if (opcode == OP_jump)
        return target + 1;
    int result = carry_out(shim, opcode, &reader);
    if (result >= 0)
        return 0;
    for (uint16_t i = 0; i < count; i++)
        if (tolerated[i] == -result)
            return target == NEXT_STEP ? 0 : target + 1;
    return result;
}

int run_strand(struct shim *shim, const struct program *program, enum strand_name strand)
{
    uint32_t first = strand == HOST ? 0 : program->count[HOST];
    for (uint32_t index = 0; index < program->count[strand];) {
        shim->failed_step = index;
        int result = run_step(shim, program, first + index);
        if (result < 0)
            return result;
        index = result > 0 ? (uint32_t)result - 1 : index + 1;
    }
    return 0;
}

void restore_defaults(void)
{
    sigset_t none;
    sigemptyset(&none);
    signal(SIGPIPE, SIG_DFL);
    sigprocmask(SIG_SETMASK, &none, NULL);
    umask(0);
}

_Noreturn void run_init(struct shim *shim, const struct program *program)
{
    restore_defaults();
    int result = run_strand(shim, program, INIT);
    /* A strand that ends without execve has left its job undone. */
    if (result == 0)
        result = -ENOEXEC;
    report(shim, REPORT_FAILED, shim->failed_step, -result);
    _exit(127);
}

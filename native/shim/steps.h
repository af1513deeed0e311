/* One function per opcode: `step_<name>`, declared and dispatched from the generated table. */
#ifndef TSDOCKER_STEPS_H
#define TSDOCKER_STEPS_H

#include "opcodes.h"
#include "shim.h"

#define OPCODE(name, code, kinds) int step_##name(struct shim *shim, struct reader *operands);
OPCODES
#undef OPCODE

enum opcode_number {
#define OPCODE(name, code, kinds) OP_##name = code,
    OPCODES
#undef OPCODE
};

/* The fd of the next operand, which is a slot. */
static inline int operand_fd(struct shim *shim, struct reader *operands)
{
    return slot_fd(shim, read_u32(operands));
}

/* The result of a raw system call as the error contract wants it. */
int result_of(long value);
/* Same, for one that returns a new fd for a slot. */
int put_result(struct shim *shim, uint32_t slot, long fd);

#endif

#include "shim.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "opcodes.h"

#define PROGRAM_MAGIC 0x314c5354u
#define NEXT_STEP 0xffff

static const uint8_t *take(struct reader *reader, size_t size)
{
    if (reader->bad || (size_t)(reader->end - reader->at) < size) {
        reader->bad = true;
        return NULL;
    }
    const uint8_t *at = reader->at;
    reader->at += size;
    return at;
}

uint16_t read_u16(struct reader *reader)
{
    uint16_t value = 0;
    const uint8_t *at = take(reader, sizeof value);
    if (at)
        memcpy(&value, at, sizeof value);
    return value;
}

uint32_t read_u32(struct reader *reader)
{
    uint32_t value = 0;
    const uint8_t *at = take(reader, sizeof value);
    if (at)
        memcpy(&value, at, sizeof value);
    return value;
}

uint64_t read_u64(struct reader *reader)
{
    uint64_t value = 0;
    const uint8_t *at = take(reader, sizeof value);
    if (at)
        memcpy(&value, at, sizeof value);
    return value;
}

const char *read_str(struct reader *reader)
{
    uint32_t size = read_u32(reader);
    const uint8_t *at = take(reader, (size_t)size + 1);
    if (!at)
        return "";
    if (memchr(at, 0, (size_t)size + 1) != at + size) {
        reader->bad = true;
        return "";
    }
    return (const char *)at;
}

const uint8_t *read_bytes(struct reader *reader, uint32_t *size)
{
    *size = read_u32(reader);
    const uint8_t *at = take(reader, *size);
    if (!at)
        *size = 0;
    return at;
}

uint32_t skip_strs(struct reader *reader)
{
    uint32_t count = read_u32(reader);
    if (count > MAX_STRINGS)
        reader->bad = true;
    for (uint32_t i = 0; i < count && !reader->bad; i++)
        read_str(reader);
    return reader->bad ? 0 : count;
}

int build_list(struct reader *reader, char ***list)
{
    uint32_t count = read_u32(reader);
    if (count > MAX_STRINGS)
        return -E2BIG;
    char **built = calloc((size_t)count + 1, sizeof *built);
    if (!built)
        return -ENOMEM;
    for (uint32_t i = 0; i < count; i++)
        built[i] = (char *)read_str(reader);
    *list = built;
    return 0;
}

static const char *operand_kinds(uint16_t opcode)
{
    switch (opcode) {
#define OPCODE(name, code, kinds) \
    case code: \
        return kinds;
        OPCODES
#undef OPCODE
    default:
        return NULL;
    }
}

static void check_operand(struct reader *reader, char kind)
{
    uint32_t unused;
    switch (kind) {
    case 'f':
    case 'o':
        unused = read_u32(reader);
        if (unused >= SLOTS && unused != NO_SLOT)
            reader->bad = true;
        return;
    case 'i':
        read_u32(reader);
        return;
    case 'q':
        read_u64(reader);
        return;
    case 's':
        read_str(reader);
        return;
    case 'b':
        read_bytes(reader, &unused);
        return;
    case 'l':
        skip_strs(reader);
        return;
    default:
        reader->bad = true;
    }
}

static int check_step(const struct program *program, uint32_t nth)
{
    uint32_t index = nth < program->count[HOST] ? nth : nth - program->count[HOST];
    uint32_t count = nth < program->count[HOST] ? program->count[HOST] : program->count[INIT];
    uint32_t offset;
    memcpy(&offset, program->offsets + 4 * (size_t)nth, sizeof offset);
    if (offset > program->size)
        return -EBADMSG;
    struct reader reader = {program->base + offset, program->base + program->size, false};
    const char *kinds = operand_kinds(read_u16(&reader));
    uint16_t target = read_u16(&reader);
    uint16_t tolerated = read_u16(&reader);
    /* Only forward: every program ends. */
    if (!kinds || tolerated > MAX_TOLERATED)
        return -EBADMSG;
    if (target != NEXT_STEP && (target <= index || target >= count))
        return -EBADMSG;
    for (uint16_t i = 0; i < tolerated; i++)
        read_u16(&reader);
    for (; *kinds; kinds++)
        check_operand(&reader, *kinds);
    return reader.bad ? -EBADMSG : 0;
}

int decode_program(struct program *program, const uint8_t *bytes, size_t size)
{
    struct reader reader = {bytes, bytes + size, false};
    uint32_t magic = read_u32(&reader);
    program->base = bytes;
    program->size = size;
    program->count[HOST] = read_u32(&reader);
    program->count[INIT] = read_u32(&reader);
    if (reader.bad || magic != PROGRAM_MAGIC)
        return -EBADMSG;
    if (program->count[HOST] > MAX_STEPS || program->count[INIT] > MAX_STEPS)
        return -EBADMSG;
    uint32_t steps = program->count[HOST] + program->count[INIT];
    program->offsets = take(&reader, 4 * (size_t)steps);
    if (!program->offsets)
        return -EBADMSG;
    for (uint32_t nth = 0; nth < steps; nth++) {
        int error = check_step(program, nth);
        if (error)
            return error;
    }
    return 0;
}

/*
 * The shim's decoder of launch messages under a fuzzer: whatever comes, it reads nothing that is
 * not there. With libFuzzer, or (ALONE) changing one good message for so many seconds, always in
 * the same way.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "shim.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static int decode(const uint8_t *bytes, size_t size)
{
    static struct launch launch;
    int slots[SLOTS];
    /* To the byte: what is read beyond it is found. */
    uint8_t *message = malloc(size ? size : 1);
    memset(slots, -1, sizeof slots);
    memcpy(message, bytes, size);
    int result = decode_launch(&launch, message, size, slots);
    free(message);
    return result;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    decode(bytes, size);
    return 0;
}

#ifdef ALONE
static uint64_t state = 0x9e3779b97f4a7c15;

static size_t below(size_t bound)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return bound ? state % bound : 0;
}

static size_t change(uint8_t *bytes, size_t size)
{
    static const uint32_t edges[] = {0, 1, 0x7fffffff, 0x80000000, 0xfffffffe, 0xffffffff, 0xffff};
    uint32_t edge = edges[below(sizeof edges / sizeof *edges)];
    size_t at = below(size);
    switch (below(5)) {
    case 0:
        bytes[at] ^= (uint8_t)(1u << below(8));
        break;
    case 1:
        bytes[at] = (uint8_t)below(256);
        break;
    case 2:
        memcpy(bytes + at, &edge, size - at < sizeof edge ? size - at : sizeof edge);
        break;
    case 3:
        memmove(bytes + at, bytes + below(size), size - at > 16 ? 16 : 0);
        break;
    default:
        return at;
    }
    return size;
}

int main(int argc, char **argv)
{
    static uint8_t seed[1 << 20], bytes[1 << 20];
    FILE *file = argc == 3 ? fopen(argv[1], "rb") : NULL;
    size_t whole = file ? fread(seed, 1, sizeof seed, file) : 0;
    time_t until = time(NULL) + (argc == 3 ? atol(argv[2]) : 0);
    if (whole == 0 || decode(seed, whole) != 0)
        return 2;
    for (long nth = 0; nth % 4096 != 0 || time(NULL) < until; nth++) {
        size_t size = whole;
        memcpy(bytes, seed, whole);
        for (size_t changes = 1 + below(4); changes > 0 && size > 0; changes--)
            size = change(bytes, size);
        decode(bytes, size);
    }
    return 0;
}
#endif

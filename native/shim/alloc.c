/*
 * The shim's malloc. musl's own begins with mappings in places of their own, and what is touched
 * first in a new place costs the kernel its page tables too: an exec's shim spent more on that than
 * on all of its steps. Here blocks come from a room beside the other data, in sizes of powers of
 * two which are used again; what is larger, or too much, is a mapping of its own.
 *
 * For one thread; init, where it borrows this memory, runs while we do not.
 */
#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "shim.h"

#ifndef __GLIBC__

#define ROOM_BYTES (48 * 1024)
#define SMALLEST_BYTES 32
#define SIZES 8 /* 32 bytes to 4 KiB, of which a header is a part */
#define LARGEST_BYTES (SMALLEST_BYTES << (SIZES - 1))

struct block {
    /* With this header; of a mapping, all of it. */
    size_t size;
    struct block *next;
};
_Static_assert(sizeof(struct block) == 16, "what follows a header is aligned for everything");

static _Alignas(16) uint8_t room[ROOM_BYTES];
static size_t used;
static struct block *unused[SIZES];
/* Mappings, for who forgets everything at once. */
static struct block *mapped;

static unsigned nth_size(size_t size)
{
    unsigned nth = 0;
    while ((size_t)SMALLEST_BYTES << nth < size)
        nth++;
    return nth;
}

static struct block *map_block(size_t size)
{
    void *at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    struct block *block = at == MAP_FAILED ? NULL : at;
    if (block)
        *block = (struct block){size, mapped};
    if (block)
        mapped = block;
    return block;
}

static struct block *take(size_t size)
{
    if (size > LARGEST_BYTES)
        return map_block(size);
    unsigned nth = nth_size(size);
    struct block *block = unused[nth];
    size = (size_t)SMALLEST_BYTES << nth;
    if (block) {
        unused[nth] = block->next;
        return block;
    }
    if (size > ROOM_BYTES - used)
        return map_block(size);
    block = (struct block *)(room + used);
    used += size;
    block->size = size;
    return block;
}

static void give_back(struct block *block)
{
    if ((uint8_t *)block < room || (uint8_t *)block >= room + ROOM_BYTES) {
        struct block **at = &mapped;
        while (*at != block)
            at = &(*at)->next;
        *at = block->next;
        munmap(block, block->size);
        return;
    }
    unsigned nth = nth_size(block->size);
    block->next = unused[nth];
    unused[nth] = block;
}

static void *allocate(size_t size)
{
    struct block *block = size > PTRDIFF_MAX - sizeof *block ? NULL : take(size + sizeof *block);
    if (!block)
        errno = ENOMEM;
    return block ? block + 1 : NULL;
}

void *malloc(size_t size)
{
    return allocate(size);
}

void free(void *bytes)
{
    int error = errno;
    if (bytes)
        give_back((struct block *)bytes - 1);
    errno = error;
}

void *calloc(size_t count, size_t size)
{
    size_t total;
    void *bytes = NULL;
    if (__builtin_mul_overflow(count, size, &total))
        errno = ENOMEM;
    else
        bytes = allocate(total);
    return bytes ? memset(bytes, 0, total) : NULL;
}

void *realloc(void *bytes, size_t size)
{
    if (!bytes)
        return allocate(size);
    size_t had = ((struct block *)bytes - 1)->size - sizeof(struct block);
    void *larger = allocate(size);
    if (!larger)
        return NULL;
    memcpy(larger, bytes, had < size ? had : size);
    free(bytes);
    return larger;
}

bool forget_memory(void)
{
    while (mapped)
        give_back(mapped);
    used = 0;
    memset(unused, 0, sizeof unused);
    return true;
}

#else

bool forget_memory(void)
{
    return false;
}

#endif

/* The file that `create` leaves: read whole or not at all. */
#include "door.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define MAX_DOOR_BYTES (1024u * 1024)
#define MAX_TEXTS 256

struct reader {
    const char *at, *end;
    bool bad;
};

static uint64_t read_number(struct reader *reader, size_t bytes)
{
    uint64_t value = 0;
    if ((size_t)(reader->end - reader->at) < bytes) {
        reader->bad = true;
        return 0;
    }
    for (size_t i = 0; i < bytes; i++)
        value |= (uint64_t)(unsigned char)reader->at[i] << (8 * i);
    reader->at += bytes;
    return value;
}

static const char *read_text(struct reader *reader)
{
    uint32_t length = (uint32_t)read_number(reader, 4);
    const char *text = reader->at;
    bool whole = (size_t)(reader->end - reader->at) > length && strnlen(text, length) == length &&
                 text[length] == '\0';
    if (reader->bad || !whole) {
        reader->bad = true;
        return "";
    }
    reader->at += length + 1;
    return text;
}

static struct texts read_texts(struct reader *reader)
{
    uint32_t count = (uint32_t)read_number(reader, 4);
    const char **list = count <= MAX_TEXTS ? calloc(count + 1, sizeof *list) : NULL;
    if (!list) {
        reader->bad = true;
        return (struct texts){0};
    }
    for (uint32_t i = 0; i < count && !reader->bad; i++)
        list[i] = read_text(reader);
    return (struct texts){count, list};
}

enum outcome read_door(struct door *door, int folder)
{
    size_t size;
    /* The texts point into it: it stays as long as the process. */
    const char *bytes = read_whole(folder, DOOR_FILE, MAX_DOOR_BYTES, &size);
    size_t magic = strlen(DOOR_MAGIC);
    if (!bytes || size < magic || memcmp(bytes, DOOR_MAGIC, magic) != 0)
        return ASK_NODE;
    struct reader reader = {bytes + magic, bytes + size, false};
#define NUMBER(name) door->name = read_number(&reader, 8);
#define TEXT(name) door->name = read_text(&reader);
#define TEXTS(name) door->name = read_texts(&reader);
    DOOR_FIELDS(NUMBER, TEXT, TEXTS)
    bool known = door->cgroup_version == 1 || door->cgroup_version == 2;
    return !reader.bad && reader.at == reader.end && known && door->pid > 1 ? DONE : ASK_NODE;
}

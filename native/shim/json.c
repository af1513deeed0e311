/*
 * The text of a json-file line as Docker's own encoder writes it, byte for byte: control
 * characters as \u00XX except \n and \r, `<`, `>` and `&` escaped, invalid UTF-8 as \ufffd.
 * One pass: eight bytes are copied, then looked at; only what needs it is handled one by one.
 */
#include "monitor.h"

#include <string.h>
#include <time.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the first byte is the lowest");

#define ONES 0x0101010101010101ull
#define HIGH 0x8080808080808080ull

static inline uint64_t zero_bytes(uint64_t word)
{
    return (word - ONES) & ~word;
}

/* The lowest set bit of each byte's top bit is exact: borrows only reach upwards. */
static inline uint64_t special_bytes(uint64_t word)
{
    uint64_t control = (word - ONES * 0x20) & ~word;
    uint64_t backslash = zero_bytes(word ^ ONES * '\\');
    uint64_t quote_or_and = zero_bytes((word | ONES * 0x04) ^ ONES * '&');
    uint64_t angle = zero_bytes((word | ONES * 0x02) ^ ONES * '>');
    return (control | backslash | quote_or_and | angle | word) & HIGH;
}

static inline bool is_special(uint8_t byte)
{
    return byte < 0x20 || byte >= 0x80 || byte == '\\' || byte == '"' || byte == '&' ||
           byte == '<' || byte == '>';
}

/* Length of the valid UTF-8 sequence at `at`, or 0. */
static uint32_t utf8_length(const uint8_t *at, const uint8_t *end)
{
    uint8_t first = at[0];
    uint32_t length = first < 0xc2 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : first < 0xf5 ? 4 : 0;
    if (length == 0 || end - at < (ptrdiff_t)length)
        return 0;
    /* The second byte alone excludes overlong forms, surrogates and what lies past U+10FFFF. */
    uint8_t low = first == 0xe0 ? 0xa0 : first == 0xf0 ? 0x90 : 0x80;
    uint8_t high = first == 0xed ? 0x9f : first == 0xf4 ? 0x8f : 0xbf;
    if (at[1] < low || at[1] > high)
        return 0;
    for (uint32_t i = 2; i < length; i++)
        if ((at[i] & 0xc0) != 0x80)
            return 0;
    return length;
}

static uint8_t *escape_unit(uint8_t *out, uint32_t unit)
{
    static const char digits[] = "0123456789abcdef";
    *out++ = '\\';
    *out++ = 'u';
    for (int shift = 12; shift >= 0; shift -= 4)
        *out++ = (uint8_t)digits[unit >> shift & 15];
    return out;
}

static uint8_t *escape_multibyte(uint8_t *out, const uint8_t **at, const uint8_t *end)
{
    uint32_t length = utf8_length(*at, end);
    const uint8_t *in = *at;
    *at += length ? length : 1;
    if (length == 0)
        return escape_unit(out, 0xfffd);
    /* U+2028 and U+2029 end a line in JavaScript. */
    if (length == 3 && in[0] == 0xe2 && in[1] == 0x80 && (in[2] & 0xfe) == 0xa8)
        return escape_unit(out, 0x2000 + (in[2] & 0x3fu));
    memcpy(out, in, length);
    return out + length;
}

static uint8_t *escape_one(uint8_t *out, const uint8_t **at, const uint8_t *end)
{
    uint8_t byte = **at;
    if (byte >= 0x80)
        return escape_multibyte(out, at, end);
    ++*at;
    if (byte == '"' || byte == '\\' || byte == '\r') {
        *out++ = '\\';
        *out++ = byte == '\r' ? 'r' : byte;
        return out;
    }
    return escape_unit(out, byte);
}

/* Up to a newline or `end`; `out` needs six bytes for each and eight to spare. */
uint8_t *json_escape(uint8_t *out, const uint8_t **at, const uint8_t *end)
{
    const uint8_t *in = *at;
    while (in < end) {
        if (end - in >= 8) {
            uint64_t word, special;
            memcpy(&word, in, sizeof word);
            memcpy(out, &word, sizeof word);
            special = special_bytes(word);
            uint32_t plain = special ? (uint32_t)__builtin_ctzll(special) / 8 : 8;
            in += plain;
            out += plain;
            if (!special)
                continue;
        } else if (!is_special(*in)) {
            *out++ = *in++;
            continue;
        }
        if (*in == '\n')
            break;
        out = escape_one(out, &in, end);
    }
    *at = in;
    return out;
}

static char *put_digits(char *out, uint32_t value, int count)
{
    for (int i = count - 1; i >= 0; i--, value /= 10)
        out[i] = (char)('0' + value % 10);
    return out + count;
}

/* RFC3339Nano in UTC as Go writes it: no trailing zeros, no point without a fraction. */
uint32_t format_time(char *out)
{
    struct timespec now;
    struct tm date;
    char *at = out;
    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &date);
    at = put_digits(at, (uint32_t)date.tm_year + 1900, 4);
    *at++ = '-';
    at = put_digits(at, (uint32_t)date.tm_mon + 1, 2);
    *at++ = '-';
    at = put_digits(at, (uint32_t)date.tm_mday, 2);
    *at++ = 'T';
    at = put_digits(at, (uint32_t)date.tm_hour, 2);
    *at++ = ':';
    at = put_digits(at, (uint32_t)date.tm_min, 2);
    *at++ = ':';
    at = put_digits(at, (uint32_t)date.tm_sec, 2);
    *at++ = '.';
    at = put_digits(at, (uint32_t)now.tv_nsec, 9);
    while (at[-1] == '0')
        at--;
    if (at[-1] == '.')
        at--;
    *at++ = 'Z';
    return (uint32_t)(at - out);
}

/* Errors, as cli/oci-runtime/report.ts tells them. */
#include "door.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static bool put(int fd, const char *text)
{
    size_t size = strlen(text);
    return write(fd, text, size) == (ssize_t)size;
}

/* No message here holds what JSON would write otherwise: ids and words of our own only. */
static void log_line(char *line, size_t room, bool json, const char *message)
{
    struct timespec now;
    struct tm utc;
    char seconds[32], time[48];
    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &utc);
    strftime(seconds, sizeof seconds, "%Y-%m-%dT%H:%M:%S", &utc);
    snprintf(time, sizeof time, "%s.%03dZ", seconds, (int)(now.tv_nsec / 1000000));
    if (json)
        snprintf(line, room, "{\"level\":\"error\",\"msg\":\"%s\",\"time\":\"%s\"}\n", message,
                 time);
    else
        snprintf(line, room, "time=\"%s\" level=error msg=\"%s\"\n", time, message);
}

enum outcome refuse(const struct call *call, const char *format, ...)
{
    char message[2048], line[4096];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof message - 1, format, arguments);
    va_end(arguments);
    log_line(line, sizeof line, call->json, message);
    if (call->log) {
        int fd = open(call->log, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
        if (fd < 0)
            return ASK_NODE;
        bool written = put(fd, line);
        close(fd);
        if (!written)
            return ASK_NODE;
    }
    strcat(message, "\n");
    put(STDERR_FILENO, call->json ? line : message);
    return REFUSED;
}

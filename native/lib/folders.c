/* Folders by the dozen, in one call of one thread: a control group of version 1 is that many. */
#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tsdocker.h"

int32_t tsd_make_folders(char *const *paths, uint32_t mode)
{
    int32_t made = 0;

    for (; paths[made] != NULL; made++)
        if (mkdir(paths[made], mode) < 0 && errno != EEXIST)
            break;
    return made;
}

int32_t tsd_remove_folders(char *const *paths)
{
    int32_t left = 0;

    for (; *paths != NULL; paths++)
        if (rmdir(*paths) < 0 && errno != ENOENT)
            left++;
    return left;
}

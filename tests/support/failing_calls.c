/* System calls that fail where they are told to: put before the C library with LD_PRELOAD.
 *
 * fail_calls(call, part, nth, times, kind) arms it: from the nth call on (counted from 1) of a file whose path holds `part`,
 * `times` calls fail. Kinds above 0 are values of errno; SHORT takes half of what is to be written, NONE takes nothing,
 * SLOW takes its time and succeeds. failed_calls() tells how many failed.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <unistd.h>

enum { SHORT = -1, NONE = -2, SLOW = -3 };

static char armed_call[32], armed_part[256];
static int armed_nth, armed_times, armed_kind, counted, failed;

void fail_calls(const char *call, const char *part, int nth, int times, int kind) {
    armed_nth = 0;
    snprintf(armed_call, sizeof armed_call, "%s", call);
    snprintf(armed_part, sizeof armed_part, "%s", part);
    armed_times = times;
    armed_kind = kind;
    counted = failed = 0;
    armed_nth = nth;
}

int failed_calls(void) { return failed; }

static int due(const char *call, const char *path) {
    if (!armed_nth || strcmp(call, armed_call) || !strstr(path, armed_part)) return 0;
    counted++;
    if (counted < armed_nth || counted >= armed_nth + armed_times) return 0;
    failed++;
    return 1;
}

static const char *path_of(int fd) {
    static __thread char path[4096];
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, path, sizeof path - 1);
    path[n < 0 ? 0 : n] = 0;
    return path;
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))
#define FAIL_IF(is_due)                      \
    if (is_due) {                            \
        if (armed_kind == SLOW)              \
            usleep(300000);                  \
        else {                               \
            errno = armed_kind;              \
            return -1;                       \
        }                                    \
    }

ssize_t write(int fd, const void *data, size_t size) {
    if (armed_nth && due("write", path_of(fd))) {
        if (armed_kind == SHORT) return REAL(write)(fd, data, (size + 1) / 2);
        if (armed_kind == NONE) return 0;
        FAIL_IF(1)
    }
    return REAL(write)(fd, data, size);
}

ssize_t send(int fd, const void *data, size_t size, int flags) {
    FAIL_IF(armed_nth && due("send", path_of(fd)))
    return REAL(send)(fd, data, size, flags);
}

int fdatasync(int fd) {
    FAIL_IF(armed_nth && due("fdatasync", path_of(fd)))
    return REAL(fdatasync)(fd);
}

int fsync(int fd) {
    FAIL_IF(armed_nth && due("fsync", path_of(fd)))
    return REAL(fsync)(fd);
}

int ftruncate64(int fd, off64_t size) {
    FAIL_IF(armed_nth && due("ftruncate", path_of(fd)))
    return REAL(ftruncate64)(fd, size);
}

int close(int fd) {
    int fails = armed_nth && due("close", path_of(fd));
    int result = REAL(close)(fd);
    FAIL_IF(fails)
    return result;
}

int rename(const char *from, const char *to) {
    FAIL_IF(armed_nth && due("rename", to))
    return REAL(rename)(from, to);
}

int open64(const char *path, int flags, ...) {
    va_list rest;
    va_start(rest, flags);
    mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(rest, mode_t) : 0;
    va_end(rest);
    FAIL_IF(armed_nth && due("open", path))
    return REAL(open64)(path, flags, mode);
}

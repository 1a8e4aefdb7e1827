/* What a process does to the files below some folders: recorded in order, or made to fail or to be the last it does.
 *
 * Loaded with LD_PRELOAD, it stands between the program (Python, SQLite, hnswlib alike) and the C library. Nothing
 * happens until one of the functions at the end is called. The record is read by disk.py, which has the same numbers.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

enum kind { CREATE, TRUNCATE, WRITE, SYNC, RENAME, UNLINK, LINK, READ, LIST, OPEN, MARK };
enum mode { OFF, COUNT, RECORD, KILL, FAIL };
#define CHANGES ((1u << READ) - 1)

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static enum mode mode = OFF;
static char below[4][PATH_MAX];
static int folders, record_to = -1, error_number, halves;
static long count, from, times;
static __thread int exempt;
static unsigned kinds;

static void *resolved(void **known, const char *name) {
    if (!*known) *known = dlsym(RTLD_NEXT, name);
    return *known;
}
#define REAL(name) ((__typeof__(&name))resolved(&real_##name, #name))
#define HAS(name) static void *real_##name

/* ---- which file ------------------------------------------------------------------------------------------------- */

static int watched(const char *path) {
    for (int at = 0; at < folders; at++) {
        size_t length = strlen(below[at]);
        if (!strncmp(path, below[at], length) && (path[length] == '/' || !path[length])) return 1;
    }
    return 0;
}

static int path_of(int file, char *path) {
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    ssize_t length = readlink(link, path, PATH_MAX - 1);
    if (length < 0) return -1;
    path[length] = 0;
    return 0;
}

static int absolute(int folder, const char *name, char *path) {
    if (name[0] == '/') {
        snprintf(path, PATH_MAX, "%s", name);
    } else {
        char base[PATH_MAX];
        if (folder == AT_FDCWD ? !getcwd(base, sizeof base) : path_of(folder, base)) return -1;
        if (snprintf(path, PATH_MAX, "%s/%s", base, name) >= PATH_MAX) return -1;
    }
    size_t length = strlen(path);
    while (length > 1 && path[length - 1] == '/') path[--length] = 0;
    return 0;
}

/* Off, or not one of ours: 0. */
static int ours(int folder, const char *name, char *path) {
    int before = errno, found = mode != OFF && name && !absolute(folder, name, path) && watched(path);
    errno = before;
    return found;
}

static int ours_open(int file, char *path) {
    int before = errno, found = mode != OFF && !path_of(file, path) && watched(path);
    errno = before;
    return found;
}

static uint64_t inode_of(const char *path) {
    struct stat status;
    return lstat(path, &status) ? 0 : (uint64_t)status.st_ino;
}

static uint64_t inode_open(int file) {
    struct stat status;
    return fstat(file, &status) ? 0 : (uint64_t)status.st_ino;
}

static uint64_t parent_of(const char *path) {
    char folder[PATH_MAX];
    snprintf(folder, sizeof folder, "%s", path);
    char *last = strrchr(folder, '/');
    if (last) *last = 0;
    return inode_of(folder[0] ? folder : "/");
}

static const char *last_of(const char *path) {
    const char *last = strrchr(path, '/');
    return last ? last + 1 : path;
}

/* ---- what becomes of it ----------------------------------------------------------------------------------------- */

static void die(void) {
    syscall(SYS_kill, getpid(), SIGKILL);
    for (;;) pause();
}

/* To be called with the lock, before it is done. Nonzero: it fails, and errno says why. */
static int due(enum kind kind) {
    if (!(kinds & 1u << kind) || (exempt && mode == FAIL)) return 0;
    count++;
    if (mode == KILL && count == from && !(halves && kind == WRITE)) die();
    if (mode == FAIL && count >= from && count < from + times) {
        errno = error_number;
        return 1;
    }
    return 0;
}

/* And this with the lock, after it was done. */
static void note(enum kind kind, uint64_t a, uint64_t b, uint64_t c, uint64_t number, const char *name,
                 const char *other, const void *data, size_t size) {
    if (mode != RECORD) return;
    int before = errno;
    uint64_t head[8] = {kind, a, b, c, number, strlen(name), strlen(other), size};
    struct iovec parts[4] = {{head, sizeof head}, {(void *)name, head[5]}, {(void *)other, head[6]}, {(void *)data, size}};
    size_t whole = sizeof head + head[5] + head[6] + size;
    if (syscall(SYS_writev, record_to, parts, 4) != (ssize_t)whole) abort();
    errno = before;
}

#define BEGIN(kind) \
    pthread_mutex_lock(&lock); \
    if (due(kind)) { pthread_mutex_unlock(&lock); return -1; }
#define END pthread_mutex_unlock(&lock)

/* ---- files opened ----------------------------------------------------------------------------------------------- */

HAS(openat);
HAS(fopen);
HAS(opendir);
HAS(fdopendir);
HAS(readdir);
HAS(readdir64);

static int opened(int folder, const char *name, int flags, mode_t rights) {
    char path[PATH_MAX];
    if (!ours(folder, name, path)) return REAL(openat)(folder, name, flags, rights);
    int creates = (flags & O_CREAT) && !inode_of(path), cuts = (flags & O_TRUNC) && !creates;
    enum kind kind = creates ? CREATE : cuts ? TRUNCATE : OPEN;
    BEGIN(kind);
    int file = REAL(openat)(folder, name, flags, rights);
    if (file >= 0 && creates)
        note(CREATE, parent_of(path), inode_open(file), 0, 0, last_of(path), "f", "", 0);
    else if (file >= 0 && cuts)
        note(TRUNCATE, 0, inode_open(file), 0, 0, "", "", "", 0);
    END;
    return file;
}

#define RIGHTS(last) \
    mode_t rights = 0; \
    if (flags & (O_CREAT | O_TMPFILE)) { va_list more; va_start(more, last); rights = va_arg(more, mode_t); va_end(more); }
int open(const char *name, int flags, ...) { RIGHTS(flags) return opened(AT_FDCWD, name, flags, rights); }
int open64(const char *name, int flags, ...) { RIGHTS(flags) return opened(AT_FDCWD, name, flags, rights); }
int openat(int folder, const char *name, int flags, ...) { RIGHTS(flags) return opened(folder, name, flags, rights); }
int openat64(int folder, const char *name, int flags, ...) { RIGHTS(flags) return opened(folder, name, flags, rights); }

static FILE *opened_stream(const char *name, const char *how) {
    char path[PATH_MAX];
    if (!ours(AT_FDCWD, name, path)) return REAL(fopen)(name, how);
    int new = how[0] != 'r' && !inode_of(path), cuts = how[0] == 'w' && !new;
    pthread_mutex_lock(&lock);
    FILE *file = due(new ? CREATE : cuts ? TRUNCATE : OPEN) ? NULL : REAL(fopen)(name, how);
    if (file && new) note(CREATE, parent_of(path), inode_open(fileno(file)), 0, 0, last_of(path), "f", "", 0);
    if (file && cuts) note(TRUNCATE, 0, inode_open(fileno(file)), 0, 0, "", "", "", 0);
    END;
    return file;
}
FILE *fopen(const char *name, const char *how) { return opened_stream(name, how); }
FILE *fopen64(const char *name, const char *how) { return opened_stream(name, how); }

/* ---- folders listed --------------------------------------------------------------------------------------------- */

static int refused(enum kind kind) {
    pthread_mutex_lock(&lock);
    int failed = due(kind);
    END;
    return failed;
}
DIR *opendir(const char *name) {
    char path[PATH_MAX];
    return ours(AT_FDCWD, name, path) && refused(LIST) ? NULL : REAL(opendir)(name);
}
DIR *fdopendir(int file) {
    char path[PATH_MAX];
    return ours_open(file, path) && refused(LIST) ? NULL : REAL(fdopendir)(file);
}
struct dirent *readdir(DIR *list) {
    char path[PATH_MAX];
    return ours_open(dirfd(list), path) && refused(LIST) ? NULL : REAL(readdir)(list);
}
struct dirent64 *readdir64(DIR *list) {
    char path[PATH_MAX];
    return ours_open(dirfd(list), path) && refused(LIST) ? NULL : REAL(readdir64)(list);
}

/* ---- bytes ------------------------------------------------------------------------------------------------------ */

HAS(read);
HAS(pread);
HAS(write);
HAS(pwrite);
HAS(writev);
HAS(ftruncate);
HAS(fsync);
HAS(fdatasync);

ssize_t read(int file, void *into, size_t size) {
    char path[PATH_MAX];
    return ours_open(file, path) && refused(READ) ? -1 : REAL(read)(file, into, size);
}
static ssize_t read_at(int file, void *into, size_t size, off_t at) {
    char path[PATH_MAX];
    return ours_open(file, path) && refused(READ) ? -1 : REAL(pread)(file, into, size, at);
}
ssize_t pread(int file, void *into, size_t size, off_t at) { return read_at(file, into, size, at); }
ssize_t pread64(int file, void *into, size_t size, off64_t at) { return read_at(file, into, size, at); }

/* at < 0: where the file stands, or at its end. */
static ssize_t written(int file, const void *data, size_t size, off_t at) {
    char path[PATH_MAX];
    if (!ours_open(file, path)) return at < 0 ? REAL(write)(file, data, size) : REAL(pwrite)(file, data, size, at);
    BEGIN(WRITE);
    if (mode == KILL && count == from && halves) {
        size_t half = size / 2;
        if (half && (at < 0 ? REAL(write)(file, data, half) : REAL(pwrite)(file, data, half, at)) < 0) perror(path);
        die();
    }
    struct stat status;
    off_t place = at;
    if (at < 0)
        place = fcntl(file, F_GETFL) & O_APPEND ? (fstat(file, &status) ? 0 : status.st_size) : lseek(file, 0, SEEK_CUR);
    ssize_t done = at < 0 ? REAL(write)(file, data, size) : REAL(pwrite)(file, data, size, at);
    if (done > 0) note(WRITE, 0, inode_open(file), 0, (uint64_t)place, "", "", data, (size_t)done);
    END;
    return done;
}
ssize_t write(int file, const void *data, size_t size) { return written(file, data, size, -1); }
ssize_t pwrite(int file, const void *data, size_t size, off_t at) { return written(file, data, size, at); }
ssize_t pwrite64(int file, const void *data, size_t size, off64_t at) { return written(file, data, size, at); }
ssize_t writev(int file, const struct iovec *parts, int number) {
    char path[PATH_MAX];
    if (!ours_open(file, path)) return REAL(writev)(file, parts, number);
    ssize_t whole = 0;
    for (int at = 0; at < number; at++) {
        ssize_t done = written(file, parts[at].iov_base, parts[at].iov_len, -1);
        if (done < 0) return whole ? whole : -1;
        whole += done;
        if ((size_t)done < parts[at].iov_len) break;
    }
    return whole;
}

static int cut(int file, off_t size) {
    char path[PATH_MAX];
    if (!ours_open(file, path)) return REAL(ftruncate)(file, size);
    BEGIN(TRUNCATE);
    int failed = REAL(ftruncate)(file, size);
    if (!failed) note(TRUNCATE, 0, inode_open(file), 0, (uint64_t)size, "", "", "", 0);
    END;
    return failed;
}
int ftruncate(int file, off_t size) { return cut(file, size); }
int ftruncate64(int file, off64_t size) { return cut(file, size); }

#define SYNCING(name) \
    int name(int file) { \
        char path[PATH_MAX]; \
        if (!ours_open(file, path)) return REAL(name)(file); \
        BEGIN(SYNC); \
        /* What is recorded is replayed on a disk of its own: this one need not be waited for. */ \
        int failed = mode == RECORD || mode == KILL || mode == COUNT ? 0 : REAL(name)(file); \
        if (!failed) note(SYNC, 0, inode_open(file), 0, 0, "", "", "", 0); \
        END; \
        return failed; \
    }
SYNCING(fsync)
SYNCING(fdatasync)

/* ---- names ------------------------------------------------------------------------------------------------------ */

HAS(renameat);
HAS(unlinkat);
HAS(mkdirat);
HAS(symlinkat);
HAS(linkat);

int renameat(int folder, const char *name, int other, const char *into) {
    char path[PATH_MAX], target[PATH_MAX];
    if (!ours(folder, name, path) || !ours(other, into, target)) return REAL(renameat)(folder, name, other, into);
    BEGIN(RENAME);
    uint64_t inode = inode_of(path), there = inode_of(target);
    int failed = REAL(renameat)(folder, name, other, into);
    /* Two names of one file: rename does nothing. */
    if (!failed && inode != there)
        note(RENAME, parent_of(path), inode, parent_of(target), 0, last_of(path), last_of(target), "", 0);
    END;
    return failed;
}
int rename(const char *name, const char *into) { return renameat(AT_FDCWD, name, AT_FDCWD, into); }

int unlinkat(int folder, const char *name, int flags) {
    char path[PATH_MAX];
    if (!ours(folder, name, path)) return REAL(unlinkat)(folder, name, flags);
    BEGIN(UNLINK);
    int failed = REAL(unlinkat)(folder, name, flags);
    if (!failed) note(UNLINK, parent_of(path), 0, 0, 0, last_of(path), "", "", 0);
    END;
    return failed;
}
int unlink(const char *name) { return unlinkat(AT_FDCWD, name, 0); }
int rmdir(const char *name) { return unlinkat(AT_FDCWD, name, AT_REMOVEDIR); }

int mkdirat(int folder, const char *name, mode_t rights) {
    char path[PATH_MAX];
    if (!ours(folder, name, path)) return REAL(mkdirat)(folder, name, rights);
    BEGIN(CREATE);
    int failed = REAL(mkdirat)(folder, name, rights);
    if (!failed) note(CREATE, parent_of(path), inode_of(path), 0, 0, last_of(path), "d", "", 0);
    END;
    return failed;
}
int mkdir(const char *name, mode_t rights) { return mkdirat(AT_FDCWD, name, rights); }

int symlinkat(const char *text, int folder, const char *name) {
    char path[PATH_MAX];
    if (!ours(folder, name, path)) return REAL(symlinkat)(text, folder, name);
    BEGIN(CREATE);
    int failed = REAL(symlinkat)(text, folder, name);
    if (!failed) note(CREATE, parent_of(path), inode_of(path), 0, 0, last_of(path), "l", text, strlen(text));
    END;
    return failed;
}
int symlink(const char *text, const char *name) { return symlinkat(text, AT_FDCWD, name); }

int linkat(int other, const char *from_name, int folder, const char *name, int flags) {
    char path[PATH_MAX];
    if (!ours(folder, name, path)) return REAL(linkat)(other, from_name, folder, name, flags);
    BEGIN(LINK);
    int failed = REAL(linkat)(other, from_name, folder, name, flags);
    if (!failed) note(LINK, parent_of(path), inode_of(path), 0, 0, last_of(path), "", "", 0);
    END;
    return failed;
}
int link(const char *from_name, const char *name) { return linkat(AT_FDCWD, from_name, AT_FDCWD, name, 0); }

/* ---- what to do ------------------------------------------------------------------------------------------------- */

/* The folders, one a line; each as the kernel writes it. */
void shim_below(const char *paths) {
    folders = 0;
    while (*paths && folders < 4) {
        size_t length = strcspn(paths, "\n");
        memcpy(below[folders], paths, length);
        below[folders++][length] = 0;
        paths += length + (paths[length] == '\n');
    }
}
void shim_off(void) { mode = OFF; }
void shim_record(int file) { record_to = file; count = 0; kinds = CHANGES; mode = RECORD; }
/* Die in place of the n-th change; of a write, after half of it. */
void shim_kill(long n, int half) { from = n; halves = half; count = 0; kinds = CHANGES; mode = KILL; }
/* From the n-th call of these kinds on, so many fail. */
void shim_fail(long n, long many, unsigned which, int number) {
    from = n; times = many; error_number = number; kinds = which; count = 0; mode = FAIL;
}
void shim_count_only(unsigned which) { kinds = which; count = 0; mode = COUNT; }
/* What this thread does fails, or not. */
void shim_exempt(int yes) { exempt = yes; }
long shim_count(void) { return count; }
void shim_mark(const char *text) {
    pthread_mutex_lock(&lock);
    note(MARK, 0, 0, 0, 0, text, "", "", 0);
    END;
}

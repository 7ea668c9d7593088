/* A file that a process serves by FUSE. */
#include "common.h"

#include <linux/fuse.h>
#include <sys/mount.h>

#define FILE_NODE 2
#define FILE_BYTES 65536

static int device;

static void reply(uint64_t unique, int error, const void *answer, size_t bytes) {
    struct fuse_out_header header = {sizeof(header) + bytes, -error, unique};
    struct iovec parts[2] = {{&header, sizeof(header)}, {(void *)answer, bytes}};
    CHECK(writev(device, parts, 2) == (ssize_t)header.len || errno == ENOENT);
}

static struct fuse_attr attributes(uint64_t node) {
    struct fuse_attr found = {.ino = node, .mode = S_IFDIR | 0755, .nlink = 1, .blksize = 4096};
    if (node == FILE_NODE) {
        found.mode = S_IFREG | 0644;
        found.size = FILE_BYTES;
    }
    return found;
}

static void serve(struct fuse_in_header *request, void *arguments) {
    struct fuse_init_out init = {.major = 7, .minor = 31, .max_readahead = 0, .max_write = 4096 * 16};
    struct fuse_entry_out entry = {.nodeid = FILE_NODE, .attr = attributes(FILE_NODE)};
    struct fuse_attr_out found = {.attr = attributes(request->nodeid)};
    struct fuse_write_out written = {};
    struct fuse_open_out opened = {};
    struct fuse_statfs_out statistics = {.st = {.bsize = 4096, .namelen = 255}};
    switch (request->opcode) {
    case FUSE_INIT: reply(request->unique, 0, &init, sizeof(init)); break;
    case FUSE_LOOKUP:
        if (strcmp(arguments, "served"))
            reply(request->unique, ENOENT, 0, 0);
        else
            reply(request->unique, 0, &entry, sizeof(entry));
        break;
    case FUSE_GETATTR:
    case FUSE_SETATTR: reply(request->unique, 0, &found, sizeof(found)); break;
    case FUSE_OPEN:
    case FUSE_OPENDIR: reply(request->unique, 0, &opened, sizeof(opened)); break;
    case FUSE_READ:
        reply(request->unique, 0, buffer + SIZE_MAX_BUFFER / 2, ((struct fuse_read_in *)arguments)->size);
        break;
    case FUSE_WRITE:
        written.size = ((struct fuse_write_in *)arguments)->size;
        reply(request->unique, 0, &written, sizeof(written));
        break;
    case FUSE_STATFS: reply(request->unique, 0, &statistics, sizeof(statistics)); break;
    case FUSE_FLUSH:
    case FUSE_RELEASE:
    case FUSE_RELEASEDIR: reply(request->unique, 0, 0, 0); break;
    case FUSE_FORGET:
    case FUSE_BATCH_FORGET: break;
    default: reply(request->unique, ENOSYS, 0, 0); break;
    }
}

/* DIRECTORY: serves one file of 64 KiB, "served", there, until it is unmounted. */
static void serve_file(char **arguments) {
    char options[100];
    if ((device = open("/dev/fuse", O_RDWR)) < 0)
        exit(MISSING_KIND);
    snprintf(options, sizeof(options), "fd=%d,rootmode=40000,user_id=0,group_id=0", device);
    if (mount("served", arguments[0], "fuse", 0, options))
        exit(MISSING_KIND);
    CHECK(write(1, "!", 1) == 1);
    while (read(device, buffer, SIZE_MAX_BUFFER / 2) > 0 || errno == EINTR || errno == ENOENT)
        serve((void *)buffer, buffer + sizeof(struct fuse_in_header));
}

MAIN(SCENARIO(serve_file))

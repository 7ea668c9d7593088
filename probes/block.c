/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
 * Reads that the block layer makes into the page cache, counted by requested bytes where a process submits them.
 * (read_bytes of /proc/PID/io counts at the same place: the tests compare with it.) */

#include "folders.h"

#define REQ_OP_MASK 0xff
#define REQ_OP_READ 0

/* The first page of the folio that contains a page. Bit 0 marks all pages but the first; the other bits are the address
 * of the first, or (in compound_info) a mask that makes it out of theirs: ones above zeros, which no address is. */
static inline u64 head_page(u64 page, u64 info) {
    if (!(info & 1))
        return page;
    u64 zeros = ~(info - 1);
    return zeros & (zeros + 1) ? info - 1 : page & info;
}

static inline void *first_page(void *bio) {
    void *vector = LOAD(void *, bio, bio, bi_io_vec);
    u64 offset = (u64)LOAD(u32, bio, bio, bi_iter_bi_idx) * SIZE_bio_vec;
    u64 page = COPY(u64, (u64)vector + OFFSET_bio_vec_bv_page + offset); /* a number: the verifier masks no pointers */
    return CAST(head_page(page, PROBE(u64, page, page, compound_info)), page);
}

/* Pages of the page cache that are being read are not up to date. User memory that O_DIRECT reads into is. */
static inline bool is_being_read(void *page) { return !(READ(u64, page, page, flags) & (1ULL << VALUE_PG_uptodate)); }

/* Through a dentry of the page's file. The mapping of memory that belongs to no file is marked, or NULL. */
static inline void count_page_in_folder(struct row *row, void *page, u64 bytes) {
    /* Numbers, because the verifier allows no such arithmetic on pointers. */
    u64 mapping = PROBE(u64, page, page, mapping);
    if (!mapping || mapping & 3)
        return;
    void *inode = READ(void *, CAST(mapping, address_space), address_space, host);
    u64 alias = PROBE(u64, inode, inode, i_dentry_first);
    if (alias)
        count_in_folder(row, CAST(alias - OFFSET_dentry_d_alias, dentry), FOLDER_TRANSFER_DMA_READ, bytes);
}

static inline int count_read(void *bio) {
    if ((LOAD(u32, bio, bio, bi_opf) & REQ_OP_MASK) != REQ_OP_READ)
        return 0;
    void *task = CURRENT_TASK();
    /* What LVM, dm-crypt and md submit while a bio is being submitted to them has the same bytes again. BIO_CLONED does
     * not show this: btrfs splits a read over its stripes into clones of a bio that is submitted nowhere else. */
    if (READ_TASK(u64, task, task_struct, bio_list))
        return 0;
    /* Reads by kernel threads (md rebuilding, a loop device's file) are not for a process. The counts of a process that
     * exits are final, although the release of a deleted file may read its block map. */
    if (READ_TASK(u32, task, task_struct, flags) & (PF_KTHREAD | PF_EXITING))
        return 0;
    void *page = first_page(bio);
    if (!is_being_read(page))
        return 0;
    u32 bytes = LOAD(u32, bio, bio, bi_iter_bi_size);
    struct row row = ROW_OF_TASK(task);
    row.kind = ROW_KIND_DMA;
    row.operation = OPERATION_NONE;
    row.source = ENDPOINT_DISK;
    row.destination = ENDPOINT_PAGE_CACHE;
    add_to_row(&row, bytes);
    if (is_broker(row.tgid))
        count_page_in_folder(&row, page, bytes);
    return 0;
}

int block_bio_queue(u64 *context) { return count_read((void *)context[ARGUMENT_block_bio_queue_bio]); }

#ifdef USE_FUNCTION_HOOKS
/* submit_bio(bio), on the way to the tracepoint */
int submit_bio_function(void *registers) { return count_read(CAST(function_argument(registers, 0), bio)); }
#endif

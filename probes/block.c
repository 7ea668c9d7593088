/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause
 * Reads that the block layer makes into the page cache, counted where a process submits them, by what they ask for
 * (the witness is read_bytes of /proc/PID/io, which counts at the same place). */

#define REQ_OP_MASK 0xff
#define REQ_OP_READ 0

/* The first page of the folio that a page is of. Bit 0 marks all but the first; the rest is the address of the first,
 * or (in compound_info) a mask that turns theirs into it: ones above zeros, which the address of a page never is. */
static inline u64 head_of(u64 page, u64 info) {
    if (!(info & 1))
        return page;
    u64 zeros = ~(info - 1);
    return zeros & (zeros + 1) ? info - 1 : page & info;
}

static inline void *first_page(void *bio) {
    void *vector = LOAD(void *, bio, bio, bi_io_vec);
    u64 offset = (u64)LOAD(u32, bio, bio, bi_iter_bi_idx) * SIZE_bio_vec;
    u64 page = COPY(u64, (u64)vector + OFFSET_bio_vec_bv_page + offset); /* a number: the verifier masks no pointers */
    return CAST(head_of(page, PROBE(u64, page, page, compound_info)), page);
}

/* User memory that O_DIRECT reads into was in use before: its pages are up to date. Pages being read into are not. */
static inline bool is_new(void *page) { return !(READ(u64, page, page, flags) & (1ULL << VALUE_PG_uptodate)); }

/* By a name of the file whose page this is; memory that is no file's has a mark in its mapping, or none. */
static inline void count_page_in_folder(struct row *row, void *page, u64 bytes) {
    u64 mapping = PROBE(u64, page, page, mapping); /* numbers, for what the verifier does with no pointer */
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
    void *task = CURRENT();
    /* What LVM, dm-crypt and md submit while a bio is being submitted to them carries its bytes once more. BIO_CLONED
     * would not tell: btrfs splits a read over its stripes into clones of a bio that nobody else sees. */
    if (READ_TASK(u64, task, task_struct, bio_list))
        return 0;
    /* A kernel thread reads for itself (md rebuilding, a loop device's file), not for a process; and the counts of one
     * that exits are final, though letting go of a deleted file may read where its blocks were. */
    if (READ_TASK(u32, task, task_struct, flags) & (PF_KTHREAD | PF_EXITING))
        return 0;
    void *page = first_page(bio);
    if (!is_new(page))
        return 0;
    u32 bytes = LOAD(u32, bio, bio, bi_iter_bi_size);
    struct row row = ROW_OF(task);
    row.kind = ROW_KIND_DMA;
    row.operation = OPERATION_NONE;
    row.source = ENDPOINT_DISK;
    row.destination = ENDPOINT_PAGE_CACHE;
    add(&row, bytes);
    if (is_broker(row.tgid))
        count_page_in_folder(&row, page, bytes);
    return 0;
}

int block_bio_queue(u64 *context) { return count_read((void *)context[ARGUMENT_block_bio_queue_bio]); }

#ifdef ON_FUNCTIONS
/* submit_bio(bio), on the way to the tracepoint */
int submit_bio_function(void *registers) { return count_read(CAST(function_argument(registers, 0), bio)); }
#endif

/*
 * Finds the pages of RAM blocks that were written, by write-protecting them
 * and asking the kernel which are no longer protected (ram/pagemap.h).
 *
 * The problem is pages without a page table entry. Private anonymous memory
 * keeps an entry for every page that was ever touched, swapped out or not, so
 * no entry means never written, and nothing is protected but what is there:
 * cost follows touched memory. Elsewhere the kernel drops entries, of pages
 * that were written, too, when it swaps or writes them back; there every
 * entry is protected, with a marker where no page is, so that no entry means
 * that one was dropped: the page counts as written. Where holes of the file
 * are known, that is only done for page tables with data in their reach.
 *
 * 1. A sync reads and protects a page in one step of the kernel: a write is
 *    seen by this sync or by the next.
 * 2. A page is never populated by the scan.
 */
#ifndef GW_RAM_WRITE_SCAN_H
#define GW_RAM_WRITE_SCAN_H

#include <stdint.h>

#include <godwit/error.h>

struct gw_ram_block;

/* Constant between open and close. */
struct gw_write_scan {
    int uffd;
    int pagemap_fd;
};

/* Opens it; -ENOTSUP with the reason. */
int gw_write_scan_open(struct gw_write_scan *scan, struct gw_error **errp);

/* Takes off all protection; once is enough, and so is a failed open. */
void gw_write_scan_close(struct gw_write_scan *scan);

/* Tries it on memory of its own; -ENOTSUP with the reason. */
int gw_write_scan_probe(struct gw_error **errp);

/* Writes to the block count from now on. */
int gw_write_scan_add(struct gw_write_scan *scan,
                      const struct gw_ram_block *block, struct gw_error **errp);

/*
 * ORs the pages below n_pages that were written since the last sync (or
 * since they were added) into `dirty`. Different blocks at the same time.
 */
int gw_write_scan_sync(const struct gw_write_scan *scan,
                       const struct gw_ram_block *block, unsigned long *dirty,
                       uint64_t n_pages, struct gw_error **errp);

#endif

/*
 * The kernel's calls about the page tables of this process: PAGEMAP_SCAN on
 * /proc/self/pagemap, and write-protection by userfaultfd that the kernel
 * takes off by itself when a page is written. Both are of Linux 6.7; the
 * numbers are written out here because older headers lack them.
 *
 * A page's protection is a bit in its page table entry, or a marker in an
 * entry without a page. A write takes it off, whether by an instruction or by
 * a system call, and the page counts as written until it is protected again.
 */
#ifndef GW_RAM_PAGEMAP_H
#define GW_RAM_PAGEMAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <godwit/error.h>

/* What a page can be; the kernel's PAGE_IS_*. */
#define GW_PAGE_WRITTEN UINT64_C(0x02) /* not protected */
#define GW_PAGE_PRESENT UINT64_C(0x08) /* mapped */
#define GW_PAGE_SWAPPED UINT64_C(0x10) /* swapped out, or only a marker */
#define GW_PAGE_ZERO UINT64_C(0x20)    /* the kernel's own zero page */

/* Which pages are asked for. A category in `inverted` means its opposite. */
struct gw_pagemap_query {
    uint64_t inverted;
    uint64_t all_of;   /* a page has all of these */
    uint64_t any_of;   /* and, unless 0, one of these */
    uint64_t returned; /* reported, as they are; others are left out */
    bool protect;      /* protects what it reports, in the same step */
};

/* Neighbours of the same categories; the kernel's struct page_region. */
struct gw_pagemap_region {
    uint64_t start; /* addresses */
    uint64_t end;
    uint64_t categories;
};

/* Opens /proc/self/pagemap. A host error. */
int gw_pagemap_open(struct gw_error **errp);

/*
 * Reports the pages of the addresses [*start, end) that the query asks for,
 * in ascending order, and moves *start behind what was looked at: to the end,
 * or less if there were more regions. Returns how many regions it filled in,
 * or a negative errno: -ENOTTY where the kernel has no such call, -EPERM if
 * `protect` meets memory that is not under gw_uffd_register.
 */
int gw_pagemap_scan(int fd, const struct gw_pagemap_query *query,
                    uint64_t *start, uint64_t end,
                    struct gw_pagemap_region *regions, size_t n_regions);

/*
 * A userfaultfd for nothing but write-protection. -ENOTSUP with the reason
 * where the kernel has none or does not let us. Closing it takes off all
 * protection.
 */
int gw_uffd_open(struct gw_error **errp);

/* Makes pages at [host, host + size) protectable, and changes no page. */
int gw_uffd_register(int uffd, const void *host, uint64_t size);

/* Protects all of them, with a marker where there is no page. */
int gw_uffd_protect(int uffd, const void *host, uint64_t size);

#endif

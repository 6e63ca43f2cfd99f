/*
 * PVH start information (Xen's hvm_start_info, version 1), memory map, command
 * line and a small GDT.
 */
#include "boot.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "elf_image.h"
#include "util.h"

#define START_INFO_GPA 0x6000u
#define START_INFO_MAGIC 0x336ec578u
#define START_INFO_BYTES 56u
#define MEMMAP_GPA 0x7000u
#define MEMMAP_ENTRY_BYTES 24u
#define CMDLINE_GPA 0x20000u
#define MEMMAP_RAM 1u
#define MEMMAP_RESERVED 2u
/* KVM's identity map and TSS pages. */
#define KVM_PAGES_START 0xfeffc000u
#define KVM_PAGES_BYTES 0x4000u

/* Lends guest RAM to the ELF loader, but not that of the boot data. */
static void *place_segment(void *opaque, uint64_t gpa, uint64_t bytes)
{
    const struct vmm_memory *memory = opaque;

    if (gpa < VMM_BOOT_DATA_END && (bytes > VMM_BOOT_DATA_END - gpa ||
                                    gpa + bytes > VMM_BOOT_DATA_START)) {
        return NULL;
    }
    return vmm_memory_at(memory, gpa, bytes);
}

static void put_memmap_entry(uint8_t *table, unsigned int index, uint64_t gpa,
                             uint64_t bytes, uint32_t type)
{
    uint8_t *entry = table + (size_t)index * MEMMAP_ENTRY_BYTES;

    vmm_put_le64(entry, gpa);
    vmm_put_le64(entry + 8, bytes);
    vmm_put_le32(entry + 16, type);
    vmm_put_le32(entry + 20, 0);
}

/* Writes the memory map and returns how many entries it has. */
static unsigned int write_memmap(const struct vmm_memory *memory, uint8_t *data)
{
    uint8_t *table = data + (MEMMAP_GPA - VMM_BOOT_DATA_START);
    struct vmm_memory_range ranges[2];
    unsigned int n = vmm_memory_ranges(memory, ranges);

    for (unsigned int i = 0; i < n; i++) {
        put_memmap_entry(table, i, ranges[i].gpa, ranges[i].bytes, MEMMAP_RAM);
    }
    put_memmap_entry(table, n, KVM_PAGES_START, KVM_PAGES_BYTES,
                     MEMMAP_RESERVED);
    return n + 1;
}

static void write_start_info(uint8_t *data, unsigned int n_memmap)
{
    uint8_t *info = data + (START_INFO_GPA - VMM_BOOT_DATA_START);

    memset(info, 0, START_INFO_BYTES);
    vmm_put_le32(info, START_INFO_MAGIC);
    vmm_put_le32(info + 4, 1); /* version */
    vmm_put_le64(info + 24, CMDLINE_GPA);
    vmm_put_le64(info + 40, MEMMAP_GPA);
    vmm_put_le32(info + 48, n_memmap);
}

/* Null, flat code, flat data, a busy 32-bit TSS of 0x68 bytes. */
static void write_gdt(uint8_t *data)
{
    static const uint64_t gdt[] = {
        0, 0x00cf9b000000ffffull, 0x00cf93000000ffffull, 0x00008b0000000067ull};
    uint8_t *to = data + (VMM_BOOT_GDT - VMM_BOOT_DATA_START);

    _Static_assert(sizeof(gdt) == VMM_BOOT_GDT_BYTES, "size of the GDT");
    for (size_t i = 0; i < VMM_ARRAY_SIZE(gdt); i++) {
        vmm_put_le64(to + 8 * i, gdt[i]);
    }
}

static int write_boot_data(const struct vmm_memory *memory, const char *cmdline,
                           struct gw_error **errp)
{
    size_t len = strlen(cmdline);
    uint8_t *data = vmm_memory_at(memory, VMM_BOOT_DATA_START,
                                  VMM_BOOT_DATA_END - VMM_BOOT_DATA_START);

    if (!data) {
        return gw_error_set(errp, -ERANGE,
                            "guest RAM is too small for the boot data");
    }
    if (len >= VMM_BOOT_CMDLINE_MAX) {
        return gw_error_set(errp, -EOVERFLOW,
                            "guest command line of %zu bytes, at most %u fit",
                            len, VMM_BOOT_CMDLINE_MAX - 1);
    }
    memcpy(data + (CMDLINE_GPA - VMM_BOOT_DATA_START), cmdline, len + 1);
    write_start_info(data, write_memmap(memory, data));
    write_gdt(data);
    return 0;
}

int vmm_boot_load(struct vmm_memory *memory, const void *image,
                  size_t image_size, const char *cmdline,
                  struct vmm_boot *ret_boot, struct gw_error **errp)
{
    struct vmm_elf elf;
    int r;

    r = vmm_elf_load(image, image_size, place_segment, memory, &elf, errp);
    if (r < 0) {
        return r;
    }
    vmm_memory_touched(memory);
    r = write_boot_data(memory, cmdline, errp);
    if (r < 0) {
        return r;
    }
    *ret_boot =
        (struct vmm_boot){.entry = elf.entry, .start_info = START_INFO_GPA};
    return 0;
}

static int map_file(const char *path, void **ret_image, size_t *ret_size,
                    struct gw_error **errp)
{
    VMM_AUTO_FD int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat st;
    void *image;

    if (fd < 0 || fstat(fd, &st) < 0) {
        return gw_error_set_errno(errp, -errno, "cannot open '%s'", path);
    }
    if (!S_ISREG(st.st_mode) || st.st_size == 0) {
        return gw_error_set(errp, -EINVAL, "'%s' is %s", path,
                            S_ISREG(st.st_mode) ? "empty"
                                                : "not a regular file");
    }
    image = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (image == MAP_FAILED) {
        return gw_error_set_errno(errp, -errno, "cannot map '%s'", path);
    }
    *ret_image = image;
    *ret_size = (size_t)st.st_size;
    return 0;
}

int vmm_boot_load_file(struct vmm_memory *memory, const char *path,
                       const char *cmdline, struct vmm_boot *ret_boot,
                       struct gw_error **errp)
{
    void *image = NULL;
    size_t size = 0;
    int r;

    r = map_file(path, &image, &size, errp);
    if (r < 0) {
        return gw_error_prefix(errp, r, "kernel");
    }
    r = vmm_boot_load(memory, image, size, cmdline, ret_boot, errp);
    munmap(image, size);
    if (r < 0) {
        return gw_error_prefix(errp, r, "kernel '%s'", path);
    }
    return 0;
}

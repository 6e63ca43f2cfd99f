/*
 * What kind of kernel it is, where things go in guest RAM, PVH's start
 * information (Xen's hvm_start_info, version 1) and a small GDT.
 */
#include "boot.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "acpi.h"
#include "boot_map.h"
#include "elf_image.h"
#include "linux_image.h"
#include "util.h"

#define START_INFO_GPA VMM_BOOT_DATA_START
#define START_INFO_MAGIC 0x336ec578u
#define START_INFO_BYTES 56u
#define MODULES_GPA 0x6200u
#define MODULE_BYTES 32u
#define MEMMAP_GPA 0x7000u
#define MEMMAP_ENTRY_BYTES 24u
#define ONE_MIB 0x100000u
#define PAGE_MASK 0xfffull
#define RESET_CODE_BYTES 16u

/* A cold start that is being prepared. */
struct start {
    struct vmm_memory *memory;
    const struct vmm_boot_config *config;
    /* Bytes at the end of low RAM that hold ACPI tables, and their root. */
    uint64_t acpi_bytes;
    uint64_t rsdp;
    /* The kernel as it was loaded. */
    uint64_t kernel;
    uint64_t kernel_bytes;
    /* The initial RAM disk; 0 bytes: none. */
    uint64_t initrd;
    uint64_t initrd_bytes;
    struct vmm_map_entry map[VMM_MAP_ENTRIES];
    unsigned int n_map;
};

static bool overlaps(uint64_t gpa, uint64_t bytes, uint64_t start, uint64_t end)
{
    return gpa < end && (bytes > end - gpa || gpa + bytes > start);
}

/* Bytes of the MP table, which a machine with ACPI has not. */
static uint64_t mp_bytes(const struct start *start)
{
    return start->config->acpi ? 0
                               : vmm_mp_table_bytes(start->config->mp.n_cpus);
}

/* Lends guest RAM, but not what is taken or behind the firmware. */
static void *place_segment(void *opaque, uint64_t gpa, uint64_t bytes)
{
    const struct start *start = opaque;

    uint64_t hidden = start->config->hidden_bytes;
    uint64_t low_end = vmm_map_low_end(start->memory);

    if (overlaps(gpa, bytes, VMM_BOOT_DATA_START, VMM_BOOT_DATA_END) ||
        overlaps(gpa, bytes, VMM_MP_TABLE, VMM_MP_TABLE + mp_bytes(start)) ||
        (hidden > 0 && overlaps(gpa, bytes, ONE_MIB - hidden, ONE_MIB)) ||
        (start->acpi_bytes > 0 &&
         overlaps(gpa, bytes, low_end - start->acpi_bytes, low_end))) {
        return NULL;
    }
    return vmm_memory_at(start->memory, gpa, bytes);
}

/* ---- what both kinds of kernel get ---- */

static int place_acpi(struct start *start, struct gw_error **errp)
{
    const struct vmm_acpi *acpi = start->config->acpi;
    uint64_t end = vmm_map_low_end(start->memory);
    uint64_t bytes;

    if (!acpi) {
        return 0;
    }
    bytes = vmm_acpi_placed_bytes(acpi);
    if (bytes > end || end - bytes < ONE_MIB) {
        return gw_error_set(errp, -ERANGE,
                            "guest RAM is too small for the ACPI tables");
    }
    start->acpi_bytes = bytes;
    return vmm_acpi_place(acpi, start->memory->host + (end - bytes),
                          end - bytes, &start->rsdp, errp);
}

/* Page aligned, as high as it may be; not below `floor`. */
static int place_initrd(struct start *start, uint64_t max, uint64_t floor,
                        struct gw_error **errp)
{
    const struct vmm_boot_config *config = start->config;
    uint64_t end = vmm_map_low_end(start->memory) - start->acpi_bytes;
    uint64_t size = config->initrd.size;
    int r;

    if (size == 0) {
        return 0;
    }
    if (max < end) {
        end = max;
    }
    if (size > end || ((end - size) & ~PAGE_MASK) < floor) {
        return gw_error_set(errp, -ERANGE,
                            "initrd '%s' of %llu bytes does not fit guest RAM "
                            "between 0x%llx, where the kernel ends, and 0x%llx",
                            config->initrd_name, (unsigned long long)size,
                            (unsigned long long)floor, (unsigned long long)end);
    }
    start->initrd = (end - size) & ~PAGE_MASK;
    start->initrd_bytes = size;
    r = vmm_contents_read(&config->initrd, 0,
                          start->memory->host + start->initrd, size, errp);
    return gw_error_prefix(errp, r, "initrd '%s'", config->initrd_name);
}

static int put_cmdline(const struct start *start, uint32_t max,
                       struct gw_error **errp)
{
    size_t len = strlen(start->config->cmdline);
    char *to =
        vmm_memory_at(start->memory, VMM_BOOT_CMDLINE, VMM_BOOT_CMDLINE_MAX);

    if (!to) {
        return gw_error_set(errp, -ERANGE,
                            "guest RAM is too small for the boot data");
    }
    if (len > max) {
        return gw_error_set(errp, -EOVERFLOW,
                            "guest command line of %zu bytes, at most %u fit",
                            len, max);
    }
    memcpy(to, start->config->cmdline, len + 1);
    return 0;
}

/* Null, unused, flat code, flat data, a busy 32-bit TSS of 0x68 bytes. */
static void write_gdt(const struct vmm_memory *memory)
{
    static const uint64_t gdt[] = {0, 0, 0x00cf9b000000ffffull,
                                   0x00cf93000000ffffull,
                                   0x00008b0000000067ull};
    uint8_t *to = vmm_memory_at(memory, VMM_BOOT_GDT, VMM_BOOT_GDT_BYTES);

    _Static_assert(sizeof(gdt) == VMM_BOOT_GDT_BYTES, "size of the GDT");
    for (size_t i = 0; i < VMM_ARRAY_SIZE(gdt); i++) {
        vmm_put_le64(to + 8 * i, gdt[i]);
    }
}

/*
 * Linux on reduced hardware resets by a jump to the BIOS. Where that would
 * be: lidt of an empty table, int3; the triple fault ends the machine.
 */
static void write_reset_code(const struct start *start)
{
    static const uint8_t code[RESET_CODE_BYTES] = {0x2e, 0x0f, 0x01, 0x1e,
                                                   0xf8, 0xff, 0xcc};
    uint8_t *block = start->config->firmware;
    uint64_t bytes = start->config->hidden_bytes;

    memcpy(bytes > 0 ? block + (bytes - sizeof(code))
                     : start->memory->host + (ONE_MIB - sizeof(code)),
           code, sizeof(code));
}

static void write_mp_table(const struct start *start)
{
    uint8_t *to = vmm_memory_at(start->memory, VMM_MP_TABLE, mp_bytes(start));

    if (!start->config->acpi && to) {
        vmm_mp_table_write(&start->config->mp, to);
    }
}

/* ---- PVH ---- */

static void write_memmap(const struct start *start)
{
    uint8_t *to = vmm_memory_at(start->memory, MEMMAP_GPA,
                                VMM_MAP_ENTRIES * MEMMAP_ENTRY_BYTES);

    for (unsigned int i = 0; i < start->n_map; i++) {
        uint8_t *entry = to + (size_t)i * MEMMAP_ENTRY_BYTES;

        vmm_put_le64(entry, start->map[i].gpa);
        vmm_put_le64(entry + 8, start->map[i].bytes);
        vmm_put_le32(entry + 16, start->map[i].type);
        vmm_put_le32(entry + 20, 0);
    }
}

static void write_start_info(const struct start *start)
{
    uint8_t *info =
        vmm_memory_at(start->memory, START_INFO_GPA, START_INFO_BYTES);
    uint8_t *module = vmm_memory_at(start->memory, MODULES_GPA, MODULE_BYTES);

    memset(info, 0, START_INFO_BYTES);
    vmm_put_le32(info, START_INFO_MAGIC);
    vmm_put_le32(info + 4, 1); /* version */
    vmm_put_le64(info + 24, VMM_BOOT_CMDLINE);
    vmm_put_le64(info + 32, start->rsdp);
    vmm_put_le64(info + 40, MEMMAP_GPA);
    vmm_put_le32(info + 48, start->n_map);
    if (start->initrd_bytes > 0) {
        vmm_put_le32(info + 12, 1);
        vmm_put_le64(info + 16, MODULES_GPA);
        memset(module, 0, MODULE_BYTES);
        vmm_put_le64(module, start->initrd);
        vmm_put_le64(module + 8, start->initrd_bytes);
    }
}

static int load_elf(struct start *start, struct vmm_boot *ret_boot,
                    struct gw_error **errp)
{
    struct vmm_elf elf;
    int r;

    r = vmm_elf_load(&start->config->image, place_segment, start, &elf, errp);
    if (r < 0) {
        return r;
    }
    r = put_cmdline(start, VMM_BOOT_CMDLINE_MAX - 1, errp);
    if (r < 0) {
        return r;
    }
    r = place_initrd(start, UINT32_MAX, elf.end, errp);
    if (r < 0) {
        return r;
    }
    start->kernel = elf.start;
    start->kernel_bytes = elf.end - elf.start;
    write_start_info(start);
    write_memmap(start);
    *ret_boot =
        (struct vmm_boot){.entry = elf.entry, .start_info = START_INFO_GPA};
    return 0;
}

/* ---- Linux ---- */

static void write_params(const struct start *start,
                         const struct vmm_linux_image *image)
{
    struct vmm_linux_params params = {
        .cmdline = VMM_BOOT_CMDLINE,
        .initrd = (uint32_t)start->initrd,
        .initrd_bytes = (uint32_t)start->initrd_bytes,
        .rsdp = start->rsdp,
        .map = start->map,
        .n_map = start->n_map,
    };

    vmm_linux_write_params(
        image, &params,
        vmm_memory_at(start->memory, VMM_BOOT_PARAMS, VMM_LINUX_PARAMS_BYTES));
}

/* The room that it needs while it runs, not only where it is loaded. */
static int check_room(const struct start *start,
                      const struct vmm_linux_image *image,
                      struct gw_error **errp)
{
    uint64_t end = vmm_map_low_end(start->memory) - start->acpi_bytes;

    if (image->run_end > end ||
        VMM_LINUX_LOAD_ADDRESS + image->kernel.size > end) {
        return gw_error_set(errp, -ERANGE,
                            "Linux needs guest RAM up to 0x%llx, there is "
                            "room up to 0x%llx",
                            (unsigned long long)image->run_end,
                            (unsigned long long)end);
    }
    return 0;
}

static int place_kernel(struct start *start, const struct vmm_contents *kernel,
                        struct gw_error **errp)
{
    start->kernel = VMM_LINUX_LOAD_ADDRESS;
    start->kernel_bytes = kernel->size;
    return vmm_contents_read(kernel, 0,
                             start->memory->host + VMM_LINUX_LOAD_ADDRESS,
                             kernel->size, errp);
}

static int load_linux(struct start *start, struct vmm_boot *ret_boot,
                      struct gw_error **errp)
{
    struct vmm_linux_image image;
    uint64_t end;
    int r;

    r = vmm_linux_parse(&start->config->image, &image, errp);
    if (r < 0) {
        return r;
    }
    r = check_room(start, &image, errp);
    if (r < 0) {
        return r;
    }
    r = put_cmdline(start,
                    image.cmdline_max < VMM_BOOT_CMDLINE_MAX - 1
                        ? image.cmdline_max
                        : VMM_BOOT_CMDLINE_MAX - 1,
                    errp);
    if (r < 0) {
        return r;
    }
    end = VMM_LINUX_LOAD_ADDRESS + image.kernel.size;
    r = place_initrd(start, image.initrd_max + 1,
                     image.run_end > end ? image.run_end : end, errp);
    if (r < 0) {
        return r;
    }
    r = place_kernel(start, &image.kernel, errp);
    if (r < 0) {
        return r;
    }
    write_params(start, &image);
    *ret_boot = (struct vmm_boot){.entry = VMM_LINUX_LOAD_ADDRESS,
                                  .params = VMM_BOOT_PARAMS};
    return 0;
}

/* ---- for whoever saves the guest meanwhile ---- */

/* Segments of a kernel may lie on both sides of the gap below 4 GiB. */
static void wrote(const struct vmm_memory *memory, uint64_t gpa, uint64_t bytes)
{
    const void *host = vmm_memory_at(memory, gpa, bytes);

    if (bytes > 0) {
        vmm_memory_wrote(memory, host ? host : memory->host,
                         host ? bytes : memory->bytes);
    }
}

static void wrote_all(const struct start *start)
{
    const struct vmm_memory *memory = start->memory;

    wrote(memory, VMM_BOOT_DATA_START, VMM_BOOT_DATA_END - VMM_BOOT_DATA_START);
    wrote(memory, start->kernel, start->kernel_bytes);
    wrote(memory, start->initrd, start->initrd_bytes);
    wrote(memory, vmm_map_low_end(memory) - start->acpi_bytes,
          start->acpi_bytes);
    wrote(memory, VMM_MP_TABLE, mp_bytes(start));
    wrote(memory, ONE_MIB - RESET_CODE_BYTES, RESET_CODE_BYTES);
}

static int load(struct vmm_memory *memory, const struct vmm_boot_config *config,
                struct vmm_boot *ret_boot, struct gw_error **errp)
{
    struct start start = {.memory = memory, .config = config};
    bool is_linux;
    int r;

    vmm_memory_touched(memory);
    r = place_acpi(&start, errp);
    if (r < 0) {
        return r;
    }
    start.n_map = vmm_map_fill(memory, start.acpi_bytes, start.map);
    r = vmm_linux_probe(&config->image, &is_linux, errp);
    if (r < 0) {
        return r;
    }
    r = is_linux ? load_linux(&start, ret_boot, errp)
                 : load_elf(&start, ret_boot, errp);
    if (r < 0) {
        return r;
    }
    write_gdt(memory);
    write_reset_code(&start);
    write_mp_table(&start);
    wrote_all(&start);
    return 0;
}

int vmm_boot_load(struct vmm_memory *memory,
                  const struct vmm_boot_config *config,
                  struct vmm_boot *ret_boot, struct gw_error **errp)
{
    int r = load(memory, config, ret_boot, errp);

    return config->kernel_name
               ? gw_error_prefix(errp, r, "kernel '%s'", config->kernel_name)
               : r;
}

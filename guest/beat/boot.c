/*
 * What the loader tells: command line and memory map of the PVH start
 * information, and the window onto RAM that follows from the map.
 *
 * Without start information the defaults hold and RAM is taken to be 8 MiB.
 */
#include "beat.h"

#include "cpu.h"

#define START_MAGIC 0x336ec578u
#define MEMMAP_RAM 1u
#define GIB (UINT64_C(1) << 30)
#define MIB (UINT64_C(1) << 20)
#define RAM_FALLBACK (8 * MIB)
#define PTE_TABLE 3u
#define PTE_LARGE 0x83u
/* Page directories for RAM above 4 GiB, if the CPU has no 1 GiB pages. */
#define DIRECTORIES 48u

/* Xen's public/arch-x86/hvm/start_info.h, version 1. */
struct start_info {
    uint32_t magic;
    uint32_t version;
    uint32_t flags;
    uint32_t n_modules;
    uint64_t modules;
    uint64_t cmdline;
    uint64_t rsdp;
    uint64_t memmap; /* from here on: version 1 */
    uint32_t n_memmap;
    uint32_t reserved;
};

struct memmap_entry {
    uint64_t addr;
    uint64_t size;
    uint32_t type;
    uint32_t reserved;
};

struct beat_machine beat_machine;
uint32_t beat_start_info;
volatile uint32_t beat_starting_cpu;

static uint64_t directories[DIRECTORIES][512]
    __attribute__((section(".bss.noinit"), aligned(4096)));

/* Everything the loader left lies below 4 GiB, mapped one to one. */
static const void *physical(uint64_t addr)
{
    return (const void *)(uintptr_t)addr; // NOLINT: this is what it is
}

static void copy_cmdline(const char *from)
{
    size_t n = 0;

    while (from[n] && n < BEAT_CMDLINE_MAX - 1) {
        beat_machine.cmdline[n] = from[n];
        n++;
    }
    beat_machine.cmdline[n] = '\0';
}

/* The end of the RAM that holds `addr`, or 0. */
static uint64_t ram_end(const struct start_info *info, uint64_t addr)
{
    const struct memmap_entry *map = physical(info->memmap);

    for (uint32_t i = 0; i < info->n_memmap; i++) {
        if (map[i].type == MEMMAP_RAM && map[i].addr <= addr &&
            addr - map[i].addr < map[i].size) {
            return map[i].addr + map[i].size;
        }
    }
    return 0;
}

/* The value of the word `key`, which includes the equals sign; or NULL. */
const char *beat_cmdline_value(const char *key)
{
    const char *at = beat_machine.cmdline;

    while (*at) {
        size_t n = 0;

        while (key[n] && at[n] == key[n]) {
            n++;
        }
        if (!key[n]) {
            return at + n;
        }
        while (*at && *at != ' ') {
            at++;
        }
        while (*at == ' ') {
            at++;
        }
    }
    return NULL;
}

bool beat_cmdline_is(const char *key, const char *value)
{
    const char *at = beat_cmdline_value(key);

    if (!at) {
        return false;
    }
    while (*value && *at == *value) {
        at++;
        value++;
    }
    return !*value && (!*at || *at == ' ');
}

uint64_t beat_cmdline_number(const char *key, uint64_t fallback)
{
    const char *at = beat_cmdline_value(key);
    uint64_t value = 0;

    if (!at || *at < '0' || *at > '9') {
        return fallback;
    }
    for (; *at >= '0' && *at <= '9'; at++) {
        value = value * 10 + (uint64_t)(*at - '0');
    }
    return value;
}

static bool has_gib_pages(void)
{
    return cpuid(0x80000000, 0).eax >= 0x80000001 &&
           (cpuid(0x80000001, 0).edx & 1u << 26);
}

/* Maps one GiB from `addr` on into slot `slot` of the window. */
static bool map_gib(uint32_t slot, uint32_t n_high, uint64_t addr, bool gib)
{
    uint64_t *directory;

    if (gib) {
        beat_pdpt_window[slot] = addr | PTE_LARGE;
        return true;
    }
    if (n_high >= DIRECTORIES) {
        return false;
    }
    directory = directories[n_high];
    for (uint32_t i = 0; i < 512; i++) {
        directory[i] = (addr + i * 2 * MIB) | PTE_LARGE;
    }
    beat_pdpt_window[slot] = (uint64_t)(uintptr_t)directory | PTE_TABLE;
    return true;
}

/*
 * Low memory through the tables that map it already, high memory behind it.
 * The seam must fall on a GiB, as it does at 3 GiB; otherwise there is a hole
 * that the RAM block does not have, and high memory is left alone.
 */
static uint64_t map_window(uint64_t low_end, uint64_t high_end)
{
    uint32_t slot = (uint32_t)((low_end + GIB - 1) / GIB);
    bool gib = has_gib_pages();
    uint64_t size = low_end;
    uint64_t addr = 4 * GIB;

    for (uint32_t i = 0; i < slot; i++) {
        beat_pdpt_window[i] = beat_pdpt[i];
    }
    if (low_end % GIB) {
        return size;
    }
    for (uint32_t n = 0; addr < high_end && slot < 512; n++, slot++) {
        if (!map_gib(slot, n, addr, gib)) {
            break;
        }
        size += high_end - addr < GIB ? high_end - addr : GIB;
        addr += GIB;
    }
    return size;
}

static void read_options(void)
{
    beat_machine.poll = beat_cmdline_is("poll=", "on");
    beat_machine.poweroff_acpi = beat_cmdline_is("poweroff=", "acpi");
    beat_machine.registers = BEAT_REGISTERS_ON;
    if (beat_cmdline_is("regs=", "off")) {
        beat_machine.registers = BEAT_REGISTERS_OFF;
    } else if (beat_cmdline_is("regs=", "basic")) {
        beat_machine.registers = BEAT_REGISTERS_BASIC;
    }
}

/* Copies what is needed: what the loader left may be overwritten later. */
void beat_boot_read(void)
{
    const struct start_info *info = physical(beat_start_info);
    uint64_t low_end = RAM_FALLBACK;
    uint64_t high_end = 0;

    if (beat_start_info && info->magic == START_MAGIC) {
        if (info->cmdline) {
            copy_cmdline(physical(info->cmdline));
        }
        beat_machine.rsdp = info->rsdp;
        if (info->version >= 1 && info->n_memmap) {
            low_end = ram_end(info, 2 * MIB);
            high_end = ram_end(info, 4 * GIB);
        }
    }
    if (low_end > 3 * GIB) {
        low_end = 3 * GIB;
    }
    beat_machine.ram_size = map_window(low_end, high_end) & ~UINT64_C(4095);
    read_options();
}

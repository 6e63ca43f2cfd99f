/*
 * fw_cfg: what firmware reads, by ports and by DMA, and what a hostile guest
 * tries. Registers and descriptor as in the machine's description.
 */
#include "fw_cfg.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <godwit/vmstate.h>

#include "acpi.h"
#include "boot_firmware.h"
#include "util.h"

#define RAM_BYTES 0x4000u
#define DESCRIPTOR 0x100u

/* Guest memory in two pieces that meet at 0x1000; a hole above. */
struct guest {
    uint8_t ram[RAM_BYTES];
    struct vmm_acpi acpi;
    struct vmm_fw_cfg fw_cfg;
};

static struct guest guest;

static uint8_t *at(void *opaque, uint64_t gpa, uint64_t *ret_bytes)
{
    if (gpa >= RAM_BYTES) {
        return NULL;
    }
    *ret_bytes = gpa < 0x1000 ? 0x1000 - gpa : RAM_BYTES - gpa;
    return guest.ram + gpa;
}

static void wrote(void *opaque, const uint8_t *host, uint64_t bytes)
{
}

static const struct vmm_fw_cfg_ops ops = {.at = at, .wrote = wrote};

static int set_up(void **state)
{
    static const uint8_t text[] = "0123456789";

    memset(&guest, 0, sizeof(guest));
    assert_int_equal(
        vmm_fw_cfg_init(&guest.fw_cfg, &guest.acpi, &ops, NULL, NULL), 0);
    assert_int_equal(
        vmm_fw_cfg_add_file(&guest.fw_cfg, "etc/text", text, 10, NULL), 0);
    return 0;
}

static int tear_down(void **state)
{
    vmm_fw_cfg_deinit(&guest.fw_cfg);
    return 0;
}

static void select_key(uint16_t key)
{
    vmm_fw_cfg_bus_ops.write(&guest.fw_cfg, 0, 2, key);
}

static uint8_t read_byte(void)
{
    return (uint8_t)vmm_fw_cfg_bus_ops.read(&guest.fw_cfg, 1, 1);
}

static void put_be32(uint8_t *to, uint32_t value)
{
    vmm_put_le32(to, __builtin_bswap32(value));
}

/* Runs a descriptor at gpa; returns its control word afterwards. */
static uint32_t dma_at(uint64_t gpa, uint32_t control, uint32_t length,
                       uint64_t address)
{
    uint8_t descriptor[16];

    put_be32(descriptor, control);
    put_be32(descriptor + 4, length);
    put_be32(descriptor + 8, (uint32_t)(address >> 32));
    put_be32(descriptor + 12, (uint32_t)address);
    memcpy(guest.ram + gpa, descriptor, sizeof(descriptor));
    vmm_fw_cfg_bus_ops.write(&guest.fw_cfg, 4, 4,
                             __builtin_bswap32((uint32_t)(gpa >> 32)));
    vmm_fw_cfg_bus_ops.write(&guest.fw_cfg, 8, 4,
                             __builtin_bswap32((uint32_t)gpa));
    return __builtin_bswap32(vmm_get_le32(guest.ram + gpa));
}

static uint32_t dma(uint32_t control, uint32_t length, uint64_t address)
{
    return dma_at(DESCRIPTOR, control, length, address);
}

static void test_fw_cfg__signature_and_features(void **state)
{
    select_key(0);
    assert_int_equal(read_byte(), 'Q');
    assert_int_equal(read_byte(), 'E');
    assert_int_equal(read_byte(), 'M');
    assert_int_equal(read_byte(), 'U');
    assert_int_equal(read_byte(), 0);
    select_key(1);
    assert_int_equal(read_byte(), 3);
    /* "QEMU CFG", in the order of the bytes. */
    assert_int_equal(vmm_fw_cfg_bus_ops.read(&guest.fw_cfg, 4, 4), 0x554d4551);
    assert_int_equal(vmm_fw_cfg_bus_ops.read(&guest.fw_cfg, 8, 4), 0x47464320);
}

static void test_fw_cfg__directory(void **state)
{
    static const uint8_t expected[] = {0,   0,   0,   1,   0,   0,   0,
                                       10,  0,   32,  0,   0,   'e', 't',
                                       'c', '/', 't', 'e', 'x', 't', 0};

    select_key(VMM_FW_CFG_DIRECTORY);
    for (size_t i = 0; i < sizeof(expected); i++) {
        assert_int_equal(read_byte(), expected[i]);
    }
}

static void test_fw_cfg__dma_reads_and_skips(void **state)
{
    assert_int_equal(dma(32u << 16 | 8 | 2, 4, 0xffe), 0);
    assert_memory_equal(guest.ram + 0xffe, "0123", 4);
    assert_int_equal(dma(4, 3, 0), 0);
    guest.ram[0x2003] = 0xee;
    guest.ram[0x2004] = 0xee;
    assert_int_equal(dma(2, 4, 0x2000), 0);
    /* Beyond the end there are zeros. */
    assert_memory_equal(guest.ram + 0x2000, "789\0\xee", 5);
    assert_int_equal(dma(2, 2, 0x2000), 0);
    assert_memory_equal(guest.ram + 0x2000, "\0\0", 2);
}

static void test_fw_cfg__hostile_selectors(void **state)
{
    static const uint16_t keys[] = {0x02,   0x3f,   0x40,   0x3fff, 0x4000,
                                    0x7fff, 0x8000, 0x8002, 0xbfff, 0xffff};

    for (size_t i = 0; i < VMM_ARRAY_SIZE(keys); i++) {
        select_key(keys[i]);
        assert_int_equal(read_byte(), 0);
        guest.ram[0x200] = 0xff;
        assert_int_equal(dma((uint32_t)keys[i] << 16 | 8 | 2, 1, 0x200), 0);
        assert_int_equal(guest.ram[0x200], 0);
    }
    select_key(0x40);
    assert_int_equal(guest.fw_cfg.key, 0xffff);
}

/* A stream may bring any key and any offset. */
static void test_fw_cfg__hostile_offset(void **state)
{
    guest.fw_cfg.key = VMM_FW_CFG_FILES;
    guest.fw_cfg.offset = UINT32_MAX;
    assert_int_equal(read_byte(), 0);
    guest.fw_cfg.offset = 9;
    assert_int_equal(read_byte(), '9');
    assert_int_equal(read_byte(), 0);
    guest.fw_cfg.key = VMM_FW_CFG_FILES + 1;
    assert_int_equal(read_byte(), 0);
}

static void test_fw_cfg__hostile_dma_addresses(void **state)
{
    uint8_t before[RAM_BYTES];

    /* To where no memory is, wholly and in part; beyond all addresses. */
    assert_int_equal(dma(32u << 16 | 8 | 2, 4, RAM_BYTES), 1);
    assert_int_equal(dma(32u << 16 | 8 | 2, 4, RAM_BYTES - 3), 1);
    assert_int_equal(dma(32u << 16 | 8 | 2, 4, UINT64_MAX - 1), 1);
    assert_int_equal(dma(32u << 16 | 8 | 2, UINT32_MAX, 0x2000), 1);
    assert_memory_equal(guest.ram + 0x2000, "0123456789\0", 11);
    /* A descriptor that is not in memory: nothing happens. */
    memcpy(before, guest.ram, RAM_BYTES);
    vmm_fw_cfg_bus_ops.write(&guest.fw_cfg, 4, 4, UINT32_MAX);
    vmm_fw_cfg_bus_ops.write(&guest.fw_cfg, 8, 4, UINT32_MAX);
    vmm_fw_cfg_bus_ops.write(&guest.fw_cfg, 8, 4,
                             __builtin_bswap32(RAM_BYTES - 8));
    assert_memory_equal(before, guest.ram, RAM_BYTES);
    assert_int_equal(guest.fw_cfg.dma, 0);
    /* One that lies across two pieces, and that it overwrites itself. */
    assert_int_equal(dma_at(0xff8, 32u << 16 | 8 | 2, 10, 0x3000), 0);
    assert_memory_equal(guest.ram + 0x3000, "0123456789", 10);
    assert_int_equal(dma(32u << 16 | 8 | 2, 10, DESCRIPTOR), 0);
}

static void test_fw_cfg__nothing_can_be_written(void **state)
{
    assert_int_equal(dma(32u << 16 | 8 | 16, 4, 0x200), 1);
    assert_int_equal(dma(32u << 16 | 8 | 16, 0, 0x200), 0);
    vmm_fw_cfg_bus_ops.write(&guest.fw_cfg, 1, 1, 'x');
    select_key(32);
    assert_int_equal(read_byte(), '0');
}

/* The reference: the sizes of the blobs travel unless all are whole pages. */
static void test_fw_cfg__table_is_sound(void **state)
{
    struct gw_error *error = NULL;

    if (gw_vmstate_check(&vmm_fw_cfg_vmstate, &error) < 0) {
        fail_msg("%s", gw_error_text(error));
    }
}

/* A kernel's item: 8 KiB of a file, behind its first page. */
static void add_part_of_file(int *ret_fd, struct vmm_contents *ret_file)
{
    char path[] = "/tmp/godwit-fw-cfg-XXXXXX";
    struct vmm_contents part;
    uint8_t bytes[0x3000];
    int fd = mkstemp(path);

    assert_true(fd >= 0);
    for (size_t i = 0; i < sizeof(bytes); i++) {
        bytes[i] = (uint8_t)(i >> 8);
    }
    assert_int_equal(write(fd, bytes, sizeof(bytes)), sizeof(bytes));
    assert_int_equal(vmm_contents_open(path, ret_file, NULL), 0);
    unlink(path);
    part = vmm_contents_from(ret_file, 0x1000);
    vmm_fw_cfg_add_contents(&guest.fw_cfg, VMM_FW_CFG_KERNEL_DATA,
                            "some/kernel", &part);
    *ret_fd = fd;
}

static uint32_t dma_kernel(uint32_t length, uint64_t address)
{
    return dma(VMM_FW_CFG_KERNEL_DATA << 16 | 8 | 2, length, address);
}

static void test_fw_cfg__part_of_a_file(void **state)
{
    VMM_AUTO_CONTENTS struct vmm_contents file = {0};
    VMM_AUTO_FD int fd = -1;

    add_part_of_file(&fd, &file);
    guest.ram[0x3001] = 0xee;
    assert_int_equal(dma_kernel(0x2001, 0x1000), 0);
    assert_int_equal(guest.ram[0x1000], 0x10);
    assert_int_equal(guest.ram[0x2fff], 0x2f);
    assert_int_equal(guest.ram[0x3000], 0);
    assert_int_equal(guest.ram[0x3001], 0xee);
    /* Across the border of two pieces of guest memory. */
    assert_int_equal(dma_kernel(0x200, 0xf80), 0);
    assert_int_equal(guest.ram[0xf80 + 0xff], 0x10);
    assert_int_equal(guest.ram[0xf80 + 0x100], 0x11);
    select_key(VMM_FW_CFG_KERNEL_DATA);
    assert_int_equal(dma(4, 0x1fff, 0), 0);
    assert_int_equal(read_byte(), 0x2f);
    assert_int_equal(read_byte(), 0);
}

/* What is said on standard error while it is caught. */
struct caught {
    int before;
    FILE *file;
    char text[1024];
};

static void start_catching(struct caught *caught)
{
    memset(caught, 0, sizeof(*caught));
    caught->file = tmpfile();
    assert_non_null(caught->file);
    fflush(stderr);
    caught->before = dup(STDERR_FILENO);
    assert_true(dup2(fileno(caught->file), STDERR_FILENO) >= 0);
}

static void stop_catching(struct caught *caught)
{
    fflush(stderr);
    assert_true(dup2(caught->before, STDERR_FILENO) >= 0);
    close(caught->before);
    rewind(caught->file);
    assert_true(fread(caught->text, 1, sizeof(caught->text) - 1, caught->file) <
                sizeof(caught->text) - 1);
    fclose(caught->file);
}

/* Somebody cuts the file in place: an error for the guest, said once. */
static void test_fw_cfg__file_that_becomes_shorter(void **state)
{
    VMM_AUTO_CONTENTS struct vmm_contents file = {0};
    VMM_AUTO_FD int fd = -1;
    struct caught caught;

    add_part_of_file(&fd, &file);
    assert_int_equal(ftruncate(fd, 0x2800), 0);
    start_catching(&caught);
    assert_int_equal(dma_kernel(0x2000, 0x1000), 1);
    assert_int_equal(dma_kernel(0x2000, 0x1000), 1);
    /* The rest of the descriptor's work is done: the offset has moved on. */
    assert_int_equal(guest.fw_cfg.offset, 0x2000);
    assert_int_equal(dma_kernel(0x1801, 0x1000), 1);
    /* What is there still, by DMA and by bytes, and then zeros. */
    assert_int_equal(dma_kernel(0x1800, 0x1000), 0);
    assert_int_equal(guest.ram[0x1000], 0x10);
    assert_int_equal(guest.ram[0x27ff], 0x27);
    select_key(VMM_FW_CFG_KERNEL_DATA);
    assert_int_equal(dma(4, 0x17ff, 0), 0);
    assert_int_equal(read_byte(), 0x27);
    assert_int_equal(read_byte(), 0);
    assert_int_equal(guest.fw_cfg.offset, 0x1801);
    assert_int_equal(ftruncate(fd, 0), 0);
    assert_int_equal(dma_kernel(1, 0x1000), 1);
    /* Nothing of it is asked for. */
    assert_int_equal(dma_kernel(0, 0x1000), 0);
    /* The others are as they were. */
    assert_int_equal(dma(32u << 16 | 8 | 2, 10, 0x3000), 0);
    assert_memory_equal(guest.ram + 0x3000, "0123456789", 10);
    stop_catching(&caught);
    assert_string_equal(caught.text,
                        "godwit run: fw_cfg: 'some/kernel' for the firmware: "
                        "the file had 12288 bytes when it was opened, and has "
                        "10240 now\n");
    /* As it was: as if nothing had happened. */
    assert_int_equal(ftruncate(fd, 0x3000), 0);
    assert_int_equal(dma_kernel(0x2000, 0x1000), 0);
    assert_int_equal(guest.ram[0x1000], 0);
}

static void expect_number(uint16_t key, uint64_t expected, unsigned int bytes)
{
    uint64_t value = 0;

    select_key(key);
    for (unsigned int i = 0; i < bytes; i++) {
        value |= (uint64_t)read_byte() << (8 * i);
    }
    assert_true(value == expected);
}

/* etc/e820 of 128 MiB: reserved pages of KVM, low RAM. */
static void test_fw_cfg__basics(void **state)
{
    struct vmm_memory_config config = {.bytes = 128 << 20};
    struct vmm_memory memory;

    assert_int_equal(vmm_memory_init(&memory, &config, NULL), 0);
    assert_int_equal(vmm_boot_firmware_basics(&guest.fw_cfg, &memory, 3, NULL),
                     0);
    expect_number(VMM_FW_CFG_RAM_SIZE, 128 << 20, 8);
    expect_number(VMM_FW_CFG_CPUS, 3, 2);
    expect_number(VMM_FW_CFG_MAX_CPUS, 3, 2);
    expect_number(VMM_FW_CFG_IRQ0_OVERRIDE, 1, 4);
    /* bios-geometry and etc/boot-fail-wait stand before it. */
    expect_number(33, UINT32_MAX, 4);
    expect_number(34, 0xfeffc000, 8);
    assert_int_equal(dma(4, 12 + 8, 0), 0);
    assert_int_equal(dma(2, 16, 0x200), 0);
    assert_int_equal(vmm_get_le64(guest.ram + 0x200), 128 << 20);
    assert_int_equal(vmm_get_le32(guest.ram + 0x208), 1);
    assert_int_equal(vmm_get_le32(guest.ram + 0x20c), 0);
    vmm_memory_deinit(&memory);
}

/* Reads the directory, whose files have these names, keys and sizes. */
static void expect_files(const char *const *names, const uint32_t *sizes,
                         size_t n)
{
    uint8_t entry[VMM_FW_CFG_ENTRY];

    select_key(VMM_FW_CFG_DIRECTORY);
    for (unsigned int i = 0; i < 4; i++) {
        assert_int_equal(read_byte(), i < 3 ? 0 : n);
    }
    for (size_t i = 0; i < n; i++) {
        for (size_t at = 0; at < sizeof(entry); at++) {
            entry[at] = read_byte();
        }
        assert_string_equal((const char *)entry + 8, names[i]);
        assert_int_equal(entry[0] << 24 | entry[1] << 16 | entry[2] << 8 |
                             entry[3],
                         sizes[i]);
        assert_int_equal(entry[4] << 8 | entry[5], 0x20 + i);
        assert_int_equal(entry[6] << 8 | entry[7], 0);
    }
}

/* A machine with ACPI tables; the first file is the test's own. */
static void fill(const struct vmm_contents *kernel, bool option_roms)
{
    static const uint64_t sizes[] = {36, 1664, 686};
    struct vmm_memory_config config = {.bytes = 128 << 20};
    struct vmm_boot_files files = {.kernel = *kernel};
    struct vmm_boot_firmware firmware = {.files = &files};
    struct vmm_memory memory;

    vmm_fw_cfg_deinit(&guest.fw_cfg);
    assert_int_equal(
        vmm_fw_cfg_init(&guest.fw_cfg, &guest.acpi, &ops, NULL, NULL), 0);
    vmm_fw_cfg_add_blob(&guest.fw_cfg, "etc/acpi/tables", guest.ram, &sizes[2]);
    vmm_fw_cfg_add_blob(&guest.fw_cfg, "etc/table-loader", guest.ram,
                        &sizes[1]);
    vmm_fw_cfg_add_blob(&guest.fw_cfg, "etc/acpi/rsdp", guest.ram, &sizes[0]);
    assert_int_equal(vmm_memory_init(&memory, &config, NULL), 0);
    assert_int_equal(vmm_boot_firmware_basics(&guest.fw_cfg, &memory, 1, NULL),
                     0);
    assert_int_equal(
        vmm_boot_firmware_files(&guest.fw_cfg, &firmware, option_roms, NULL),
        0);
    vmm_memory_deinit(&memory);
}

/*
 * Names, keys and sizes are what QEMU 10.0.2's fw_cfg has, without a kernel and
 * with a bzImage, but for etc/fdt, which we leave empty, and what belongs to
 * the kernel.
 */
static void test_fw_cfg__files_are_where_qemu_has_them(void **state)
{
    static const char *const without[] = {
        "bios-geometry",      "bootorder", "etc/acpi/rsdp", "etc/acpi/tables",
        "etc/boot-fail-wait", "etc/e820",  "etc/fdt",       "etc/table-loader"};
    static const uint32_t sizes_without[] = {0, 0, 36, 686, 4, 40, 0, 1664};
    static const char *const with[] = {
        "bios-geometry",      "bootorder",
        "etc/acpi/rsdp",      "etc/acpi/tables",
        "etc/boot-fail-wait", "etc/boot/kernel",
        "etc/e820",           "etc/fdt",
        "etc/table-loader",   "genroms/linuxboot_dma.bin"};
    static const uint32_t sizes_with[] = {0,    31, 36, 686,  4,
                                          1024, 40, 0,  1664, 512};
    static const char order[31] = "/rom@genroms/linuxboot_dma.bin";
    uint8_t image[1024] = {0};
    struct vmm_contents kernel = {0};

    fill(&kernel, true);
    expect_files(without, sizes_without, VMM_ARRAY_SIZE(without));
    /* The magic of a bzImage. */
    memcpy(image + 0x1fe, "\x55\xaa\0\0HdrS", 8);
    kernel = vmm_contents_lend(image, sizeof(image));
    fill(&kernel, true);
    expect_files(with, sizes_with, VMM_ARRAY_SIZE(with));
    select_key(0x21);
    for (size_t i = 0; i < sizeof(order); i++) {
        assert_int_equal(read_byte(), order[i]);
    }
    expect_number(0x29, 0xaa55, 2);
    select_key(0x25);
    for (size_t i = 0; i < sizeof(image); i++) {
        assert_int_equal(read_byte(), image[i]);
    }
    fill(&kernel, false);
    expect_files(with, (const uint32_t[]){0, 0, 36, 686, 4, 1024, 40, 0, 1664},
                 VMM_ARRAY_SIZE(with) - 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_fw_cfg__signature_and_features),
        TEST(test_fw_cfg__directory),
        TEST(test_fw_cfg__dma_reads_and_skips),
        TEST(test_fw_cfg__hostile_selectors),
        TEST(test_fw_cfg__hostile_offset),
        TEST(test_fw_cfg__hostile_dma_addresses),
        TEST(test_fw_cfg__nothing_can_be_written),
        TEST(test_fw_cfg__table_is_sound),
        TEST(test_fw_cfg__part_of_a_file),
        TEST(test_fw_cfg__file_that_becomes_shorter),
        TEST(test_fw_cfg__basics),
        TEST(test_fw_cfg__files_are_where_qemu_has_them),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

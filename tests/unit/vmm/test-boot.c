/*
 * Guest RAM and the boot data in it.
 */
#include "boot.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <godwit/ram.h>

#include "acpi.h"
#include "beat_elf.h"
#include "boot_files.h"
#include "firmware.h"
#include "options.h"
#include "util.h"

static void init_memory(struct vmm_memory *memory, uint64_t bytes, bool share)
{
    struct vmm_memory_config config = {.bytes = bytes, .share = share};

    assert_int_equal(vmm_memory_init(memory, &config, NULL), 0);
}

/* The split at 3 GiB; nothing of it is touched. */
static void test_memory__goes_on_at_4_gib(void **state)
{
    struct vmm_memory memory;
    struct vmm_memory_range ranges[2];

    init_memory(&memory, 4ull << 30, false);
    assert_int_equal(vmm_memory_ranges(&memory, ranges), 2);
    assert_int_equal(ranges[0].bytes, 0xc0000000);
    assert_int_equal(ranges[1].gpa, 0x100000000);
    assert_int_equal(ranges[1].bytes, 0x40000000);
    assert_ptr_equal(vmm_memory_at(&memory, 0, 1), memory.host);
    assert_ptr_equal(vmm_memory_at(&memory, 0x100000000, 0x40000000),
                     memory.host + 0xc0000000);
    assert_null(vmm_memory_at(&memory, 0xc0000000, 1));
    assert_null(vmm_memory_at(&memory, 0xbfffffff, 2));
    assert_null(vmm_memory_at(&memory, 0x100000000, 0x40000001));
    assert_null(vmm_memory_at(&memory, UINT64_MAX, UINT64_MAX));
    vmm_memory_deinit(&memory);
}

static void test_memory__flags_say_how_it_is_backed(void **state)
{
    struct vmm_memory memory;

    init_memory(&memory, 2 << 20, false);
    assert_int_equal(memory.flags, GW_RAM_ZEROED | GW_RAM_ANONYMOUS);
    assert_int_equal(memory.fd, -1);
    vmm_memory_touched(&memory);
    assert_int_equal(memory.flags, GW_RAM_ANONYMOUS);
    vmm_memory_deinit(&memory);
    init_memory(&memory, 2 << 20, true);
    assert_int_equal(memory.flags, GW_RAM_ZEROED | GW_RAM_SHARED);
    assert_true(memory.fd >= 0);
    vmm_memory_deinit(&memory);
    vmm_memory_deinit(&memory);
}

static int boot_beat(struct vmm_memory *memory, const char *cmdline,
                     struct vmm_boot *ret_boot, struct gw_error **errp)
{
    struct vmm_boot_config config = {
        .image = vmm_contents_lend(gw_beat_elf, gw_beat_elf_size),
        .cmdline = cmdline};

    return vmm_boot_load(memory, &config, ret_boot, errp);
}

static void test_boot__beat_and_its_start_info(void **state)
{
    static const char cmdline[] = "mem=1M cpus=2";
    struct vmm_memory memory;
    struct vmm_boot boot;
    const uint8_t *info;
    const uint8_t *map;

    init_memory(&memory, 16 << 20, false);
    assert_int_equal(boot_beat(&memory, cmdline, &boot, NULL), 0);
    assert_int_equal(memory.flags & GW_RAM_ZEROED, 0);
    assert_true(boot.entry >= 0x100000);
    info = vmm_memory_at(&memory, boot.start_info, 56);
    assert_non_null(info);
    assert_int_equal(vmm_get_le32(info), 0x336ec578);
    assert_int_equal(vmm_get_le32(info + 4), 1);
    assert_int_equal(vmm_get_le32(info + 12), 0);
    assert_string_equal(vmm_memory_at(&memory, vmm_get_le64(info + 24), 64),
                        cmdline);
    map = vmm_memory_at(&memory, vmm_get_le64(info + 40), 72);
    assert_int_equal(vmm_get_le32(info + 48), 3);
    assert_int_equal(vmm_get_le64(map), 0);
    assert_int_equal(vmm_get_le64(map + 8), 0x9fc00);
    assert_int_equal(vmm_get_le32(map + 16), 1);
    assert_int_equal(vmm_get_le64(map + 24), 0x100000);
    assert_int_equal(vmm_get_le64(map + 32), 15 << 20);
    assert_int_equal(vmm_get_le32(map + 40), 1);
    assert_int_equal(vmm_get_le64(map + 48), 0xfeffc000);
    assert_int_equal(vmm_get_le32(map + 64), 2);
    vmm_memory_deinit(&memory);
}

/* A kernel of protocol 2.15 that runs at 16 MiB and needs 16 MiB more. */
static void make_linux(uint8_t *image, size_t size)
{
    memset(image, 0x90, size);
    image[0x1f1] = 1;
    memcpy(image + 0x1fe, "\x55\xaa\xeb\x6aHdrS\x0f\x02", 10);
    image[0x211] = 1;
    vmm_put_le32(image + 0x22c, 0x7fffffff);
    vmm_put_le32(image + 0x238, 16);
    vmm_put_le64(image + 0x258, 16 << 20);
    vmm_put_le32(image + 0x260, 16 << 20);
}

static void make_file(char *path, size_t size)
{
    int fd = mkstemp(path);

    assert_true(fd >= 0);
    assert_int_equal(ftruncate(fd, (off_t)size), 0);
    assert_int_equal(pwrite(fd, "initrd", 6, 0), 6);
    close(fd);
}

/* Tables at the end of RAM, the RAM disk below them, all of it told. */
static void test_boot__linux_with_acpi_and_initrd(void **state)
{
    char path[] = "/tmp/godwit-initrd-XXXXXX";
    VMM_AUTO_CONTENTS struct vmm_contents initrd = {0};
    struct vmm_acpi_config tables = {.n_cpus = 2};
    struct vmm_firmware firmware;
    struct vmm_memory memory;
    struct vmm_acpi acpi;
    struct vmm_boot boot;
    uint8_t image[4096];
    struct vmm_boot_config config = {
        .image = vmm_contents_lend(image, sizeof(image)),
        .initrd_name = path,
        .cmdline = "sixteen letters!",
        .acpi = &acpi};
    const uint8_t *page;

    make_linux(image, sizeof(image));
    make_file(path, 5000);
    assert_int_equal(vmm_contents_open(path, &initrd, NULL), 0);
    config.initrd = initrd;
    init_memory(&memory, 64 << 20, false);
    assert_int_equal(vmm_firmware_init(&firmware, 0x10000, NULL), 0);
    config.firmware = firmware.host;
    config.hidden_bytes = firmware.bytes;
    assert_int_equal(vmm_acpi_init(&acpi, NULL), 0);
    assert_int_equal(vmm_acpi_build(&acpi, &tables, NULL), 0);
    assert_int_equal(vmm_boot_load(&memory, &config, &boot, NULL), 0);
    assert_int_equal(boot.entry, 0x100000);
    assert_int_equal(boot.start_info, 0);
    page = vmm_memory_at(&memory, boot.params, 4096);
    assert_string_equal(memory.host + vmm_get_le32(page + 0x228),
                        config.cmdline);
    /* Two pages of tables, two of the RAM disk. */
    assert_int_equal(vmm_get_le64(page + 0x70), (64 << 20) - 0x1000);
    assert_memory_equal(memory.host + (64 << 20) - 0x1000, "RSD PTR ", 8);
    assert_int_equal(vmm_get_le32(page + 0x218), (64 << 20) - 0x4000);
    assert_int_equal(vmm_get_le32(page + 0x21c), 5000);
    assert_memory_equal(memory.host + (64 << 20) - 0x4000, "initrd", 6);
    /* Base memory, RAM, tables, KVM's pages. */
    assert_int_equal(page[0x1e8], 4);
    assert_int_equal(vmm_get_le64(page + 0x2d0 + 20 + 8), (63 << 20) - 0x2000);
    assert_int_equal(vmm_get_le32(page + 0x2d0 + 2 * 20 + 16), 3);
    /* The kernel's part, and code for a reset: lidt, int3. */
    assert_int_equal(memory.host[0x100000], 0x90);
    assert_memory_equal(firmware.host + 0xfff0,
                        "\x2e\x0f\x01\x1e\xf8\xff\xcc\0\0\0\0\0\0\0", 14);
    vmm_acpi_deinit(&acpi);
    vmm_firmware_deinit(&firmware);
    vmm_memory_deinit(&memory);
    unlink(path);
}

static void expect_no_boot(uint64_t ram, const struct vmm_boot_config *config,
                           const char *text)
{
    struct gw_error *error = NULL;
    struct vmm_memory memory;
    struct vmm_boot boot;

    init_memory(&memory, ram, false);
    assert_true(vmm_boot_load(&memory, config, &boot, &error) < 0);
    if (!strstr(gw_error_text(error), text)) {
        fail_msg("'%s' is not in: %s", text, gw_error_text(error));
    }
    gw_error_free(error);
    vmm_memory_deinit(&memory);
}

static void test_boot__what_does_not_fit_is_refused(void **state)
{
    VMM_AUTO_FREE uint8_t *initrd = calloc(1, 1 << 20);
    uint8_t image[4096];
    struct vmm_boot_config config = {
        .image = vmm_contents_lend(image, sizeof(image)), .cmdline = ""};

    make_linux(image, sizeof(image));
    expect_no_boot((32 << 20) - 4096, &config,
                   "Linux needs guest RAM up to 0x2000000, there is room up "
                   "to 0x1fff000");
    config.initrd = vmm_contents_lend(initrd, 1 << 20);
    config.initrd_name = "some/initrd";
    expect_no_boot((33 << 20) - 4096, &config,
                   "initrd 'some/initrd' of 1048576 bytes does not fit guest "
                   "RAM");
    config.initrd.size = 0;
    config.cmdline = "seventeen letters";
    expect_no_boot(64 << 20, &config, "of 17 bytes, at most 16 fit");
}

/* A reset would not find what is to be booted. */
static void test_files__that_become_shorter(void **state)
{
    char path[] = "/tmp/godwit-initrd-XXXXXX";
    struct vmm_boot_files files;
    struct vmm_options options = {.kernel = path};
    struct gw_error *error = NULL;

    make_file(path, 0x3000);
    assert_int_equal(vmm_boot_files_open(&files, &options, NULL), 0);
    assert_int_equal(vmm_boot_files_check(&files, NULL), 0);
    assert_int_equal(truncate(path, 0x4000), 0);
    assert_int_equal(vmm_boot_files_check(&files, NULL), 0);
    assert_int_equal(truncate(path, 0x1000), 0);
    assert_int_equal(vmm_boot_files_check(&files, &error), -ENODATA);
    assert_string_equal(gw_error_text(error),
                        "kernel: the file had 12288 bytes when it was opened, "
                        "and has 4096 now");
    gw_error_free(error);
    /* Whoever writes a new one in its place does no harm. */
    assert_int_equal(unlink(path), 0);
    vmm_boot_files_close(&files);
}

/* One kernel that is cut after it was opened: each start says so, and lives. */
static void boot_cut_kernel(const uint8_t *image, size_t size, size_t cut,
                            const char *text)
{
    char path[] = "/tmp/godwit-initrd-XXXXXX";
    VMM_AUTO_CONTENTS struct vmm_contents kernel = {0};
    struct vmm_boot_config config = {.cmdline = "", .kernel_name = "k"};
    int fd = mkstemp(path);

    assert_true(fd >= 0);
    assert_int_equal(pwrite(fd, image, size, 0), size);
    assert_int_equal(vmm_contents_open(path, &kernel, NULL), 0);
    unlink(path);
    config.image = kernel;
    assert_int_equal(ftruncate(fd, (off_t)cut), 0);
    expect_no_boot(64 << 20, &config, text);
    close(fd);
}

static void test_boot__files_cut_while_they_are_read(void **state)
{
    char path[] = "/tmp/godwit-initrd-XXXXXX";
    VMM_AUTO_CONTENTS struct vmm_contents file = {0};
    uint8_t image[8192];
    struct vmm_boot_config config = {
        .image = vmm_contents_lend(image, sizeof(image)),
        .initrd_name = path,
        .cmdline = ""};

    make_linux(image, sizeof(image));
    boot_cut_kernel(image, sizeof(image), 0,
                    "kernel 'k': the file had 8192 bytes when it was opened, "
                    "and has 0 now");
    boot_cut_kernel(image, sizeof(image), 4096, "and has 4096 now");
    boot_cut_kernel(image, sizeof(image), 8191, "and has 8191 now");
    boot_cut_kernel(gw_beat_elf, gw_beat_elf_size, 60, "and has 60 now");
    /* Within its note, which is the first of what it has beside headers. */
    boot_cut_kernel(gw_beat_elf, gw_beat_elf_size, 0x1001, "and has 4097 now");
    boot_cut_kernel(gw_beat_elf, gw_beat_elf_size, 0x2000, "and has 8192 now");
    make_file(path, 5000);
    assert_int_equal(vmm_contents_open(path, &file, NULL), 0);
    config.initrd = file;
    assert_int_equal(truncate(path, 4096), 0);
    expect_no_boot(64 << 20, &config, "initrd '/tmp/godwit-initrd-");
    expect_no_boot(64 << 20, &config,
                   "': the file had 5000 bytes when it was opened, and has "
                   "4096 now");
    unlink(path);
}

static void test_firmware__cut_while_it_is_read(void **state)
{
    char path[] = "/tmp/godwit-initrd-XXXXXX";
    VMM_AUTO_CONTENTS struct vmm_contents file = {0};
    struct gw_error *error = NULL;
    struct vmm_firmware firmware;

    make_file(path, 0x10000);
    assert_int_equal(vmm_contents_open(path, &file, NULL), 0);
    assert_int_equal(vmm_firmware_init(&firmware, 0x10000, NULL), 0);
    assert_int_equal(truncate(path, 0xffff), 0);
    assert_int_equal(vmm_firmware_load(&firmware, "f", &file, &error),
                     -ENODATA);
    assert_string_equal(gw_error_text(error),
                        "firmware 'f': the file had 65536 bytes when it was "
                        "opened, and has 65535 now");
    gw_error_free(error);
    vmm_firmware_deinit(&firmware);
    unlink(path);
}

static void test_firmware__is_loaded_if_it_fits(void **state)
{
    char path[] = "/tmp/godwit-initrd-XXXXXX";
    VMM_AUTO_CONTENTS struct vmm_contents file = {0};
    struct gw_error *error = NULL;
    struct vmm_firmware firmware;

    make_file(path, 0x10000);
    assert_int_equal(vmm_firmware_init(&firmware, 0x20000, NULL), 0);
    assert_int_equal(vmm_contents_open(path, &file, NULL), 0);
    assert_int_equal(vmm_firmware_load(&firmware, path, &file, &error),
                     -EINVAL);
    assert_non_null(
        strstr(gw_error_text(error), "65536 bytes, there is room for 131072"));
    gw_error_free(error);
    vmm_firmware_deinit(&firmware);
    assert_int_equal(vmm_firmware_init(&firmware, 0x10000, NULL), 0);
    assert_int_equal(vmm_firmware_load(&firmware, path, &file, NULL), 0);
    assert_memory_equal(firmware.host, "initrd", 6);
    vmm_firmware_deinit(&firmware);
    unlink(path);
}

static void test_boot__long_command_line_is_refused(void **state)
{
    struct gw_error *error = NULL;
    char cmdline[VMM_BOOT_CMDLINE_MAX + 1];
    struct vmm_memory memory;
    struct vmm_boot boot;

    memset(cmdline, 'x', sizeof(cmdline));
    cmdline[VMM_BOOT_CMDLINE_MAX] = '\0';
    init_memory(&memory, 16 << 20, false);
    assert_int_equal(boot_beat(&memory, cmdline, &boot, &error), -EOVERFLOW);
    assert_non_null(strstr(gw_error_text(error), "4096 bytes, at most 4095"));
    gw_error_free(error);
    cmdline[VMM_BOOT_CMDLINE_MAX - 1] = '\0';
    assert_int_equal(boot_beat(&memory, cmdline, &boot, NULL), 0);
    vmm_memory_deinit(&memory);
}

static void expect_no_file(const struct vmm_options *options, const char *text)
{
    struct vmm_boot_files files;
    struct gw_error *error = NULL;

    assert_int_equal(vmm_boot_files_open(&files, options, &error), -ENOENT);
    assert_string_equal(gw_error_text(error), text);
    gw_error_free(error);
    assert_int_equal(files.kernel.size, 0);
    vmm_boot_files_close(&files);
}

static void test_boot__missing_files_are_named(void **state)
{
    char path[] = "/tmp/godwit-initrd-XXXXXX";
    struct vmm_options options = {.kernel = "/nonexistent/kernel"};

    make_file(path, 5000);
    expect_no_file(&options, "kernel: cannot open '/nonexistent/kernel': "
                             "No such file or directory");
    options.kernel = path;
    options.initrd = "/nonexistent/initrd";
    expect_no_file(&options, "initrd: cannot open '/nonexistent/initrd': "
                             "No such file or directory");
    options.initrd = path;
    options.bios = "/nonexistent/bios";
    expect_no_file(&options, "firmware: cannot open '/nonexistent/bios': "
                             "No such file or directory");
    unlink(path);
}

/* A reset boots what the cold start did. */
static void test_boot__files_outlive_their_names(void **state)
{
    char path[] = "/tmp/godwit-initrd-XXXXXX";
    struct vmm_options options = {.kernel = path};
    struct vmm_boot_files files;
    char bytes[6];

    make_file(path, 5000);
    assert_int_equal(vmm_boot_files_open(&files, &options, NULL), 0);
    unlink(path);
    assert_int_equal(files.kernel.size, 5000);
    assert_int_equal(vmm_contents_read(&files.kernel, 0, bytes, 6, NULL), 0);
    assert_memory_equal(bytes, "initrd", 6);
    assert_int_equal(files.initrd.size, 0);
    assert_int_equal(files.firmware.size, 0);
    vmm_boot_files_close(&files);
    vmm_boot_files_close(&files);
}

/* RAM that was used before, as after a reset: nothing of it is relied on. */
static void test_boot__does_not_rely_on_zeros(void **state)
{
    struct vmm_memory fresh;
    struct vmm_memory used;
    struct vmm_boot boot;

    init_memory(&fresh, 16 << 20, false);
    init_memory(&used, 16 << 20, false);
    assert_int_equal(boot_beat(&fresh, "mem=1M", &boot, NULL), 0);
    assert_int_equal(boot_beat(&used, "mem=2M and more", &boot, NULL), 0);
    memset(used.host + 0x100000, 0xee, 0x100000);
    assert_int_equal(boot_beat(&used, "mem=1M", &boot, NULL), 0);
    assert_memory_equal(used.host + VMM_BOOT_DATA_START,
                        fresh.host + VMM_BOOT_DATA_START,
                        VMM_BOOT_CMDLINE - VMM_BOOT_DATA_START);
    assert_string_equal(used.host + VMM_BOOT_CMDLINE, "mem=1M");
    vmm_memory_deinit(&fresh);
    vmm_memory_deinit(&used);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_memory__goes_on_at_4_gib),
        cmocka_unit_test(test_memory__flags_say_how_it_is_backed),
        cmocka_unit_test(test_boot__beat_and_its_start_info),
        cmocka_unit_test(test_boot__linux_with_acpi_and_initrd),
        cmocka_unit_test(test_boot__what_does_not_fit_is_refused),
        cmocka_unit_test(test_files__that_become_shorter),
        cmocka_unit_test(test_boot__files_cut_while_they_are_read),
        cmocka_unit_test(test_firmware__cut_while_it_is_read),
        cmocka_unit_test(test_firmware__is_loaded_if_it_fits),
        cmocka_unit_test(test_boot__long_command_line_is_refused),
        cmocka_unit_test(test_boot__missing_files_are_named),
        cmocka_unit_test(test_boot__files_outlive_their_names),
        cmocka_unit_test(test_boot__does_not_rely_on_zeros),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

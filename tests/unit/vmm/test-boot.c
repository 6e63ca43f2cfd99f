/*
 * Guest RAM and the boot data in it.
 */
#include "boot.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include <godwit/ram.h>

#include "beat_elf.h"
#include "firmware.h"
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
    assert_int_equal(memory.flags, GW_RAM_ZEROED);
    assert_int_equal(memory.fd, -1);
    vmm_memory_touched(&memory);
    assert_int_equal(memory.flags, 0);
    vmm_memory_deinit(&memory);
    init_memory(&memory, 2 << 20, true);
    assert_int_equal(memory.flags, GW_RAM_ZEROED | GW_RAM_SHARED);
    assert_true(memory.fd >= 0);
    vmm_memory_deinit(&memory);
    vmm_memory_deinit(&memory);
}

/* The memory slots of the reference, 1.2, for 128 MiB and 128 KiB. */
static void test_firmware__lies_over_guest_ram(void **state)
{
    struct vmm_memory_range ranges[VMM_FIRMWARE_RANGES];
    struct vmm_firmware firmware;
    struct vmm_memory memory;

    init_memory(&memory, 128 << 20, false);
    assert_int_equal(vmm_firmware_init(&firmware, 0x20000, NULL), 0);
    assert_int_equal(vmm_firmware_ranges(&firmware, &memory, ranges), 4);
    assert_int_equal(ranges[0].gpa, 0);
    assert_int_equal(ranges[0].bytes, 0xe0000);
    assert_int_equal(ranges[1].gpa, 0xe0000);
    assert_int_equal(ranges[1].bytes, 0x20000);
    assert_ptr_equal(ranges[1].host, firmware.host);
    assert_int_equal(ranges[2].gpa, 0x100000);
    assert_int_equal(ranges[2].bytes, (128 << 20) - 0x100000);
    assert_ptr_equal(ranges[2].host, memory.host + 0x100000);
    assert_int_equal(ranges[3].gpa, 0xfffe0000);
    assert_int_equal(ranges[3].bytes, 0x20000);
    vmm_memory_deinit(&memory);
    init_memory(&memory, 5ull << 30, false);
    assert_int_equal(vmm_firmware_ranges(&firmware, &memory, ranges), 5);
    assert_int_equal(ranges[4].gpa, 0x100000000);
    vmm_firmware_deinit(&firmware);
    assert_int_equal(vmm_firmware_ranges(&firmware, &memory, ranges), 2);
    assert_int_equal(ranges[0].bytes, 0xc0000000);
    vmm_memory_deinit(&memory);
}

static int boot_beat(struct vmm_memory *memory, const char *cmdline,
                     struct vmm_boot *ret_boot, struct gw_error **errp)
{
    struct vmm_boot_config config = {.image = gw_beat_elf,
                                     .image_size = gw_beat_elf_size,
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

static void test_boot__missing_kernel_is_named(void **state)
{
    struct vmm_boot_config config = {.kernel = "/nonexistent/kernel",
                                     .cmdline = ""};
    struct gw_error *error = NULL;
    struct vmm_memory memory;
    struct vmm_boot boot;

    init_memory(&memory, 2 << 20, false);
    assert_int_equal(vmm_boot_load(&memory, &config, &boot, &error), -ENOENT);
    assert_string_equal(gw_error_text(error),
                        "kernel: cannot open '/nonexistent/kernel': "
                        "No such file or directory");
    gw_error_free(error);
    vmm_memory_deinit(&memory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_memory__goes_on_at_4_gib),
        cmocka_unit_test(test_memory__flags_say_how_it_is_backed),
        cmocka_unit_test(test_firmware__lies_over_guest_ram),
        cmocka_unit_test(test_boot__beat_and_its_start_info),
        cmocka_unit_test(test_boot__long_command_line_is_refused),
        cmocka_unit_test(test_boot__missing_kernel_is_named),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

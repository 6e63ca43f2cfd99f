/*
 * Linux images: the header is checked, the boot parameters say what they
 * should. Offsets and values are those of the kernel's boot protocol.
 */
#include "linux_image.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "boot_virtio.h"
#include "util.h"

#define IMAGE_BYTES 4096u

/* Protocol 2.15, two setup sectors, header up to 0x26c, like a kernel's. */
static void make_image(uint8_t *image)
{
    memset(image, 0x90, IMAGE_BYTES);
    image[0x1f1] = 2;
    image[0x1fe] = 0x55;
    image[0x1ff] = 0xaa;
    image[0x200] = 0xeb;
    image[0x201] = 0x6a;
    memcpy(image + 0x202, "HdrS", 4);
    image[0x206] = 0x0f;
    image[0x207] = 0x02;
    image[0x211] = 1;
    vmm_put_le32(image + 0x22c, 0x7fffffff);
    vmm_put_le32(image + 0x238, 2047);
    vmm_put_le64(image + 0x258, 0x1000000);
    vmm_put_le32(image + 0x260, 0x3000000);
}

static int parse(const uint8_t *image, size_t size,
                 struct vmm_linux_image *ret_parsed, struct gw_error **errp)
{
    struct vmm_contents contents = vmm_contents_lend(image, size);

    return vmm_linux_parse(&contents, ret_parsed, errp);
}

static bool is_image(const uint8_t *image, size_t size)
{
    struct vmm_contents contents = vmm_contents_lend(image, size);
    bool found = false;

    assert_int_equal(vmm_linux_probe(&contents, &found, NULL), 0);
    return found;
}

static void expect_refused(const uint8_t *image, size_t size, int code,
                           const char *text)
{
    struct gw_error *error = NULL;
    struct vmm_linux_image parsed;

    assert_int_equal(parse(image, size, &parsed, &error), code);
    assert_non_null(strstr(gw_error_text(error), text));
    gw_error_free(error);
}

static void test_linux__parts_of_an_image(void **state)
{
    struct vmm_linux_image parsed;
    uint8_t image[IMAGE_BYTES];

    make_image(image);
    assert_true(is_image(image, sizeof(image)));
    assert_int_equal(parse(image, sizeof(image), &parsed, NULL), 0);
    assert_int_equal(parsed.setup_size, 3 * 512);
    assert_ptr_equal(parsed.kernel.bytes, image + 3 * 512);
    assert_int_equal(parsed.kernel.size, IMAGE_BYTES - 3 * 512);
    assert_int_equal(parsed.header_size, 0x26c - 0x1f1);
    assert_int_equal(parsed.protocol, 0x20f);
    assert_int_equal(parsed.initrd_max, 0x7fffffff);
    assert_int_equal(parsed.cmdline_max, 2047);
    assert_int_equal(parsed.run_start, 0x1000000);
    assert_int_equal(parsed.run_end, 0x4000000);
    image[0x1f1] = 0; /* means 4 */
    assert_int_equal(parse(image, sizeof(image), &parsed, NULL), 0);
    assert_int_equal(parsed.setup_size, 5 * 512);
}

static void test_linux__what_is_wrong_is_named(void **state)
{
    uint8_t image[IMAGE_BYTES];

    make_image(image);
    for (size_t size = 0; size <= 3 * 512; size++) {
        expect_refused(image, size, -EBADMSG, "Linux image");
    }
    image[0x202] = 'h';
    assert_false(is_image(image, sizeof(image)));
    expect_refused(image, sizeof(image), -EBADMSG, "not a Linux image");
    make_image(image);
    image[0x206] = 5;
    expect_refused(image, sizeof(image), -ENOTSUP, "protocol 2.05");
    make_image(image);
    image[0x211] = 0;
    expect_refused(image, sizeof(image), -ENOTSUP, "zImage");
    make_image(image);
    image[0x201] = 0x39; /* ends one byte too early */
    expect_refused(image, sizeof(image), -EBADMSG, "ends at 0x23b");
    image[0x201] = 0x8f; /* one byte into the E820 table */
    expect_refused(image, sizeof(image), -EBADMSG, "ends at 0x291");
    make_image(image);
    image[0x1f1] = 255;
    expect_refused(image, sizeof(image), -EBADMSG, "setup code");
}

static void test_linux__a_range_beyond_all_addresses(void **state)
{
    struct vmm_linux_image parsed;
    uint8_t image[IMAGE_BYTES];

    make_image(image);
    vmm_put_le64(image + 0x258, UINT64_MAX - 1);
    assert_int_equal(parse(image, sizeof(image), &parsed, NULL), 0);
    assert_true(parsed.run_end == UINT64_MAX);
}

static void test_linux__boot_parameters(void **state)
{
    static const struct vmm_map_entry map[] = {{0, 0x9fc00, VMM_MAP_RAM},
                                               {0x100000, 0x7f00000, 1},
                                               {0x8000000, 0x2000, 3}};
    struct vmm_linux_params params = {.cmdline = 0x20000,
                                      .initrd = 0x7000000,
                                      .initrd_bytes = 1234,
                                      .rsdp = 0x8001000,
                                      .map = map,
                                      .n_map = 3};
    struct vmm_linux_image parsed;
    uint8_t image[IMAGE_BYTES];
    uint8_t page[VMM_LINUX_PARAMS_BYTES];

    make_image(image);
    assert_int_equal(parse(image, sizeof(image), &parsed, NULL), 0);
    memset(page, 0xee, sizeof(page));
    vmm_linux_write_params(&parsed, &params, page);
    assert_memory_equal(page + 0x202, "HdrS", 4);
    assert_int_equal(vmm_get_le16(page + 0x206), 0x20f);
    assert_int_equal(page[0x210], 0xff);
    assert_int_equal(vmm_get_le32(page + 0x218), 0x7000000);
    assert_int_equal(vmm_get_le32(page + 0x21c), 1234);
    assert_int_equal(vmm_get_le32(page + 0x228), 0x20000);
    assert_int_equal(vmm_get_le64(page + 0x70), 0x8001000);
    assert_int_equal(page[0x1e8], 3);
    assert_int_equal(vmm_get_le64(page + 0x2d0 + 20), 0x100000);
    assert_int_equal(vmm_get_le64(page + 0x2d0 + 28), 0x7f00000);
    assert_int_equal(vmm_get_le32(page + 0x2d0 + 56), 3);
    /* Nothing of the setup code beside the header. */
    assert_int_equal(page[0x1f0], 0);
    assert_int_equal(page[0x26c], 0);
    assert_int_equal(page[0xfff], 0);
}

static void test_linux__where_virtio_devices_are(void **state)
{
    char words[VMM_VIRTIO_WORDS_MAX];

    vmm_boot_virtio_words(0, words);
    assert_string_equal(words, "");
    vmm_boot_virtio_words(0xc0, words);
    assert_string_equal(words, " virtio_mmio.device=512@0xfeb00e00:12"
                               " virtio_mmio.device=512@0xfeb00c00:11");
    vmm_boot_virtio_words(0xff, words);
    assert_non_null(strstr(words, " virtio_mmio.device=512@0xfeb00000:5"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_linux__parts_of_an_image),
        cmocka_unit_test(test_linux__what_is_wrong_is_named),
        cmocka_unit_test(test_linux__a_range_beyond_all_addresses),
        cmocka_unit_test(test_linux__boot_parameters),
        cmocka_unit_test(test_linux__where_virtio_devices_are),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

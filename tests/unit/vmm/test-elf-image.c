/*
 * The ELF loader: good images of both classes, and hostile ones.
 */
#include "elf_image.h"

#include <elf.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define RAM_BYTES 0x4000u
#define LOAD_GPA 0x1000u
#define CODE_OFFSET 0x200u
#define NOTE_OFFSET 0x300u

static uint8_t ram[RAM_BYTES];

static void *place(void *opaque, uint64_t gpa, uint64_t bytes)
{
    if (gpa > RAM_BYTES || bytes > RAM_BYTES - gpa) {
        return NULL;
    }
    return ram + gpa;
}

/* An image of 1 KiB: one segment of 16 bytes (32 in memory), one note. */
struct image64 {
    union {
        struct {
            Elf64_Ehdr header;
            Elf64_Phdr segments[2];
        };
        uint8_t bytes[1024];
    };
};

static const uint8_t pvh_note[] = {4,   0,  0,    0,    4,    0,   0,
                                   0,   18, 0,    0,    0,    'X', 'e',
                                   'n', 0,  0x08, 0x10, 0x00, 0x00};

static struct image64 *make_image(void)
{
    struct image64 *image = calloc(1, sizeof(*image));

    assert_non_null(image);
    memcpy(image->header.e_ident, ELFMAG, SELFMAG);
    image->header.e_ident[EI_CLASS] = ELFCLASS64;
    image->header.e_ident[EI_DATA] = ELFDATA2LSB;
    image->header.e_machine = EM_X86_64;
    image->header.e_entry = LOAD_GPA;
    image->header.e_phoff = offsetof(struct image64, segments);
    image->header.e_phnum = 2;
    image->header.e_phentsize = sizeof(Elf64_Phdr);
    image->segments[0] = (Elf64_Phdr){.p_type = PT_LOAD,
                                      .p_offset = CODE_OFFSET,
                                      .p_paddr = LOAD_GPA,
                                      .p_filesz = 16,
                                      .p_memsz = 32};
    image->segments[1] = (Elf64_Phdr){.p_type = PT_NOTE,
                                      .p_offset = NOTE_OFFSET,
                                      .p_filesz = sizeof(pvh_note)};
    memset(image->bytes + CODE_OFFSET, 0x90, 16);
    memcpy(image->bytes + NOTE_OFFSET, pvh_note, sizeof(pvh_note));
    memset(ram, 0xee, sizeof(ram));
    return image;
}

static int load(const void *bytes, size_t size, struct vmm_elf *elf,
                const char *part)
{
    struct gw_error *error = NULL;
    struct vmm_contents file = vmm_contents_lend(bytes, size);
    int r = vmm_elf_load(&file, place, NULL, elf, &error);

    if (r < 0) {
        assert_non_null(error);
        if (part && !strstr(gw_error_text(error), part)) {
            fail_msg("'%s' is not in: %s", part, gw_error_text(error));
        }
    } else {
        assert_null(error);
    }
    gw_error_free(error);
    return r;
}

static void expect_refused(struct image64 *image, int code, const char *part)
{
    struct vmm_elf elf;

    assert_int_equal(load(image, sizeof(*image), &elf, part), code);
    for (size_t i = 0; i < RAM_BYTES; i++) {
        assert_int_equal(ram[i], 0xee);
    }
    free(image);
}

static void test_elf__note_gives_the_entry(void **state)
{
    struct image64 *image = make_image();
    struct vmm_elf elf;

    assert_int_equal(load(image, sizeof(*image), &elf, NULL), 0);
    assert_int_equal(elf.entry, 0x1008);
    assert_true(elf.pvh);
    assert_int_equal(elf.start, LOAD_GPA);
    assert_int_equal(elf.end, LOAD_GPA + 32);
    for (size_t i = 0; i < 32; i++) {
        assert_int_equal(ram[LOAD_GPA + i], i < 16 ? 0x90 : 0);
    }
    assert_int_equal(ram[LOAD_GPA + 32], 0xee);
    free(image);
}

static void test_elf__without_note_the_header_gives_it(void **state)
{
    struct image64 *image = make_image();
    struct vmm_elf elf;

    image->bytes[NOTE_OFFSET + 8] = 17;
    assert_int_equal(load(image, sizeof(*image), &elf, NULL), 0);
    assert_int_equal(elf.entry, LOAD_GPA);
    assert_false(elf.pvh);
    free(image);
}

static void test_elf__class_32_loads(void **state)
{
    struct {
        Elf32_Ehdr header;
        Elf32_Phdr segment;
        uint8_t code[4];
    } image = {
        .header = {.e_machine = EM_386,
                   .e_entry = LOAD_GPA,
                   .e_phoff = sizeof(Elf32_Ehdr),
                   .e_phnum = 1,
                   .e_phentsize = sizeof(Elf32_Phdr)},
        .segment = {.p_type = PT_LOAD,
                    .p_offset = sizeof(Elf32_Ehdr) + sizeof(Elf32_Phdr),
                    .p_paddr = LOAD_GPA,
                    .p_filesz = 4,
                    .p_memsz = 4},
        .code = {1, 2, 3, 4},
    };
    struct vmm_elf elf;

    memcpy(image.header.e_ident, ELFMAG, SELFMAG);
    image.header.e_ident[EI_CLASS] = ELFCLASS32;
    image.header.e_ident[EI_DATA] = ELFDATA2LSB;
    memset(ram, 0xee, sizeof(ram));
    assert_int_equal(load(&image, sizeof(image), &elf, NULL), 0);
    assert_int_equal(elf.entry, LOAD_GPA);
    assert_memory_equal(ram + LOAD_GPA, image.code, 4);
}

static void test_elf__wrong_headers_are_refused(void **state)
{
    struct image64 *image = make_image();

    image->bytes[0] = 'E';
    expect_refused(image, -EBADMSG, "not an ELF image");
    image = make_image();
    image->header.e_ident[EI_DATA] = ELFDATA2MSB;
    expect_refused(image, -ENOTSUP, "data encoding");
    image = make_image();
    image->header.e_ident[EI_CLASS] = 3;
    expect_refused(image, -ENOTSUP, "class 3");
    image = make_image();
    image->header.e_machine = EM_AARCH64;
    expect_refused(image, -ENOTSUP, "not x86");
    image = make_image();
    image->header.e_phnum = 0;
    expect_refused(image, -EBADMSG, "0 ELF program headers");
    image = make_image();
    image->header.e_phnum = 129;
    expect_refused(image, -EBADMSG, "129 ELF program headers");
    image = make_image();
    image->header.e_phentsize = 55;
    expect_refused(image, -EBADMSG, "of 55 bytes");
    image = make_image();
    image->header.e_phoff = sizeof(*image) - 2 * sizeof(Elf64_Phdr) + 1;
    expect_refused(image, -EBADMSG, "outside the file");
    image = make_image();
    image->header.e_phoff = UINT64_MAX - 8;
    expect_refused(image, -EBADMSG, "outside the file");
}

static void test_elf__segments_outside_are_refused(void **state)
{
    struct image64 *image = make_image();

    image->segments[0].p_offset = sizeof(*image) - 15;
    expect_refused(image, -EBADMSG, "outside the file");
    image = make_image();
    image->segments[0].p_filesz = UINT64_MAX;
    expect_refused(image, -EBADMSG, "outside the file");
    image = make_image();
    image->segments[0].p_memsz = 15;
    expect_refused(image, -EBADMSG, "longer in the file");
    image = make_image();
    image->segments[0].p_paddr = RAM_BYTES - 31;
    expect_refused(image, -ERANGE, "does not fit guest RAM");
    image = make_image();
    image->segments[0].p_paddr = UINT64_MAX - 1;
    expect_refused(image, -ERANGE, "does not fit guest RAM");
    image = make_image();
    image->segments[0].p_memsz = UINT64_MAX;
    expect_refused(image, -ERANGE, "does not fit guest RAM");
    image = make_image();
    image->segments[1].p_offset = sizeof(*image);
    expect_refused(image, -EBADMSG, "segment 1");
}

static void test_elf__entry_must_be_in_a_segment(void **state)
{
    struct image64 *image = make_image();

    image->segments[1].p_type = PT_NULL;
    image->header.e_entry = LOAD_GPA - 1;
    expect_refused(image, -EBADMSG, "ELF entry 0xfff");
    image = make_image();
    image->segments[1].p_type = PT_NULL;
    image->header.e_entry = LOAD_GPA + 32;
    expect_refused(image, -EBADMSG, "ELF entry 0x1020");
    image = make_image();
    image->segments[1].p_type = PT_NULL;
    image->header.e_entry = LOAD_GPA + (1ull << 32);
    expect_refused(image, -EBADMSG, "ELF entry 0x100001000");
}

static void test_elf__malformed_notes_are_ignored(void **state)
{
    static const uint32_t sizes[] = {5, 0x7fffffff, 0xfffffffd, 0xffffffff};
    struct vmm_elf elf;

    for (size_t i = 0; i < 4; i++) {
        for (size_t field = 0; field < 2; field++) {
            struct image64 *image = make_image();

            memcpy(image->bytes + NOTE_OFFSET + 4 * field, &sizes[i], 4);
            assert_int_equal(load(image, sizeof(*image), &elf, NULL), 0);
            assert_false(elf.pvh);
            free(image);
        }
    }
}

/* Another note, and the one of PVH behind it, which ends at `end`. */
static bool finds_note_that_ends_at(uint32_t end)
{
    struct image64 *image = make_image();
    size_t size = NOTE_OFFSET + end;
    uint8_t *bytes = calloc(1, size);
    uint32_t filler = end - 12 - (uint32_t)sizeof(pvh_note);
    struct vmm_elf elf;

    assert_non_null(bytes);
    image->segments[1].p_filesz = end;
    memcpy(bytes, image->bytes, NOTE_OFFSET);
    memcpy(bytes + NOTE_OFFSET + 4, &filler, 4);
    memcpy(bytes + size - sizeof(pvh_note), pvh_note, sizeof(pvh_note));
    assert_int_equal(load(bytes, size, &elf, NULL), 0);
    free(bytes);
    free(image);
    return elf.pvh;
}

static void test_elf__notes_are_looked_for_in_64_kib(void **state)
{
    assert_true(finds_note_that_ends_at(0x10000 - 4));
    assert_true(finds_note_that_ends_at(0x10000));
    assert_false(finds_note_that_ends_at(0x10000 + 4));
}

/* Every truncation and every single changed byte: an answer, no crash. */
static void test_elf__damage_never_escapes(void **state)
{
    struct image64 *whole = make_image();
    struct vmm_elf elf;

    for (size_t size = 0; size < sizeof(*whole); size++) {
        uint8_t *cut = malloc(size ? size : 1);

        assert_non_null(cut);
        memcpy(cut, whole, size);
        if (size < NOTE_OFFSET + sizeof(pvh_note)) {
            assert_true(load(cut, size, &elf, NULL) < 0);
        } else {
            assert_int_equal(load(cut, size, &elf, NULL), 0);
        }
        free(cut);
    }
    for (size_t at = 0; at < sizeof(whole->header) + 112; at++) {
        for (unsigned int bit = 0; bit < 8; bit++) {
            whole->bytes[at] ^= (uint8_t)(1u << bit);
            load(whole, sizeof(*whole), &elf, NULL);
            whole->bytes[at] ^= (uint8_t)(1u << bit);
        }
    }
    assert_int_equal(load(whole, sizeof(*whole), &elf, NULL), 0);
    free(whole);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_elf__note_gives_the_entry),
        cmocka_unit_test(test_elf__without_note_the_header_gives_it),
        cmocka_unit_test(test_elf__class_32_loads),
        cmocka_unit_test(test_elf__wrong_headers_are_refused),
        cmocka_unit_test(test_elf__segments_outside_are_refused),
        cmocka_unit_test(test_elf__entry_must_be_in_a_segment),
        cmocka_unit_test(test_elf__malformed_notes_are_ignored),
        cmocka_unit_test(test_elf__notes_are_looked_for_in_64_kib),
        cmocka_unit_test(test_elf__damage_never_escapes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

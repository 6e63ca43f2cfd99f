/*
 * The ELF loader: file header, program headers, segments, the PVH note.
 */
#include "elf_image.h"

#include <elf.h>
#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "util.h"

/* Type and owner of the note that names the 32-bit physical entry. */
#define PVH_NOTE_TYPE 18
#define PVH_NOTE_OWNER "Xen"
/* More program headers than any sane image has. */
#define MAX_SEGMENTS 128

/* One program header, whatever its class. */
struct segment {
    uint32_t type;
    uint64_t offset;
    uint64_t paddr;
    uint64_t file_bytes;
    uint64_t memory_bytes;
};

/* An image that is being read. */
struct image {
    const uint8_t *bytes;
    size_t size;
    /* ELFCLASS64; otherwise ELFCLASS32. */
    bool is_64;
    uint64_t entry;
    uint64_t table_offset;
    unsigned int n_segments;
};

static bool range_in(uint64_t offset, uint64_t bytes, uint64_t size)
{
    return offset <= size && bytes <= size - offset;
}

static int read_class(struct image *image, struct gw_error **errp)
{
    if (image->size < EI_NIDENT || memcmp(image->bytes, ELFMAG, SELFMAG) != 0) {
        return gw_error_set(errp, -EBADMSG, "not an ELF image");
    }
    if (image->bytes[EI_DATA] != ELFDATA2LSB) {
        return gw_error_set(errp, -ENOTSUP,
                            "ELF data encoding %u, expected little endian",
                            image->bytes[EI_DATA]);
    }
    if (image->bytes[EI_CLASS] != ELFCLASS32 &&
        image->bytes[EI_CLASS] != ELFCLASS64) {
        return gw_error_set(errp, -ENOTSUP,
                            "ELF class %u, expected 32 or 64 bit",
                            image->bytes[EI_CLASS]);
    }
    image->is_64 = image->bytes[EI_CLASS] == ELFCLASS64;
    return 0;
}

/* The offsets of a member in the two classes of a header. */
#define FIELD_OFFSET(image, name, member)            \
    ((image)->is_64 ? offsetof(Elf64_##name, member) \
                    : offsetof(Elf32_##name, member))

static uint64_t get_word(const struct image *image, uint64_t offset)
{
    return image->is_64 ? vmm_get_le64(image->bytes + offset)
                        : vmm_get_le32(image->bytes + offset);
}

static int read_header(struct image *image, struct gw_error **errp)
{
    size_t header_size = image->is_64 ? sizeof(Elf64_Ehdr) : sizeof(Elf32_Ehdr);
    size_t entry_size = image->is_64 ? sizeof(Elf64_Phdr) : sizeof(Elf32_Phdr);
    uint16_t machine;
    uint16_t found_size;

    if (image->size < header_size) {
        return gw_error_set(errp, -EBADMSG,
                            "ELF header needs %zu bytes, the file has %zu",
                            header_size, image->size);
    }
    machine = vmm_get_le16(image->bytes + FIELD_OFFSET(image, Ehdr, e_machine));
    if (machine != EM_X86_64 && machine != EM_386) {
        return gw_error_set(errp, -ENOTSUP, "ELF machine %u is not x86",
                            machine);
    }
    image->entry = get_word(image, FIELD_OFFSET(image, Ehdr, e_entry));
    image->table_offset = get_word(image, FIELD_OFFSET(image, Ehdr, e_phoff));
    image->n_segments =
        vmm_get_le16(image->bytes + FIELD_OFFSET(image, Ehdr, e_phnum));
    found_size =
        vmm_get_le16(image->bytes + FIELD_OFFSET(image, Ehdr, e_phentsize));
    if (image->n_segments == 0 || image->n_segments > MAX_SEGMENTS) {
        return gw_error_set(errp, -EBADMSG,
                            "%u ELF program headers, expected 1 to %d",
                            image->n_segments, MAX_SEGMENTS);
    }
    if (found_size != entry_size) {
        return gw_error_set(errp, -EBADMSG,
                            "ELF program headers of %u bytes, expected %zu",
                            found_size, entry_size);
    }
    if (!range_in(image->table_offset, entry_size * image->n_segments,
                  image->size)) {
        return gw_error_set(errp, -EBADMSG,
                            "ELF program headers at %llu lie outside the file",
                            (unsigned long long)image->table_offset);
    }
    return 0;
}

static void get_segment(const struct image *image, unsigned int index,
                        struct segment *ret)
{
    uint64_t at = image->table_offset +
                  (uint64_t)index *
                      (image->is_64 ? sizeof(Elf64_Phdr) : sizeof(Elf32_Phdr));

    ret->type =
        vmm_get_le32(image->bytes + at + FIELD_OFFSET(image, Phdr, p_type));
    ret->offset = get_word(image, at + FIELD_OFFSET(image, Phdr, p_offset));
    ret->paddr = get_word(image, at + FIELD_OFFSET(image, Phdr, p_paddr));
    ret->file_bytes = get_word(image, at + FIELD_OFFSET(image, Phdr, p_filesz));
    ret->memory_bytes =
        get_word(image, at + FIELD_OFFSET(image, Phdr, p_memsz));
}

static int check_segment(const struct image *image, unsigned int index,
                         vmm_elf_place_fn place, void *opaque,
                         struct gw_error **errp)
{
    struct segment segment;

    get_segment(image, index, &segment);
    if (segment.type != PT_LOAD && segment.type != PT_NOTE) {
        return 0;
    }
    if (!range_in(segment.offset, segment.file_bytes, image->size)) {
        return gw_error_set(errp, -EBADMSG,
                            "ELF segment %u (%llu bytes at %llu) lies outside "
                            "the file",
                            index, (unsigned long long)segment.file_bytes,
                            (unsigned long long)segment.offset);
    }
    if (segment.type == PT_NOTE) {
        return 0;
    }
    if (segment.memory_bytes < segment.file_bytes) {
        return gw_error_set(errp, -EBADMSG,
                            "ELF segment %u is longer in the file than in "
                            "memory",
                            index);
    }
    if (segment.memory_bytes > 0 &&
        !place(opaque, segment.paddr, segment.memory_bytes)) {
        return gw_error_set(errp, -ERANGE,
                            "ELF segment %u (%llu bytes at guest address "
                            "0x%llx) does not fit guest RAM",
                            index, (unsigned long long)segment.memory_bytes,
                            (unsigned long long)segment.paddr);
    }
    return 0;
}

/*
 * Finds the PVH note in a note segment. Names and descriptors are padded to
 * four bytes. A malformed note ends the search: the note is optional.
 */
static bool find_pvh_note(const uint8_t *notes, uint64_t size,
                          uint64_t *ret_entry)
{
    uint64_t at = 0;

    while (range_in(at, sizeof(Elf32_Nhdr), size)) {
        uint32_t name_size = vmm_get_le32(notes + at);
        uint32_t desc_size = vmm_get_le32(notes + at + 4);
        uint32_t type = vmm_get_le32(notes + at + 8);
        uint64_t name = at + sizeof(Elf32_Nhdr);
        uint64_t desc = name + (((uint64_t)name_size + 3) & ~3ull);

        if (!range_in(name, name_size, size) ||
            !range_in(desc, desc_size, size)) {
            return false;
        }
        if (type == PVH_NOTE_TYPE && name_size == sizeof(PVH_NOTE_OWNER) &&
            memcmp(notes + name, PVH_NOTE_OWNER, name_size) == 0 &&
            (desc_size == 4 || desc_size == 8)) {
            *ret_entry = desc_size == 8 ? vmm_get_le64(notes + desc)
                                        : vmm_get_le32(notes + desc);
            return true;
        }
        at = desc + (((uint64_t)desc_size + 3) & ~3ull);
    }
    return false;
}

static void find_entry(const struct image *image, struct vmm_elf *elf,
                       uint64_t *ret_entry)
{
    *ret_entry = image->entry;
    for (unsigned int i = 0; i < image->n_segments && !elf->pvh; i++) {
        struct segment segment;

        get_segment(image, i, &segment);
        if (segment.type == PT_NOTE) {
            elf->pvh = find_pvh_note(image->bytes + segment.offset,
                                     segment.file_bytes, ret_entry);
        }
    }
}

static void copy_segments(const struct image *image, vmm_elf_place_fn place,
                          void *opaque)
{
    for (unsigned int i = 0; i < image->n_segments; i++) {
        struct segment segment;
        uint8_t *to;

        get_segment(image, i, &segment);
        if (segment.type != PT_LOAD || segment.memory_bytes == 0) {
            continue;
        }
        to = place(opaque, segment.paddr, segment.memory_bytes);
        memcpy(to, image->bytes + segment.offset, segment.file_bytes);
        memset(to + segment.file_bytes, 0,
               segment.memory_bytes - segment.file_bytes);
    }
}

static void find_extent(const struct image *image, struct vmm_elf *elf)
{
    elf->start = UINT64_MAX;
    for (unsigned int i = 0; i < image->n_segments; i++) {
        struct segment segment;

        get_segment(image, i, &segment);
        if (segment.type != PT_LOAD || segment.memory_bytes == 0) {
            continue;
        }
        if (segment.paddr < elf->start) {
            elf->start = segment.paddr;
        }
        if (segment.paddr + segment.memory_bytes > elf->end) {
            elf->end = segment.paddr + segment.memory_bytes;
        }
    }
}

int vmm_elf_load(const uint8_t *image_bytes, size_t image_size,
                 vmm_elf_place_fn place, void *opaque, struct vmm_elf *ret_elf,
                 struct gw_error **errp)
{
    struct image image = {.bytes = image_bytes, .size = image_size};
    struct vmm_elf elf = {0};
    uint64_t entry;
    int r;

    r = read_class(&image, errp);
    if (r < 0) {
        return r;
    }
    r = read_header(&image, errp);
    if (r < 0) {
        return r;
    }
    for (unsigned int i = 0; i < image.n_segments; i++) {
        r = check_segment(&image, i, place, opaque, errp);
        if (r < 0) {
            return r;
        }
    }
    find_extent(&image, &elf);
    find_entry(&image, &elf, &entry);
    if (entry < elf.start || entry >= elf.end || entry > UINT32_MAX) {
        return gw_error_set(errp, -EBADMSG,
                            "ELF entry 0x%llx is not in a loaded segment "
                            "below 4 GiB",
                            (unsigned long long)entry);
    }
    elf.entry = (uint32_t)entry;
    copy_segments(&image, place, opaque);
    *ret_elf = elf;
    return 0;
}

/*
 * The ELF loader: file header, program headers, segments, the PVH note.
 */
#include "elf_image.h"

#include <elf.h>
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "util.h"

/* Type and owner of the note that names the 32-bit physical entry. */
#define PVH_NOTE_TYPE 18
#define PVH_NOTE_OWNER "Xen"
/* More program headers than any sane image has. */
#define MAX_SEGMENTS 128
/* Notes are looked for in so much of a segment: a kernel's fill half a KiB. */
#define MAX_NOTE_BYTES 0x10000u

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
    const struct vmm_contents *file;
    /* ELFCLASS64; otherwise ELFCLASS32. */
    bool is_64;
    uint64_t entry;
    uint64_t table_offset;
    unsigned int n_segments;
    struct segment segments[MAX_SEGMENTS];
};

static bool range_in(uint64_t offset, uint64_t bytes, uint64_t size)
{
    return offset <= size && bytes <= size - offset;
}

static int read_class(struct image *image, const uint8_t *head,
                      struct gw_error **errp)
{
    if (image->file->size < EI_NIDENT || memcmp(head, ELFMAG, SELFMAG) != 0) {
        return gw_error_set(errp, -EBADMSG, "not an ELF image");
    }
    if (head[EI_DATA] != ELFDATA2LSB) {
        return gw_error_set(errp, -ENOTSUP,
                            "ELF data encoding %u, expected little endian",
                            head[EI_DATA]);
    }
    if (head[EI_CLASS] != ELFCLASS32 && head[EI_CLASS] != ELFCLASS64) {
        return gw_error_set(errp, -ENOTSUP,
                            "ELF class %u, expected 32 or 64 bit",
                            head[EI_CLASS]);
    }
    image->is_64 = head[EI_CLASS] == ELFCLASS64;
    return 0;
}

/* The offsets of a member in the two classes of a header. */
#define FIELD_OFFSET(image, name, member)            \
    ((image)->is_64 ? offsetof(Elf64_##name, member) \
                    : offsetof(Elf32_##name, member))

static uint64_t get_word(const struct image *image, const uint8_t *from)
{
    return image->is_64 ? vmm_get_le64(from) : vmm_get_le32(from);
}

static size_t entry_size(const struct image *image)
{
    return image->is_64 ? sizeof(Elf64_Phdr) : sizeof(Elf32_Phdr);
}

static int read_header(struct image *image, const uint8_t *head,
                       struct gw_error **errp)
{
    size_t header_size = image->is_64 ? sizeof(Elf64_Ehdr) : sizeof(Elf32_Ehdr);
    uint16_t machine;
    uint16_t found_size;

    if (image->file->size < header_size) {
        return gw_error_set(errp, -EBADMSG,
                            "ELF header needs %zu bytes, the file has %llu",
                            header_size, (unsigned long long)image->file->size);
    }
    machine = vmm_get_le16(head + FIELD_OFFSET(image, Ehdr, e_machine));
    if (machine != EM_X86_64 && machine != EM_386) {
        return gw_error_set(errp, -ENOTSUP, "ELF machine %u is not x86",
                            machine);
    }
    image->entry = get_word(image, head + FIELD_OFFSET(image, Ehdr, e_entry));
    image->table_offset =
        get_word(image, head + FIELD_OFFSET(image, Ehdr, e_phoff));
    image->n_segments = vmm_get_le16(head + FIELD_OFFSET(image, Ehdr, e_phnum));
    found_size = vmm_get_le16(head + FIELD_OFFSET(image, Ehdr, e_phentsize));
    if (image->n_segments == 0 || image->n_segments > MAX_SEGMENTS) {
        return gw_error_set(errp, -EBADMSG,
                            "%u ELF program headers, expected 1 to %d",
                            image->n_segments, MAX_SEGMENTS);
    }
    if (found_size != entry_size(image)) {
        return gw_error_set(errp, -EBADMSG,
                            "ELF program headers of %u bytes, expected %zu",
                            found_size, entry_size(image));
    }
    if (!range_in(image->table_offset, entry_size(image) * image->n_segments,
                  image->file->size)) {
        return gw_error_set(errp, -EBADMSG,
                            "ELF program headers at %llu lie outside the file",
                            (unsigned long long)image->table_offset);
    }
    return 0;
}

static int read_segment(struct image *image, unsigned int index,
                        struct gw_error **errp)
{
    struct segment *segment = &image->segments[index];
    uint8_t from[sizeof(Elf64_Phdr)];
    int r = vmm_contents_read(image->file,
                              image->table_offset + index * entry_size(image),
                              from, entry_size(image), errp);

    if (r < 0) {
        return r;
    }
    segment->type = vmm_get_le32(from + FIELD_OFFSET(image, Phdr, p_type));
    segment->offset =
        get_word(image, from + FIELD_OFFSET(image, Phdr, p_offset));
    segment->paddr = get_word(image, from + FIELD_OFFSET(image, Phdr, p_paddr));
    segment->file_bytes =
        get_word(image, from + FIELD_OFFSET(image, Phdr, p_filesz));
    segment->memory_bytes =
        get_word(image, from + FIELD_OFFSET(image, Phdr, p_memsz));
    return 0;
}

static int check_segment(const struct image *image, unsigned int index,
                         vmm_elf_place_fn place, void *opaque,
                         struct gw_error **errp)
{
    const struct segment *segment = &image->segments[index];

    if (segment->type != PT_LOAD && segment->type != PT_NOTE) {
        return 0;
    }
    if (!range_in(segment->offset, segment->file_bytes, image->file->size)) {
        return gw_error_set(errp, -EBADMSG,
                            "ELF segment %u (%llu bytes at %llu) lies outside "
                            "the file",
                            index, (unsigned long long)segment->file_bytes,
                            (unsigned long long)segment->offset);
    }
    if (segment->type == PT_NOTE) {
        return 0;
    }
    if (segment->memory_bytes < segment->file_bytes) {
        return gw_error_set(errp, -EBADMSG,
                            "ELF segment %u is longer in the file than in "
                            "memory",
                            index);
    }
    if (segment->memory_bytes > 0 &&
        !place(opaque, segment->paddr, segment->memory_bytes)) {
        return gw_error_set(errp, -ERANGE,
                            "ELF segment %u (%llu bytes at guest address "
                            "0x%llx) does not fit guest RAM",
                            index, (unsigned long long)segment->memory_bytes,
                            (unsigned long long)segment->paddr);
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

/* Looks for it in one segment. */
static int read_notes(const struct image *image, const struct segment *segment,
                      bool *ret_pvh, uint64_t *ret_entry,
                      struct gw_error **errp)
{
    uint64_t bytes = segment->file_bytes < MAX_NOTE_BYTES ? segment->file_bytes
                                                          : MAX_NOTE_BYTES;
    VMM_AUTO_FREE uint8_t *notes = malloc(bytes ? bytes : 1);
    int r;

    if (!notes) {
        return gw_error_set_errno(errp, -ENOMEM, "ELF notes");
    }
    r = vmm_contents_read(image->file, segment->offset, notes, bytes, errp);
    if (r == 0) {
        *ret_pvh = find_pvh_note(notes, bytes, ret_entry);
    }
    return r;
}

static int find_entry(const struct image *image, struct vmm_elf *elf,
                      struct gw_error **errp)
{
    uint64_t entry = image->entry;

    for (unsigned int i = 0; i < image->n_segments && !elf->pvh; i++) {
        const struct segment *segment = &image->segments[i];
        int r = segment->type == PT_NOTE
                    ? read_notes(image, segment, &elf->pvh, &entry, errp)
                    : 0;

        if (r < 0) {
            return r;
        }
    }
    if (entry < elf->start || entry >= elf->end || entry > UINT32_MAX) {
        return gw_error_set(errp, -EBADMSG,
                            "ELF entry 0x%llx is not in a loaded segment "
                            "below 4 GiB",
                            (unsigned long long)entry);
    }
    elf->entry = (uint32_t)entry;
    return 0;
}

static bool is_loaded(const struct segment *segment)
{
    return segment->type == PT_LOAD && segment->memory_bytes > 0;
}

static int copy_segments(const struct image *image, vmm_elf_place_fn place,
                         void *opaque, struct gw_error **errp)
{
    for (unsigned int i = 0; i < image->n_segments; i++) {
        const struct segment *segment = &image->segments[i];
        uint8_t *to;
        int r;

        if (!is_loaded(segment)) {
            continue;
        }
        to = place(opaque, segment->paddr, segment->memory_bytes);
        r = vmm_contents_read(image->file, segment->offset, to,
                              segment->file_bytes, errp);
        if (r < 0) {
            return r;
        }
        memset(to + segment->file_bytes, 0,
               segment->memory_bytes - segment->file_bytes);
    }
    return 0;
}

static void find_extent(const struct image *image, struct vmm_elf *elf)
{
    elf->start = UINT64_MAX;
    for (unsigned int i = 0; i < image->n_segments; i++) {
        const struct segment *segment = &image->segments[i];

        if (!is_loaded(segment)) {
            continue;
        }
        if (segment->paddr < elf->start) {
            elf->start = segment->paddr;
        }
        if (segment->paddr + segment->memory_bytes > elf->end) {
            elf->end = segment->paddr + segment->memory_bytes;
        }
    }
}

static int read_headers(struct image *image, struct gw_error **errp)
{
    uint8_t head[sizeof(Elf64_Ehdr)];
    int r;

    r = vmm_contents_read_head(image->file, head, sizeof(head), errp);
    if (r < 0) {
        return r;
    }
    r = read_class(image, head, errp);
    if (r < 0) {
        return r;
    }
    r = read_header(image, head, errp);
    for (unsigned int i = 0; i < image->n_segments && r == 0; i++) {
        r = read_segment(image, i, errp);
    }
    return r;
}

int vmm_elf_load(const struct vmm_contents *file, vmm_elf_place_fn place,
                 void *opaque, struct vmm_elf *ret_elf, struct gw_error **errp)
{
    struct image image = {.file = file};
    struct vmm_elf elf = {0};
    int r;

    r = read_headers(&image, errp);
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
    r = find_entry(&image, &elf, errp);
    if (r < 0) {
        return r;
    }
    r = copy_segments(&image, place, opaque, errp);
    if (r == 0) {
        *ret_elf = elf;
    }
    return r;
}

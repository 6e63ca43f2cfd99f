/*
 * Does what the loader script says, for a guest without firmware.
 */
#include <errno.h>
#include <string.h>

#include "acpi.h"
#include "acpi_loader.h"
#include "util.h"

#define PAGE_BYTES 4096u

/* The tables, a page of their own each, and the root pointer after them. */
static uint64_t pages_of(uint64_t bytes)
{
    return (bytes + PAGE_BYTES - 1) & ~(uint64_t)(PAGE_BYTES - 1);
}

uint64_t vmm_acpi_placed_bytes(const struct vmm_acpi *acpi)
{
    return pages_of(acpi->blobs[VMM_ACPI_TABLES].size) +
           pages_of(acpi->blobs[VMM_ACPI_RSDP].size);
}

/* A file that was placed. */
struct place {
    const struct vmm_acpi_blob *blob;
    uint8_t *host;
    uint64_t gpa;
};

struct places {
    struct place tables;
    struct place rsdp;
};

static const struct place *find(const struct places *places,
                                const uint8_t *name)
{
    const struct place *all[] = {&places->tables, &places->rsdp};

    for (size_t i = 0; i < VMM_ARRAY_SIZE(all); i++) {
        if (strncmp((const char *)name, all[i]->blob->file,
                    VMM_LOADER_FILE_LEN) == 0) {
            return all[i];
        }
    }
    return NULL;
}

static bool in_file(const struct place *place, uint64_t offset, uint64_t bytes)
{
    return place && offset <= place->blob->size &&
           bytes <= place->blob->size - offset;
}

/* Adds to a little-endian number of 4 or 8 bytes. */
static void add_to(uint8_t *number, unsigned int bytes, uint64_t value)
{
    if (bytes == 4) {
        vmm_put_le32(number, (uint32_t)(vmm_get_le32(number) + value));
    } else {
        vmm_put_le64(number, vmm_get_le64(number) + value);
    }
}

static bool add_pointer(const struct places *places, const uint8_t *command)
{
    const struct place *to = find(places, command + VMM_LOADER_FILE);
    const struct place *from = find(places, command + VMM_LOADER_SOURCE);
    uint32_t offset = vmm_get_le32(command + VMM_LOADER_POINTER_OFFSET);
    unsigned int bytes = command[VMM_LOADER_POINTER_BYTES];

    if ((bytes != 4 && bytes != 8) || !in_file(to, offset, bytes) || !from) {
        return false;
    }
    add_to(to->host + offset, bytes, from->gpa);
    return true;
}

static bool add_checksum(const struct places *places, const uint8_t *command)
{
    const struct place *file = find(places, command + VMM_LOADER_FILE);
    uint32_t offset = vmm_get_le32(command + VMM_LOADER_SUM_OFFSET);
    uint32_t start = vmm_get_le32(command + VMM_LOADER_SUM_START);
    uint32_t bytes = vmm_get_le32(command + VMM_LOADER_SUM_BYTES);
    uint8_t sum = 0;

    if (!in_file(file, offset, 1) || !in_file(file, start, bytes)) {
        return false;
    }
    for (uint32_t i = 0; i < bytes; i++) {
        sum = (uint8_t)(sum + file->host[start + i]);
    }
    file->host[offset] = (uint8_t)(file->host[offset] - sum);
    return true;
}

static bool run_command(const struct places *places, const uint8_t *command)
{
    switch (vmm_get_le32(command)) {
    case VMM_LOADER_ALLOCATE:
        return find(places, command + VMM_LOADER_FILE) != NULL;
    case VMM_LOADER_ADD_POINTER:
        return add_pointer(places, command);
    case VMM_LOADER_ADD_CHECKSUM:
        return add_checksum(places, command);
    default:
        return false;
    }
}

static void copy(const struct place *place)
{
    memcpy(place->host, place->blob->host, place->blob->size);
}

int vmm_acpi_place(const struct vmm_acpi *acpi, uint8_t *host, uint64_t gpa,
                   uint64_t *ret_rsdp, struct gw_error **errp)
{
    const struct vmm_acpi_blob *script = &acpi->blobs[VMM_ACPI_LOADER];
    uint64_t tables = pages_of(acpi->blobs[VMM_ACPI_TABLES].size);
    struct places places = {
        .tables = {&acpi->blobs[VMM_ACPI_TABLES], host, gpa},
        .rsdp = {&acpi->blobs[VMM_ACPI_RSDP], host + tables, gpa + tables},
    };

    copy(&places.tables);
    copy(&places.rsdp);
    for (uint64_t at = 0; script->size - at >= VMM_LOADER_ENTRY_BYTES;
         at += VMM_LOADER_ENTRY_BYTES) {
        if (!run_command(&places, script->host + at)) {
            return gw_error_set(errp, -EBADMSG,
                                "ACPI loader command at %llu is malformed",
                                (unsigned long long)at);
        }
    }
    *ret_rsdp = places.rsdp.gpa;
    return 0;
}

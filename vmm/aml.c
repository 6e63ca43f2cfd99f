/*
 * The encodings, by chapter 20 of the ACPI specification; resources by 6.4.
 */
#include "aml.h"

#include <string.h>

#include "util.h"

#define OP_NAME 0x08u
#define OP_BYTE 0x0au
#define OP_WORD 0x0bu
#define OP_DWORD 0x0cu
#define OP_STRING 0x0du
#define OP_SCOPE 0x10u
#define OP_BUFFER 0x11u
#define OP_PACKAGE 0x12u
#define OP_METHOD 0x14u
#define OP_IF 0xa0u
#define OP_EXTENDED 0x5bu
#define EXT_REGION 0x80u
#define EXT_FIELD 0x81u
#define EXT_DEVICE 0x82u
#define REGION_SYSTEM_MEMORY 0x00u
/* A term's length always takes three bytes here: up to 20 bits. */
#define LENGTH_BYTES 3u

void vmm_aml_init(struct vmm_aml *aml, uint8_t *bytes, size_t capacity)
{
    *aml = (struct vmm_aml){.bytes = bytes, .capacity = capacity};
}

void vmm_aml_put(struct vmm_aml *aml, const void *bytes, size_t n)
{
    if (n > aml->capacity - aml->size) {
        aml->overflow = true;
        return;
    }
    memcpy(aml->bytes + aml->size, bytes, n);
    aml->size += n;
}

void vmm_aml_byte(struct vmm_aml *aml, uint8_t value)
{
    vmm_aml_put(aml, &value, 1);
}

static void put_le(struct vmm_aml *aml, uint32_t value, unsigned int n)
{
    for (unsigned int i = 0; i < n; i++) {
        vmm_aml_byte(aml, (uint8_t)(value >> (8 * i)));
    }
}

/* Room for a length; returns where it is. */
static size_t begin_length(struct vmm_aml *aml)
{
    size_t at = aml->size;

    put_le(aml, 0, LENGTH_BYTES);
    return at;
}

/* The length counts its own bytes. Low four bits first, then whole bytes. */
void vmm_aml_end(struct vmm_aml *aml, size_t term)
{
    size_t length;

    if (aml->overflow) {
        return;
    }
    length = aml->size - term;
    aml->bytes[term] = (uint8_t)((LENGTH_BYTES - 1) << 6 | (length & 0xf));
    aml->bytes[term + 1] = (uint8_t)(length >> 4);
    aml->bytes[term + 2] = (uint8_t)(length >> 12);
}

void vmm_aml_name(struct vmm_aml *aml, const char *name)
{
    if (*name == '\\') {
        vmm_aml_byte(aml, (uint8_t)*name++);
    }
    vmm_aml_put(aml, name, strlen(name));
}

void vmm_aml_integer(struct vmm_aml *aml, uint32_t value)
{
    if (value <= 1) {
        vmm_aml_byte(aml, (uint8_t)value);
    } else if (value <= UINT8_MAX) {
        vmm_aml_byte(aml, OP_BYTE);
        put_le(aml, value, 1);
    } else if (value <= UINT16_MAX) {
        vmm_aml_byte(aml, OP_WORD);
        put_le(aml, value, 2);
    } else {
        vmm_aml_byte(aml, OP_DWORD);
        put_le(aml, value, 4);
    }
}

void vmm_aml_string(struct vmm_aml *aml, const char *text)
{
    vmm_aml_byte(aml, OP_STRING);
    vmm_aml_put(aml, text, strlen(text) + 1);
}

size_t vmm_aml_begin_scope(struct vmm_aml *aml, const char *name)
{
    size_t term;

    vmm_aml_byte(aml, OP_SCOPE);
    term = begin_length(aml);
    vmm_aml_name(aml, name);
    return term;
}

size_t vmm_aml_begin_device(struct vmm_aml *aml, const char *name)
{
    size_t term;

    vmm_aml_byte(aml, OP_EXTENDED);
    vmm_aml_byte(aml, EXT_DEVICE);
    term = begin_length(aml);
    vmm_aml_name(aml, name);
    return term;
}

size_t vmm_aml_begin_method(struct vmm_aml *aml, const char *name,
                            uint8_t flags)
{
    size_t term;

    vmm_aml_byte(aml, OP_METHOD);
    term = begin_length(aml);
    vmm_aml_name(aml, name);
    vmm_aml_byte(aml, flags);
    return term;
}

size_t vmm_aml_begin_field(struct vmm_aml *aml, const char *region,
                           uint8_t flags)
{
    size_t term;

    vmm_aml_byte(aml, OP_EXTENDED);
    vmm_aml_byte(aml, EXT_FIELD);
    term = begin_length(aml);
    vmm_aml_name(aml, region);
    vmm_aml_byte(aml, flags);
    return term;
}

size_t vmm_aml_begin_package(struct vmm_aml *aml, uint8_t n_elements)
{
    size_t term;

    vmm_aml_byte(aml, OP_PACKAGE);
    term = begin_length(aml);
    vmm_aml_byte(aml, n_elements);
    return term;
}

size_t vmm_aml_begin_if(struct vmm_aml *aml)
{
    vmm_aml_byte(aml, OP_IF);
    return begin_length(aml);
}

void vmm_aml_name_integer(struct vmm_aml *aml, const char *name, uint32_t value)
{
    vmm_aml_byte(aml, OP_NAME);
    vmm_aml_name(aml, name);
    vmm_aml_integer(aml, value);
}

void vmm_aml_name_string(struct vmm_aml *aml, const char *name,
                         const char *text)
{
    vmm_aml_byte(aml, OP_NAME);
    vmm_aml_name(aml, name);
    vmm_aml_string(aml, text);
}

static uint8_t hex_value(char c)
{
    return (uint8_t)(c <= '9' ? c - '0' : c - 'A' + 10);
}

/* Three letters of five bits each, four hexadecimal digits, big endian. */
void vmm_aml_hid_eisa(struct vmm_aml *aml, const char *id)
{
    unsigned int letters = (unsigned int)((id[0] & 0x1f) << 10 |
                                          (id[1] & 0x1f) << 5 | (id[2] & 0x1f));
    uint8_t bytes[4] = {(uint8_t)(letters >> 8), (uint8_t)letters,
                        (uint8_t)(hex_value(id[3]) << 4 | hex_value(id[4])),
                        (uint8_t)(hex_value(id[5]) << 4 | hex_value(id[6]))};

    vmm_aml_byte(aml, OP_NAME);
    vmm_aml_name(aml, "_HID");
    vmm_aml_byte(aml, OP_DWORD);
    vmm_aml_put(aml, bytes, sizeof(bytes));
}

void vmm_aml_region(struct vmm_aml *aml, const char *name, uint32_t address,
                    uint32_t bytes)
{
    vmm_aml_byte(aml, OP_EXTENDED);
    vmm_aml_byte(aml, EXT_REGION);
    vmm_aml_name(aml, name);
    vmm_aml_byte(aml, REGION_SYSTEM_MEMORY);
    vmm_aml_integer(aml, address);
    vmm_aml_integer(aml, bytes);
}

/* Its length, in bits here, is below 64: one byte. */
void vmm_aml_field_unit(struct vmm_aml *aml, const char *name, uint8_t bits)
{
    vmm_aml_name(aml, name);
    vmm_aml_byte(aml, bits & 0x3f);
}

/* A buffer whose size, a word, is filled in at the end. */
size_t vmm_aml_begin_resources(struct vmm_aml *aml)
{
    size_t term;

    vmm_aml_byte(aml, OP_NAME);
    vmm_aml_name(aml, "_CRS");
    vmm_aml_byte(aml, OP_BUFFER);
    term = begin_length(aml);
    vmm_aml_byte(aml, OP_WORD);
    put_le(aml, 0, 2);
    return term;
}

void vmm_aml_memory32(struct vmm_aml *aml, uint32_t address, uint32_t bytes)
{
    static const uint8_t head[] = {0x86, 9, 0, 1 /* writable */};

    vmm_aml_put(aml, head, sizeof(head));
    put_le(aml, address, 4);
    put_le(aml, bytes, 4);
}

void vmm_aml_io(struct vmm_aml *aml, uint16_t port, uint8_t align,
                uint8_t n_ports)
{
    static const uint8_t head[] = {0x47, 1 /* 16 bits are decoded */};

    vmm_aml_put(aml, head, sizeof(head));
    put_le(aml, port, 2);
    put_le(aml, port, 2);
    vmm_aml_byte(aml, align);
    vmm_aml_byte(aml, n_ports);
}

/* Without flags: edge, active high. */
void vmm_aml_irq(struct vmm_aml *aml, unsigned int irq)
{
    vmm_aml_byte(aml, 0x22);
    put_le(aml, 1u << irq, 2);
}

/* For the device itself, active high, exclusive. */
void vmm_aml_interrupt(struct vmm_aml *aml, uint32_t gsi, bool edge)
{
    static const uint8_t head[] = {0x89, 6, 0};

    vmm_aml_put(aml, head, sizeof(head));
    vmm_aml_byte(aml, edge ? 3 : 1);
    vmm_aml_byte(aml, 1);
    put_le(aml, gsi, 4);
}

void vmm_aml_end_resources(struct vmm_aml *aml, size_t resources)
{
    static const uint8_t end_tag[] = {0x79, 0};
    const size_t head = LENGTH_BYTES + 3;
    size_t bytes;

    vmm_aml_put(aml, end_tag, sizeof(end_tag));
    if (aml->overflow) {
        return;
    }
    bytes = aml->size - resources - head;
    aml->bytes[resources + LENGTH_BYTES + 1] = (uint8_t)bytes;
    aml->bytes[resources + LENGTH_BYTES + 2] = (uint8_t)(bytes >> 8);
    vmm_aml_end(aml, resources);
}

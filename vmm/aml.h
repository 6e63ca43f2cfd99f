/*
 * Writing AML, the byte code of ACPI's DSDT: just what this machine's needs.
 *
 * A term that holds others is begun and ended; the writer fills in its length.
 * It never writes beyond its buffer and remembers that it ran out of room.
 */
#ifndef VMM_AML_H
#define VMM_AML_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct vmm_aml {
    uint8_t *bytes;
    size_t capacity;
    size_t size;
    /* It did not fit. */
    bool overflow;
};

void vmm_aml_init(struct vmm_aml *aml, uint8_t *bytes, size_t capacity);

/* Bytes as they are. */
void vmm_aml_put(struct vmm_aml *aml, const void *bytes, size_t n);
void vmm_aml_byte(struct vmm_aml *aml, uint8_t value);

/* Terms with a length; each returns what vmm_aml_end takes. */
size_t vmm_aml_begin_scope(struct vmm_aml *aml, const char *name);
size_t vmm_aml_begin_device(struct vmm_aml *aml, const char *name);
size_t vmm_aml_begin_method(struct vmm_aml *aml, const char *name,
                            uint8_t flags);
size_t vmm_aml_begin_field(struct vmm_aml *aml, const char *region,
                           uint8_t flags);
size_t vmm_aml_begin_package(struct vmm_aml *aml, uint8_t n_elements);
size_t vmm_aml_begin_if(struct vmm_aml *aml);
void vmm_aml_end(struct vmm_aml *aml, size_t term);

/* Objects. */
void vmm_aml_integer(struct vmm_aml *aml, uint32_t value);
void vmm_aml_string(struct vmm_aml *aml, const char *text);
/* A name of four characters each, "\\" or "." first or between. */
void vmm_aml_name(struct vmm_aml *aml, const char *name);

/* Name(name, value). */
void vmm_aml_name_integer(struct vmm_aml *aml, const char *name,
                          uint32_t value);
void vmm_aml_name_string(struct vmm_aml *aml, const char *name,
                         const char *text);
/* Name(_HID, EISAID(id)), such as "PNP0501". */
void vmm_aml_hid_eisa(struct vmm_aml *aml, const char *id);

/* OperationRegion in system memory, and a named unit of a field. */
void vmm_aml_region(struct vmm_aml *aml, const char *name, uint32_t address,
                    uint32_t bytes);
void vmm_aml_field_unit(struct vmm_aml *aml, const char *name, uint8_t bits);

/* Name(_CRS, ResourceTemplate() { ... }): what is between the two. */
size_t vmm_aml_begin_resources(struct vmm_aml *aml);
void vmm_aml_memory32(struct vmm_aml *aml, uint32_t address, uint32_t bytes);
void vmm_aml_io(struct vmm_aml *aml, uint16_t port, uint8_t align,
                uint8_t n_ports);
void vmm_aml_irq(struct vmm_aml *aml, unsigned int irq);
void vmm_aml_interrupt(struct vmm_aml *aml, uint32_t gsi, bool edge);
void vmm_aml_end_resources(struct vmm_aml *aml, size_t resources);

#endif

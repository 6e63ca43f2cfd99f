/*
 * The local APIC between KVM's register page and the saved state (8-bit
 * formats, also in x2APIC mode: we do not enable KVM's x2APIC API).
 */
#include "kvm.h"

#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>

#include "util.h"

/* Registers, in steps of 16 bytes. */
#define REG_ID 0x02u
#define REG_TPR 0x08u
#define REG_ARBITRATION 0x09u
#define REG_LOGICAL_DEST 0x0du
#define REG_DEST_FORMAT 0x0eu
#define REG_SPURIOUS 0x0fu
#define REG_ISR 0x10u
#define REG_TMR 0x18u
#define REG_IRR 0x20u
#define REG_ESR 0x28u
#define REG_ICR 0x30u
#define REG_LVT 0x32u
#define REG_INITIAL_COUNT 0x38u
#define REG_DIVIDE 0x3eu

#define APIC_BASE_X2APIC 0x400u
#define DEST_FORMAT_REST 0x0fffffffu
#define MSR_APIC_BASE 0x1bu

static uint32_t get_reg(const struct kvm_lapic_state *page, uint32_t reg)
{
    return vmm_get_le32(page->regs + 16 * reg);
}

static void put_reg(struct kvm_lapic_state *page, uint32_t reg, uint32_t value)
{
    vmm_put_le32(page->regs + 16 * reg, value);
}

void vmm_kvm_lapic_to_apic(const struct kvm_lapic_state *page,
                           struct vmm_apic *apic)
{
    apic->id = (uint8_t)(get_reg(page, REG_ID) >> 24);
    apic->arbitration_id = (uint8_t)get_reg(page, REG_ARBITRATION);
    apic->tpr = (uint8_t)get_reg(page, REG_TPR);
    apic->spurious = get_reg(page, REG_SPURIOUS);
    apic->logical_dest = (uint8_t)(get_reg(page, REG_LOGICAL_DEST) >> 24);
    apic->dest_format = (uint8_t)(get_reg(page, REG_DEST_FORMAT) >> 28);
    for (uint32_t i = 0; i < 8; i++) {
        apic->isr[i] = get_reg(page, REG_ISR + i);
        apic->tmr[i] = get_reg(page, REG_TMR + i);
        apic->irr[i] = get_reg(page, REG_IRR + i);
    }
    for (uint32_t i = 0; i < 6; i++) {
        apic->lvt[i] = get_reg(page, REG_LVT + i);
    }
    apic->esr = get_reg(page, REG_ESR);
    apic->icr[0] = get_reg(page, REG_ICR);
    apic->icr[1] = get_reg(page, REG_ICR + 1);
    apic->divide = get_reg(page, REG_DIVIDE);
    apic->initial_count = get_reg(page, REG_INITIAL_COUNT);
}

void vmm_kvm_lapic_from_apic(const struct vmm_apic *apic,
                             struct kvm_lapic_state *page)
{
    memset(page, 0, sizeof(*page));
    put_reg(page, REG_ID, (uint32_t)apic->id << 24);
    put_reg(page, REG_TPR, apic->tpr);
    put_reg(page, REG_SPURIOUS, apic->spurious);
    put_reg(page, REG_LOGICAL_DEST, (uint32_t)apic->logical_dest << 24);
    put_reg(page, REG_DEST_FORMAT,
            (uint32_t)apic->dest_format << 28 | DEST_FORMAT_REST);
    for (uint32_t i = 0; i < 8; i++) {
        put_reg(page, REG_ISR + i, apic->isr[i]);
        put_reg(page, REG_TMR + i, apic->tmr[i]);
        put_reg(page, REG_IRR + i, apic->irr[i]);
    }
    for (uint32_t i = 0; i < 6; i++) {
        put_reg(page, REG_LVT + i, apic->lvt[i]);
    }
    put_reg(page, REG_ESR, apic->esr);
    put_reg(page, REG_ICR, apic->icr[0]);
    put_reg(page, REG_ICR + 1, apic->icr[1]);
    put_reg(page, REG_DIVIDE, apic->divide);
    put_reg(page, REG_INITIAL_COUNT, apic->initial_count);
}

int vmm_kvm_get_lapic(struct vmm_kvm_vcpu *vcpu, struct gw_error **errp)
{
    struct kvm_lapic_state page;

    if (ioctl(vcpu->fd, KVM_GET_LAPIC, &page) < 0) {
        return gw_error_set_errno(errp, -errno, "KVM_GET_LAPIC");
    }
    vmm_kvm_lapic_to_apic(&page, &vcpu->cpu.apic);
    if (vcpu->cpu.apic.base & APIC_BASE_X2APIC) {
        /* Derived from the id in this mode; QEMU sends 0. */
        vcpu->cpu.apic.logical_dest = 0;
    }
    return 0;
}

/* The base first: it decides how KVM reads the page. */
int vmm_kvm_put_lapic(struct vmm_kvm_vcpu *vcpu, struct gw_error **errp)
{
    struct kvm_lapic_state page;
    int r;

    r = vmm_kvm_put_msr(vcpu, MSR_APIC_BASE, vcpu->cpu.apic.base, errp);
    if (r < 0) {
        return r;
    }
    vmm_kvm_lapic_from_apic(&vcpu->cpu.apic, &page);
    if (ioctl(vcpu->fd, KVM_SET_LAPIC, &page) < 0) {
        return gw_error_set_errno(errp, -errno, "KVM_SET_LAPIC");
    }
    return 0;
}

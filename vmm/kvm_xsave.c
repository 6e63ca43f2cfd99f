/*
 * The XSAVE image (standard format) and XCR0 between KVM and the saved state.
 */
#include "kvm.h"

#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>

#include "util.h"

/* Offsets in the legacy area and the header; AVX is always at 576. */
#define X_CONTROL 0
#define X_STATUS 2
#define X_TAGS 4
#define X_OPCODE 6
#define X_IP 8
#define X_DP 16
#define X_MXCSR 24
#define X_ST 32
#define X_XMM 160
#define X_BV 512
#define X_AVX 576

/* x86 hosts only: the image's words are in our order. */
static void get_words(uint64_t *words, const uint8_t *from, size_t n)
{
    memcpy(words, from, n * sizeof(*words));
}

static void put_words(uint8_t *to, const uint64_t *words, size_t n)
{
    memcpy(to, words, n * sizeof(*words));
}

static void x87_to_cpu(const uint8_t *image, struct vmm_cpu *cpu)
{
    cpu->fpu_control = vmm_get_le16(image + X_CONTROL);
    cpu->fpu_status = vmm_get_le16(image + X_STATUS);
    cpu->fpu_tags = image[X_TAGS];
    cpu->fpu_format = 0;
    cpu->fpu_opcode = vmm_get_le16(image + X_OPCODE);
    cpu->fpu_ip = vmm_get_le64(image + X_IP);
    cpu->fpu_dp = vmm_get_le64(image + X_DP);
    cpu->mxcsr = vmm_get_le32(image + X_MXCSR);
    for (size_t i = 0; i < 8; i++) {
        cpu->fpregs[i].mantissa = vmm_get_le64(image + X_ST + 16 * i);
        cpu->fpregs[i].exponent = vmm_get_le16(image + X_ST + 16 * i + 8);
    }
}

static void x87_from_cpu(const struct vmm_cpu *cpu, uint8_t *image)
{
    memcpy(image + X_CONTROL, &cpu->fpu_control, 2);
    memcpy(image + X_STATUS, &cpu->fpu_status, 2);
    image[X_TAGS] = (uint8_t)cpu->fpu_tags;
    memcpy(image + X_OPCODE, &cpu->fpu_opcode, 2);
    vmm_put_le64(image + X_IP, cpu->fpu_ip);
    vmm_put_le64(image + X_DP, cpu->fpu_dp);
    vmm_put_le32(image + X_MXCSR, cpu->mxcsr);
    for (size_t i = 0; i < 8; i++) {
        vmm_put_le64(image + X_ST + 16 * i, cpu->fpregs[i].mantissa);
        memcpy(image + X_ST + 16 * i + 8, &cpu->fpregs[i].exponent, 2);
    }
}

static void mpx_to_cpu(const struct vmm_xsave_layout *layout,
                       const uint8_t *image, struct vmm_cpu *cpu)
{
    if (layout->bndregs == 0 || layout->bndcsr == 0) {
        return;
    }
    for (size_t i = 0; i < 4; i++) {
        get_words(cpu->bounds[i].words, image + layout->bndregs + 16 * i, 2);
    }
    cpu->bnd_config = vmm_get_le64(image + layout->bndcsr);
    cpu->bnd_status = vmm_get_le64(image + layout->bndcsr + 8);
}

static void mpx_from_cpu(const struct vmm_xsave_layout *layout,
                         const struct vmm_cpu *cpu, uint8_t *image)
{
    if (layout->bndregs == 0 || layout->bndcsr == 0) {
        return;
    }
    for (size_t i = 0; i < 4; i++) {
        put_words(image + layout->bndregs + 16 * i, cpu->bounds[i].words, 2);
    }
    vmm_put_le64(image + layout->bndcsr, cpu->bnd_config);
    vmm_put_le64(image + layout->bndcsr + 8, cpu->bnd_status);
}

static void avx512_to_cpu(const struct vmm_xsave_layout *layout,
                          const uint8_t *image, struct vmm_cpu *cpu)
{
    if (layout->opmask == 0 || layout->zmm_high == 0 ||
        layout->zmm_upper == 0) {
        return;
    }
    get_words(cpu->opmask, image + layout->opmask, 8);
    for (size_t i = 0; i < 16; i++) {
        get_words(cpu->zmm_high[i].words, image + layout->zmm_high + 32 * i, 4);
        get_words(cpu->zmm_upper[i].words, image + layout->zmm_upper + 64 * i,
                  8);
    }
}

static void avx512_from_cpu(const struct vmm_xsave_layout *layout,
                            const struct vmm_cpu *cpu, uint8_t *image)
{
    if (layout->opmask == 0 || layout->zmm_high == 0 ||
        layout->zmm_upper == 0) {
        return;
    }
    put_words(image + layout->opmask, cpu->opmask, 8);
    for (size_t i = 0; i < 16; i++) {
        put_words(image + layout->zmm_high + 32 * i, cpu->zmm_high[i].words, 4);
        put_words(image + layout->zmm_upper + 64 * i, cpu->zmm_upper[i].words,
                  8);
    }
}

void vmm_kvm_xsave_to_cpu(const struct vmm_xsave_layout *layout,
                          const uint8_t *image, struct vmm_cpu *cpu)
{
    x87_to_cpu(image, cpu);
    for (size_t i = 0; i < 16; i++) {
        get_words(cpu->xmm[i].words, image + X_XMM + 16 * i, 2);
        get_words(cpu->ymm_high[i].words, image + X_AVX + 16 * i, 2);
    }
    cpu->xstate_bv = vmm_get_le64(image + X_BV);
    mpx_to_cpu(layout, image, cpu);
    avx512_to_cpu(layout, image, cpu);
    if (layout->pkru != 0) {
        cpu->pkru = vmm_get_le32(image + layout->pkru);
    }
}

void vmm_kvm_xsave_from_cpu(const struct vmm_xsave_layout *layout,
                            const struct vmm_cpu *cpu, uint8_t *image)
{
    memset(image, 0, VMM_KVM_XSAVE_BYTES);
    x87_from_cpu(cpu, image);
    for (size_t i = 0; i < 16; i++) {
        put_words(image + X_XMM + 16 * i, cpu->xmm[i].words, 2);
        put_words(image + X_AVX + 16 * i, cpu->ymm_high[i].words, 2);
    }
    vmm_put_le64(image + X_BV, cpu->xstate_bv);
    mpx_from_cpu(layout, cpu, image);
    avx512_from_cpu(layout, cpu, image);
    if (layout->pkru != 0) {
        vmm_put_le32(image + layout->pkru, cpu->pkru);
    }
}

int vmm_kvm_get_xsave(struct vmm_kvm_vcpu *vcpu, struct gw_error **errp)
{
    _Alignas(64) uint8_t image[VMM_KVM_XSAVE_BYTES] = {0};
    unsigned long request =
        vcpu->kvm->has_xsave2 ? KVM_GET_XSAVE2 : KVM_GET_XSAVE;

    if (ioctl(vcpu->fd, request, image) < 0) {
        return gw_error_set_errno(errp, -errno, "KVM_GET_XSAVE");
    }
    vmm_kvm_xsave_to_cpu(&vcpu->kvm->xsave, image, &vcpu->cpu);
    return 0;
}

int vmm_kvm_put_xsave(struct vmm_kvm_vcpu *vcpu, struct gw_error **errp)
{
    _Alignas(64) uint8_t image[VMM_KVM_XSAVE_BYTES];

    vmm_kvm_xsave_from_cpu(&vcpu->kvm->xsave, &vcpu->cpu, image);
    if (ioctl(vcpu->fd, KVM_SET_XSAVE, image) < 0) {
        return gw_error_set_errno(errp, -errno,
                                  "KVM_SET_XSAVE (xstate_bv 0x%llx)",
                                  (unsigned long long)vcpu->cpu.xstate_bv);
    }
    return 0;
}

int vmm_kvm_get_xcrs(struct vmm_kvm_vcpu *vcpu, struct gw_error **errp)
{
    struct kvm_xcrs xcrs = {0};

    if (ioctl(vcpu->fd, KVM_GET_XCRS, &xcrs) < 0) {
        return gw_error_set_errno(errp, -errno, "KVM_GET_XCRS");
    }
    for (uint32_t i = 0; i < xcrs.nr_xcrs && i < KVM_MAX_XCRS; i++) {
        if (xcrs.xcrs[i].xcr == 0) {
            vcpu->cpu.xcr0 = xcrs.xcrs[i].value;
        }
    }
    return 0;
}

int vmm_kvm_put_xcrs(struct vmm_kvm_vcpu *vcpu, struct gw_error **errp)
{
    struct kvm_xcrs xcrs = {.nr_xcrs = 1};

    xcrs.xcrs[0].value = vcpu->cpu.xcr0;
    if (ioctl(vcpu->fd, KVM_SET_XCRS, &xcrs) < 0) {
        return gw_error_set_errno(errp, -errno, "KVM_SET_XCRS (xcr0 0x%llx)",
                                  (unsigned long long)vcpu->cpu.xcr0);
    }
    return 0;
}

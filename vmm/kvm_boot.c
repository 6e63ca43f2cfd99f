/*
 * Cold start under KVM: a kernel, the first vCPU at its entry in 32-bit
 * protected mode, the others waiting to be started by it.
 */
#include "kvm.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "beat_elf.h"
#include "boot.h"
#include "boot_virtio.h"
#include "machine.h"
#include "util.h"

/* RFLAGS: the bit that is always set. */
#define RFLAGS_ONE 2u
/* Default type of the MTRRs: enabled, write-back. */
#define MTRR_ON_WRITE_BACK 0x806u

static struct vmm_segment flat_segment(uint32_t selector, uint32_t type)
{
    return (struct vmm_segment){.selector = selector,
                                .limit = UINT32_MAX,
                                .flags = type << VMM_SEG_TYPE_SHIFT |
                                         VMM_SEG_S | VMM_SEG_PRESENT |
                                         VMM_SEG_DB | VMM_SEG_G};
}

static void set_segments(struct vmm_cpu *cpu)
{
    /* Types: code, execute and read, accessed; data, read and write. */
    for (int i = 0; i < VMM_N_SEGMENTS; i++) {
        cpu->segments[i] = flat_segment(VMM_BOOT_DS, 3);
    }
    cpu->segments[VMM_CS] = flat_segment(VMM_BOOT_CS, 11);
    /* A busy 32-bit TSS. */
    cpu->tr = (struct vmm_segment){.selector = VMM_BOOT_TSS,
                                   .limit = 0x67,
                                   .flags = 11u << VMM_SEG_TYPE_SHIFT |
                                            VMM_SEG_PRESENT};
    cpu->ldt = (struct vmm_segment){.flags = 2u << VMM_SEG_TYPE_SHIFT |
                                             VMM_SEG_PRESENT};
    cpu->gdt = (struct vmm_segment){.base = VMM_BOOT_GDT,
                                    .limit = VMM_BOOT_GDT_BYTES - 1};
    cpu->idt = (struct vmm_segment){0};
}

static void set_entry(struct vmm_cpu *cpu, const struct vmm_boot *boot)
{
    for (size_t i = 0; i < VMM_ARRAY_SIZE(cpu->regs); i++) {
        cpu->regs[i] = 0;
    }
    cpu->regs[VMM_RBX] = boot->start_info;
    cpu->regs[VMM_RSI] = boot->params;
    cpu->rip = boot->entry;
    cpu->rflags = RFLAGS_ONE;
    cpu->cr0 = VMM_CR0_PE | VMM_CR0_ET;
    cpu->cr3 = 0;
    cpu->cr4 = 0;
    cpu->efer = 0;
    set_segments(cpu);
}

/*
 * The user's words, how many CPUs there are, and how to switch off. A KVM that
 * emulates offers no AVX, and may not keep the guest from seeing the host's.
 */
static char *make_beat_cmdline(const struct vmm_kvm *kvm,
                               const struct vmm_options *options)
{
    const char *append = options->append ? options->append : "";
    char *text;

    if (asprintf(&text, "%s%scpus=%u poweroff=acpi%s", append,
                 append[0] ? " " : "", options->smp,
                 kvm->has_avx ? "" : " regs=basic") < 0) {
        return NULL;
    }
    return text;
}

/* What CPUID 1 says to the guest. */
static struct vmm_mp_config mp_config(const struct vmm_kvm *kvm)
{
    struct vmm_mp_config config = {.n_cpus = kvm->n_vcpus};

    for (uint32_t i = 0; i < kvm->cpuid->nent; i++) {
        if (kvm->cpuid->entries[i].function == 1) {
            config.cpu_signature = kvm->cpuid->entries[i].eax;
            config.cpu_features = kvm->cpuid->entries[i].edx;
        }
    }
    return config;
}

static int load_image(struct vmm_kvm *kvm, const struct vmm_options *options,
                      struct vmm_boot *ret_boot, struct gw_error **errp)
{
    struct vmm_machine *machine = kvm->machine;
    VMM_AUTO_FREE char *cmdline =
        options->kernel
            ? vmm_boot_kernel_cmdline(options, machine->virtio_slots)
            : make_beat_cmdline(kvm, options);
    const struct vmm_boot_files *files = &machine->boot_files;
    struct vmm_boot_config config = {
        .image = options->kernel
                     ? files->kernel
                     : vmm_contents_lend(gw_beat_elf, gw_beat_elf_size),
        .initrd = files->initrd,
        .kernel_name = options->kernel,
        .initrd_name = options->initrd,
        .cmdline = cmdline,
        .acpi = machine->acpi.enabled ? &machine->acpi : NULL,
        .mp = mp_config(kvm),
        .firmware = machine->firmware.host,
        .hidden_bytes = machine->firmware.bytes,
    };
    int r;

    if (!cmdline) {
        return gw_error_set_errno(errp, -ENOMEM, "command line");
    }
    vmm_firmware_clear(&machine->firmware);
    r = vmm_boot_load(&machine->memory, &config, ret_boot, errp);
    vmm_firmware_wrote(&machine->firmware, machine->firmware.host,
                       machine->firmware.bytes);
    return r;
}

/* All begin at the same time, none at the host's. */
static void set_times(struct vmm_kvm *kvm)
{
    /* MISC_ENABLE is QEMU's and need not be sent; KVM's own differs. */
    for (unsigned int i = 0; i < kvm->n_vcpus; i++) {
        kvm->vcpus[i].cpu.tsc = 0;
        kvm->vcpus[i].cpu.misc_enable = 1;
    }
    kvm->clock.clock = 0;
    kvm->dirty = true;
}

/*
 * The vCPUs stay as KVM resets them: the first at the reset vector. What the
 * firmware is to start is in fw_cfg.
 */
static int boot_firmware(struct vmm_kvm *kvm, const struct vmm_options *options,
                         struct gw_error **errp)
{
    struct vmm_machine *machine = kvm->machine;

    vmm_memory_touched(&machine->memory);
    return vmm_firmware_load(&machine->firmware, options->bios,
                             &machine->boot_files.firmware, errp);
}

void vmm_kvm_reset(struct vmm_accel *accel)
{
    struct vmm_kvm *kvm = (struct vmm_kvm *)(void *)accel;

    for (unsigned int i = 0; i < kvm->n_vcpus; i++) {
        kvm->vcpus[i].cpu = kvm->vcpus[i].after_reset;
    }
    kvm->dirty = true;
}

int vmm_kvm_boot(struct vmm_accel *accel, const struct vmm_options *options,
                 struct gw_error **errp)
{
    struct vmm_kvm *kvm = (struct vmm_kvm *)(void *)accel;
    struct vmm_boot boot;
    int r = vmm_boot_files_check(&kvm->machine->boot_files, errp);

    if (r < 0) {
        return r;
    }
    if (options->bios) {
        r = boot_firmware(kvm, options, errp);
        set_times(kvm);
        return r;
    }
    r = load_image(kvm, options, &boot, errp);
    if (r < 0) {
        return r;
    }
    set_entry(&kvm->vcpus[0].cpu, &boot);
    /* As firmware leaves them: without MTRRs Linux gives up PAT. */
    for (unsigned int i = 0; i < kvm->n_vcpus; i++) {
        kvm->vcpus[i].cpu.mtrr_default = MTRR_ON_WRITE_BACK;
    }
    set_times(kvm);
    return 0;
}

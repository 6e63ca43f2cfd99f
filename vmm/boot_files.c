/*
 * Opening what is booted.
 */
#include "boot_files.h"

#include "options.h"

static int open_file(const char *path, const char *what,
                     struct vmm_contents *ret_contents, struct gw_error **errp)
{
    int r = path ? vmm_contents_open(path, ret_contents, errp) : 0;

    return gw_error_prefix(errp, r, "%s", what);
}

int vmm_boot_files_open(struct vmm_boot_files *files,
                        const struct vmm_options *options,
                        struct gw_error **errp)
{
    int r;

    *files = (struct vmm_boot_files){0};
    r = open_file(options->kernel, "kernel", &files->kernel, errp);
    if (r == 0) {
        r = open_file(options->initrd, "initrd", &files->initrd, errp);
    }
    if (r == 0) {
        r = open_file(options->bios, "firmware", &files->firmware, errp);
    }
    if (r < 0) {
        vmm_boot_files_close(files);
    }
    return r;
}

static int check_file(const struct vmm_contents *contents, const char *what,
                      struct gw_error **errp)
{
    return gw_error_prefix(errp, vmm_contents_check(contents, errp), "%s",
                           what);
}

int vmm_boot_files_check(const struct vmm_boot_files *files,
                         struct gw_error **errp)
{
    int r = check_file(&files->kernel, "kernel", errp);

    if (r == 0) {
        r = check_file(&files->initrd, "initrd", errp);
    }
    return r < 0 ? r : check_file(&files->firmware, "firmware", errp);
}

void vmm_boot_files_close(struct vmm_boot_files *files)
{
    vmm_contents_close(&files->kernel);
    vmm_contents_close(&files->initrd);
    vmm_contents_close(&files->firmware);
}

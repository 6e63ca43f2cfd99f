/*
 * A machine of one RAM block, which is a file, and the device that QEMU's
 * machine `none` has, saved or restored through the library alone: what
 * bench/save-restore measures as "libgodwit", and what a peer test exchanges
 * with QEMU.
 *
 * Usage: mem-machine save|restore --memory FILE --uri URI [--mapped]
 *                    [--channels N] [--direct] [--fdset FILE]
 *
 * With --fdset the file is opened by us and offered as the set 1, with a
 * second descriptor for direct I/O if need be; the URI is then that of the set.
 *
 * Prints "ready" when it is set up, waits for a line, does the work, prints
 * "done", and waits for the end of its input, so that the caller can look at
 * it from outside before and after. The stream is one that QEMU's machine
 * `none` with a memory backend `mem` reads and writes.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <godwit/address.h>
#include <godwit/error.h>
#include <godwit/fdset.h>
#include <godwit/machine.h>
#include <godwit/migration.h>
#include <godwit/ram.h>
#include <godwit/vmstate.h>

struct options {
    bool incoming;
    bool mapped;
    uint64_t channels; /* of multifd; 0: off */
    bool direct;
    const char *memory;
    const char *uri;
    const char *fdset; /* NULL: none */
};

/* QEMU's clocks; it has them even without a guest. */
struct timer_state {
    int64_t ticks_offset;
    int64_t clock_offset;
};

static const struct gw_vmstate timer_vmstate = {
    .name = "timer",
    .version = 2,
    .min_version = 1,
    .size = sizeof(struct timer_state),
    .fields =
        (const struct gw_field[]){
            GW_FIELD_I64(struct timer_state, ticks_offset),
            GW_FIELD_UNUSED(8),
            GW_FIELD_I64_V(struct timer_state, clock_offset, 2),
            GW_FIELD_END,
        },
};

static int pause_guest(void *opaque, struct gw_error **errp)
{
    return 0;
}

static int resume_guest(void *opaque, struct gw_error **errp)
{
    return 0;
}

static const struct gw_machine_ops ops = {
    .pause = pause_guest,
    .resume = resume_guest,
};

static int fail(struct gw_error *error, const char *what)
{
    fprintf(stderr, "mem-machine: %s: %s\n", what, gw_error_text(error));
    gw_error_free(error);
    return 1;
}

/* Maps the file here, as a VMM would, and adds it as the block `mem`. */
static int add_memory(struct gw_machine *machine, const char *path,
                      struct gw_error **errp)
{
    struct gw_ram_attr attr =
        GW_RAM_ATTR(.idstr = "mem", .flags = GW_RAM_SHARED);
    struct stat st;
    int r;

    attr.fd = open(path, O_RDWR | O_CLOEXEC);
    if (attr.fd < 0 || fstat(attr.fd, &st) < 0) {
        fprintf(stderr, "mem-machine: %s: %s\n", path, strerror(errno));
        exit(1);
    }
    attr.used_length = (uint64_t)st.st_size;
    r = gw_ram_block_add(machine, &attr, NULL, errp);
    close(attr.fd);
    return r;
}

struct setting {
    const char *name;
    uint64_t value;
};

static int configure(struct gw_settings *settings,
                     const struct options *options, struct gw_error **errp)
{
    const struct setting wanted[] = {
        {"max-bandwidth", 0},
        {"multifd-channels", options->channels ? options->channels : 2},
        {"direct-io", options->direct},
    };
    size_t i;
    int r = gw_settings_set_capability(settings, GW_CAP_MAPPED_RAM,
                                       options->mapped, errp);

    if (r == 0) {
        r = gw_settings_set_capability(settings, GW_CAP_MULTIFD,
                                       options->channels > 0, errp);
    }
    for (i = 0; r == 0 && i < sizeof(wanted) / sizeof(wanted[0]); i++) {
        r = gw_settings_set_uint(settings,
                                 gw_parameter_info_find(wanted[i].name),
                                 wanted[i].value, errp);
    }
    return r;
}

static int add_descriptor(struct gw_fdsets *fdsets,
                          const struct options *options, int flags,
                          struct gw_error **errp)
{
    int mode = options->incoming ? O_RDONLY : O_WRONLY | O_CREAT;
    int fd = open(options->fdset, mode | flags | O_CLOEXEC, 0600);
    int r;

    if (fd < 0) {
        return gw_error_set_errno(errp, -errno, "%s", options->fdset);
    }
    r = gw_fdsets_add(fdsets, 1, fd, NULL, NULL, NULL, errp);
    if (r < 0) {
        close(fd);
    }
    return r;
}

static int fill_fdsets(struct gw_fdsets *fdsets, const struct options *options,
                       struct gw_error **errp)
{
    int r = options->fdset ? add_descriptor(fdsets, options, 0, errp) : 0;

    return r == 0 && options->fdset && options->direct
               ? add_descriptor(fdsets, options, O_DIRECT, errp)
               : r;
}

static int migrate(struct gw_machine *machine, const struct gw_address *address,
                   const struct gw_settings *settings, bool incoming,
                   struct gw_fdsets *fdsets, struct gw_error **errp)
{
    const struct gw_migration_options more = {.fdsets = fdsets};
    struct gw_migration *migration = NULL;
    int r;

    if (incoming) {
        r = gw_incoming_start(machine, address, settings, &more, &migration,
                              errp);
    } else {
        r = gw_migration_start(machine, address, settings, &more, &migration,
                               errp);
    }
    if (r < 0) {
        return r;
    }
    r = gw_migration_wait(migration, errp);
    gw_migration_free(migration);
    return r;
}

/* Waits for a line; false at the end of the input. */
static bool wait_line(void)
{
    int c;

    do {
        c = getchar();
    } while (c != '\n' && c != EOF);
    return c == '\n';
}

static int say(const char *word)
{
    return puts(word) < 0 || fflush(stdout) ? 1 : 0;
}

static int run(const struct options *options, struct gw_machine *machine,
               struct gw_settings *settings)
{
    struct timer_state timer = {0};
    struct gw_fdsets *fdsets = gw_fdsets_new();
    struct gw_address *address = NULL;
    struct gw_error *error = NULL;

    if (fill_fdsets(fdsets, options, &error) < 0 ||
        add_memory(machine, options->memory, &error) < 0 ||
        gw_machine_add_device(machine, &timer_vmstate, NULL, 0, &timer, NULL,
                              &error) < 0 ||
        configure(settings, options, &error) < 0 ||
        gw_address_parse(options->uri, &address, &error) < 0) {
        return fail(error, "setup");
    }
    gw_machine_set_autostart(machine, false);
    if (options->incoming && gw_machine_expect_incoming(machine, &error) < 0) {
        return fail(error, "setup");
    }
    if (say("ready") || !wait_line()) {
        return 1;
    }
    if (migrate(machine, address, settings, options->incoming, fdsets, &error) <
        0) {
        return fail(error, options->incoming ? "restore" : "save");
    }
    gw_fdsets_free(fdsets);
    gw_address_free(address);
    if (say("done")) {
        return 1;
    }
    while (wait_line()) {
    }
    return 0;
}

static bool parse(struct options *options, int argc, char **argv)
{
    int i;

    if (argc < 2 ||
        (strcmp(argv[1], "save") != 0 && strcmp(argv[1], "restore") != 0)) {
        return false;
    }
    options->incoming = strcmp(argv[1], "restore") == 0;
    for (i = 2; i < argc; i++) {
        if (strcmp(argv[i], "--mapped") == 0) {
            options->mapped = true;
        } else if (strcmp(argv[i], "--direct") == 0) {
            options->direct = true;
        } else if (strcmp(argv[i], "--fdset") == 0 && argv[i + 1]) {
            options->fdset = argv[++i];
        } else if (strcmp(argv[i], "--channels") == 0 && argv[i + 1]) {
            options->channels = strtoull(argv[++i], NULL, 10);
        } else if (strcmp(argv[i], "--memory") == 0 && argv[i + 1]) {
            options->memory = argv[++i];
        } else if (strcmp(argv[i], "--uri") == 0 && argv[i + 1]) {
            options->uri = argv[++i];
        } else {
            return false;
        }
    }
    return options->memory && options->uri;
}

int main(int argc, char **argv)
{
    struct gw_machine *machine;
    struct gw_settings settings;
    struct options options = {0};
    int status;

    if (!parse(&options, argc, argv)) {
        fprintf(stderr, "usage: mem-machine save|restore --memory FILE "
                        "--uri URI [--mapped] [--channels N] [--direct] "
                        "[--fdset FILE]\n");
        return 2;
    }
    machine = gw_machine_new("none", &ops, NULL);
    if (!machine || gw_settings_init(&settings) < 0) {
        fprintf(stderr, "mem-machine: out of memory\n");
        return 1;
    }
    status = run(&options, machine, &settings);
    gw_settings_deinit(&settings);
    gw_machine_free(machine);
    return status;
}

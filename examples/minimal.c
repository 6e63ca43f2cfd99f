/*
 * The smallest embedder of libgodwit: one RAM block and one device, saved to
 * a file by one machine and loaded by another.
 *
 * cc minimal.c $(pkg-config --cflags --libs godwit)
 */
#include <godwit/godwit.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct counter {
    uint64_t ticks;
};

static const struct gw_vmstate counter_vmstate = {
    .name = "counter",
    .version = 1,
    .min_version = 1,
    .fields = (const struct gw_field[]){GW_FIELD_U64(struct counter, ticks),
                                        GW_FIELD_END},
};

/* A real VMM stops and starts its vCPUs here. */
static int nothing(void *opaque, struct gw_error **errp)
{
    (void)opaque;
    (void)errp;
    return 0;
}

static const struct gw_machine_ops ops = {.pause = nothing, .resume = nothing};

static void check(int result, const struct gw_error *error)
{
    if (result < 0) {
        fprintf(stderr, "minimal: %s\n", gw_error_text(error));
        exit(1);
    }
}

/* A machine with 1 MiB of RAM and a counter; *ret_ram is its memory. */
static struct gw_machine *build(struct counter *counter, char **ret_ram)
{
    struct gw_machine *machine = gw_machine_new("example", &ops, NULL);
    struct gw_ram_attr attr =
        GW_RAM_ATTR(.idstr = "ram0", .used_length = 1 << 20);
    struct gw_ram_block *block;
    struct gw_error *error = NULL;

    check(gw_ram_block_add(machine, &attr, &block, &error), error);
    check(gw_machine_add_device(machine, &counter_vmstate, NULL, 0, counter,
                                NULL, &error),
          error);
    *ret_ram = gw_ram_block_host(block);
    return machine;
}

int main(int argc, char **argv)
{
    const char *uri = argc > 1 ? argv[1] : "file:minimal.mig";
    struct counter before = {.ticks = 42}, after = {.ticks = 0};
    struct gw_error *error = NULL;
    char *from, *to;
    struct gw_machine *source = build(&before, &from);
    struct gw_machine *destination = build(&after, &to);

    strcpy(from + 4096, "hello from the other machine");
    check(gw_save(source, uri, NULL, &error), error);
    check(gw_load(destination, uri, NULL, &error), error);

    printf("ticks %d: %s\n", (int)after.ticks, to + 4096);
    gw_machine_free(source);
    gw_machine_free(destination);
    return 0;
}

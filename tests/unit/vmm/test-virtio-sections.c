/*
 * Sections of virtio devices that a real QEMU wrote: our tables read them to
 * the last byte and write them again byte for byte; and a device that was
 * never touched is what QEMU's is then.
 */
#include "section-file.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "util.h"
#include "virtio-driver.h"
#include "virtio_balloon.h"
#include "virtio_blk.h"
#include "virtio_console.h"
#include "virtio_net.h"
#include "virtio_rng.h"
#include "virtio_vsock.h"

#define GUEST_BYTES (128ull << 20)
#define DISK_BYTES (64ull << 20)

/* All kinds, and what they need of the host. */
struct bench {
    struct vmm_memory memory;
    struct vmm_guest_memory guest_memory;
    struct vmm_ioapic ioapic;
    char folder[64];
    char disk[96];
    char socket[96];
    char vsock_path[96];
    int socket_fd;
    struct vmm_virtio_blk blk;
    struct vmm_virtio_net net;
    struct vmm_virtio_rng rng;
    struct vmm_virtio_console console;
    struct vmm_virtio_balloon balloon;
    struct vmm_virtio_vsock vsock;
};

/* In use, and what few guests are saved in. */
static const char usual[] = VMM_TEST_DATA "/qemu-10.0-virtio.sections";
static const char rare[] = VMM_TEST_DATA "/qemu-10.0-rare.sections";

static size_t read_section(const char *capture, const char *name)
{
    bool is_usual = strncmp(capture, "legacy", 6) == 0 ||
                    strncmp(capture, "modern", 6) == 0;

    return read_section_of(is_usual ? usual : rare, capture, name);
}

static void listen_on(struct bench *bench)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    strcpy(address.sun_path, bench->socket);
    bench->socket_fd = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(bind(bench->socket_fd, (void *)&address, sizeof(address)),
                     0);
    assert_int_equal(listen(bench->socket_fd, 1), 0);
}

static void prepare_host(struct bench *bench)
{
    struct vmm_memory_config memory = {.bytes = GUEST_BYTES};
    FILE *disk;

    strcpy(bench->folder, "/tmp/test-sections-XXXXXX");
    assert_non_null(mkdtemp(bench->folder));
    snprintf(bench->disk, sizeof(bench->disk), "%s/disk", bench->folder);
    snprintf(bench->socket, sizeof(bench->socket), "%s/net", bench->folder);
    snprintf(bench->vsock_path, sizeof(bench->vsock_path), "%s/vsock",
             bench->folder);
    disk = fopen(bench->disk, "w");
    assert_non_null(disk);
    assert_int_equal(ftruncate(fileno(disk), DISK_BYTES), 0);
    fclose(disk);
    listen_on(bench);
    assert_int_equal(vmm_memory_init(&bench->memory, &memory, NULL), 0);
    vmm_guest_memory_init(&bench->guest_memory, &bench->memory, NULL);
    vmm_ioapic_init(&bench->ioapic, &driver_ioapic_ops, NULL);
}

/* The devices that QEMU had: see data/README.md. */
static struct bench *new_bench(bool legacy)
{
    struct bench *bench = calloc(1, sizeof(*bench));
    struct vmm_virtio_config common = {.memory = &bench->guest_memory,
                                       .ioapic = &bench->ioapic,
                                       .legacy = legacy};
    struct vmm_virtio_blk_config blk = {.virtio = common, .n_queues = 1};
    struct vmm_virtio_net_config net = {
        .virtio = common,
        .net = {.kind = VMM_NET_PASST,
                .fd = -1,
                .mac = {0x52, 0x54, 0x00, 0x12, 0x34, 0x56}}};
    struct vmm_virtio_console_config console = {.virtio = common};
    struct vmm_virtio_balloon_config balloon = {.virtio = common,
                                                .reporting = true};
    struct vmm_virtio_vsock_config vsock = {.virtio = common, .cid = 3};

    assert_non_null(bench);
    prepare_host(bench);
    blk.image.path = bench->disk;
    net.net.path = bench->socket;
    vsock.path = bench->vsock_path;
    assert_int_equal(vmm_virtio_blk_init(&bench->blk, &blk, NULL), 0);
    assert_int_equal(vmm_virtio_net_init(&bench->net, &net, NULL), 0);
    assert_int_equal(vmm_virtio_rng_init(&bench->rng, &common, NULL), 0);
    assert_int_equal(vmm_virtio_console_init(&bench->console, &console, NULL),
                     0);
    assert_int_equal(vmm_virtio_balloon_init(&bench->balloon, &balloon, NULL),
                     0);
    assert_int_equal(vmm_virtio_vsock_init(&bench->vsock, &vsock, NULL), 0);
    return bench;
}

static void free_bench(struct bench *bench)
{
    vmm_virtio_vsock_deinit(&bench->vsock);
    vmm_virtio_balloon_deinit(&bench->balloon);
    vmm_virtio_console_deinit(&bench->console);
    vmm_virtio_rng_deinit(&bench->rng);
    vmm_virtio_net_deinit(&bench->net);
    vmm_virtio_blk_deinit(&bench->blk);
    vmm_ioapic_deinit(&bench->ioapic);
    vmm_memory_deinit(&bench->memory);
    close(bench->socket_fd);
    unlink(bench->disk);
    unlink(bench->socket);
    rmdir(bench->folder);
    free(bench);
}

/* As if everything that was taken had been given back, and nothing waits. */
static void settle_rings(struct vmm_virtio *device)
{
    for (unsigned int i = 0; i < device->n_queues; i++) {
        const struct vmm_virtio_queue *queue = &device->queues[i];
        uint8_t *avail;
        uint8_t *used;

        if (!vmm_virtio_queue_is_ready(queue)) {
            continue;
        }
        avail = vmm_guest_memory_at(device->guest.memory, queue->avail, 4);
        used = vmm_guest_memory_at(device->guest.memory, queue->used, 4);
        assert_non_null(avail);
        assert_non_null(used);
        vmm_put_le16(avail + 2, queue->last_avail);
        vmm_put_le16(used + 2, queue->last_avail);
    }
}

static void check(const char *capture, const struct gw_vmstate *vmstate,
                  struct vmm_virtio *device)
{
    GW_AUTO_ERROR struct gw_error *error = NULL;
    size_t size = read_section(capture, vmstate->name);
    bool untouched = strstr(capture, "reset") != NULL;

    if (untouched) {
        expect_saved(vmstate, device, section, size);
    }
    /* The first time the rings are not in guest memory yet. */
    if (load_some(vmstate, device, vmstate->version, section, size, NULL,
                  &error) < 0 &&
        !strstr(gw_error_text(error), "flight")) {
        fail_msg("%s", gw_error_text(error));
    }
    settle_rings(device);
    expect_loaded(vmstate, device, vmstate->version, section, size);
    assert_false(device->broken);
    assert_int_equal(device->started, !untouched);
    expect_saved(vmstate, device, section, size);
}

static void check_all(const char *capture, bool legacy)
{
    struct bench *bench = new_bench(legacy);

    check(capture, &vmm_virtio_blk_vmstate, &bench->blk.device);
    check(capture, &vmm_virtio_net_vmstate, &bench->net.device);
    check(capture, &vmm_virtio_rng_vmstate, &bench->rng.device);
    check(capture, &vmm_virtio_console_vmstate, &bench->console.device);
    check(capture, &vmm_virtio_balloon_vmstate, &bench->balloon.device);
    check(capture, &vmm_virtio_vsock_vmstate, &bench->vsock.device);
    free_bench(bench);
}

static void test_sections__legacy_after_reset(void **state)
{
    check_all("legacy-reset", true);
}

static void test_sections__modern_after_reset(void **state)
{
    check_all("modern-reset", false);
}

static void test_sections__legacy_in_use(void **state)
{
    check_all("legacy", true);
}

static void test_sections__modern_in_use(void **state)
{
    check_all("modern", false);
}

/* The guest saw this configuration in QEMU; it is the one that we give. */
static void test_sections__configuration(void **state)
{
    struct bench *bench = new_bench(false);
    struct vmm_virtio *devices[] = {&bench->blk.device, &bench->net.device,
                                    &bench->vsock.device};
    const struct gw_vmstate *vmstates[] = {&vmm_virtio_blk_vmstate,
                                           &vmm_virtio_net_vmstate,
                                           &vmm_virtio_vsock_vmstate};

    for (size_t i = 0; i < VMM_ARRAY_SIZE(devices); i++) {
        struct vmm_virtio *device = devices[i];
        uint8_t config[VMM_VIRTIO_CONFIG_MAX] = {0};

        check("modern", vmstates[i], device);
        device->ops->get_config(device->opaque, config);
        assert_memory_equal(config, device->config, device->config_bytes);
    }
    free_bench(bench);
}

static void test_sections__features_that_are_not_offered(void **state)
{
    struct bench *bench = new_bench(true);
    size_t size = read_section("modern", "virtio-rng");

    expect_refused(&vmm_virtio_rng_vmstate, &bench->rng, 1, section, size,
                   -EPROTO, "features 0x100000000 that this device does not");
    free_bench(bench);
}

static void test_sections__registers_of_another_version(void **state)
{
    struct bench *bench = new_bench(false);
    size_t size = read_section("legacy", "virtio-rng");

    expect_refused(&vmm_virtio_rng_vmstate, &bench->rng, 1, section, size,
                   -EPROTO, "version 1 of the registers");
    /* No driver was there yet: nothing of the transport is used. */
    size = read_section("legacy-reset", "virtio-rng");
    expect_loaded(&vmm_virtio_rng_vmstate, &bench->rng, 1, section, size);
    free_bench(bench);
}

/*
 * With a frame, a buffer for statistics or none in flight: once the guest has
 * it back, the section is QEMU's.
 */
static void check_rare(bool legacy)
{
    static const struct {
        const char *captures[2];
        const struct gw_vmstate *vmstate;
        size_t device;
    } rares[] = {
        {{"net-modern", "net-legacy"},
         &vmm_virtio_net_vmstate,
         offsetof(struct bench, net)},
        {{"balloon-modern", "balloon-legacy"},
         &vmm_virtio_balloon_vmstate,
         offsetof(struct bench, balloon)},
        {{"rng-modern", "rng-legacy"},
         &vmm_virtio_rng_vmstate,
         offsetof(struct bench, rng)},
    };

    for (size_t i = 0; i < VMM_ARRAY_SIZE(rares); i++) {
        /* Their rings are in the same place. */
        struct bench *bench = new_bench(legacy);

        check(rares[i].captures[legacy], rares[i].vmstate,
              (void *)((uint8_t *)bench + rares[i].device));
        free_bench(bench);
    }
}

static void test_sections__legacy_in_flight(void **state)
{
    check_rare(true);
}

static void test_sections__modern_in_flight(void **state)
{
    check_rare(false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sections__legacy_after_reset),
        cmocka_unit_test(test_sections__modern_after_reset),
        cmocka_unit_test(test_sections__legacy_in_use),
        cmocka_unit_test(test_sections__modern_in_use),
        cmocka_unit_test(test_sections__legacy_in_flight),
        cmocka_unit_test(test_sections__modern_in_flight),
        cmocka_unit_test(test_sections__configuration),
        cmocka_unit_test(test_sections__features_that_are_not_offered),
        cmocka_unit_test(test_sections__registers_of_another_version),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

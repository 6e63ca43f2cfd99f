/*
 * The command line of `godwit run`.
 */
#include "options.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

/* Parses words up to NULL; the error's text, if any, must have `part`. */
static int parse(struct vmm_options *options, const char *part, ...)
{
    static char words[16][64];
    char *argv[17] = {words[0]};
    struct gw_error *error = NULL;
    const char *word;
    int argc = 1;
    va_list args;
    int r;

    va_start(args, part);
    strcpy(words[0], "run");
    while ((word = va_arg(args, const char *)) != NULL) {
        strcpy(words[argc], word);
        argv[argc] = words[argc];
        argc++;
    }
    va_end(args);
    vmm_options_init(options);
    r = vmm_options_parse(options, argc, argv, &error);
    if (part) {
        assert_int_equal(r, -EINVAL);
        if (!strstr(gw_error_text(error), part)) {
            fail_msg("'%s' is not in: %s", part, gw_error_text(error));
        }
    } else if (r < 0) {
        fail_msg("%s", gw_error_text(error));
    }
    gw_error_free(error);
    return r;
}

static void test_options__defaults(void **state)
{
    struct vmm_options options;

    parse(&options, NULL, NULL);
    assert_int_equal(options.memory_bytes, 128 << 20);
    assert_int_equal(options.smp, 1);
    assert_int_equal(options.serial.kind, VMM_CHARDEV_STDIO);
    assert_int_equal(options.accel, VMM_ACCEL_AUTO);
    assert_false(options.paused);
    assert_true(options.sandbox);
    assert_null(options.kernel);
    assert_null(options.incoming);
    vmm_options_deinit(&options);
}

static void expect_memory_size(const char *text, uint64_t bytes)
{
    struct vmm_options options;

    parse(&options, NULL, "-m", text, NULL);
    assert_int_equal(options.memory_bytes, bytes);
    vmm_options_deinit(&options);
}

static void test_options__memory_sizes(void **state)
{
    struct vmm_options options;

    expect_memory_size("64", 64ull << 20);
    expect_memory_size("64M", 64ull << 20);
    expect_memory_size("65536k", 64ull << 20);
    expect_memory_size("size=4G", 4ull << 30);
    expect_memory_size("1T", 1ull << 40);
    expect_memory_size("2GiB", 2ull << 30);
    expect_memory_size("2097153B", 2ull << 20);
    parse(&options, "not a memory size", "-m", "", NULL);
    parse(&options, "not a memory size", "-m", "-1", NULL);
    parse(&options, "not a memory size", "-m", "64X", NULL);
    parse(&options, "not a memory size", "-m", "64MB", NULL);
    parse(&options, "not within", "-m", "0", NULL);
    parse(&options, "not within", "-m", "17T", NULL);
    parse(&options, "not within", "-m", "18446744073709551615T", NULL);
    parse(&options, "not a memory size", "-m", "18446744073709551616", NULL);
}

static void test_options__both_dashes_and_both_value_forms(void **state)
{
    struct vmm_options options;

    parse(&options, NULL, "--memory=64", "-smp", "2", "--accel", "thread", "-S",
          "--append=mem=1M rate=10", NULL);
    assert_int_equal(options.memory_bytes, 64 << 20);
    assert_int_equal(options.smp, 2);
    assert_int_equal(options.accel, VMM_ACCEL_THREAD);
    assert_true(options.paused);
    assert_string_equal(options.append, "mem=1M rate=10");
    vmm_options_deinit(&options);
    parse(&options, NULL, "--paused", "-smp", "cpus=64", NULL);
    assert_true(options.paused);
    assert_int_equal(options.smp, 64);
    vmm_options_deinit(&options);
}

static void test_options__dirty_ring(void **state)
{
    struct vmm_options options;

    parse(&options, NULL, "--accel", "kvm", NULL);
    assert_int_equal(options.accel, VMM_ACCEL_KVM);
    assert_int_equal(options.dirty_ring_size, 0);
    vmm_options_deinit(&options);
    parse(&options, NULL, "-accel", "kvm,dirty-ring-size=4096", NULL);
    assert_int_equal(options.accel, VMM_ACCEL_KVM);
    assert_int_equal(options.dirty_ring_size, 4096);
    vmm_options_deinit(&options);
    parse(&options, NULL, "-accel", "kvm,dirty-ring-size=4096", "-accel", "kvm",
          NULL);
    assert_int_equal(options.dirty_ring_size, 0);
    vmm_options_deinit(&options);
    parse(&options, "must be a power of two", "-accel",
          "kvm,dirty-ring-size=4095", NULL);
    parse(&options, "'4K' is not a number", "-accel", "kvm,dirty-ring-size=4K",
          NULL);
    parse(&options, "'-1' is not a number", "-accel", "kvm,dirty-ring-size=-1",
          NULL);
    parse(&options, "'' is not a number", "-accel",
          "kvm,dirty-ring-size=", NULL);
    parse(&options, "is not a number", "-accel",
          "kvm,dirty-ring-size=4294967296", NULL);
    parse(&options, "property 'frob=1' is not known", "-accel", "kvm,frob=1",
          NULL);
    parse(&options, "property 'dirty-ring-size=1024' is not known", "-accel",
          "thread,dirty-ring-size=1024", NULL);
    parse(&options, "auto, kvm, thread", "-accel", "kv,dirty-ring-size=1024",
          NULL);
}

static void test_options__what_a_reset_does(void **state)
{
    struct vmm_options options;

    parse(&options, NULL, NULL);
    assert_false(options.no_reboot);
    parse(&options, NULL, "-no-reboot", NULL);
    assert_true(options.no_reboot);
    parse(&options, NULL, "--action", "reboot=shutdown", NULL);
    assert_true(options.no_reboot);
    parse(&options, NULL, "--no-reboot", "--action=reboot=reset", NULL);
    assert_false(options.no_reboot);
    parse(&options, "option '--action': 'panic=none' is not one of", "--action",
          "panic=none", NULL);
    parse(&options, "'reboot' is not one of", "--action", "reboot", NULL);
}

static void test_options__character_devices(void **state)
{
    struct vmm_options options;

    parse(&options, NULL, "-serial", "file:/tmp/a,b", "-qmp",
          "unix:/tmp/q.sock,server=on,wait=off", "-monitor", "stdio", NULL);
    assert_int_equal(options.serial.kind, VMM_CHARDEV_FILE);
    assert_string_equal(options.serial.path, "/tmp/a,b");
    assert_int_equal(options.n_monitors, 2);
    assert_true(options.monitors[0].qmp);
    assert_int_equal(options.monitors[0].chardev.kind, VMM_CHARDEV_UNIX);
    assert_string_equal(options.monitors[0].chardev.path, "/tmp/q.sock");
    assert_false(options.monitors[1].qmp);
    assert_int_equal(options.monitors[1].chardev.kind, VMM_CHARDEV_STDIO);
    vmm_options_deinit(&options);
}

static void test_options__stdio_has_one_user(void **state)
{
    struct vmm_options options;

    parse(&options, NULL, "-qmp", "stdio", NULL);
    assert_int_equal(options.serial.kind, VMM_CHARDEV_NONE);
    vmm_options_deinit(&options);
    parse(&options, "more than one", "-qmp", "stdio", "-serial", "stdio", NULL);
    vmm_options_deinit(&options);
}

static void test_options__uuid(void **state)
{
    static const uint8_t expected[16] = {0x01, 0x23, 0x45, 0x67, 0x89, 0xab,
                                         0xcd, 0xef, 0x01, 0x23, 0x45, 0x67,
                                         0x89, 0xAB, 0xCD, 0xEF};
    struct vmm_options options;

    parse(&options, NULL, "-uuid", "01234567-89ab-cdef-0123-456789ABCDEF",
          NULL);
    assert_true(options.has_uuid);
    assert_memory_equal(options.uuid, expected, 16);
    vmm_options_deinit(&options);
    parse(&options, "not a UUID", "-uuid", "01234567-89ab-cdef-0123-", NULL);
    parse(&options, "not a UUID", "-uuid",
          "01234567-89ab-cdef-0123-456789ABCDEF0", NULL);
    parse(&options, "not a UUID", "-uuid",
          "0123456789ab-cdef-0123-456789ABCDEF0", NULL);
}

static void test_options__wrong_use_is_named(void **state)
{
    struct vmm_options options;

    parse(&options, "unknown option '--frob'", "--frob", NULL);
    parse(&options, "unknown option 'x'", "x", NULL);
    parse(&options, "unknown option '-'", "-", NULL);
    parse(&options, "'-m' needs a value", "-m", NULL);
    parse(&options, "takes no value", "--share=on", NULL);
    parse(&options, "vCPUs from 1 to 64", "-smp", "0", NULL);
    parse(&options, "vCPUs from 1 to 64", "-smp", "65", NULL);
    parse(&options, "vCPUs from 1 to 64", "-smp", "2x", NULL);
    parse(&options, "auto, kvm, thread", "-accel", "tcg", NULL);
    parse(&options, "not one of", "-serial", "tcp:1", NULL);
    parse(&options, "not one of", "-qmp", "file:/x", NULL);
    parse(&options, "path is empty", "-qmp", "unix:", NULL);
    parse(&options, "socket option 'wait=on'", "-qmp", "unix:/x,wait=on", NULL);
    parse(&options, "0, 64K, 128K", "--firmware-size", "65536", NULL);
    parse(&options, "not one of on, off", "--sandbox", "maybe", NULL);
}

static void test_options__add_fd(void **state)
{
    struct vmm_options options;
    const struct vmm_fdset_option *items;
    int a = dup(STDIN_FILENO);
    int b = dup(STDIN_FILENO);
    char words[3][64];

    /* One in two sets; numbers as strtol takes them, commas are doubled. */
    snprintf(words[0], sizeof(words[0]), "fd=%d,set=1", a);
    snprintf(words[1], sizeof(words[1]), "set=0x10,opaque=a,,b,fd=%d", a);
    snprintf(words[2], sizeof(words[2]), "fd=%d,set=5000000000,opaque=", b);
    parse(&options, NULL, "-add-fd", words[0], "--add-fd", words[1], "--add-fd",
          words[2], NULL);
    assert_int_equal(options.fdsets.n_items, 3);
    items = options.fdsets.items;
    assert_int_equal(items[0].set, 1);
    assert_null(items[0].opaque);
    assert_int_equal(items[1].set, 16);
    assert_string_equal(items[1].opaque, "a,b");
    assert_int_equal(items[2].set, 5000000000);
    assert_string_equal(items[2].opaque, "");
    for (int i = 0; i < 3; i++) {
        assert_true(items[i].fd > STDERR_FILENO);
        assert_true(fcntl(items[i].fd, F_GETFD) & FD_CLOEXEC);
    }
    /* Only the duplicates are left. */
    assert_int_equal(fcntl(a, F_GETFD), -1);
    assert_int_equal(fcntl(b, F_GETFD), -1);
    a = items[0].fd;
    vmm_options_deinit(&options);
    assert_int_equal(fcntl(a, F_GETFD), -1);
}

static void test_options__add_fd_wrong_use(void **state)
{
    static const struct {
        const char *value;
        const char *part;
    } cases[] = {
        {"set=1", "fd option is required and must be non-negative"},
        {"fd=-1,set=1", "fd option is required and must be non-negative"},
        {"fd=2,set=1", "fd cannot be a standard I/O stream"},
        {"fd=999", "fd is not valid or already in use"},
        {"fd=99999999999,set=1", "fd is not valid or already in use"},
        {"fd=%d", "set option is required and must be non-negative"},
        {"fd=%d,set=-2", "set option is required and must be non-negative"},
        {"fd=x,set=1", "Parameter 'fd' expects a number"},
        {"fd=,set=1", "Parameter 'fd' expects a number"},
        {"fd=%d,set=1x", "Parameter 'set' expects a number"},
        {"fd=%d,set=1,foo=1", "Invalid parameter 'foo'"},
        {"9,1", "Invalid parameter '9'"},
        {"", "fd option is required and must be non-negative"},
    };
    struct vmm_options options;
    int fd = dup(STDIN_FILENO);
    char word[64];

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const char *at = strstr(cases[i].value, "%d");

        if (at) {
            snprintf(word, sizeof(word), "%.*s%d%s", (int)(at - cases[i].value),
                     cases[i].value, fd, at + 2);
        } else {
            snprintf(word, sizeof(word), "%s", cases[i].value);
        }
        parse(&options, cases[i].part, "--add-fd", word, NULL);
        vmm_options_deinit(&options);
    }
    /* One of our own. */
    assert_int_equal(fcntl(fd, F_SETFD, FD_CLOEXEC), 0);
    snprintf(word, sizeof(word), "fd=%d,set=1", fd);
    parse(&options, "fd is not valid or already in use", "--add-fd", word,
          NULL);
    vmm_options_deinit(&options);
    close(fd);
}

static void test_options__machine(void **state)
{
    struct vmm_options options;

    parse(&options, NULL, NULL);
    assert_true(options.machine.acpi);
    vmm_options_deinit(&options);
    parse(&options, NULL, "-M", "microvm,acpi=off,pic=off,pit=off", NULL);
    assert_false(options.machine.acpi);
    vmm_options_deinit(&options);
    parse(&options, NULL, "--machine=type=microvm,acpi=auto", NULL);
    assert_true(options.machine.acpi);
    vmm_options_deinit(&options);
    parse(&options, "'q35' is not microvm", "-M", "q35", NULL);
    parse(&options, "'microvm2' is not", "-M", "microvm2", NULL);
    parse(&options, "acpi=maybe", "-M", "microvm,acpi=maybe", NULL);
    assert_false(options.machine.pic || options.machine.pit ||
                 options.machine.rtc);
    parse(&options, NULL, "-M", "microvm,pic=on,pit=on,rtc=on", NULL);
    assert_true(options.machine.pic && options.machine.pit &&
                options.machine.rtc);
    vmm_options_deinit(&options);
    parse(&options, NULL, "-M", "microvm,pit=on,pic=on,pit=off", NULL);
    assert_true(options.machine.pic);
    assert_false(options.machine.pit);
    vmm_options_deinit(&options);
    parse(&options, NULL, NULL);
    assert_true(options.machine.option_roms);
    vmm_options_deinit(&options);
    parse(&options, NULL, "-M", "microvm,x-option-roms=off", NULL);
    assert_false(options.machine.option_roms);
    vmm_options_deinit(&options);
    /* What QEMU means by it is not what we would. */
    parse(&options, "rtc=auto is not on or off", "-M", "microvm,rtc=auto",
          NULL);
    parse(&options, "ioapic2=on is not supported, only ioapic2=off", "-M",
          "microvm,ioapic2=on", NULL);
    parse(&options, "property 'frob'", "-M", "microvm,frob=on", NULL);
    parse(&options, "'' has no value", "-M", "microvm,", NULL);
    parse(&options, "'acpi' has no value", "-M", "microvm,acpi", NULL);
}

static void test_options__cpu(void **state)
{
    struct gw_cpu_feature avx2 = {.leaf = 7, .which = 1, .bit = 5};
    struct gw_cpu_feature pku = {.leaf = 7, .which = 2, .bit = 3};
    struct vmm_cpu_option cpu;
    static const struct {
        const char *text;
        const char *part;
    } wrong[] = {
        {"qemu64", "CPU model 'qemu64' is not host"},
        {"", "CPU model '' is not host"},
        {"host,", "'' is not -FEATURE"},
        {"host,-", "'-' is not -FEATURE"},
        {"host,avx2", "'avx2' is not -FEATURE or FEATURE=off"},
        {"host,+avx2", "'+avx2' is not -FEATURE"},
        {"host,avx2=on", "'avx2=on' is not -FEATURE"},
        {"host,=off", "'=off' is not -FEATURE"},
        {"host,-warp", "unknown CPU feature 'warp'"},
        {"host,-a-name-that-no-feature-ever-has-had", "unknown CPU feature"},
    };

    assert_int_equal(vmm_cpu_option_parse(&cpu, "host", NULL), 0);
    assert_int_equal(cpu.n_removed, 0);
    assert_int_equal(vmm_cpu_option_parse(&cpu, "host,-avx2,pku=off", NULL), 0);
    assert_int_equal(cpu.n_removed, 2);
    assert_memory_equal(&cpu.removed[0], &avx2, sizeof(avx2));
    assert_memory_equal(&cpu.removed[1], &pku, sizeof(pku));
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        struct gw_error *error = NULL;

        assert_int_equal(vmm_cpu_option_parse(&cpu, wrong[i].text, &error),
                         -EINVAL);
        if (!strstr(gw_error_text(error), wrong[i].part)) {
            fail_msg("%s: %s", wrong[i].text, gw_error_text(error));
        }
        gw_error_free(error);
    }
}

static void test_options__virtio_devices(void **state)
{
    struct vmm_options options;
    const struct vmm_virtio_option *at = options.virtio.devices;

    parse(&options, NULL, "--disk", "file=/a,,b,readonly=on,queues=4", "--net",
          "passt,path=/p,mac=02:00:00:00:aa:01", "-rng", "--disk",
          "file=/c,direct=on,aio=threads,slot=2,serial=x", "--balloon",
          "--virtio-console", "unix:/d", "--virtio", "modern", NULL);
    assert_int_equal(options.virtio.n_devices, 6);
    assert_true(options.virtio.modern);
    assert_int_equal(at[0].kind, VMM_VIRTIO_DISK);
    assert_string_equal(at[0].file, "/a,b");
    assert_true(at[0].readonly);
    assert_int_equal(at[0].queues, 4);
    assert_int_equal(at[0].slot, -1);
    assert_int_equal(at[1].net.kind, VMM_NET_PASST);
    assert_memory_equal(at[1].net.mac, "\2\0\0\0\xaa\1", 6);
    assert_int_equal(at[2].kind, VMM_VIRTIO_RNG);
    assert_true(at[3].direct);
    assert_int_equal(at[3].aio, VMM_BLOCK_AIO_THREADS);
    assert_int_equal(at[3].slot, 2);
    assert_int_equal(at[4].kind, VMM_VIRTIO_BALLOON);
    assert_int_equal(at[5].chardev.kind, VMM_CHARDEV_UNIX);
    vmm_options_deinit(&options);

    parse(&options, NULL, "--net", "tap,ifname=tap0", NULL);
    assert_string_equal(options.virtio.devices[0].net.ifname, "tap0");
    assert_true(options.virtio.devices[0].net.vnet_header);
    assert_memory_equal(options.virtio.devices[0].net.mac, "RT\0\x12\x34\x56",
                        6);
    vmm_options_deinit(&options);
}

/* What is wrong with the options of a device is said. */
static void test_options__wrong_virtio_devices(void **state)
{
    static const char *const wrong[][3] = {
        {"--disk", "readonly=on", "file=PATH is missing"},
        {"--disk", "file=", "file: it is empty"},
        {"--disk", "file=a,readonly=yes", "'yes' is not one of on, off"},
        {"--disk", "file=a,colour=red", "unknown key 'colour'"},
        {"--disk", "file=a,queues=17", "'17' is not a number up to 16"},
        {"--disk", "file=a,slot=8", "'8' is not a number up to 7"},
        {"--disk", "file=a,serial=123456789012345678901", "longer than 20"},
        {"--vsock", "cid=3", "path=SOCKET is missing"},
        {"--vsock", "path=/v", "cid=N or path=SOCKET is missing"},
        {"--vsock", "cid=2,path=/v", "cid: a guest's is 3 or more"},
        {"--vsock", "cid=4294967295,path=/v", "not a number up to 4294967294"},
        {"--net", "user", "'user' is not one of tap, passt"},
        {"--net", "tap", "either ifname=NAME or fd=N"},
        {"--net", "tap,ifname=a,fd=3", "either ifname=NAME or fd=N"},
        {"--net", "passt,path=a,mac=1:2:3", "'1:2:3' is not a MAC"},
        {"--net", "passt,path=a,mac=01:00:00:00:00:00", "a group's MAC"},
        {"--virtio", "new", "'new' is not one of legacy, modern"},
        {"--virtio-console", "stdio", "is for --serial"},
    };
    struct vmm_options options;

    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        parse(&options, wrong[i][2], wrong[i][0], wrong[i][1], NULL);
        vmm_options_deinit(&options);
    }
    parse(&options, "more than 8 virtio devices", "--rng", "--rng", "--rng",
          "--rng", "--rng", "--rng", "--rng", "--rng", "--rng", NULL);
    vmm_options_deinit(&options);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_options__defaults),
        cmocka_unit_test(test_options__memory_sizes),
        cmocka_unit_test(test_options__both_dashes_and_both_value_forms),
        cmocka_unit_test(test_options__dirty_ring),
        cmocka_unit_test(test_options__what_a_reset_does),
        cmocka_unit_test(test_options__character_devices),
        cmocka_unit_test(test_options__stdio_has_one_user),
        cmocka_unit_test(test_options__uuid),
        cmocka_unit_test(test_options__machine),
        cmocka_unit_test(test_options__wrong_use_is_named),
        cmocka_unit_test(test_options__add_fd),
        cmocka_unit_test(test_options__add_fd_wrong_use),
        cmocka_unit_test(test_options__cpu),
        cmocka_unit_test(test_options__virtio_devices),
        cmocka_unit_test(test_options__wrong_virtio_devices),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

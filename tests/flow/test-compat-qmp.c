/*
 * A check before a move, over QMP: what a machine says of itself, what it
 * says of its saved file, and what would stop it from being saved.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include <godwit/godwit.h>

#include "kit-monitor.h"
#include "kit.h"

struct led {
    uint8_t on;
    uint16_t color;
    uint8_t trace[4];
};

static const struct gw_field color_fields[] = {GW_FIELD_U16(struct led, color),
                                               GW_FIELD_END};

static bool has_color(const void *state)
{
    return ((const struct led *)state)->color != 0;
}

static const struct gw_vmstate color_vmstate = {
    .name = "led/color",
    .version = 1,
    .min_version = 1,
    .needed = has_color,
    .fields = color_fields,
};
static const struct gw_vmstate *const led_subsections[] = {&color_vmstate,
                                                           NULL};
static const struct gw_field led_fields[] = {
    GW_FIELD_U8(struct led, on),
    GW_FIELD_BUFFER(struct led, trace),
    GW_FIELD_END,
};
static const struct gw_vmstate led_vmstate = {
    .name = "led",
    .version = 2,
    .min_version = 1,
    .size = sizeof(struct led),
    .fields = led_fields,
    .subsections = led_subsections,
};

struct world {
    struct kit_box box;
    struct kit_client client;
    struct led led;
};

/* The reply to a request (' for "), without the line's end. */
static const char *ask(struct world *w, const char *request)
{
    return kit_client_ask(&w->client, request);
}

static void expect(struct world *w, const char *request, const char *reply)
{
    assert_string_equal(ask(w, request), reply);
}

static int set_up(void **state)
{
    struct world *w = calloc(1, sizeof(*w));

    *state = w;
    kit_box_init(&w->box, &kit_box_still, NULL, NULL);
    assert_int_equal(gw_machine_add_device(w->box.machine, &led_vmstate, "bus",
                                           3, &w->led, NULL, NULL),
                     0);
    kit_client_attach(&w->client, w->box.control);
    expect(w, "{'execute':'qmp_capabilities'}", "{\"return\": {}}");
    return 0;
}

static int tear_down(void **state)
{
    struct world *w = *state;

    kit_box_deinit(&w->box);
    kit_client_deinit(&w->client);
    free(w);
    return 0;
}

/*
 * ---- The description ----
 */

#define DESCRIPTION_START                                                  \
    "{\"return\": {\"x-godwit-description\": 1, \"source\": \"machine\", " \
    "\"machine\": \"box\", \"status\": \"prelaunch\", "
#define DESCRIPTION_BLOCKS                                                \
    "\"blocks\": [{\"name\": \"ram\", \"used-length\": 1048576, "         \
    "\"max-length\": 1048576, \"resizeable\": false, \"shared\": false, " \
    "\"readonly\": false}], "
#define DESCRIPTION_LED                                                   \
    "{\"name\": \"led\", \"version\": 2, \"minimum-version\": 1, "        \
    "\"fields\": [{\"name\": \"on\", \"type\": \"uint8\", \"size\": 1}, " \
    "{\"name\": \"trace\", \"type\": \"buffer\", \"size\": 4}], "         \
    "\"subsections\": [{\"name\": \"led/color\", \"version\": 1, "        \
    "\"minimum-version\": 1, \"conditional\": true, \"fields\": "         \
    "[{\"name\": \"color\", \"type\": \"uint16\", \"size\": 2}]}]}"

static void expect_part(const char *text, const char *part)
{
    if (!strstr(text, part)) {
        fail_msg("'%s' is not in: %s", part, text);
    }
}

static void test_compat__a_machine_describes_itself(void **state)
{
    static const uint8_t uuid[16] = {0x00, 0x11, 0x22, 0x33, 0x44, 0x55,
                                     0x66, 0x77, 0x88, 0x99, 0xaa, 0xbb,
                                     0xcc, 0xdd, 0xee, 0xff};
    const struct gw_cpuid_leaf leaf = {1, 0, 2, 3, 4, UINT32_MAX};
    struct world *w = *state;
    const char *text;

    text = ask(w, "{'execute':'x-query-machine-description'}");
    assert_int_equal(strncmp(text, DESCRIPTION_START DESCRIPTION_BLOCKS,
                             strlen(DESCRIPTION_START DESCRIPTION_BLOCKS)),
                     0);
    expect_part(text, DESCRIPTION_LED);
    expect_part(text, "\"devices\": [{\"name\": \"bus/led\", \"instance\": 3, "
                      "\"vmstate\": 0}, {\"name\": \"globalstate\"");
    expect_part(text, "\"blockers\": []");
    expect_part(text, "\"mapped-ram\": false");
    assert_null(strstr(text, " \"uuid\":"));
    assert_null(strstr(text, "cpuid"));

    gw_machine_set_uuid(w->box.machine, uuid);
    assert_int_equal(gw_machine_set_cpuid(w->box.machine, &leaf, 1), 0);
    assert_non_null(gw_machine_block(w->box.machine, "a disk"));
    text = ask(w, "{'execute':'x-query-machine-description'}");
    expect_part(text, "\"uuid\": \"00112233-4455-6677-8899-aabbccddeeff\"");
    expect_part(text, "\"blockers\": [\"a disk\"]");
    expect_part(text, "\"cpuid\": [{\"leaf\": 1, \"subleaf\": 0, \"eax\": 2, "
                      "\"ebx\": 3, \"ecx\": 4, \"edx\": 4294967295}]");
    assert_int_equal(gw_machine_set_cpuid(w->box.machine, NULL, 0), 0);
    assert_null(
        strstr(ask(w, "{'execute':'x-query-machine-description'}"), "cpuid"));
}

static struct gw_compat_machine *describe(struct world *w)
{
    const char *text = ask(w, "{'execute':'x-query-machine-description'}");
    struct gw_compat_machine *machine = NULL;

    assert_int_equal(
        gw_compat_machine_parse(text, strlen(text), &machine, NULL), 0);
    return machine;
}

/* Remarks but that the CPU is not known, which is always the last here. */
static void expect_fits(const struct gw_compat_machine *a,
                        const struct gw_compat_machine *b)
{
    struct gw_compat_report *report = NULL;
    const struct gw_compat_remark *remark;
    size_t i;

    assert_int_equal(gw_compat_check(a, b, &report, NULL), 0);
    for (i = 0; (remark = gw_compat_report_remark(report, i)); i++) {
        if (remark->subject != GW_COMPAT_ABOUT_CPU) {
            fail_msg("%s", remark->text);
        }
    }
    assert_int_equal(i, 1);
    gw_compat_report_free(report);
}

static void save(struct world *w, bool mapped)
{
    struct gw_settings settings;
    char uri[128];

    snprintf(uri, sizeof(uri), "file:%s", w->box.path);
    assert_int_equal(gw_settings_init(&settings), 0);
    settings.capabilities[GW_CAP_MAPPED_RAM] = mapped;
    assert_int_equal(gw_save(w->box.machine, uri, &settings, NULL), 0);
    gw_settings_deinit(&settings);
}

static void check_saved(struct world *w, bool mapped)
{
    struct gw_compat_machine *live = NULL, *file = NULL;

    w->led.color = 7; /* so that the subsection is sent */
    save(w, mapped);
    assert_int_equal(gw_compat_machine_read(w->box.path, 0, &file, NULL), 0);
    assert_int_equal(gw_compat_machine_source(file), GW_COMPAT_FILE);
    assert_string_equal(gw_compat_machine_name(file), "box");
    live = describe(w);
    assert_int_equal(gw_compat_machine_source(live), GW_COMPAT_MACHINE);
    expect_fits(live, live);
    expect_fits(live, file);
    expect_fits(file, live);
    expect_fits(file, file);
    gw_compat_machine_free(live);
    gw_compat_machine_free(file);
}

static void test_compat__a_machine_fits_its_file(void **state)
{
    check_saved(*state, false);
}

static void test_compat__a_machine_fits_its_mapped_file(void **state)
{
    struct world *w = *state;

    expect(w,
           "{'execute':'migrate-set-capabilities','arguments':{'capabilities':"
           "[{'capability':'mapped-ram','state':true}]}}",
           "{\"return\": {}}");
    check_saved(w, true);
}

/*
 * ---- What would stop it ----
 */

/* A %s in the URI is the test's folder. */
static const char *check_uri(struct world *w, const char *uri)
{
    const char *at = strstr(uri, "%s");
    char request[256];

    snprintf(request, sizeof(request),
             "{'execute':'x-migrate-check','arguments':{'uri':'%.*s%s%s'}}",
             at ? (int)(at - uri) : (int)strlen(uri), uri, at ? w->box.dir : "",
             at ? at + 2 : "");
    return ask(w, request);
}

static void test_check__nothing_would(void **state)
{
    struct world *w = *state;

    assert_string_equal(check_uri(w, "file:%s/a.mig"), "{\"return\": []}");
    assert_int_equal(kit_directory_count(w->box.dir), 0);
    assert_int_equal(gw_machine_run_state(w->box.machine),
                     GW_RUN_STATE_PRELAUNCH);
}

static void test_check__an_existing_file_stays_as_it_is(void **state)
{
    struct world *w = *state;
    struct stat before, after;

    save(w, false);
    assert_int_equal(stat(w->box.path, &before), 0);
    expect_part(check_uri(w, "file:%s/a.mig,offset=4096"), "return");
    expect_part(check_uri(w, "file:%s/a.mig"), "return");
    assert_int_equal(stat(w->box.path, &after), 0);
    assert_int_equal(before.st_size, after.st_size);
    assert_int_equal(before.st_ino, after.st_ino);
    assert_int_equal(before.st_mtim.tv_nsec, after.st_mtim.tv_nsec);
    assert_int_equal(kit_directory_count(w->box.dir), 1);
}

static void test_check__all_reasons_are_told(void **state)
{
    struct world *w = *state;

    assert_non_null(gw_machine_block(w->box.machine, "one"));
    assert_non_null(gw_machine_block(w->box.machine, "two"));
    expect(w,
           "{'execute':'migrate-set-parameters','arguments':{'direct-io':"
           "true}}",
           "{\"return\": {}}");
    assert_string_equal(
        check_uri(w, "file:/nosuch/a"),
        "{\"return\": [\"one\", \"two\", \"parameter 'direct-io' needs the "
        "capability 'mapped-ram'\", \"Could not create '/nosuch/a': No such "
        "file or directory\"]}");
}

static void test_check__addresses(void **state)
{
    struct world *w = *state;

    assert_string_equal(check_uri(w, "tcp:h:1"),
                        "{\"return\": [\"migration over 'tcp' is not supported "
                        "yet\"]}");
    assert_string_equal(check_uri(w, "foo:bar"),
                        "{\"return\": [\"unknown migration protocol: "
                        "foo:bar\"]}");
    assert_string_equal(check_uri(w, "fd:none"),
                        "{\"return\": [\"File descriptor named 'none' has not "
                        "been found\"]}");
    assert_string_equal(check_uri(w, "file:/dev/fdset/9"),
                        "{\"return\": [\"Failed to find fdset "
                        "/dev/fdset/9\"]}");
    expect_part(check_uri(w, "file:%s"), ": Is a directory\"]}");
    expect(w, "{'execute':'x-migrate-check'}",
           "{\"return\": [\"need either 'uri' or 'channels' argument\"]}");
    expect(w,
           "{'execute':'x-migrate-check','arguments':{'uri':'file:a','x':1}}",
           "{\"error\": {\"class\": \"GenericError\", \"desc\": \"Parameter "
           "'x' is unexpected\"}}");
}

static void test_check__run_states(void **state)
{
    struct world *w = *state;

    save(w, false);
    assert_string_equal(check_uri(w, "file:%s/b.mig"),
                        "{\"return\": [\"Can't migrate the vm that was paused "
                        "due to previous migration\"]}");
}

static void keep_reason(void *opaque, const char *reason)
{
    snprintf(opaque, 256, "%s", reason);
}

static void test_check__descriptors(void **state)
{
    struct world *w = *state;
    struct gw_address address = {.transport = GW_TRANSPORT_FD};
    struct gw_settings settings;
    char name[16], reason[256] = "";
    int fds[2];

    assert_int_equal(gw_settings_init(&settings), 0);
    assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
    address.fd_name = name;
    snprintf(name, sizeof(name), "%d", fds[1]);
    assert_int_equal(gw_migration_check(w->box.machine, &address, &settings,
                                        NULL, keep_reason, reason),
                     0);
    settings.capabilities[GW_CAP_MAPPED_RAM] = true;
    assert_int_equal(gw_migration_check(w->box.machine, &address, &settings,
                                        NULL, keep_reason, reason),
                     1);
    assert_string_equal(reason,
                        "Migration requires seekable transport (e.g. file)");
    snprintf(name, sizeof(name), "%d", fds[0]);
    assert_int_equal(gw_migration_check(w->box.machine, &address, &settings,
                                        NULL, keep_reason, reason),
                     1);
    expect_part(reason, "is not open for writing");
    close(fds[0]);
    close(fds[1]);
    gw_settings_deinit(&settings);
}

static void test_check__room_for_what_was_touched(void **state)
{
    struct world *w = *state;
    const char *reply;

    if (mount("tmpfs", w->box.dir, "tmpfs", 0, "size=65536") < 0) {
        print_message("# a file system cannot be mounted here: %s\n",
                      strerror(errno));
        skip();
    }
    /* Nothing was touched: there is room for it. */
    assert_string_equal(check_uri(w, "file:%s/a.mig"), "{\"return\": []}");
    memset(gw_ram_block_host(w->box.ram), 1, KIT_BOX_RAM_SIZE / 2);
    reply = check_uri(w, "file:%s/a.mig");
    assert_int_equal(umount(w->box.dir), 0);
    assert_string_equal(reply,
                        "{\"return\": [\"up to 524288 bytes of RAM are to be "
                        "saved, and there is room for 65536\"]}");
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_compat__a_machine_describes_itself),
        TEST(test_compat__a_machine_fits_its_file),
        TEST(test_compat__a_machine_fits_its_mapped_file),
        TEST(test_check__nothing_would),
        TEST(test_check__an_existing_file_stays_as_it_is),
        TEST(test_check__all_reasons_are_told),
        TEST(test_check__addresses),
        TEST(test_check__run_states),
        TEST(test_check__descriptors),
        TEST(test_check__room_for_what_was_touched),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

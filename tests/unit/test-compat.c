/*
 * Comparing descriptions of machines: each kind of difference, in both
 * directions, and texts that are refused.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <godwit/compat.h>

#include "base/buffer.h"
#include "base/cleanup.h"

/* A text with ' for ", so that it can be read. */
static struct gw_compat_machine *parse(const char *text)
{
    GW_AUTO_ERROR struct gw_error *error = NULL;
    GW_AUTO_FREE char *copy = strdup(text);
    struct gw_compat_machine *machine = NULL;
    char *at;

    for (at = copy; *at; at++) {
        *at = *at == '\'' ? '"' : *at;
    }
    if (gw_compat_machine_parse(copy, strlen(copy), &machine, &error) < 0) {
        fail_msg("%s", gw_error_text(error));
    }
    return machine;
}

static const char *sign_of(const struct gw_compat_remark *remark)
{
    static const char *const signs[] = {"!", "~", "?"};

    return signs[remark->grade];
}

/* All remarks as lines: ! stops, ~ differs, ? not known. malloc'ed. */
static char *check(const char *from, const char *to, bool *ret_fits)
{
    struct gw_compat_machine *a = parse(from), *b = parse(to);
    const struct gw_compat_remark *remark;
    struct gw_compat_report *report = NULL;
    struct gw_buffer text = {0};
    size_t i;

    assert_int_equal(gw_compat_check(a, b, &report, NULL), 0);
    for (i = 0; (remark = gw_compat_report_remark(report, i)); i++) {
        gw_buffer_printf(&text, "%s %s\n", sign_of(remark), remark->text);
    }
    gw_buffer_put_u8(&text, 0);
    *ret_fits = gw_compat_report_fits(report);
    gw_compat_report_free(report);
    gw_compat_machine_free(a);
    gw_compat_machine_free(b);
    return (char *)text.data;
}

static void expect(const char *from, const char *to, const char *wanted)
{
    bool fits;
    GW_AUTO_FREE char *found = check(from, to, &fits);

    assert_string_equal(found, wanted);
    assert_int_equal(fits, strchr(wanted, '!') == NULL);
}

/*
 * A machine whose CPU and devices are known, so that nothing is said of that;
 * members given count, not those here.
 */
#define DESCRIPTION(source, members)                              \
    "{'x-godwit-description':1,'source':'" source "','machine':'" \
    "m','cpuid':[],'devices':[]," members "}"
#define MACHINE(members) DESCRIPTION("machine", members)
#define SAVED(members) DESCRIPTION("file", members)

#define DEVICES(list, tables) \
    "'blocks':[],'vmstates':[" tables "],'devices':[" list "]"
#define D0 "{'name':'d','instance':0,'vmstate':0}"
#define D1 "{'name':'d','instance':1,'vmstate':0}"
/* One device `d` with these members of its table. */
#define TABLE(members) DEVICES(D0, "{'name':'d'," members "}")
#define FIELDS(list) \
    TABLE("'version':1,'minimum-version':1,'fields':[" list "]")
#define F(name, type, size) \
    "{'name':'" name "','type':'" type "','size':" size "}"

static void test_compat__equal_machines_fit(void **state)
{
    (void)state;
    expect(MACHINE(FIELDS(F("x", "uint32", "4"))),
           MACHINE(FIELDS(F("x", "uint32", "4"))), "");
}

static void test_compat__machine_type(void **state)
{
    const char *a =
        "{'x-godwit-description':1,'source':'machine','machine':'one',"
        "'cpuid':[],'devices':[],'blocks':[]}";
    const char *b =
        "{'x-godwit-description':1,'source':'machine','machine':'two',"
        "'cpuid':[],'devices':[],'blocks':[]}";

    (void)state;
    expect(a, b,
           "! machine type is 'one' at the source, 'two' at the "
           "destination\n");
    expect(b, a,
           "! machine type is 'two' at the source, 'one' at the "
           "destination\n");
}

static void test_compat__blockers_of_the_source_alone(void **state)
{
    const char *blocked = MACHINE("'blocks':[],'blockers':['a disk']");
    const char *plain = MACHINE("'blocks':[]");

    (void)state;
    expect(blocked, plain, "! the source cannot move: a disk\n");
    expect(plain, blocked, "");
}

/*
 * ---- RAM ----
 */

#define BLOCK(name, used, rest) \
    "{'name':'" name "','used-length':" used rest "}"

static void test_compat__ram_blocks_missing_and_extra(void **state)
{
    const char *one = MACHINE("'blocks':[" BLOCK("a", "4096", "") "]");
    const char *two = MACHINE(
        "'blocks':[" BLOCK("a", "4096", "") "," BLOCK("b", "8192", "") "]");
    const char *file = SAVED(
        "'blocks':[" BLOCK("a", "4096", "") "," BLOCK("b", "8192", "") "]");

    (void)state;
    expect(two, one,
           "! RAM block 'b' (8192 bytes) is unknown to the destination\n");
    /* godwit's loader wants all of its blocks; of others it is not known. */
    expect(one, two,
           "! RAM block 'b' of the destination is missing at the source\n");
    expect(one, file,
           "~ RAM block 'b' of the destination is missing at the source\n");
}

static void test_compat__ram_block_sizes(void **state)
{
    const char *small = MACHINE("'blocks':[" BLOCK("a", "4096", "") "]");
    const char *large = MACHINE("'blocks':[" BLOCK("a", "8192", "") "]");
    const char *fits = MACHINE("'blocks':[" BLOCK(
        "a", "4096", ",'max-length':8192,'resizeable':true") "]");
    const char *short_of = MACHINE("'blocks':[" BLOCK(
        "a", "4096", ",'max-length':8191,'resizeable':true") "]");

    (void)state;
    expect(large, small,
           "! RAM block 'a' has 8192 bytes at the source, 4096 at the "
           "destination\n");
    expect(small, large,
           "! RAM block 'a' has 4096 bytes at the source, 8192 at the "
           "destination\n");
    expect(large, fits, "");
    expect(large, short_of,
           "! RAM block 'a' has 8192 bytes at the source, at most 8191 at the "
           "destination\n");
}

static void test_compat__roms_of_a_file_may_be_resizeable(void **state)
{
    (void)state;
    expect(MACHINE("'blocks':[" BLOCK("/rom@t", "4096", "") "]"),
           SAVED("'blocks':[" BLOCK("/rom@t", "8192", "") "]"),
           "? whether RAM block '/rom@t', of 8192 bytes at the destination, "
           "takes the source's 4096\n");
}

/*
 * ---- Devices ----
 */

#define T "{'name':'d','version':1,'minimum-version':1,'fields':[]}"
#define T_NEEDED                                                      \
    "{'name':'d','version':1,'minimum-version':1,'conditional':true," \
    "'fields':[]}"

static void test_compat__devices_missing_and_extra(void **state)
{
    const char *none = MACHINE("'blocks':[]");
    const char *one = MACHINE(DEVICES(D0, T));

    (void)state;
    expect(one, none,
           "! device 'd' instance 0 is unknown to the destination\n");
    expect(none, one,
           "! device 'd' instance 0 of the destination is missing at the "
           "source\n");
    expect(none, SAVED(DEVICES(D0, T)),
           "~ device 'd' instance 0 of the destination is missing at the "
           "source\n");
}

static void test_compat__instances(void **state)
{
    (void)state;
    expect(MACHINE(DEVICES(D0 "," D1, T)), MACHINE(DEVICES(D0, T)),
           "! device 'd' instance 1 is unknown to the destination, which has "
           "1 of it\n");
}

#define TRAITS(list)                                                     \
    DEVICES("{'name':'d','instance':0,'vmstate':0,'traits':[" list "]}", \
            "{'name':'d','version':1,'minimum-version':1,'fields':["     \
            "]}")
#define TRAIT(name, rule, value) \
    "{'name':'" name "','rule':'" rule "','value':" value "}"

static void test_compat__traits(void **state)
{
    const char *one = MACHINE(TRAITS(TRAIT("size", "at-least", "100") "," TRAIT(
        "kind", "same", "1") "," TRAIT("bits", "all-bits", "12")));
    const char *two = MACHINE(TRAITS(TRAIT("bits", "all-bits", "6") "," TRAIT(
        "size", "at-least", "99") "," TRAIT("kind", "same", "2")));

    (void)state;
    expect(one, one, "");
    expect(one, two,
           "! device 'd': size is 100 at the source, only 99 at the "
           "destination\n"
           "! device 'd': kind is 1 at the source, 2 at the destination\n"
           "! device 'd': bits 0x8 of the source are missing at the "
           "destination\n");
    expect(two, one,
           "! device 'd': bits 0x2 of the source are missing at the "
           "destination\n"
           "! device 'd': kind is 2 at the source, 1 at the destination\n");
    /* What one side does not state is not compared. */
    expect(MACHINE(TRAITS(TRAIT("size", "same", "1"))),
           MACHINE(TRAITS(TRAIT("kind", "same", "1"))), "");
    expect(one, MACHINE(TRAITS("")), "");
    expect(MACHINE(TRAITS("")), one, "");
}

static void test_compat__devices_that_are_not_always_sent(void **state)
{
    const char *none = MACHINE("'blocks':[]");
    const char *one = MACHINE(DEVICES(D0, T_NEEDED));

    (void)state;
    expect(one, none,
           "~ device 'd' instance 0 is unknown to the destination; it is sent "
           "only if it is needed\n");
    expect(none, one, "");
}

static void test_compat__versions(void **state)
{
    const char *v1 = MACHINE(TABLE("'version':1,'minimum-version':1,"
                                   "'fields':[]"));
    const char *v3 = MACHINE(TABLE("'version':3,'minimum-version':2,"
                                   "'fields':[]"));
    const char *file = SAVED(TABLE("'version':3,'fields':[]"));

    (void)state;
    expect(v3, v1,
           "! device 'd': version 3 is too new, the destination has "
           "version 1\n");
    expect(v1, v3,
           "! device 'd': version 1 is too old, the oldest that the "
           "destination reads is 2\n");
    expect(v1, file,
           "? whether a destination with version 3 of device 'd' reads "
           "version 1: a saved file does not say it\n");
}

/*
 * ---- Fields ----
 */

static void test_compat__field_sizes(void **state)
{
    const char *two = MACHINE(FIELDS(F("x", "uint16", "2")));
    const char *four = MACHINE(FIELDS(F("x", "uint32", "4")));

    (void)state;
    expect(two, four,
           "! device 'd': field 'x' has 2 bytes at the source, 4 at "
           "the destination\n");
    expect(four, two,
           "! device 'd': field 'x' has 4 bytes at the source, 2 at "
           "the destination\n");
}

static void test_compat__element_counts(void **state)
{
#define X(rest) "{'name':'x','type':'uint8','size':1" rest "}"
    const char *three = MACHINE(FIELDS(X(",'count':3")));
    const char *four = MACHINE(FIELDS(X(",'count':4")));
    const char *some = MACHINE(FIELDS(X(",'count':4,'variable':true")));

    (void)state;
    expect(three, four,
           "! device 'd': field 'x' has 3 elements at the source, "
           "4 at the destination\n");
    expect(three, some, "");
    expect(some, three, "");
}

static void test_compat__fields_missing_and_extra(void **state)
{
    const char *a =
        MACHINE(FIELDS(F("x", "uint8", "1") "," F("z", "uint8", "1")));
    const char *b = MACHINE(FIELDS(F("x", "uint8", "1") "," F(
        "y", "uint32", "4") "," F("z", "uint8", "1")));

    (void)state;
    expect(a, b,
           "! device 'd': the destination expects field 'y', which the "
           "source does not send\n");
    expect(b, a,
           "! device 'd': field 'y' of the source is unknown to the "
           "destination\n");
}

static void test_compat__fields_of_later_versions_are_left_out(void **state)
{
    const char *v1 = MACHINE(TABLE(
        "'version':1,'minimum-version':1,'fields':[" F("x", "uint8", "1") "]"));
    const char *v2 =
        MACHINE(TABLE("'version':2,'minimum-version':1,'fields':[" F(
            "x", "uint8", "1") ",{'name':'y','type':'uint8','size':1,"
                               "'since':2}]"));

    (void)state;
    expect(v1, v2, "");
}

static void test_compat__conditional_fields(void **state)
{
#define Y "{'name':'y','type':'uint32','size':4,'conditional':true}"
    const char *a = MACHINE(FIELDS(F("x", "uint8", "1")));
    const char *b = MACHINE(FIELDS(F("x", "uint8", "1") "," Y));

    (void)state;
    expect(a, b, "");
    expect(b, a,
           "~ device 'd': field 'y' of the source is unknown to the "
           "destination\n");
}

/* One of several of a name: a file numbers them, a table has conditions. */
static void test_compat__alternatives(void **state)
{
    const char *file = SAVED(FIELDS(F("o[1]", "uint32", "4")));
    const char *table = MACHINE(
        FIELDS("{'name':'o','type':'uint16','size':2,'conditional':true}," F(
            "o", "uint32", "4")));

    (void)state;
    expect(file, table, "");
}

static void test_compat__names_are_not_in_the_stream(void **state)
{
    const char *nested = MACHINE(FIELDS(
        "{'name':'state','type':'struct','struct':{'name':'s','version':1,"
        "'fields':[" F("x", "uint8", "1") "," F("y", "uint16", "2") "]}}"));
    const char *flat =
        MACHINE(FIELDS(F("x", "uint8", "1") "," F("other", "uint16", "2")));
    const char *less = MACHINE(FIELDS(F("x", "uint8", "1")));

    (void)state;
    expect(nested, flat, "");
    expect(flat, nested, "");
    expect(nested, less,
           "! device 'd': field 'state.y' of the source is "
           "unknown to the destination\n");
}

static void test_compat__unused_bytes_stand_for_fields(void **state)
{
    const char *unused = MACHINE(
        FIELDS(F("unused", "unused_buffer", "6") "," F("z", "uint8", "1")));
    const char *fields = MACHINE(FIELDS(F("x", "uint16", "2") "," F(
        "y", "uint32", "4") "," F("z", "uint8", "1")));
    const char *more =
        MACHINE(FIELDS(F("x", "uint64", "8") "," F("z", "uint8", "1")));

    (void)state;
    expect(unused, fields, "");
    expect(fields, unused, "");
    expect(unused, more,
           "! device 'd': the source sends field 'unused' where "
           "the destination expects 'x'\n");
}

static void test_compat__fields_of_a_saved_destination(void **state)
{
    const char *a =
        MACHINE(FIELDS(F("x", "uint8", "1") "," F("y", "uint8", "1")));
    const char *b = SAVED(FIELDS(F("x", "uint8", "1")));

    (void)state;
    expect(a, b,
           "~ device 'd': field 'y' of the source is not in the "
           "destination's file\n");
}

/*
 * ---- Subsections ----
 */

#define SUB(rest)                                        \
    TABLE("'version':1,'minimum-version':1,'fields':[]," \
          "'subsections':[{'name':'d/s'," rest "}]")

/* QEMU's virtio devices: one field, as long as the state makes it. */
static void test_compat__opaque_fields(void **state)
{
    const char *opaque = SAVED(FIELDS(F("virtio", "virtio", "139")));
    const char *longer = SAVED(FIELDS(F("virtio", "virtio", "4277")));
    const char *told =
        MACHINE(FIELDS(F("a", "uint32", "4") "," F("b", "uint8", "1")));

    (void)state;
    expect(opaque, told, "? the fields of device 'd' at the source\n");
    expect(told, opaque, "? the fields of device 'd' at the destination\n");
    expect(opaque, longer, "? the fields of device 'd' at the destination\n");
    /* The name alone does not make it so. */
    expect(
        SAVED(FIELDS(F("virtio", "uint32", "4") "," F("x", "uint8", "1"))),
        MACHINE(FIELDS(F("virtio", "uint32", "4") "," F("x", "uint16", "2"))),
        "! device 'd': field 'x' has 1 bytes at the source, 2 at the "
        "destination\n");
}

static void test_compat__subsections(void **state)
{
    const char *none = MACHINE(FIELDS(""));
    const char *sent =
        SAVED(SUB("'version':1,'fields':[" F("x", "uint8", "1") "]"));
    const char *v2 = SAVED(SUB("'version':2,'fields':[]"));
    const char *may =
        MACHINE(SUB("'version':1,'minimum-version':1,"
                    "'conditional':true,'fields':[" F("x", "uint16", "2") "]"));

    (void)state;
    expect(sent, none,
           "! device 'd': subsection 'd/s' is unknown to the destination\n");
    expect(may, none,
           "~ device 'd': subsection 'd/s', which the source sends only if it "
           "is needed, is unknown to the destination\n");
    expect(none, may, "");
    expect(sent, may,
           "! device 'd': field 'd/s.x' has 1 bytes at the source, "
           "2 at the destination\n");
    expect(v2, may,
           "! device 'd', subsection 'd/s': version 2 is too new, the "
           "destination has version 1\n");
    expect(may, SAVED(FIELDS("")),
           "? which subsections the destination knows beside those that were "
           "needed in its file\n");
}

/*
 * ---- CPU, capabilities, UUID ----
 */

#define CPU(leaves)                                               \
    "{'x-godwit-description':1,'source':'machine','machine':'m'," \
    "'blocks':[],'devices':[],'cpuid':[" leaves "]}"
#define LEAF(leaf, ebx, ecx)                                                  \
    "{'leaf':" leaf ",'subleaf':0,'eax':0,'ebx':" ebx ",'ecx':" ecx ",'edx':" \
    "0}"

static void test_compat__cpu_features(void **state)
{
    /* Bit 5 of 7.ebx is avx2; bit 2 has no name here. */
    const char *with = CPU(LEAF("1", "0", "0") "," LEAF("7", "36", "0"));
    const char *without = CPU(LEAF("1", "0", "0"));

    (void)state;
    expect(with, without,
           "! CPU feature (CPUID 0x7.0, bit 2 of ebx) of the source is "
           "missing at the destination\n"
           "! CPU feature avx2 (CPUID 0x7.0, bit 5 of ebx) of the source is "
           "missing at the destination\n");
    expect(without, with, "");
}

static void test_compat__cpu_bits_that_are_no_features(void **state)
{
    /* OSXSAVE follows CR4; 1.ebx has the APIC id. */
    (void)state;
    expect(CPU(LEAF("1", "16777216", "134217728")), CPU(LEAF("1", "0", "0")),
           "");
    /* AMD's manual: 8000_0001.edx repeats bits 0-9, 12-17, 23, 24 of 1.edx. */
    expect(CPU("{'leaf':2147483649,'subleaf':0,'edx':25424895}"), CPU(""), "");
    expect(CPU("{'leaf':2147483649,'subleaf':0,'edx':536870912}"), CPU(""),
           "! CPU feature lm (CPUID 0x80000001.0, bit 29 of edx) of the source "
           "is missing at the destination\n");
}

/* EFER.SVME and CR4.VMXE are in the stream. */
static void test_compat__nested_virtualisation(void **state)
{
    (void)state;
    expect(CPU("{'leaf':2147483649,'subleaf':0,'ecx':4}," LEAF("1", "0", "32")),
           CPU(""),
           "~ CPU feature vmx (CPUID 0x1.0, bit 5 of ecx) of the source is "
           "missing at the destination, which refuses a guest that has guests "
           "of its own\n"
           "~ CPU feature svm (CPUID 0x80000001.0, bit 2 of ecx) of the source "
           "is missing at the destination, which refuses a guest that has "
           "guests of its own\n");
}

static void test_compat__cpu_not_known(void **state)
{
    const char *no = "{'x-godwit-description':1,'source':'file',"
                     "'machine':'m','devices':[],'blocks':[]}";

    (void)state;
    expect(no, CPU(""), "? the CPU features of the source\n");
    expect(CPU(""), no, "? the CPU features of the destination\n");
    expect(no, no, "? the CPU features of the source and the destination\n");
}

#define CAPABILITIES(mapped, shared)                   \
    "'blocks':[],'capabilities':{'mapped-ram':" mapped \
    ",'x-ignore-shared':" shared "}"

static void test_compat__capabilities(void **state)
{
    const char *off = MACHINE(CAPABILITIES("false", "false"));
    const char *on = MACHINE(CAPABILITIES("true", "false"));
    const char *shared = SAVED(CAPABILITIES("false", "true"));

    (void)state;
    expect(on, off,
           "! capability 'mapped-ram' is on at the source, off at the "
           "destination: set it there\n");
    expect(off, on,
           "! capability 'mapped-ram' is off at the source, on at the "
           "destination: set it there\n");
    expect(shared, off,
           "! capability 'x-ignore-shared' is on at the source, "
           "off at the destination: set it there\n");
    /* How a file was saved says nothing of what would be loaded. */
    expect(on, SAVED(CAPABILITIES("false", "false")), "");
    expect(on, MACHINE("'blocks':[]"),
           "? whether 'mapped-ram', which the source has on, is on at the "
           "destination\n");
}

#define UUID(last, validates)                                     \
    "'blocks':[],'uuid':'00112233-4455-6677-8899-aabbccddee" last \
    "','capabilities':{'validate-uuid':" validates "}"

static void test_compat__uuid(void **state)
{
    const char *a = MACHINE(UUID("ff", "false"));
    const char *strict = MACHINE(UUID("ff", "true"));
    const char *b = MACHINE(UUID("00", "false"));

    (void)state;
    expect(a, b,
           "~ the machines have different UUIDs, which are not compared "
           "unless 'validate-uuid' is on\n");
    expect(strict, b,
           "! the machines have different UUIDs, and "
           "'validate-uuid' is on\n");
    expect(strict, a, "");
}

/*
 * ---- -dump-vmstate ----
 */

#define DUMP(types) "{'vmschkmachine':{'Name':'m'}" types "}"
#define TYPE(type, name, version, oldest, fields)                   \
    ",'" type "':{'Name':'" type "','version_id':" version          \
    ",'minimum_version_id':" oldest ",'Description':{'name':'" name \
    "','version_id':" version ",'minimum_version_id':" oldest       \
    ",'Fields':[" fields "]}}"
#define DF(name, size) \
    "{'field':'" name "','version_id':0,'field_exists':false,'size':" size "}"
#define NO_RAM "? the RAM blocks of the destination\n"
#define WHICH_B                                                            \
    "? which devices the destination has: -dump-vmstate lists every type " \
    "that the program knows\n"
#define NO_CPU "? the CPU features of the destination\n"

static void test_compat__dump_as_destination(void **state)
{
    const char *file = SAVED(FIELDS(F("x", "uint32", "4")));

    (void)state;
    /* By the name of the vmstate, not of the type; any that fits. */
    expect(file,
           DUMP(TYPE("t-old", "d", "1", "1", DF("x", "2"))
                    TYPE("t", "d", "2", "1", DF("x", "4"))),
           NO_RAM WHICH_B NO_CPU);
    expect(file, DUMP(TYPE("t", "e", "2", "1", "")),
           "! device 'd' instance 0 is unknown to the destination's "
           "program\n" NO_RAM WHICH_B NO_CPU);
    expect(file, DUMP(TYPE("t", "d", "3", "2", "")),
           "! device 'd': version 1 is too old, the oldest that the "
           "destination reads is 2\n" NO_RAM WHICH_B NO_CPU);
    expect(file, DUMP(TYPE("t", "d", "1", "1", DF("x", "2"))),
           "! device 'd': field 'x' has 4 bytes at the source, 2 at the "
           "destination\n" NO_RAM WHICH_B NO_CPU);
}

static void test_compat__dump_does_not_list_everything(void **state)
{
    (void)state;
    expect(SAVED(DEVICES("{'name':'timer','instance':0,'vmstate':0}",
                         "{'name':'timer','version':2,'fields':[]}")),
           DUMP(""),
           NO_RAM WHICH_B
           "? whether the destination reads section 'timer', which "
           "-dump-vmstate does not list\n" NO_CPU);
}

static void test_compat__dump_as_source(void **state)
{
    const char *dump = DUMP(TYPE("t", "d", "1", "1", DF("x", "4")));

    (void)state;
    expect(dump, MACHINE(FIELDS(F("x", "uint16", "2"))),
           "! device 'd': field 'x' has 4 bytes at the source, 2 at the "
           "destination\n"
           "? the RAM blocks of the source\n"
           "? which devices the source has: -dump-vmstate lists every type "
           "that the program knows\n"
           "? the CPU features of the source\n");
}

static void test_compat__two_dumps(void **state)
{
    const char *both = "? the RAM blocks of the source and the destination\n"
                       "? which devices the machines have: -dump-vmstate "
                       "lists every type that the program knows\n"
                       "? the CPU features of the source and the "
                       "destination\n";
    GW_AUTO_FREE char *wanted = NULL;

    (void)state;
    assert_true(asprintf(&wanted,
                         "~ device type 't' is unknown to the destination's "
                         "program: a machine that has one cannot move\n%s",
                         both) > 0);
    expect(DUMP(TYPE("t", "d", "1", "1", "")), DUMP(""), wanted);
    expect(DUMP(""), DUMP(TYPE("t", "d", "1", "1", "")), both);
}

/*
 * ---- A QEMU that was asked ----
 */

#define QEMU(members) DESCRIPTION("qemu", members)
/* A table of which only the version is known. */
#define Q(version) "{'name':'d','version':" version "}"
#define NO_FIELDS(side)                                                       \
    "? the fields of devices at the " side ": QEMU does not tell them while " \
    "it runs\n"

/* It lets a device be as it was reset for which nothing comes. */
static void test_compat__qemu_as_destination(void **state)
{
    const char *two = QEMU(DEVICES(D0 "," D1, Q("1")));

    (void)state;
    expect(MACHINE(DEVICES(D0 "," D1, T)), two, NO_FIELDS("destination"));
    expect(MACHINE(DEVICES(D0, T)), two,
           "~ device 'd' instance 1 of the destination is missing at the "
           "source\n" NO_FIELDS("destination"));
    expect(two, QEMU(DEVICES(D0, Q("1"))),
           "! device 'd' instance 1 is unknown to the destination, which has 1 "
           "of it\n" NO_FIELDS("destination"));
}

static void test_compat__qemu_as_source(void **state)
{
    const char *one = QEMU(DEVICES(D0, Q("1")));

    (void)state;
    expect(one, MACHINE(DEVICES(D0, T)), NO_FIELDS("source"));
    expect(one, MACHINE(DEVICES(D0 "," D1, T)),
           "! device 'd' instance 1 of the destination is missing at the "
           "source\n" NO_FIELDS("source"));
}

static void test_compat__versions_of_qemu(void **state)
{
    (void)state;
    expect(QEMU(DEVICES(D0, Q("3"))), QEMU(DEVICES(D0, Q("2"))),
           "! device 'd': version 3 is too new, the destination has version "
           "2\n");
    expect(QEMU(DEVICES(D0, Q("2"))), QEMU(DEVICES(D0, Q("3"))),
           "? whether a destination with version 3 of device 'd' reads version "
           "2: QEMU does not say it\n");
}

static void test_compat__qemu_that_does_not_tell_its_devices(void **state)
{
    const char *quiet = "{'x-godwit-description':1,'source':'qemu',"
                        "'machine':'m','blocks':[],'cpuid':[]}";

    (void)state;
    expect(MACHINE(DEVICES(D0, T)), quiet,
           "? the devices of the destination\n");
    expect(quiet, MACHINE(DEVICES(D0, T)), "? the devices of the source\n");
    expect(quiet, quiet, "? the devices of the source and the destination\n");
}

/* Its list of RAM does not say which blocks may change. */
static void test_compat__roms_of_qemu_may_be_resizeable(void **state)
{
    (void)state;
    expect(MACHINE("'blocks':[" BLOCK("/rom@a", "4096", "") "]"),
           QEMU("'blocks':[" BLOCK("/rom@a", "8192", ",'max-length':8192") "]"),
           "");
    expect(
        MACHINE("'blocks':[" BLOCK("/rom@a", "16384", "") "]"),
        QEMU("'blocks':[" BLOCK("/rom@a", "8192", ",'max-length':8192") "]"),
        "! RAM block '/rom@a' has 16384 bytes at the source, at most 8192 at "
        "the destination\n");
    expect(MACHINE("'blocks':[" BLOCK("ram", "4096", "") "]"),
           QEMU("'blocks':[" BLOCK("ram", "8192", ",'max-length':8192") "]"),
           "! RAM block 'ram' has 4096 bytes at the source, 8192 at the "
           "destination\n");
}

/*
 * ---- Order, and texts that are refused ----
 */

static void test_compat__most_important_first(void **state)
{
    (void)state;
    expect(MACHINE("'blocks':[" BLOCK("a", "1", "") "],'blockers':['why'],"
                                                    "'vmstates':[" T
                                                    "],'devices':[" D0 "]"),
           CPU(""),
           "! the source cannot move: why\n"
           "! RAM block 'a' (1 bytes) is unknown to the destination\n"
           "! device 'd' instance 0 is unknown to the destination\n");
}

static void expect_refused(const char *text, int code, const char *part)
{
    GW_AUTO_ERROR struct gw_error *error = NULL;
    GW_AUTO_FREE char *copy = strdup(text);
    struct gw_compat_machine *machine = NULL;
    char *at;

    for (at = copy; *at; at++) {
        *at = *at == '\'' ? '"' : *at;
    }
    assert_int_equal(
        gw_compat_machine_parse(copy, strlen(copy), &machine, &error), code);
    assert_null(machine);
    if (!strstr(gw_error_text(error), part)) {
        fail_msg("'%s' is not in: %s", part, gw_error_text(error));
    }
}

static void test_compat__refused_texts(void **state)
{
    (void)state;
    expect_refused("", -EBADMSG, "not a JSON object");
    expect_refused("[1]", -EBADMSG, "not a JSON object");
    expect_refused("{}", -EBADMSG, "neither an answer of");
    expect_refused("{'x-godwit-description':2}", -EBADMSG,
                   "version 2, expected 1");
    expect_refused(DESCRIPTION("air", "'blocks':[]"), -EBADMSG,
                   "neither 'machine', 'file' nor 'qemu'");
    expect_refused(MACHINE("'blocks':7"), -EBADMSG, "'blocks' is not an array");
    expect_refused(MACHINE("'blocks':[{'name':'a'}]"), -EBADMSG,
                   "a: no 'used-length'");
    expect_refused(MACHINE("'blocks':[" BLOCK("a", "-1", "") "]"), -EBADMSG,
                   "'used-length' is not a number from 0");
    expect_refused(MACHINE("'devices':[" D0 "]"), -EBADMSG,
                   "not the number of one of 'vmstates'");
    expect_refused(MACHINE(TRAITS("{'rule':'same'}")), -EBADMSG,
                   "d: no string 'name'");
    expect_refused(MACHINE(TRAITS("{'name':'t'}")), -EBADMSG,
                   "t: no string 'rule'");
    expect_refused(MACHINE(TRAITS(TRAIT("t", "more", "1"))), -EBADMSG,
                   "t: 'rule' is not known");
    expect_refused(MACHINE(TRAITS(TRAIT("t", "same", "-1"))), -EBADMSG,
                   "t: 'value' is not a number from 0");
    expect_refused(MACHINE("'uuid':'00'"), -EBADMSG, "not 32 hexadecimal");
    expect_refused(MACHINE("'uuid':'zz'"), -EBADMSG, "not 32 hexadecimal");
    expect_refused(FIELDS(""), -EBADMSG, "not a JSON object");
    expect_refused(MACHINE(FIELDS("{'name':'x'}")), -EBADMSG,
                   "x: no string 'type'");
    expect_refused(MACHINE("'blockers':[1]"), -EBADMSG, "not a string");
    expect_refused("{'vmschkmachine':{}}", -EBADMSG, "no string 'Name'");
    expect_refused(DUMP(",'t':{}"), -EBADMSG, "t: no 'Description'");
}

/* The same text n times, with a comma between. */
static void put_times(struct gw_buffer *text, const char *piece, size_t n)
{
    size_t i;

    for (i = 0; i < n; i++) {
        gw_buffer_printf(text, "%s%s", i ? "," : "", piece);
    }
}

static int parse_with_blockers(size_t n)
{
    GW_AUTO_BUFFER struct gw_buffer text = {0};
    struct gw_compat_machine *machine = NULL;
    int r;

    gw_buffer_printf(&text, "{\"x-godwit-description\":1,\"source\":\"file\","
                            "\"machine\":\"m\",\"blockers\":[");
    put_times(&text, "\"b\"", n);
    gw_buffer_printf(&text, "]}");
    r = gw_compat_machine_parse((char *)text.data, text.size, &machine, NULL);
    gw_compat_machine_free(machine);
    return r;
}

static void test_compat__limits(void **state)
{
    (void)state;
    assert_int_equal(parse_with_blockers(255), 0);
    assert_int_equal(parse_with_blockers(256), 0);
    assert_int_equal(parse_with_blockers(257), -EOVERFLOW);
}

static void test_compat__depth(void **state)
{
    GW_AUTO_BUFFER struct gw_buffer text = {0};
    GW_AUTO_ERROR struct gw_error *error = NULL;
    struct gw_compat_machine *machine = NULL;
    size_t i;

    (void)state;
    for (i = 0; i < 100 * 1000; i++) {
        gw_buffer_printf(&text, "{\"a\":");
    }
    assert_int_equal(
        gw_compat_machine_parse((char *)text.data, text.size, &machine, &error),
        -EOVERFLOW);
    assert_non_null(strstr(gw_error_text(error), "256 levels"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_compat__equal_machines_fit),
        cmocka_unit_test(test_compat__machine_type),
        cmocka_unit_test(test_compat__blockers_of_the_source_alone),
        cmocka_unit_test(test_compat__ram_blocks_missing_and_extra),
        cmocka_unit_test(test_compat__ram_block_sizes),
        cmocka_unit_test(test_compat__roms_of_a_file_may_be_resizeable),
        cmocka_unit_test(test_compat__devices_missing_and_extra),
        cmocka_unit_test(test_compat__instances),
        cmocka_unit_test(test_compat__traits),
        cmocka_unit_test(test_compat__devices_that_are_not_always_sent),
        cmocka_unit_test(test_compat__versions),
        cmocka_unit_test(test_compat__field_sizes),
        cmocka_unit_test(test_compat__element_counts),
        cmocka_unit_test(test_compat__fields_missing_and_extra),
        cmocka_unit_test(test_compat__fields_of_later_versions_are_left_out),
        cmocka_unit_test(test_compat__conditional_fields),
        cmocka_unit_test(test_compat__alternatives),
        cmocka_unit_test(test_compat__names_are_not_in_the_stream),
        cmocka_unit_test(test_compat__unused_bytes_stand_for_fields),
        cmocka_unit_test(test_compat__fields_of_a_saved_destination),
        cmocka_unit_test(test_compat__opaque_fields),
        cmocka_unit_test(test_compat__subsections),
        cmocka_unit_test(test_compat__cpu_features),
        cmocka_unit_test(test_compat__cpu_bits_that_are_no_features),
        cmocka_unit_test(test_compat__nested_virtualisation),
        cmocka_unit_test(test_compat__cpu_not_known),
        cmocka_unit_test(test_compat__capabilities),
        cmocka_unit_test(test_compat__uuid),
        cmocka_unit_test(test_compat__dump_as_destination),
        cmocka_unit_test(test_compat__dump_does_not_list_everything),
        cmocka_unit_test(test_compat__dump_as_source),
        cmocka_unit_test(test_compat__two_dumps),
        cmocka_unit_test(test_compat__qemu_as_destination),
        cmocka_unit_test(test_compat__qemu_as_source),
        cmocka_unit_test(test_compat__versions_of_qemu),
        cmocka_unit_test(test_compat__qemu_that_does_not_tell_its_devices),
        cmocka_unit_test(test_compat__roms_of_qemu_may_be_resizeable),
        cmocka_unit_test(test_compat__most_important_first),
        cmocka_unit_test(test_compat__refused_texts),
        cmocka_unit_test(test_compat__limits),
        cmocka_unit_test(test_compat__depth),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

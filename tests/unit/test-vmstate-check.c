/*
 * Mistakes in vmstate tables that gw_vmstate_check finds.
 */
#include "vmstate-helpers.h"

#include "base/util.h"

struct thing {
    uint8_t a;
    uint8_t n;
    uint8_t items[4];
    uint32_t *pointer;
    uint64_t words[1];
};

static const struct gw_field fields[] = {
    GW_FIELD_U8(struct thing, a),
    GW_FIELD_END,
};

static void expect_unsound(const struct gw_vmstate *vmstate, const char *part)
{
    GW_AUTO_ERROR struct gw_error *error = NULL;

    assert_int_equal(gw_vmstate_check(vmstate, &error), -EINVAL);
    assert_non_null(error);
    if (!strstr(gw_error_text(error), part)) {
        fail_msg("'%s' is not in: %s", part, gw_error_text(error));
    }
}

/* A table "thing", version 1, with one field. */
static void expect_bad_field(struct gw_field field, const char *part)
{
    const struct gw_field table[] = {field, GW_FIELD_END};
    const struct gw_vmstate vmstate = {
        .name = "thing",
        .version = 1,
        .size = sizeof(struct thing),
        .fields = table,
    };

    expect_unsound(&vmstate, part);
}

/*
 * ---- vmstates ----
 */

static void test_check__names(void **state)
{
    char name[257];
    struct gw_vmstate vmstate = {.name = name, .fields = fields};

    (void)state;
    memset(name, 'x', sizeof(name));
    name[255] = '\0';
    expect_sound(&vmstate);
    name[255] = 'x';
    name[256] = '\0';
    expect_unsound(&vmstate, "the name is not 1 to 255");
    name[0] = '\0';
    expect_unsound(&vmstate, "vmstate '': the name");
    strcpy(name, "a\nb");
    expect_unsound(&vmstate, "printable");
    strcpy(name, "caf\xc3\xa9");
    expect_unsound(&vmstate, "printable");
    vmstate.name = NULL;
    expect_unsound(&vmstate, "vmstate '': the name");
}

static void test_check__fields_and_versions(void **state)
{
    struct gw_vmstate vmstate = {.name = "x", .version = 2, .min_version = 2};

    (void)state;
    expect_unsound(&vmstate, "vmstate 'x': has no fields");
    vmstate.fields = fields;
    expect_sound(&vmstate);
    vmstate.min_version = 3;
    expect_unsound(&vmstate, "minimum version 3 is beyond the version 2");
}

/*
 * ---- Fields ----
 */

static void test_check__field_is_described(void **state)
{
    struct gw_field good = GW_FIELD_U8(struct thing, a);
    struct gw_field field = good;

    (void)state;
    field.name = NULL;
    expect_bad_field(field, "field '': the name");
    field = good;
    field.kind = GW_KIND_COUNT;
    expect_bad_field(field, "'thing', field 'a': is of an unknown kind");
    field = good;
    field.since = 2;
    expect_bad_field(field, "is newer than the vmstate's version");
    field = good;
    field.size = 0;
    expect_bad_field(field, "no size");
    field = good;
    field.flags = 0x80;
    expect_bad_field(field, "unknown flags");
    field = good;
    field.inner = &(const struct gw_vmstate){.name = "x", .fields = fields};
    expect_bad_field(field, "is no struct");
    field = (struct gw_field)GW_FIELD_VALIDATE("v", NULL);
    expect_bad_field(field, "has no function to validate");
}

static void test_check__field_lies_in_the_struct(void **state)
{
    struct gw_field field = GW_FIELD_U8(struct thing, a);

    (void)state;
    field.offset = sizeof(struct thing) - 1;
    field.n = 2;
    expect_bad_field(field, "ends beyond the struct");
    field.n = SIZE_MAX;
    field.size = 2;
    expect_bad_field(field, "more elements than memory");
    field = (struct gw_field)GW_FIELD_VARRAY(struct thing, items, U8, n);
    field.count_offset = sizeof(struct thing);
    expect_bad_field(field, "has a count beyond the struct");
    field = (struct gw_field)GW_FIELD_BITMAP(struct thing, words, 64);
    field.offset += 8;
    expect_bad_field(field, "ends beyond the struct");
}

static void test_check__counts_and_pointers(void **state)
{
    struct gw_field counted = GW_FIELD_VARRAY(struct thing, items, U8, n);
    struct gw_field field = counted;

    (void)state;
    field.n = 0;
    expect_bad_field(field, "can only be 0");
    field = counted;
    field.multiplier = 0;
    expect_bad_field(field, "can only be 0");
    field = counted;
    field.count_kind = (enum gw_count_kind)9;
    expect_bad_field(field, "count of an unknown type");
    field = counted;
    field.flags = GW_FLAG_ALLOC;
    expect_bad_field(field, "allocates without a count");
    field = counted;
    field.flags = GW_FLAG_POINTERS;
    expect_bad_field(field, "is not an array of pointers");
    field = (struct gw_field)GW_FIELD_U8(struct thing, a);
    field.flags = GW_FLAG_POINTER | GW_FLAG_ALLOC;
    expect_bad_field(field, "allocates without a count");
}

static void test_check__nested_vmstates(void **state)
{
    static const struct gw_vmstate small = {
        .name = "small",
        .size = 1,
        .version = 2,
        .min_version = 1,
        .fields = fields,
    };
    static const struct gw_vmstate broken = {.name = "broken"};
    struct gw_field field = GW_FIELD_STRUCT(struct thing, a, small, uint8_t);
    struct gw_field vstruct =
        GW_FIELD_VSTRUCT(struct thing, a, small, uint8_t, 3);

    (void)state;
    field.size = 2;
    expect_bad_field(field, "another size than its vmstate");
    field.inner = NULL;
    expect_bad_field(field, "is a struct without a vmstate");
    field.inner = &broken;
    expect_bad_field(field, "vmstate 'broken': has no fields");
    expect_bad_field(vstruct, "a version that its vmstate does not have");
    vstruct.inner_version = 0;
    expect_bad_field(vstruct, "a version that its vmstate does not have");
}

/*
 * ---- Names of subsections ----
 */

/* A vmstate "top" with the fields and up to two subsections. */
static void expect_names(const struct gw_field *top_fields, const char *first,
                         const char *second, const char *part)
{
    const struct gw_vmstate subs[] = {
        {.name = first, .fields = fields},
        {.name = second, .fields = fields},
    };
    const struct gw_vmstate *const list[] = {
        &subs[0],
        second ? &subs[1] : NULL,
        NULL,
    };
    const struct gw_vmstate top = {
        .name = "top",
        .fields = top_fields,
        .subsections = list,
    };

    if (part) {
        expect_unsound(&top, part);
    } else {
        expect_sound(&top);
    }
}

static void test_check__subsection_begins_with_its_parent(void **state)
{
    (void)state;
    expect_names(fields, "top/a", "top/b", NULL);
    /* QEMU has such names: "apic_sipi". */
    expect_names(fields, "top_a", NULL, NULL);
    expect_names(fields, "a", NULL, "does not begin with its parent's");
    expect_names(fields, "top", NULL, "does not begin with its parent's");
    expect_names(fields, "top/a", "top/a", "two subsections 'top/a'");
    expect_names(fields, "", NULL, "the name is not");
}

static void test_check__subsection_swallowed_by_a_sibling(void **state)
{
    (void)state;
    expect_names(fields, "top/a", "top/ab",
                 "vmstate 'top': a reader would take subsection 'top/ab' for "
                 "one of 'top/a'");
    /* The longer one first is read before the shorter one looks. */
    expect_names(fields, "top/ab", "top/a", NULL);
}

static void test_check__subsection_swallowed_by_a_field(void **state)
{
    static const struct gw_vmstate prefix = {.name = "to", .fields = fields};
    static const struct gw_field prefix_fields[] = {
        GW_FIELD_SELF(struct thing, "inner", prefix),
        GW_FIELD_END,
    };
    static const struct gw_vmstate other = {
        .name = "other",
        .fields = prefix_fields,
    };
    static const struct gw_field deep_fields[] = {
        GW_FIELD_SELF(struct thing, "middle", other),
        GW_FIELD_END,
    };
    static const struct gw_vmstate longer = {
        .name = "top/abc",
        .fields = fields,
    };
    static const struct gw_field longer_fields[] = {
        GW_FIELD_SELF(struct thing, "inner", longer),
        GW_FIELD_END,
    };

    (void)state;
    expect_names(prefix_fields, "top/a", NULL, "for one of 'to'");
    expect_names(deep_fields, "top/a", NULL, "for one of 'to'");
    expect_names(longer_fields, "top/a", NULL, NULL);
}

static void test_check__subsection_of_another_struct(void **state)
{
    static const struct gw_vmstate sub = {
        .name = "top/a",
        .size = 8,
        .fields = fields,
    };
    static const struct gw_vmstate *const list[] = {&sub, NULL};
    static const struct gw_vmstate top = {
        .name = "top",
        .size = sizeof(struct thing),
        .fields = fields,
        .subsections = list,
    };

    (void)state;
    expect_unsound(&top, "subsection 'top/a' describes another struct");
}

/*
 * ---- Depth ----
 */

static void test_check__depth(void **state)
{
    static char names[33][8];
    struct gw_field tables[33][2];
    struct gw_vmstate chain[33];
    size_t i;

    (void)state;
    for (i = 33; i-- > 0;) {
        snprintf(names[i], sizeof(names[i]), "v%zu", i);
        memcpy(tables[i], fields, sizeof(fields));
        chain[i] = (struct gw_vmstate){.name = names[i], .fields = tables[i]};
        if (i < 32) {
            tables[i][0] = (struct gw_field)GW_FIELD_SELF(struct thing, "in",
                                                          chain[i + 1]);
        }
    }
    expect_sound(&chain[1]);
    expect_unsound(&chain[0], "nested deeper than 32");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_check__names),
        cmocka_unit_test(test_check__fields_and_versions),
        cmocka_unit_test(test_check__field_is_described),
        cmocka_unit_test(test_check__field_lies_in_the_struct),
        cmocka_unit_test(test_check__counts_and_pointers),
        cmocka_unit_test(test_check__nested_vmstates),
        cmocka_unit_test(test_check__subsection_begins_with_its_parent),
        cmocka_unit_test(test_check__subsection_swallowed_by_a_sibling),
        cmocka_unit_test(test_check__subsection_swallowed_by_a_field),
        cmocka_unit_test(test_check__subsection_of_another_struct),
        cmocka_unit_test(test_check__depth),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

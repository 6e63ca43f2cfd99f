/*
 * Structs, pointers and lists in vmstate tables (stream spec 2.2, 2.3).
 */
#include "vmstate-helpers.h"

struct point {
    uint8_t x;
    uint16_t y;
    struct gw_list_link link;
};

static const struct gw_field point_fields[] = {
    GW_FIELD_U8(struct point, x),
    GW_FIELD_U16_V(struct point, y, 2),
    GW_FIELD_END,
};
static const struct gw_vmstate point = {
    .name = "point",
    .version = 2,
    .min_version = 1,
    .size = sizeof(struct point),
    .fields = point_fields,
};

struct shape {
    struct point one;
    struct point many[3];
    struct point *pointer;
    struct point *pointers[3];
    uint16_t *numbers[2];
    struct gw_list list;
    uint8_t n;
};

#define TABLE(name_, ...)                                           \
    static const struct gw_field name_##_fields[] = {__VA_ARGS__,   \
                                                     GW_FIELD_END}; \
    static const struct gw_vmstate name_ = {                        \
        .name = #name_,                                             \
        .version = 1,                                               \
        .size = sizeof(struct shape),                               \
        .fields = name_##_fields,                                   \
    }

TABLE(nested, GW_FIELD_STRUCT(struct shape, one, point, struct point),
      GW_FIELD_U8(struct shape, n));

static void test_struct__is_inline_at_its_own_version(void **state)
{
    struct shape from = {.one = {.x = 1, .y = 2}, .n = 9};
    struct shape to = {.n = 0};

    (void)state;
    expect_sound(&nested);
    expect_saved(&nested, &from, BYTES("\1\0\2\x09"));
    expect_loaded(&nested, &to, 1, BYTES("\1\0\2\x09"));
    assert_int_equal(to.one.y, 2);
    expect_truncations(&nested, &to, NULL, 1, BYTES("\1\0\2\x09"));
    expect_refused(&nested, &to, 1, BYTES("\1\0"), -ENODATA,
                   "nested/one.y: the data ends");
}

TABLE(versioned, GW_FIELD_VSTRUCT(struct shape, one, point, struct point, 1),
      GW_FIELD_U8(struct shape, n));

static void test_vstruct__is_at_the_stated_version(void **state)
{
    struct shape from = {.one = {.x = 1, .y = 2}, .n = 9};
    struct shape to = {.n = 0};

    (void)state;
    expect_sound(&versioned);
    expect_saved(&versioned, &from, BYTES("\1\x09"));
    expect_loaded(&versioned, &to, 1, BYTES("\1\x09"));
    assert_int_equal(to.one.x, 1);
    assert_int_equal(to.n, 9);
}

TABLE(array, GW_FIELD_STRUCT_ARRAY(struct shape, many, point, struct point),
      GW_FIELD_STRUCT_SUB_ARRAY(struct shape, many, point, struct point, 1, 1));

static void test_struct_array__elements_back_to_back(void **state)
{
    struct shape from = {.many = {{.x = 1, .y = 2}, {.x = 3}, {.x = 5}}};
    struct shape to = {.n = 0};
    static const char data[] = "\1\0\2\3\0\0\5\0\0\3\0\0";

    (void)state;
    expect_sound(&array);
    expect_saved(&array, &from, BYTES(data));
    expect_loaded(&array, &to, 1, BYTES(data));
    assert_int_equal(to.many[2].x, 5);
    expect_truncations(&array, &to, NULL, 1, BYTES(data));
    expect_refused(&array, &to, 1, BYTES("\1\0\2\3"), -ENODATA,
                   "array/many[1].y: the data ends");
}

TABLE(varray, GW_FIELD_U8(struct shape, n),
      GW_FIELD_STRUCT_VARRAY(struct shape, many, point, struct point, n));
TABLE(varray_ptr, GW_FIELD_U8(struct shape, n),
      GW_FIELD_STRUCT_VARRAY_PTR(struct shape, pointer, point, struct point, n,
                                 2));
TABLE(varray_alloc, GW_FIELD_U8(struct shape, n),
      GW_FIELD_STRUCT_VARRAY_ALLOC(struct shape, pointer, point, struct point,
                                   n, 2));

static void test_struct_varray__limits(void **state)
{
    struct shape to = {.n = 0};
    static const char data[] = "\3\1\0\1\2\0\2\3\0\3";

    (void)state;
    expect_sound(&varray);
    expect_loaded(&varray, &to, 1, BYTES(data));
    expect_saved(&varray, &to, BYTES(data));
    expect_truncations(&varray, &to, NULL, 1, BYTES(data));
    expect_refused(&varray, &to, 1, BYTES("\4\1\0\1\2\0\2\3\0\3\4\0\4"),
                   -EOVERFLOW, "many: count 4");
}

static void test_struct_varray__pointed(void **state)
{
    struct point room[2] = {{.x = 0}};
    struct shape to = {.pointer = room};

    (void)state;
    expect_sound(&varray_ptr);
    expect_loaded(&varray_ptr, &to, 1, BYTES("\2\1\0\1\2\0\2"));
    assert_int_equal(room[1].y, 2);
    expect_saved(&varray_ptr, &to, BYTES("\2\1\0\1\2\0\2"));
    expect_refused(&varray_ptr, &to, 1, BYTES("\3\1\0\1\2\0\2\3\0\3"),
                   -EOVERFLOW, "pointer: count 3");
}

static void test_struct_varray__allocated(void **state)
{
    struct shape to = {.n = 0};

    (void)state;
    expect_sound(&varray_alloc);
    expect_loaded(&varray_alloc, &to, 1, BYTES("\2\1\0\1\2\0\2"));
    assert_int_equal(to.pointer[1].y, 2);
    expect_truncations(&varray_alloc, &to, NULL, 1, BYTES("\2\1\0\1\2\0\2"));
    expect_refused(&varray_alloc, &to, 1, BYTES("\3\1\0\1"), -EOVERFLOW,
                   "pointer: count 3");
    expect_loaded(&varray_alloc, &to, 1, BYTES("\0"));
    assert_null(to.pointer);
}

/*
 * ---- Pointers ----
 */

TABLE(pointed, GW_FIELD_STRUCT_PTR(struct shape, pointer, point, struct point));

static void test_struct_ptr__must_exist(void **state)
{
    struct point target = {.x = 1, .y = 2};
    struct shape v = {.pointer = &target};

    (void)state;
    expect_sound(&pointed);
    expect_saved(&pointed, &v, BYTES("\1\0\2"));
    expect_loaded(&pointed, &v, 1, BYTES("\3\0\4"));
    assert_int_equal(target.y, 4);
    v.pointer = NULL;
    expect_not_saved(&pointed, &v, -EINVAL, "pointer is NULL");
    expect_refused(&pointed, &v, 1, BYTES("\3\0\4"), -EINVAL,
                   "pointer is NULL");
}

TABLE(nullable,
      GW_FIELD_STRUCT_PTR_NULLABLE(struct shape, pointer, point, struct point));

static void test_struct_ptr__nullable_is_one_byte(void **state)
{
    struct point target = {.x = 0x30, .y = 2};
    struct shape v = {.pointer = &target};

    (void)state;
    expect_sound(&nullable);
    /* Data that begins with the mark is data: the reader's pointer decides. */
    expect_saved(&nullable, &v, BYTES("0\0\2"));
    expect_loaded(&nullable, &v, 1, BYTES("0\0\3"));
    assert_int_equal(target.y, 3);
    v.pointer = NULL;
    expect_saved(&nullable, &v, BYTES("0"));
    expect_loaded(&nullable, &v, 1, BYTES("0"));
    expect_truncations(&nullable, &v, NULL, 1, BYTES("0"));
    expect_refused(&nullable, &v, 1, BYTES("\3\0\4"), -EBADMSG,
                   "nullable/pointer: at offset 0: expected 0x30 (the pointer "
                   "is NULL here), found 0x3");
}

TABLE(pointers,
      GW_FIELD_STRUCT_PTR_ARRAY(struct shape, pointers, point, struct point),
      GW_FIELD_PTR_ARRAY(struct shape, numbers, U16));

static void test_ptr_array__each_may_be_null(void **state)
{
    struct point a = {.x = 1, .y = 2}, b = {.x = 3, .y = 4};
    uint16_t number = 0x1234;
    struct shape v = {.pointers = {&a, NULL, &b}, .numbers = {NULL, &number}};
    static const char data[] = "\1\0\2"
                               "0"
                               "\3\0\4"
                               "0"
                               "\x12\x34";

    (void)state;
    expect_sound(&pointers);
    expect_saved(&pointers, &v, BYTES(data));
    a.x = b.x = 0;
    number = 0;
    expect_loaded(&pointers, &v, 1, BYTES(data));
    assert_int_equal(b.x, 3);
    assert_int_equal(number, 0x1234);
    expect_truncations(&pointers, &v, NULL, 1, BYTES(data));
    expect_refused(&pointers, &v, 1, BYTES("\1\0\2\3\0\4"), -EBADMSG,
                   "pointers/pointers[1]: at offset 0x3: expected 0x30");
}

/*
 * ---- Lists ----
 */

TABLE(listed,
      GW_FIELD_LIST(struct shape, list, point, struct point, link, 3, 0),
      GW_FIELD_U8(struct shape, n));

static struct point *entry(struct gw_list_link *link)
{
    return GW_LIST_ENTRY(link, struct point, link);
}

static void free_list(void *state)
{
    struct shape *shape = state;

    while (shape->list.first) {
        struct point *first = entry(shape->list.first);

        gw_list_remove(&shape->list, &first->link);
        free(first);
    }
}

static void test_list__elements_and_an_end(void **state)
{
    struct point a = {.x = 1, .y = 2}, b = {.x = 3, .y = 4};
    struct shape from = {.n = 9}, to = {.n = 0};
    static const char data[] = "\1\1\0\2\1\3\0\4\0\x09";

    (void)state;
    expect_sound(&listed);
    gw_list_append(&from.list, &a.link);
    gw_list_append(&from.list, &b.link);
    expect_saved(&listed, &from, BYTES(data));
    expect_loaded(&listed, &to, 1, BYTES(data));
    assert_int_equal(entry(to.list.first)->x, 1);
    assert_int_equal(entry(to.list.last)->y, 4);
    assert_ptr_equal(to.list.first->next, to.list.last);
    free_list(&to);
    expect_truncations(&listed, &to, free_list, 1, BYTES(data));
    free_list(&to);
    /* Any other byte than 0 means one more. */
    expect_loaded(&listed, &to, 1, BYTES("\x77\1\0\2\0\x09"));
    assert_ptr_equal(to.list.first, to.list.last);
    free_list(&to);
}

static void test_list__empty(void **state)
{
    struct shape v = {.n = 9};

    (void)state;
    expect_saved(&listed, &v, BYTES("\0\x09"));
    expect_loaded(&listed, &v, 1, BYTES("\0\x08"));
    assert_null(v.list.first);
}

static void test_list__maximum(void **state)
{
    struct point points[4];
    struct shape from = {.n = 0}, to = {.n = 0};
    /* Of three elements; the last part of it is that of fewer. */
    static const char data[] = "\1\0\0\0\1\0\0\0\1\0\0\0\0\0";
    size_t i;

    (void)state;
    expect_loaded(&listed, &to, 1, BYTES("\1\1\0\1\1\2\0\2\0\0"));
    /* Two are there: room for one. */
    expect_loaded(&listed, &to, 1, BYTES("\1\3\0\3\0\0"));
    expect_refused(&listed, &to, 1, BYTES("\1\4\0\4\0\0"), -EOVERFLOW,
                   "listed/list[0]: at offset 0: more than 3 elements");
    free_list(&to);
    memset(points, 0, sizeof(points));
    for (i = 0; i < 4; i++) {
        expect_saved(&listed, &from, &data[(3 - i) * 4], i * 4 + 2);
        gw_list_append(&from.list, &points[i].link);
    }
    expect_not_saved(&listed, &from, -EOVERFLOW, "more than 3 elements");
}

static void test_list__remove_keeps_order(void **state)
{
    struct point points[3];
    struct gw_list list = {NULL, NULL};
    size_t i;

    (void)state;
    for (i = 0; i < 3; i++) {
        gw_list_append(&list, &points[i].link);
    }
    gw_list_remove(&list, &points[1].link);
    assert_ptr_equal(list.first->next, &points[2].link);
    assert_ptr_equal(points[2].link.prev, &points[0].link);
    gw_list_remove(&list, &points[2].link);
    assert_ptr_equal(list.last, &points[0].link);
    gw_list_remove(&list, &points[0].link);
    assert_null(list.first);
    assert_null(list.last);
}

/*
 * ---- Tables that refer to themselves ----
 */

struct tree {
    struct gw_list children;
    struct gw_list_link link;
};

static const struct gw_vmstate tree;
static const struct gw_field tree_fields[] = {
    GW_FIELD_LIST(struct tree, children, tree, struct tree, link, 8, 1),
    GW_FIELD_END,
};
static const struct gw_vmstate tree = {
    .name = "tree",
    .version = 1,
    .min_version = 1,
    .size = sizeof(struct tree),
    .fields = tree_fields,
};

static void free_tree(struct tree *node)
{
    while (node->children.first) {
        struct tree *child =
            GW_LIST_ENTRY(node->children.first, struct tree, link);

        gw_list_remove(&node->children, &child->link);
        free_tree(child);
        free(child);
    }
}

static void test_depth__is_limited(void **state)
{
    uint8_t data[2 * 32];
    struct tree root = {{NULL, NULL}, {NULL, NULL}};
    size_t depth;

    (void)state;
    expect_sound(&tree);
    for (depth = 30; depth <= 32; depth++) {
        /* A chain of `depth` below the root. */
        memset(data, 1, depth);
        memset(data + depth, 0, depth + 1 > 32 ? 32 : depth + 1);
        if (depth < 32) {
            expect_loaded(&tree, &root, 1, data, 2 * depth + 1);
            expect_saved(&tree, &root, data, 2 * depth + 1);
        } else {
            expect_refused(&tree, &root, 1, data, 2 * depth, -EOVERFLOW,
                           "nested deeper than 32");
            expect_not_saved(&tree, &root, -EOVERFLOW, "nested deeper than 32");
        }
        if (depth < 32) {
            free_tree(&root);
        }
    }
    free_tree(&root);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_struct__is_inline_at_its_own_version),
        cmocka_unit_test(test_vstruct__is_at_the_stated_version),
        cmocka_unit_test(test_struct_array__elements_back_to_back),
        cmocka_unit_test(test_struct_varray__limits),
        cmocka_unit_test(test_struct_varray__pointed),
        cmocka_unit_test(test_struct_varray__allocated),
        cmocka_unit_test(test_struct_ptr__must_exist),
        cmocka_unit_test(test_struct_ptr__nullable_is_one_byte),
        cmocka_unit_test(test_ptr_array__each_may_be_null),
        cmocka_unit_test(test_list__elements_and_an_end),
        cmocka_unit_test(test_list__empty),
        cmocka_unit_test(test_list__maximum),
        cmocka_unit_test(test_list__remove_keeps_order),
        cmocka_unit_test(test_depth__is_limited),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

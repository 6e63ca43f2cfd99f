/*
 * The description of a machine that QEMU runs, put together of answers of its
 * monitor (control spec 7.4).
 */
#include "compat_qemu.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "qemu.h"

/* Of the words of a line of `info ramblock`. */
enum {
    WORD_NAME,
    WORD_UNIT = 2, /* of the page size before it */
    WORD_USED = 4,
    WORD_TOTAL = 5,
    WORDS = 6,
};

/*
 * ---- The machine ----
 */

/* The stream has the type's name without what QOM appends to it. */
static void put_name(struct qemu *qemu)
{
    static const char suffix[] = "-machine";
    json_t *answer = qemu_get_property(qemu, "/machine", "type");
    const char *type = json_string_value(answer);
    size_t size = json_string_length(answer);

    if (type && size > strlen(suffix) &&
        strcmp(type + size - strlen(suffix), suffix) == 0) {
        size -= strlen(suffix);
    }
    qemu_put(qemu, "machine", json_stringn(type ? type : "", size));
    json_decref(answer);
}

static void put_uuid(struct qemu *qemu)
{
    json_t *answer = qemu_ask(qemu, "query-uuid", NULL);
    json_t *uuid = json_object_get(answer, "UUID");
    const char *text = json_string_value(uuid);

    /* All zero: it was given none. */
    if (text && strspn(text, "0-") != strlen(text)) {
        qemu_put(qemu, "uuid", json_incref(uuid));
    }
    json_decref(answer);
}

static void put_capabilities(struct qemu *qemu)
{
    json_t *answer = qemu_ask(qemu, "query-migrate-capabilities", NULL);
    json_t *object = json_object();
    json_t *item;
    size_t i;

    json_array_foreach(answer, i, item)
    {
        const char *name =
            json_string_value(json_object_get(item, "capability"));

        if (name) {
            json_object_set(object, name, json_object_get(item, "state"));
        }
    }
    qemu_put(qemu, "capabilities", object);
    json_decref(answer);
}

static void put_blockers(struct qemu *qemu, const json_t *migrate)
{
    json_t *reasons = json_object_get(migrate, "blocked-reasons");

    if (reasons) {
        qemu_put(qemu, "blockers", json_incref(reasons));
    }
}

/*
 * ---- RAM blocks ----
 */

static size_t split(char *line, char *words[WORDS])
{
    char *rest = NULL;
    size_t n = 0;
    char *word = strtok_r(line, " ", &rest);

    for (; word && n < WORDS; word = strtok_r(NULL, " ", &rest)) {
        words[n++] = word;
    }
    return n;
}

/* A block, or NULL for the heading and for a block that does not migrate. */
static json_t *block_of_line(char *line)
{
    char *words[WORDS];

    if (split(line, words) < WORDS ||
        strncmp(words[WORD_TOTAL], "0x", 2) != 0 ||
        !strchr(words[WORD_UNIT], 'B')) {
        return NULL;
    }
    return json_pack(
        "{s:s, s:I, s:I, s:b}", "name", words[WORD_NAME], "used-length",
        (json_int_t)strtoull(words[WORD_USED], NULL, 16), "max-length",
        (json_int_t)strtoull(words[WORD_TOTAL], NULL, 16), "resizeable",
        strcmp(words[WORD_USED], words[WORD_TOTAL]) != 0);
}

static void put_blocks(struct qemu *qemu)
{
    json_t *answer =
        qemu_ask(qemu, "human-monitor-command",
                 json_pack("{s:s}", "command-line", "info ramblock"));
    const char *text = json_string_value(answer);
    char *copy = text ? strdup(text) : NULL;
    json_t *blocks = json_array();
    char *rest = NULL;
    char *line = copy ? strtok_r(copy, "\r\n", &rest) : NULL;

    for (; line; line = strtok_r(NULL, "\r\n", &rest)) {
        json_t *block = block_of_line(line);

        if (block) {
            json_array_append_new(blocks, block);
        }
    }
    if (json_array_size(blocks) > 0) {
        qemu_put(qemu, "blocks", json_incref(blocks));
    }
    json_decref(blocks);
    json_decref(answer);
    free(copy);
}

/*
 * ---- The CPU ----
 */

/* The leaf of that number; lent. */
static json_t *leaf_of(json_t *leaves, json_int_t number, json_int_t sub)
{
    json_t *leaf;
    size_t i;

    json_array_foreach(leaves, i, leaf)
    {
        if (json_integer_value(json_object_get(leaf, "leaf")) == number &&
            json_integer_value(json_object_get(leaf, "subleaf")) == sub) {
            return leaf;
        }
    }
    leaf = json_pack("{s:I, s:I}", "leaf", number, "subleaf", sub);
    json_array_append_new(leaves, leaf);
    return leaf;
}

/* One register of QEMU's list of words of features. */
static void put_feature_word(json_t *leaves, const json_t *word)
{
    static const char *const registers[][2] = {
        {"EAX", "eax"}, {"EBX", "ebx"}, {"ECX", "ecx"}, {"EDX", "edx"}};
    const char *name =
        json_string_value(json_object_get(word, "cpuid-register"));
    json_t *leaf = leaf_of(
        leaves, json_integer_value(json_object_get(word, "cpuid-input-eax")),
        json_integer_value(json_object_get(word, "cpuid-input-ecx")));
    size_t i;

    for (i = 0; name && i < sizeof(registers) / sizeof(registers[0]); i++) {
        if (strcmp(registers[i][0], name) == 0) {
            json_object_set(leaf, registers[i][1],
                            json_object_get(word, "features"));
        }
    }
}

/* Leaf 0 spells who made the CPU. */
static void put_vendor(json_t *leaves, const json_t *vendor)
{
    static const char *const registers[] = {"ebx", "edx", "ecx"};
    const char *text = json_string_value(vendor);
    json_t *leaf = leaf_of(leaves, 0, 0);
    size_t i;

    if (json_string_length(vendor) != 12) {
        return;
    }
    for (i = 0; i < 3; i++) {
        uint32_t value;

        memcpy(&value, text + 4 * i, sizeof(value));
        json_object_set_new(leaf, registers[i], json_integer(value));
    }
}

/* Of the first vCPU, if it is one of an x86. */
static void put_cpuid(struct qemu *qemu)
{
    json_t *cpus = qemu_ask(qemu, "query-cpus-fast", NULL);
    const char *path =
        json_string_value(json_object_get(json_array_get(cpus, 0), "qom-path"));
    json_t *words =
        path ? qemu_get_property(qemu, path, "feature-words") : NULL;
    json_t *vendor = words ? qemu_get_property(qemu, path, "vendor") : NULL;
    json_t *leaves = json_array();
    json_t *word;
    size_t i;

    json_array_foreach(words, i, word)
    {
        put_feature_word(leaves, word);
    }
    if (words) {
        put_vendor(leaves, vendor);
        qemu_put(qemu, "cpuid", json_incref(leaves));
    }
    json_decref(leaves);
    json_decref(vendor);
    json_decref(words);
    json_decref(cpus);
}

int cli_compat_ask_qemu(struct ctl_client *client, bool may_pause,
                        json_t **ret_description)
{
    struct qemu qemu = {
        .client = client,
        .description = json_pack("{s:i, s:s}", "x-godwit-description", 1,
                                 "source", "qemu"),
    };
    json_t *migrate = qemu_ask(&qemu, "query-migrate", NULL);

    put_name(&qemu);
    put_uuid(&qemu);
    put_capabilities(&qemu);
    put_blockers(&qemu, migrate);
    put_blocks(&qemu);
    put_cpuid(&qemu);
    qemu_put_devices(&qemu, migrate, may_pause);
    json_decref(migrate);
    json_decref(qemu.refusal);
    if (qemu.is_lost) {
        json_decref(qemu.description);
        return -1;
    }
    *ret_description = qemu.description;
    return 0;
}

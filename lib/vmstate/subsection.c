/*
 * Which subsection follows.
 *
 * This is decided by peeking (stream spec 2.5): the byte 0x05 and a name that
 * begins with the name of the vmstate just read. Anything else belongs to the
 * surroundings and stays.
 */
#include "vmstate/subsection.h"

#include <errno.h>
#include <string.h>

#include "base/util.h"
#include "vmstate/field.h"

/*
 * The data ends within what may be the head of a subsection. Behind a whole
 * section nothing else begins with this byte, so bytes are missing. Inside of
 * one it may be the value of a field: bytes are missing only if the name
 * begins as it would have to.
 */
static int short_head(struct gw_input *input, bool is_nested,
                      const struct gw_vmstate *vmstate, const uint8_t *data,
                      size_t size, const struct gw_path *path,
                      struct gw_error **errp)
{
    size_t prefix = strlen(vmstate->name);

    if (is_nested &&
        (size < 3 || data[1] < prefix + 1 ||
         memcmp(data + 2, vmstate->name, gw_min_u64(size - 2, prefix)) != 0)) {
        return GW_NO_SUBSECTION;
    }
    return gw_path_error(path, errp, -ENODATA,
                         "the data ends within the head of a subsection at "
                         "offset %#llx",
                         (unsigned long long)gw_input_offset(input));
}

/*
 * Peeks at the head: 0, with the name's length and the name lent, or
 * GW_NO_SUBSECTION. Asks for no more than is needed to decide: on a socket the
 * peer may send nothing further before we answer.
 */
static int peek_head(struct gw_input *input, bool is_nested,
                     const struct gw_vmstate *vmstate,
                     const struct gw_path *path, const uint8_t **ret_name,
                     size_t *ret_len, struct gw_error **errp)
{
    const uint8_t *data;
    size_t size, want = 1, next;
    int r;

    for (;; want = next) {
        r = gw_input_peek(input, want, &data, &size, errp);
        if (r < 0) {
            return gw_path_prefix(path, errp, r);
        }
        if (size < 1 || data[0] != GW_SUBSECTION_MARK) {
            return GW_NO_SUBSECTION;
        }
        if (size < want) {
            return short_head(input, is_nested, vmstate, data, size, path,
                              errp);
        }
        next = size < 2 ? 2 : 2 + (size_t)data[1];
        if (want == next) {
            break;
        }
    }
    *ret_name = data + 2;
    *ret_len = data[1];
    return 0;
}

/*
 * Reads the name of a following subsection into `name` without consuming it;
 * GW_NO_SUBSECTION if none of this vmstate's follows.
 */
static int peek_name(struct gw_input *input, bool is_nested,
                     const struct gw_vmstate *vmstate,
                     const struct gw_path *path,
                     char name[GW_VMSTATE_NAME_MAX + 1], struct gw_error **errp)
{
    size_t prefix = strlen(vmstate->name);
    const uint8_t *data = NULL;
    size_t len = 0;
    int r;

    r = peek_head(input, is_nested, vmstate, path, &data, &len, errp);
    if (r != 0) {
        return r;
    }
    if (len < prefix + 1 || memcmp(data, vmstate->name, prefix) != 0) {
        return GW_NO_SUBSECTION;
    }
    memcpy(name, data, len);
    name[len] = '\0';
    if (strlen(name) != len) {
        return gw_path_error(path, errp, -EBADMSG,
                             "the name of the subsection at offset %#llx has "
                             "a NUL",
                             (unsigned long long)gw_input_offset(input));
    }
    return 0;
}

static const struct gw_vmstate *
find_subsection(const struct gw_vmstate *vmstate, const char *name)
{
    const struct gw_vmstate *const *sub = vmstate->subsections;

    for (; sub && *sub; sub++) {
        if (strcmp((*sub)->name, name) == 0) {
            return *sub;
        }
    }
    return NULL;
}

int gw_subsection_peek(struct gw_input *input, bool is_nested,
                       const struct gw_vmstate *vmstate,
                       const struct gw_path *path,
                       const struct gw_vmstate **ret_sub,
                       struct gw_error **errp)
{
    char name[GW_VMSTATE_NAME_MAX + 1];
    const struct gw_vmstate *sub;
    int r = peek_name(input, is_nested, vmstate, path, name, errp);

    if (r != 0) {
        return r;
    }
    sub = find_subsection(vmstate, name);
    if (!sub) {
        return gw_path_error(path, errp, -EPROTO,
                             "unknown subsection '%s' at offset %#llx", name,
                             (unsigned long long)gw_input_offset(input));
    }
    *ret_sub = sub;
    return 0;
}

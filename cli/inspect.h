/*
 * The two outputs of `godwit inspect`.
 */
#ifndef CLI_INSPECT_H
#define CLI_INSPECT_H

#include <stdbool.h>

#include <godwit/error.h>
#include <godwit/image.h>

/* Tables for people; with every field of the devices if asked for. */
int cli_inspect_text(struct gw_image *image, const char *path, bool with_fields,
                     struct gw_error **errp);

/* One JSON object with everything. */
int cli_inspect_json(struct gw_image *image, const char *path,
                     struct gw_error **errp);

#endif

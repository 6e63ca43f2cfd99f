/*
 * Parses hostile addresses, as URI and as JSON. A URI made of an address
 * means the same address.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <godwit/address.h>

#include "base/cleanup.h"
#include "fuzz.h"

static void check_round_trip(const struct gw_address *address)
{
    GW_AUTO_FREE char *uri = gw_address_to_uri(address);
    GW_AUTO_FREE char *again = NULL;
    struct gw_address *parsed = NULL;

    FUZZ_ASSERT(uri);
    FUZZ_ASSERT(gw_address_parse(uri, &parsed, NULL) == 0);
    FUZZ_ASSERT(parsed->transport == address->transport);
    FUZZ_ASSERT(parsed->offset == address->offset);
    again = gw_address_to_uri(parsed);
    FUZZ_ASSERT(again && strcmp(uri, again) == 0);
    gw_address_free(parsed);
}

static void check(int r, struct gw_address *address,
                  const struct gw_error *error)
{
    struct gw_address *copy;

    FUZZ_ASSERT((r < 0) == (error != NULL) && (r < 0) == (address == NULL));
    if (!address) {
        FUZZ_ASSERT(*gw_error_text(error));
        return;
    }
    copy = gw_address_dup(address);
    FUZZ_ASSERT(copy);
    gw_address_free(address);
    gw_address_free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    GW_AUTO_FREE char *text = strndup((const char *)data, size);
    GW_AUTO_ERROR struct gw_error *uri_error = NULL;
    GW_AUTO_ERROR struct gw_error *json_error = NULL;
    struct gw_address *address = NULL;
    int r;

    FUZZ_ASSERT(text);
    r = gw_address_parse(text, &address, &uri_error);
    if (r == 0) {
        check_round_trip(address);
    }
    check(r, address, uri_error);
    address = NULL;
    r = gw_address_parse_json(text, &address, &json_error);
    check(r, address, json_error);
    return 0;
}

/*
 * The parts of addresses that name hosts and ports.
 */
#ifndef GW_CHANNEL_ADDRESS_INET_H
#define GW_CHANNEL_ADDRESS_INET_H

#include <godwit/address.h>

/*
 * "HOST:PORT,option..." of tcp: and rdma:. Fills in the address, which keeps
 * what was set when an error comes. -ENOMEM is returned without an error set.
 */
int gw_address_parse_inet(struct gw_address *address, const char *text,
                          struct gw_error **errp);

/* "CID:PORT" of vsock:; the same rules. */
int gw_address_parse_vsock(struct gw_address *address, const char *text,
                           struct gw_error **errp);

#endif

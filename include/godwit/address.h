/*
 * Addresses: where a migration goes to or comes from, parsed from a URI
 * ("file:/vm/a.mig,offset=4096") or from QMP's structured form.
 *
 * All transports of QEMU parse; which of them can be opened is decided when a
 * migration starts.
 */
#ifndef GW_GODWIT_ADDRESS_H
#define GW_GODWIT_ADDRESS_H

#include <godwit/error.h>
#include <stdbool.h>
#include <stdint.h>

GW_BEGIN_DECLS

enum gw_transport {
    GW_TRANSPORT_FILE,
    GW_TRANSPORT_FD,
    GW_TRANSPORT_TCP,
    GW_TRANSPORT_UNIX,
    GW_TRANSPORT_VSOCK,
    GW_TRANSPORT_EXEC,
    GW_TRANSPORT_RDMA,
};

/* An option that was given as on, as off, or not at all. */
enum gw_on_off_auto {
    GW_AUTO = 0,
    GW_ON = 1,
    GW_OFF = 2,
};

/* Strings are owned by the address; members of other transports are unset. */
struct gw_address {
    enum gw_transport transport;
    char *path;               /* file: file name; unix: path */
    uint64_t offset;          /* file: where the stream starts, bytes */
    char *fd_name;            /* fd: name given by getfd, or a decimal number */
    char *host;               /* tcp, rdma: host, "" for all; vsock: cid */
    char *port;               /* tcp, rdma: number or service; vsock: number */
    uint16_t to;              /* tcp: last port to try, 0 if not given */
    bool numeric;             /* tcp: host and port need no resolving */
    enum gw_on_off_auto ipv4; /* tcp, rdma */
    enum gw_on_off_auto ipv6; /* tcp, rdma */
    enum gw_on_off_auto keep_alive; /* tcp */
    enum gw_on_off_auto mptcp;      /* tcp */
    bool is_abstract;               /* unix: abstract name space */
    bool tight;  /* unix: abstract name is not padded to full length */
    char **args; /* exec: argv, NULL terminated */
};

/*
 * Parses a URI. The grammar and the texts of the errors are QEMU's, so that
 * clients that match on them work. -EINVAL; -ERANGE for an offset that is out
 * of range. The result is freed by gw_address_free. Since 0.1.
 */
GW_API int gw_address_parse(const char *uri, struct gw_address **ret_address,
                            struct gw_error **errp) GW_MUST_CHECK;

/*
 * Parses the structured form: the JSON text of a MigrationAddress object such
 * as {"transport":"file","filename":"/vm/a.mig","offset":0}. Since 0.1.
 */
GW_API int gw_address_parse_json(const char *json,
                                 struct gw_address **ret_address,
                                 struct gw_error **errp) GW_MUST_CHECK;

/*
 * The URI of an address (malloc'ed), or NULL if memory is short. What a URI
 * cannot say (exec's argv, numeric) is written as near as can be. Since 0.1.
 */
GW_API char *gw_address_to_uri(const struct gw_address *address);

/* Frees; accepts NULL; returns NULL. Since 0.1. */
GW_API struct gw_address *gw_address_free(struct gw_address *address);

/* A copy, or NULL if memory is short. Since 0.1. */
GW_API struct gw_address *gw_address_dup(const struct gw_address *address);

/* "file", "fd", "tcp", ...: the URI's scheme. Since 0.1. */
GW_API const char *gw_transport_name(enum gw_transport transport);

GW_END_DECLS

#endif

/*
 * Names of the transports.
 */
#include <godwit/address.h>

const char *gw_transport_name(enum gw_transport transport)
{
    switch (transport) {
    case GW_TRANSPORT_FILE:
        return "file";
    case GW_TRANSPORT_FD:
        return "fd";
    case GW_TRANSPORT_TCP:
        return "tcp";
    case GW_TRANSPORT_UNIX:
        return "unix";
    case GW_TRANSPORT_VSOCK:
        return "vsock";
    case GW_TRANSPORT_EXEC:
        return "exec";
    case GW_TRANSPORT_RDMA:
        return "rdma";
    }
    return "unknown";
}

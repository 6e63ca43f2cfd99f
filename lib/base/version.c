/*
 * The library's version.
 */
#include <godwit/version.h>

#define STRING(x) #x
#define VERSION(major, minor, micro) \
    STRING(major) "." STRING(minor) "." STRING(micro)

const char *gw_version_string(void)
{
    return VERSION(GW_VERSION_MAJOR, GW_VERSION_MINOR, GW_VERSION_MICRO);
}

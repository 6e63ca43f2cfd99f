/*
 * Version of libgodwit.
 */
#ifndef GW_GODWIT_VERSION_H
#define GW_GODWIT_VERSION_H

#include <godwit/macros.h>

GW_BEGIN_DECLS

#define GW_VERSION_MAJOR 0
#define GW_VERSION_MINOR 1
#define GW_VERSION_MICRO 0

/*
 * The version of the library that runs, such as "0.1.0". Static, never freed.
 * Any thread. Since 0.1.
 */
GW_API const char *gw_version_string(void);

GW_END_DECLS

#endif

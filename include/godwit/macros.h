/*
 * Attributes shared by the public headers.
 */
#ifndef GW_GODWIT_MACROS_H
#define GW_GODWIT_MACROS_H

#ifdef __cplusplus
#define GW_BEGIN_DECLS extern "C" {
#define GW_END_DECLS }
#else
#define GW_BEGIN_DECLS
#define GW_END_DECLS
#endif

#if defined(__GNUC__)
/* Part of the library's interface; everything else stays hidden. */
#define GW_API __attribute__((visibility("default")))
/* Arguments are checked like those of printf. */
#define GW_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
/* Ignoring the result is a mistake. */
#define GW_MUST_CHECK __attribute__((warn_unused_result))
#else
#define GW_API
#define GW_PRINTF(fmt, args)
#define GW_MUST_CHECK
#endif

#endif

/*
 * Reads of memory that a guest writes meanwhile.
 *
 * They are races by nature and on purpose: a page that changes while it is
 * read is dirty, and is sent again. ThreadSanitizer is told not to look at the
 * reads of a thread between the two.
 */
#ifndef GW_BASE_RACY_H
#define GW_BASE_RACY_H

#if defined(__SANITIZE_THREAD__)
#define GW_HAVE_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define GW_HAVE_TSAN 1
#endif
#endif

#ifdef GW_HAVE_TSAN

/* Of the sanitizer's run-time. */
void AnnotateIgnoreReadsBegin(const char *file, int line);
void AnnotateIgnoreReadsEnd(const char *file, int line);

#define gw_racy_reads_begin() AnnotateIgnoreReadsBegin(__FILE__, __LINE__)
#define gw_racy_reads_end() AnnotateIgnoreReadsEnd(__FILE__, __LINE__)

#else

#define gw_racy_reads_begin() ((void)0)
#define gw_racy_reads_end() ((void)0)

#endif

#endif

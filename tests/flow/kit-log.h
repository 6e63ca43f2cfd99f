/*
 * A dirty tracker that works like KVM's log with manual protection, initially
 * all set: a sync reports without forgetting, and only `arm` forgets, what
 * was reported. It depends on each step of the library's being in order.
 */
#ifndef GW_TESTS_FLOW_KIT_LOG_H
#define GW_TESTS_FLOW_KIT_LOG_H

#include <stddef.h>
#include <stdint.h>

struct kit_log;
struct kit_machine;

/* Becomes the machine's tracker. */
struct kit_log *kit_log_new(struct kit_machine *m);
/* When the machine is gone or has no tracker any more; returns NULL. */
struct kit_log *kit_log_free(struct kit_log *log);

/* A page was written; any thread. NULL: nothing. */
void kit_log_mark(struct kit_log *log, size_t block, uint64_t page);

#endif

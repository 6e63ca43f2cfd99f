/*
 * A progress bar on standard error, if that is a terminal.
 */
#ifndef CLI_PROGRESS_H
#define CLI_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

/* Zero bytes are a bar that has not been drawn. */
struct cli_progress {
    bool drawn;        /* something is on the line */
    uint64_t begin_ms; /* when it was drawn first */
    uint64_t last_ms;  /* when it was drawn last */
};

/* Draws, at most every tenth of a second; nothing without a terminal. */
void cli_progress_show(struct cli_progress *progress, uint64_t done,
                       uint64_t total);

/* Clears the line. */
void cli_progress_clear(struct cli_progress *progress);

#endif

/*
 * A progress bar: bar, percent, amount, rate.
 */
#include "progress.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "text.h"

#define BAR_WIDTH 30

static uint64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static void draw(const struct cli_progress *progress, uint64_t done,
                 uint64_t total)
{
    uint64_t spent = progress->last_ms - progress->begin_ms;
    double part = total ? (double)done / (double)total : 1.0;
    int full = (int)(part * BAR_WIDTH);
    char rate[CLI_SIZE_TEXT] = "-";
    char size[CLI_SIZE_TEXT];
    char bar[BAR_WIDTH + 1];

    memset(bar, '.', BAR_WIDTH);
    memset(bar, '#', (size_t)full);
    bar[BAR_WIDTH] = '\0';
    if (spent > 0) {
        cli_size_text((uint64_t)((double)done * 1000 / (double)spent), rate);
    }
    fprintf(stderr, "\r[%s] %3d %%  %s  %s/s   ", bar, (int)(part * 100),
            cli_size_text(done, size), rate);
    fflush(stderr);
}

void cli_progress_show(struct cli_progress *progress, uint64_t done,
                       uint64_t total)
{
    uint64_t now;

    if (!isatty(STDERR_FILENO)) {
        return;
    }
    now = now_ms();
    if (!progress->drawn) {
        progress->drawn = true;
        progress->begin_ms = now;
    } else if (now - progress->last_ms < 100 && done < total) {
        return;
    }
    progress->last_ms = now;
    draw(progress, done < total ? done : total, total);
}

void cli_progress_clear(struct cli_progress *progress)
{
    if (progress->drawn) {
        fprintf(stderr, "\r%*s\r", BAR_WIDTH + 48, "");
        fflush(stderr);
        progress->drawn = false;
    }
}

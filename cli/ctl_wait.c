/*
 * Waiting for the end of a migration.
 */
#include "ctl_wait.h"

#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "commands.h"

enum {
    POLL_MS = 100,
    BAR_WIDTH = 30,
};

/* What a reply of query-migrate says. */
struct picture {
    const char *status; /* lent */
    const char *error;  /* lent, or NULL */
    double total;       /* bytes of RAM */
    double remaining;   /* bytes of RAM */
    double transferred; /* bytes */
    double mbps;        /* 10^6 bit/s */
    double total_ms;    /* since it began */
    double downtime_ms; /* of one that completed */
    double pass;        /* over the memory, from 1 */
};

static volatile sig_atomic_t is_interrupted;

static void on_interrupt(int signal)
{
    (void)signal;
    is_interrupted = 1;
}

static double number_of(const json_t *object, const char *name)
{
    return json_number_value(json_object_get(object, name));
}

static void picture_of(const json_t *reply, struct picture *ret)
{
    const json_t *value = json_object_get(reply, "return");
    const json_t *ram = json_object_get(value, "ram");
    const char *status = json_string_value(json_object_get(value, "status"));

    *ret = (struct picture){
        .status = status ? status : "none",
        .error = json_string_value(json_object_get(value, "error-desc")),
        .total = number_of(ram, "total"),
        .remaining = number_of(ram, "remaining"),
        .transferred = number_of(ram, "transferred"),
        .mbps = number_of(ram, "mbps"),
        .total_ms = number_of(value, "total-time"),
        .downtime_ms = number_of(value, "downtime"),
        .pass = number_of(ram, "dirty-sync-count"),
    };
}

static void print_size(FILE *to, double bytes)
{
    static const char *const units[] = {"bytes", "KiB", "MiB", "GiB", "TiB"};
    size_t i = 0;

    while (bytes >= 1024 && i + 1 < sizeof(units) / sizeof(units[0])) {
        bytes /= 1024;
        i++;
    }
    fprintf(to, i ? "%.1f %s" : "%.0f %s", bytes, units[i]);
}

/* One line, drawn over the one before. */
static void draw(const struct picture *p)
{
    double part = p->total > 0 ? 1 - p->remaining / p->total : 0;
    double rate = p->mbps * 1e6 / 8;
    int full = (int)(part * BAR_WIDTH);
    int i;

    full = full < 0 ? 0 : full > BAR_WIDTH ? BAR_WIDTH : full;
    printf("\r[");
    for (i = 0; i < BAR_WIDTH; i++) {
        putchar(i < full ? '#' : '.');
    }
    printf("] %3d %%  ", (int)(part * 100));
    print_size(stdout, rate);
    printf("/s  ");
    print_size(stdout, p->remaining);
    printf(" left");
    /* By the pages that are done: those of zeros cost next to nothing. */
    if (part > 0 && p->remaining > 0) {
        printf(", %.0f s", p->total_ms / 1000 * (1 - part) / part);
    }
    printf("  (%s", p->status);
    /* A running guest is gone over again and again. */
    if (p->pass > 1) {
        printf(", pass %.0f", p->pass);
    }
    printf(")\x1b[K");
    fflush(stdout);
}

static void clear(void)
{
    printf("\r\x1b[K");
    fflush(stdout);
}

static bool is_final(const char *status)
{
    static const char *const finals[] = {"completed", "failed", "cancelled",
                                         "none"};
    size_t i;

    for (i = 0; i < sizeof(finals) / sizeof(finals[0]); i++) {
        if (strcmp(finals[i], status) == 0) {
            return true;
        }
    }
    return false;
}

static int ask(struct ctl_client *client, const char *command,
               json_t **ret_reply)
{
    int r = ctl_client_execute(client, command, NULL, -1, ret_reply);

    if (r >= 0 && ctl_error_of(*ret_reply)) {
        fprintf(stderr, "godwit ctl: %s: %s\n", command,
                ctl_error_of(*ret_reply));
        json_decref(*ret_reply);
        return -1;
    }
    return r;
}

/* Asks for a cancel; a second interrupt ends the program as usual. */
static int cancel(struct ctl_client *client)
{
    json_t *reply;
    int r = ask(client, "migrate_cancel", &reply);

    signal(SIGINT, SIG_DFL);
    if (r >= 0) {
        fprintf(stderr, "godwit ctl: interrupted, cancelling the migration\n");
        json_decref(reply);
    }
    return r;
}

static int print_end(const struct picture *p)
{
    if (strcmp(p->status, "completed") == 0) {
        printf("migration completed: ");
        print_size(stdout, p->transferred);
        printf(" in %.2f s, downtime %.0f ms\n", p->total_ms / 1000,
               p->downtime_ms);
        return CLI_OK;
    }
    fprintf(stderr, "godwit ctl: migration %s%s%s\n", p->status,
            p->error ? ": " : "", p->error ? p->error : "");
    return CLI_FAILED;
}

static int finish(const json_t *reply, bool wants_json)
{
    struct picture p;

    picture_of(reply, &p);
    if (!wants_json) {
        return print_end(&p);
    }
    json_dumpf(reply, stdout, JSON_ENSURE_ASCII);
    putchar('\n');
    return strcmp(p.status, "completed") == 0 ? CLI_OK : CLI_FAILED;
}

static int wait_for_end(struct ctl_client *client, bool wants_json)
{
    bool shows_bar = !wants_json && isatty(STDOUT_FILENO);
    bool is_cancelling = false;

    for (;;) {
        struct picture p;
        json_t *reply;
        int status;

        if (ask(client, "query-migrate", &reply) < 0) {
            return CLI_FAILED;
        }
        picture_of(reply, &p);
        if (is_final(p.status)) {
            if (shows_bar) {
                clear();
            }
            status = finish(reply, wants_json);
            json_decref(reply);
            return status;
        }
        if (shows_bar) {
            draw(&p);
        }
        json_decref(reply);
        poll(NULL, 0, POLL_MS);
        if (is_interrupted && !is_cancelling) {
            is_cancelling = true;
            if (shows_bar) {
                clear();
            }
            if (cancel(client) < 0) {
                return CLI_FAILED;
            }
        }
    }
}

int ctl_wait(struct ctl_client *client, bool wants_json)
{
    const struct sigaction interrupt = {.sa_handler = on_interrupt};
    struct sigaction before;
    int status;

    sigaction(SIGINT, &interrupt, &before);
    status = wait_for_end(client, wants_json);
    sigaction(SIGINT, &before, NULL);
    return status;
}

/*
 * Command lines in HMP's words as requests of QMP.
 */
#ifndef CLI_CTL_REQUEST_H
#define CLI_CTL_REQUEST_H

#include <jansson.h>
#include <stdbool.h>

/* What a command line asks for. */
struct ctl_request {
    json_t *object; /* the request; NULL if `text` is sent as it is */
    char *text;     /* a JSON object that was typed; owned, or NULL */
    bool is_human;  /* the reply is the output of an HMP command */
    bool waits;     /* a migration whose end is waited for */
    bool is_dry;    /* only asks whether a migration could start */
    char *with;     /* then: a description of the destination; owned, or NULL */
    bool may_pause; /* then: a QEMU's guest may be stopped for a moment */
};

/*
 * Makes a request of the words of a command line. `wants_json`: queries give
 * objects instead of text. False after a message on standard error: wrong
 * use.
 */
bool ctl_request_make(struct ctl_request *request, int n_words,
                      char *const *words, bool wants_json);
void ctl_request_deinit(struct ctl_request *request);

#endif

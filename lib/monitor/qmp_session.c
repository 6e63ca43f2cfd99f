/*
 * One client of QMP: negotiation, requests, replies, events.
 */
#include "monitor/qmp_session.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/schema.h"
#include "base/util.h"
#include "monitor/qmp_command.h"

static const char *class_name(enum gw_error_class error_class)
{
    switch (error_class) {
    case GW_ERROR_COMMAND_NOT_FOUND:
        return "CommandNotFound";
    case GW_ERROR_DEVICE_NOT_ACTIVE:
        return "DeviceNotActive";
    case GW_ERROR_DEVICE_NOT_FOUND:
        return "DeviceNotFound";
    case GW_ERROR_KVM_MISSING_CAP:
        return "KVMMissingCap";
    case GW_ERROR_GENERIC:
        break;
    }
    return "GenericError";
}

/*
 * Adds an object as one line to the queue or to what is held; the lock is
 * held. Takes the reference.
 */
static void put_locked(struct gw_qmp_session *session, struct gw_buffer *to,
                       json_t *object)
{
    char *text = json_dumps(object, JSON_ENSURE_ASCII);
    size_t left = session->queue.size - session->n_sent + session->held.size;

    json_decref(object);
    if (!text || left + strlen(text) > GW_QMP_QUEUE_MAX) {
        session->is_overrun = true;
    }
    if (!session->is_overrun) {
        gw_buffer_put_bytes(to, text, strlen(text));
        gw_buffer_put_bytes(to, "\r\n", 2);
        session->is_overrun = !gw_buffer_ok(to);
    }
    free(text);
}

static void queue(struct gw_qmp_session *session, json_t *object)
{
    pthread_mutex_lock(&session->lock);
    put_locked(session, &session->queue, object);
    pthread_mutex_unlock(&session->lock);
}

void gw_qmp_session_init(struct gw_qmp_session *session,
                         struct gw_control *control)
{
    *session = (struct gw_qmp_session){.control = control, .received_fd = -1};
    pthread_mutex_init(&session->lock, NULL);
    queue(session, json_pack("{s:{s:o, s:[]}}", "QMP", "version",
                             gw_qmp_version(), "capabilities"));
}

void gw_qmp_session_deinit(struct gw_qmp_session *session)
{
    gw_json_stream_deinit(&session->stream);
    if (session->received_fd >= 0) {
        close(session->received_fd);
    }
    gw_buffer_deinit(&session->held);
    gw_buffer_deinit(&session->queue);
    pthread_mutex_destroy(&session->lock);
}

void gw_qmp_session_receive_fd(struct gw_qmp_session *session, int fd)
{
    if (session->received_fd >= 0) {
        close(session->received_fd);
    }
    session->received_fd = fd;
}

/* An error's text comes from anywhere; JSON takes UTF-8 only. */
static json_t *json_of_error_text(const char *text)
{
    json_t *string = json_string(text);

    return string ? string : json_string("(the text is not valid UTF-8)");
}

/* Takes the reference to `result`; lends `id`, which may be NULL. */
static void reply(struct gw_qmp_session *session, json_t *id, json_t *result,
                  const struct gw_error *error)
{
    json_t *object;

    if (result) {
        object = json_pack("{s:o}", "return", result);
    } else {
        object = json_pack("{s:{s:s, s:o}}", "error", "class",
                           class_name(gw_error_class_of(error)), "desc",
                           json_of_error_text(gw_error_text(error)));
    }
    if (id) {
        json_object_set(object, "id", id);
    }
    queue(session, object);
}

/* The command's name; NULL and an error if the request has another shape. */
static const char *check_request(json_t *request, struct gw_error **errp)
{
    json_t *execute = json_object_get(request, "execute");
    const char *name;
    json_t *member;

    json_object_foreach(request, name, member)
    {
        if (strcmp(name, "execute") == 0 || strcmp(name, "id") == 0) {
            continue;
        }
        if (strcmp(name, "arguments") != 0) {
            gw_error_set(errp, -EINVAL, "QMP input member '%s' is unexpected",
                         name);
            return NULL;
        }
        if (!json_is_object(member)) {
            gw_error_set(errp, -EINVAL,
                         "QMP input member 'arguments' must be an object");
            return NULL;
        }
    }
    if (!execute) {
        gw_error_set(errp, -EINVAL, "QMP input lacks member 'execute'");
    } else if (!json_is_string(execute)) {
        gw_error_set(errp, -EINVAL,
                     "QMP input member 'execute' must be a string");
    }
    return json_string_value(execute);
}

static bool is_negotiated(struct gw_qmp_session *session)
{
    bool negotiated;

    pthread_mutex_lock(&session->lock);
    negotiated = session->is_negotiated;
    pthread_mutex_unlock(&session->lock);
    return negotiated;
}

/* qmp_capabilities: `oob` is not offered, so there is nothing to enable. */
static json_t *negotiate(struct gw_qmp_session *session, json_t *arguments,
                         struct gw_error **errp)
{
    static const char *const known[] = {"oob", NULL};
    static const struct gw_schema_member element = {.type = GW_SCHEMA_ENUM,
                                                    .choices = known};
    static const struct gw_schema_member member = {.name = "enable",
                                                   .type = GW_SCHEMA_ARRAY,
                                                   .optional = true,
                                                   .element = &element};
    static const struct gw_schema schema = {.members = &member, .n_members = 1};

    if (arguments && gw_schema_check(&schema, arguments, "", errp) < 0) {
        return NULL;
    }
    if (is_negotiated(session)) {
        gw_error_set_class(errp, GW_ERROR_COMMAND_NOT_FOUND, -EINVAL,
                           "Capabilities negotiation is already complete, "
                           "command ignored");
        return NULL;
    }
    if (json_array_size(json_object_get(arguments, "enable")) > 0) {
        gw_error_set(errp, -ENOTSUP, "Capability oob not available");
        return NULL;
    }
    return json_object();
}

static json_t *execute(struct gw_qmp_session *session, const char *name,
                       json_t *arguments, struct gw_error **errp)
{
    if (strcmp(name, "qmp_capabilities") == 0) {
        return negotiate(session, arguments, errp);
    }
    if (!is_negotiated(session)) {
        gw_error_set_class(errp, GW_ERROR_COMMAND_NOT_FOUND, -EINVAL,
                           "Expecting capabilities negotiation with "
                           "'qmp_capabilities'");
        return NULL;
    }
    return gw_qmp_execute(session->control, name, arguments,
                          &session->received_fd, errp);
}

static void begin_command(struct gw_qmp_session *session)
{
    pthread_mutex_lock(&session->lock);
    session->is_executing = true;
    session->executor = pthread_self();
    pthread_mutex_unlock(&session->lock);
}

/* The reply is queued; `negotiated`: events may come from now on. */
static void end_command(struct gw_qmp_session *session, bool negotiated)
{
    pthread_mutex_lock(&session->lock);
    session->is_executing = false;
    session->is_negotiated = session->is_negotiated || negotiated;
    gw_buffer_put_bytes(&session->queue, session->held.data,
                        session->held.size);
    session->held.size = 0;
    pthread_mutex_unlock(&session->lock);
}

static void handle(struct gw_qmp_session *session, json_t *request,
                   const struct gw_error *parse_error)
{
    json_t *result = NULL;
    struct gw_error *error = gw_error_dup(parse_error);
    const char *name = NULL;
    bool negotiated;

    if (request && !json_is_object(request)) {
        gw_error_set(&error, -EINVAL, "QMP input must be a JSON object");
    } else if (request) {
        name = check_request(request, &error);
    }
    begin_command(session);
    if (name && !error) {
        result = execute(session, name, json_object_get(request, "arguments"),
                         &error);
    }
    negotiated = result && strcmp(name, "qmp_capabilities") == 0;
    reply(session, json_object_get(request, "id"), result, error);
    end_command(session, negotiated);
    gw_error_free(error);
}

static bool on_message(void *opaque, json_t *value,
                       const struct gw_error *error)
{
    struct gw_qmp_session *session = opaque;
    bool goes_on;

    handle(session, value, error);
    pthread_mutex_lock(&session->lock);
    goes_on = !session->is_overrun;
    pthread_mutex_unlock(&session->lock);
    return goes_on;
}

void gw_qmp_session_feed(struct gw_qmp_session *session, const void *data,
                         size_t size)
{
    gw_json_stream_feed(&session->stream, data, size, on_message, session);
}

static json_t *data_of(const struct gw_event *event)
{
    switch (event->type) {
    case GW_EVENT_MIGRATION:
        return json_pack("{s:s}", "status",
                         gw_migration_status_name(event->status));
    case GW_EVENT_MIGRATION_PASS:
        return json_pack("{s:o}", "pass", gw_qmp_uint(event->pass));
    case GW_EVENT_SHUTDOWN:
    case GW_EVENT_RESET:
        return json_pack("{s:b, s:s}", "guest", (int)event->guest, "reason",
                         event->reason);
    case GW_EVENT_BALLOON_CHANGE:
        return json_pack("{s:o}", "actual", gw_qmp_uint(event->actual_bytes));
    case GW_EVENT_STOP:
    case GW_EVENT_RESUME:
    case GW_EVENT_POWERDOWN:
        break;
    }
    return NULL;
}

static const char *event_name(enum gw_event_type type)
{
    switch (type) {
    case GW_EVENT_STOP:
        return "STOP";
    case GW_EVENT_RESUME:
        return "RESUME";
    case GW_EVENT_MIGRATION:
        return "MIGRATION";
    case GW_EVENT_MIGRATION_PASS:
        return "MIGRATION_PASS";
    case GW_EVENT_SHUTDOWN:
        return "SHUTDOWN";
    case GW_EVENT_POWERDOWN:
        return "POWERDOWN";
    case GW_EVENT_RESET:
        return "RESET";
    case GW_EVENT_BALLOON_CHANGE:
        return "BALLOON_CHANGE";
    }
    return "UNKNOWN";
}

void gw_qmp_session_event(struct gw_qmp_session *session,
                          const struct gw_event *event)
{
    struct timespec now = {.tv_sec = -1, .tv_nsec = -1000};
    json_t *data = data_of(event);
    json_t *object;

    clock_gettime(CLOCK_REALTIME, &now);
    object = json_pack("{s:{s:I, s:I}, s:s}", "timestamp", "seconds",
                       (json_int_t)now.tv_sec, "microseconds",
                       (json_int_t)(now.tv_nsec / 1000), "event",
                       event_name(event->type));
    if (data) {
        json_object_set_new(object, "data", data);
    }
    pthread_mutex_lock(&session->lock);
    if (session->is_negotiated) {
        bool is_held = session->is_executing &&
                       !pthread_equal(session->executor, pthread_self());

        put_locked(session, is_held ? &session->held : &session->queue, object);
    } else {
        json_decref(object);
    }
    pthread_mutex_unlock(&session->lock);
}

static ssize_t send_locked(struct gw_qmp_session *session,
                           ssize_t (*write)(void *opaque, const void *data,
                                            size_t size),
                           void *opaque)
{
    size_t left = session->queue.size - session->n_sent;

    while (left) {
        ssize_t n = write(opaque, session->queue.data + session->n_sent, left);

        if (n < 0) {
            return n;
        }
        if (n == 0) {
            break;
        }
        session->n_sent += (size_t)n;
        left -= (size_t)n;
    }
    if (left == 0) {
        session->queue.size = 0;
        session->n_sent = 0;
    } else if (session->n_sent > GW_QMP_QUEUE_PAUSE) {
        memmove(session->queue.data, session->queue.data + session->n_sent,
                left);
        session->queue.size = left;
        session->n_sent = 0;
    }
    return session->is_overrun ? -EOVERFLOW : (ssize_t)left;
}

ssize_t gw_qmp_session_send(struct gw_qmp_session *session,
                            ssize_t (*write)(void *opaque, const void *data,
                                             size_t size),
                            void *opaque)
{
    ssize_t left;

    pthread_mutex_lock(&session->lock);
    left = send_locked(session, write, opaque);
    pthread_mutex_unlock(&session->lock);
    return left;
}

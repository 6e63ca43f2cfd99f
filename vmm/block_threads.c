/*
 * A thread that does one request after the other, with calls that wait.
 */
#include "block.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "util.h"

struct list {
    struct vmm_block_request *first;
    struct vmm_block_request **last;
};

struct vmm_block_engine {
    pthread_t thread;
    /* --- guarded by lock --- */
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct list todo;
    struct list done;
    bool quit;
};

static void append(struct list *list, struct vmm_block_request *request)
{
    request->next = NULL;
    *list->last = request;
    list->last = &request->next;
}

static struct vmm_block_request *take_first(struct list *list)
{
    struct vmm_block_request *request = list->first;

    if (request) {
        list->first = request->next;
        if (!list->first) {
            list->last = &list->first;
        }
    }
    return request;
}

static void work(struct vmm_block *block, struct vmm_block_request *request)
{
    struct vmm_block_engine *engine = block->engine;
    uint64_t one = 1;

    pthread_mutex_unlock(&engine->lock);
    request->step_result = vmm_block_step(block, request);
    pthread_mutex_lock(&engine->lock);
    append(&engine->done, request);
    (void)!write(block->event_fd, &one, sizeof(one));
}

static void *thread_main(void *opaque)
{
    struct vmm_block *block = opaque;
    struct vmm_block_engine *engine = block->engine;
    struct vmm_block_request *request;

    pthread_setname_np(pthread_self(), "disk");
    pthread_mutex_lock(&engine->lock);
    for (;;) {
        request = take_first(&engine->todo);
        if (request) {
            work(block, request);
        } else if (engine->quit) {
            break;
        } else {
            pthread_cond_wait(&engine->changed, &engine->lock);
        }
    }
    pthread_mutex_unlock(&engine->lock);
    return NULL;
}

static int start_thread(struct vmm_block *block)
{
    sigset_t blocked;
    sigset_t old;
    int r;

    sigfillset(&blocked);
    pthread_sigmask(SIG_SETMASK, &blocked, &old);
    r = pthread_create(&block->engine->thread, NULL, thread_main, block);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    return -r;
}

static int open_threads(struct vmm_block *block, struct gw_error **errp)
{
    struct vmm_block_engine *engine = calloc(1, sizeof(*engine));
    int r;

    if (!engine) {
        return gw_error_set_errno(errp, -ENOMEM, "disk");
    }
    block->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (block->event_fd < 0) {
        r = gw_error_set_errno(errp, -errno, "eventfd");
        free(engine);
        return r;
    }
    engine->todo.last = &engine->todo.first;
    engine->done.last = &engine->done.first;
    pthread_mutex_init(&engine->lock, NULL);
    pthread_cond_init(&engine->changed, NULL);
    block->engine = engine;
    r = start_thread(block);
    if (r < 0) {
        close(block->event_fd);
        block->event_fd = -1;
        block->engine = NULL;
        free(engine);
        return gw_error_set_errno(errp, r, "cannot start a disk's thread");
    }
    return 0;
}

static void close_threads(struct vmm_block *block)
{
    struct vmm_block_engine *engine = block->engine;

    pthread_mutex_lock(&engine->lock);
    engine->quit = true;
    pthread_cond_broadcast(&engine->changed);
    pthread_mutex_unlock(&engine->lock);
    pthread_join(engine->thread, NULL);
    pthread_cond_destroy(&engine->changed);
    pthread_mutex_destroy(&engine->lock);
    close(block->event_fd);
    block->event_fd = -1;
    free(engine);
    block->engine = NULL;
}

static void submit(struct vmm_block *block, struct vmm_block_request *request)
{
    struct vmm_block_engine *engine = block->engine;

    pthread_mutex_lock(&engine->lock);
    append(&engine->todo, request);
    pthread_cond_broadcast(&engine->changed);
    pthread_mutex_unlock(&engine->lock);
}

static void kick(struct vmm_block *block)
{
}

static struct vmm_block_request *reap(struct vmm_block *block)
{
    struct vmm_block_engine *engine = block->engine;
    struct vmm_block_request *request;
    uint64_t count;

    pthread_mutex_lock(&engine->lock);
    request = take_first(&engine->done);
    if (!engine->done.first) {
        (void)!read(block->event_fd, &count, sizeof(count));
    }
    pthread_mutex_unlock(&engine->lock);
    return request;
}

const struct vmm_block_engine_ops vmm_block_threads = {
    .name = "threads",
    .open = open_threads,
    .close = close_threads,
    .submit = submit,
    .kick = kick,
    .reap = reap,
};

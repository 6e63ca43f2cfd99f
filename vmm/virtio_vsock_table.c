/*
 * Places, sets and time of the connections.
 */
#include "virtio_vsock_table.h"

#include <errno.h>
#include <linux/virtio_vsock.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "util.h"

#define LISTENER UINT32_MAX
/* Ports that programs of the host come from: none that one listens on. */
#define FIRST_PORT 0x40000000u
#define REST_NS INT64_C(1000000000)

int vmm_vsock_table_init(struct vmm_vsock_table *table, int listen_fd,
                         struct gw_error **errp)
{
    *table = (struct vmm_vsock_table){
        .last_port = FIRST_PORT - 1,
        .in_set = epoll_create1(EPOLL_CLOEXEC),
        .out_set = epoll_create1(EPOLL_CLOEXEC),
        .timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK),
        .listen_fd = listen_fd,
    };
    for (unsigned int i = 0; i < VMM_VSOCK_CONNECTIONS_MAX; i++) {
        table->connections[i].fd = -1;
    }
    if (table->in_set < 0 || table->out_set < 0 || table->timer_fd < 0) {
        return gw_error_set_errno(errp, -errno, "epoll and timerfd");
    }
    return 0;
}

static void close_fd(int fd)
{
    if (fd >= 0) {
        close(fd);
    }
}

void vmm_vsock_table_deinit(struct vmm_vsock_table *table)
{
    vmm_vsock_table_clear(table);
    close_fd(table->in_set);
    close_fd(table->out_set);
    close_fd(table->timer_fd);
    table->in_set = table->out_set = table->timer_fd = -1;
}

struct vmm_vsock_connection *vmm_vsock_table_new(struct vmm_vsock_table *table)
{
    for (unsigned int i = 0; i < VMM_VSOCK_CONNECTIONS_MAX; i++) {
        if (table->connections[i].state == VMM_VSOCK_FREE) {
            return &table->connections[i];
        }
    }
    return NULL;
}

struct vmm_vsock_connection *vmm_vsock_table_find(struct vmm_vsock_table *table,
                                                  uint32_t guest_port,
                                                  uint32_t host_port)
{
    for (unsigned int i = 0; i < VMM_VSOCK_CONNECTIONS_MAX; i++) {
        if (vmm_vsock_connection_matches(&table->connections[i], guest_port,
                                         host_port)) {
            return &table->connections[i];
        }
    }
    return NULL;
}

struct vmm_vsock_connection *
vmm_vsock_table_next_due(struct vmm_vsock_table *table)
{
    for (unsigned int i = 0; i < VMM_VSOCK_CONNECTIONS_MAX; i++) {
        unsigned int at = (table->turn + i) % VMM_VSOCK_CONNECTIONS_MAX;

        if (table->connections[at].due) {
            table->turn = at + 1;
            return &table->connections[at];
        }
    }
    return NULL;
}

uint32_t vmm_vsock_table_next_port(struct vmm_vsock_table *table,
                                   uint32_t guest_port)
{
    do {
        table->last_port = table->last_port == UINT32_MAX - 1
                               ? FIRST_PORT
                               : table->last_port + 1;
    } while (vmm_vsock_table_find(table, guest_port, table->last_port));
    return table->last_port;
}

void vmm_vsock_table_clear(struct vmm_vsock_table *table)
{
    for (unsigned int i = 0; i < VMM_VSOCK_CONNECTIONS_MAX; i++) {
        vmm_vsock_connection_free(&table->connections[i]);
    }
    table->last_port = FIRST_PORT - 1;
}

/* --- The sets --- */

/* Failure is the lack of memory: the connection stands still then. */
static bool watch(int set, int op, int fd, uint32_t events, uint32_t index)
{
    struct epoll_event event = {.events = events, .data.u32 = index};

    return epoll_ctl(set, op, fd, &event) == 0 && op != EPOLL_CTL_DEL;
}

void vmm_vsock_table_settle(struct vmm_vsock_table *table,
                            struct vmm_vsock_connection *connection)
{
    uint32_t index = (uint32_t)(connection - table->connections);
    uint32_t events = 0;
    bool in = vmm_vsock_connection_reads(connection);
    bool out = vmm_vsock_connection_watches(connection, &events);

    if (connection->fd < 0) {
        return;
    }
    if (in != connection->watched_in) {
        connection->watched_in =
            watch(table->in_set, in ? EPOLL_CTL_ADD : EPOLL_CTL_DEL,
                  connection->fd, EPOLLIN, index);
    }
    if (out != connection->watched_out) {
        connection->watched_out =
            watch(table->out_set, out ? EPOLL_CTL_ADD : EPOLL_CTL_DEL,
                  connection->fd, events, index);
    } else if (out && events != connection->out_events) {
        watch(table->out_set, EPOLL_CTL_MOD, connection->fd, events, index);
    }
    connection->out_events = events;
}

void vmm_vsock_table_rest(struct vmm_vsock_table *table, int64_t now_ns)
{
    table->listen_again_ns = now_ns + REST_NS;
}

static void settle_listener(struct vmm_vsock_table *table)
{
    bool wanted = table->listen_again_ns == 0 && vmm_vsock_table_new(table);

    if (wanted != table->listening) {
        table->listening =
            watch(table->in_set, wanted ? EPOLL_CTL_ADD : EPOLL_CTL_DEL,
                  table->listen_fd, EPOLLIN, LISTENER);
    }
}

static int64_t earlier(int64_t a_ns, int64_t b_ns)
{
    return a_ns == 0 || (b_ns != 0 && b_ns < a_ns) ? b_ns : a_ns;
}

void vmm_vsock_table_prepare(struct vmm_vsock_table *table)
{
    int64_t first_ns = table->listen_again_ns;

    settle_listener(table);
    for (unsigned int i = 0; i < VMM_VSOCK_CONNECTIONS_MAX; i++) {
        first_ns = earlier(first_ns, table->connections[i].deadline_ns);
    }
    if (first_ns != table->armed_ns) {
        struct itimerspec when = {
            .it_value = {.tv_sec = first_ns / 1000000000,
                         .tv_nsec = first_ns % 1000000000}};

        timerfd_settime(table->timer_fd, TFD_TIMER_ABSTIME, &when, NULL);
        table->armed_ns = first_ns;
    }
}

int vmm_vsock_table_events(struct vmm_vsock_table *table, int set,
                           struct vmm_vsock_event events[VMM_VSOCK_EVENTS_MAX])
{
    struct epoll_event found[VMM_VSOCK_EVENTS_MAX];
    int n = epoll_wait(set, found, VMM_VSOCK_EVENTS_MAX, 0);

    for (int i = 0; i < n; i++) {
        uint32_t index = found[i].data.u32;

        events[i] = (struct vmm_vsock_event){
            .connection = index == LISTENER ? NULL : &table->connections[index],
            .hung_up = found[i].events & (uint32_t)EPOLLHUP,
        };
    }
    return n;
}

/* --- Time --- */

/* Who waits for the guest gives it up, and says so. */
static void expire(struct vmm_vsock_connection *connection)
{
    uint32_t guest_port = connection->guest_port;
    uint32_t host_port = connection->host_port;
    bool told = connection->state == VMM_VSOCK_REQUESTED ||
                connection->state == VMM_VSOCK_CLOSING;

    vmm_vsock_connection_free(connection);
    if (told) {
        connection->state = VMM_VSOCK_CLOSING;
        connection->guest_port = guest_port;
        connection->host_port = host_port;
        vmm_vsock_connection_owe(connection, VIRTIO_VSOCK_OP_RST);
    }
}

void vmm_vsock_table_expire(struct vmm_vsock_table *table, int64_t now_ns)
{
    uint64_t n_times;

    (void)!read(table->timer_fd, &n_times, sizeof(n_times));
    table->armed_ns = 0;
    if (table->listen_again_ns <= now_ns) {
        table->listen_again_ns = 0;
    }
    for (unsigned int i = 0; i < VMM_VSOCK_CONNECTIONS_MAX; i++) {
        struct vmm_vsock_connection *connection = &table->connections[i];

        if (connection->deadline_ns && connection->deadline_ns <= now_ns) {
            expire(connection);
        }
    }
}

void vmm_vsock_table_wait(struct vmm_vsock_table *table, int64_t now_ns)
{
    for (unsigned int i = 0; i < VMM_VSOCK_CONNECTIONS_MAX; i++) {
        struct vmm_vsock_connection *connection = &table->connections[i];

        if (connection->deadline_ns) {
            vmm_vsock_connection_wait(connection, now_ns);
        }
    }
}

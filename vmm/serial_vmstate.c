/*
 * The UART on the wire: section `serial`, version 3.
 */
#include "serial.h"

#include <errno.h>

#include <godwit/vmstate.h>

static bool thr_latch_needed(const void *state)
{
    const struct vmm_serial_state *s = state;

    if (s->ier & VMM_IER_THRI) {
        bool implied = (s->iir & VMM_IIR_ID) == VMM_IIR_THRI;

        return (s->thr_ipending != 0) != implied;
    }
    return false;
}

static const struct gw_field thr_latch_fields[] = {
    GW_FIELD_I32(struct vmm_serial_state, thr_ipending),
    GW_FIELD_END,
};

static const struct gw_vmstate thr_latch_vmstate = {
    .name = "serial/thr_ipending",
    .version = 1,
    .min_version = 1,
    .size = sizeof(struct vmm_serial_state),
    .fields = thr_latch_fields,
    .needed = thr_latch_needed,
};

static bool tsr_needed(const void *state)
{
    const struct vmm_serial_state *s = state;

    return s->tsr_retry != 0;
}

static const struct gw_field tsr_fields[] = {
    GW_FIELD_U32(struct vmm_serial_state, tsr_retry),
    GW_FIELD_U8(struct vmm_serial_state, thr),
    GW_FIELD_U8(struct vmm_serial_state, tsr),
    GW_FIELD_END,
};

static const struct gw_vmstate tsr_vmstate = {
    .name = "serial/tsr",
    .version = 1,
    .min_version = 1,
    .size = sizeof(struct vmm_serial_state),
    .fields = tsr_fields,
    .needed = tsr_needed,
};

static bool fifo_is_sound(const void *state, uint32_t version)
{
    const struct vmm_serial_fifo *fifo = state;

    return fifo->head < VMM_SERIAL_FIFO && fifo->count <= VMM_SERIAL_FIFO;
}

static const struct gw_field fifo_fields[] = {
    GW_FIELD_BUFFER(struct vmm_serial_fifo, data),
    GW_FIELD_U32(struct vmm_serial_fifo, head),
    GW_FIELD_U32(struct vmm_serial_fifo, count),
    GW_FIELD_VALIDATE("head and count within the FIFO", fifo_is_sound),
    GW_FIELD_END,
};

static const struct gw_vmstate fifo_vmstate = {
    .name = "Fifo8",
    .version = 1,
    .min_version = 1,
    .size = sizeof(struct vmm_serial_fifo),
    .fields = fifo_fields,
};

static bool recv_fifo_needed(const void *state)
{
    const struct vmm_serial_state *s = state;

    return s->recv_fifo.count > 0;
}

static const struct gw_field recv_fifo_fields[] = {
    GW_FIELD_STRUCT(struct vmm_serial_state, recv_fifo, fifo_vmstate,
                    struct vmm_serial_fifo),
    GW_FIELD_END,
};

static const struct gw_vmstate recv_fifo_vmstate = {
    .name = "serial/recv_fifo",
    .version = 1,
    .min_version = 1,
    .size = sizeof(struct vmm_serial_state),
    .fields = recv_fifo_fields,
    .needed = recv_fifo_needed,
};

static bool xmit_fifo_needed(const void *state)
{
    const struct vmm_serial_state *s = state;

    return s->xmit_fifo.count > 0;
}

static const struct gw_field xmit_fifo_fields[] = {
    GW_FIELD_STRUCT(struct vmm_serial_state, xmit_fifo, fifo_vmstate,
                    struct vmm_serial_fifo),
    GW_FIELD_END,
};

static const struct gw_vmstate xmit_fifo_vmstate = {
    .name = "serial/xmit_fifo",
    .version = 1,
    .min_version = 1,
    .size = sizeof(struct vmm_serial_state),
    .fields = xmit_fifo_fields,
    .needed = xmit_fifo_needed,
};

static bool timeout_timer_needed(const void *state)
{
    const struct vmm_serial_state *s = state;

    return s->fifo_timeout_timer != GW_TIMER_NOT_ARMED;
}

static const struct gw_field timeout_timer_fields[] = {
    GW_FIELD_TIMER(struct vmm_serial_state, fifo_timeout_timer),
    GW_FIELD_END,
};

static const struct gw_vmstate timeout_timer_vmstate = {
    .name = "serial/fifo_timeout_timer",
    .version = 1,
    .min_version = 1,
    .size = sizeof(struct vmm_serial_state),
    .fields = timeout_timer_fields,
    .needed = timeout_timer_needed,
};

static bool timeout_latch_needed(const void *state)
{
    const struct vmm_serial_state *s = state;

    return s->timeout_ipending != 0;
}

static const struct gw_field timeout_latch_fields[] = {
    GW_FIELD_I32(struct vmm_serial_state, timeout_ipending),
    GW_FIELD_END,
};

static const struct gw_vmstate timeout_latch_vmstate = {
    .name = "serial/timeout_ipending",
    .version = 1,
    .min_version = 1,
    .size = sizeof(struct vmm_serial_state),
    .fields = timeout_latch_fields,
    .needed = timeout_latch_needed,
};

static bool poll_needed(const void *state)
{
    const struct vmm_serial_state *s = state;

    return s->poll_msl >= 0;
}

static const struct gw_field poll_fields[] = {
    GW_FIELD_I32(struct vmm_serial_state, poll_msl),
    GW_FIELD_TIMER(struct vmm_serial_state, modem_poll_timer),
    GW_FIELD_END,
};

static const struct gw_vmstate poll_vmstate = {
    .name = "serial/poll",
    .version = 1,
    .min_version = 1,
    .size = sizeof(struct vmm_serial_state),
    .fields = poll_fields,
    .needed = poll_needed,
};

static const struct gw_vmstate *const subsections[] = {
    &thr_latch_vmstate,     &tsr_vmstate,
    &recv_fifo_vmstate,     &xmit_fifo_vmstate,
    &timeout_timer_vmstate, &timeout_latch_vmstate,
    &poll_vmstate,          NULL,
};

static const struct gw_field fields[] = {
    GW_FIELD_U16_V(struct vmm_serial_state, divider, 2),
    GW_FIELD_U8(struct vmm_serial_state, rbr),
    GW_FIELD_U8(struct vmm_serial_state, ier),
    GW_FIELD_U8(struct vmm_serial_state, iir),
    GW_FIELD_U8(struct vmm_serial_state, lcr),
    GW_FIELD_U8(struct vmm_serial_state, mcr),
    GW_FIELD_U8(struct vmm_serial_state, lsr),
    GW_FIELD_U8(struct vmm_serial_state, msr),
    GW_FIELD_U8(struct vmm_serial_state, scr),
    GW_FIELD_U8_V(struct vmm_serial_state, fcr, 3),
    GW_FIELD_END,
};

/* What an absent subsection means. */
static int pre_load(void *state, struct gw_error **errp)
{
    struct vmm_serial_state *s = state;

    s->thr_ipending = -1;
    s->tsr_retry = 0;
    s->recv_fifo = (struct vmm_serial_fifo){0};
    s->xmit_fifo = (struct vmm_serial_fifo){0};
    s->fifo_timeout_timer = GW_TIMER_NOT_ARMED;
    s->timeout_ipending = 0;
    s->poll_msl = -1;
    s->modem_poll_timer = GW_TIMER_NOT_ARMED;
    return 0;
}

static int post_load(void *state, uint32_t version, struct gw_error **errp)
{
    struct vmm_serial_state *s = state;

    if (s->thr_ipending == -1) {
        s->thr_ipending = (s->iir & VMM_IIR_ID) == VMM_IIR_THRI;
    }
    if ((s->tsr_retry == 0) != ((s->lsr & VMM_LSR_TEMT) != 0)) {
        return gw_error_set(errp, -EBADMSG,
                            "line status 0x%02x does not fit a transmitter "
                            "with %u retries",
                            s->lsr, s->tsr_retry);
    }
    s->fcr &= VMM_FCR_KEPT;
    s->ier &= 0x0f;
    /* We have no modem lines to poll. */
    s->poll_msl = -1;
    s->modem_poll_timer = GW_TIMER_NOT_ARMED;
    return 0;
}

const struct gw_vmstate vmm_serial_vmstate = {
    .name = "serial",
    .version = 3,
    .min_version = 2,
    .size = sizeof(struct vmm_serial_state),
    .fields = fields,
    .subsections = subsections,
    .pre_load = pre_load,
    .post_load = post_load,
};

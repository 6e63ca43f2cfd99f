/*
 * Errors on their way to the console: each CPU keeps its own in a ring on its
 * page, and CPU 0 prints them. A ring has one writer and one reader.
 */
#include "beat_state.h"

void beat_report_put(struct beat_cpu *cpu, const struct beat_report *report)
{
    uint32_t head = cpu->head;

    beat_add64(&cpu->errors, 1);
    if (head - beat_load32(&cpu->tail) >= BEAT_REPORTS) {
        beat_add64(&cpu->unreported, 1);
        return;
    }
    cpu->reports[head % BEAT_REPORTS] = *report;
    beat_store32(&cpu->head, head + 1);
}

static void print_page(struct beat_text *text, const struct beat_report *report)
{
    beat_text_str(text, "page ");
    beat_text_u64(text, report->index);
    beat_text_str(text, " expected generation ");
    beat_text_u64(text, report->expected);
    beat_text_str(text, " found ");
    switch (report->found_kind) {
    case BEAT_FOUND_ZERO:
        beat_text_str(text, "zero");
        return;
    case BEAT_FOUND_PAGE:
        beat_text_str(text, "page ");
        beat_text_u64(text, report->where);
        beat_text_str(text, " ");
        __attribute__((fallthrough));
    case BEAT_FOUND_GENERATION:
        beat_text_str(text, "generation ");
        beat_text_u64(text, report->found);
        return;
    default:
        beat_text_hex(text, report->found);
        beat_text_str(text, " at word ");
        beat_text_u64(text, report->where);
        return;
    }
}

/* The name comes from guest RAM: printable characters only, no end assumed. */
static void print_name(struct beat_text *text, const char *name, size_t size)
{
    for (size_t i = 0; i < size && name[i]; i++) {
        char c = name[i] > ' ' && name[i] <= '~' ? name[i] : '?';

        beat_text_bytes(text, &c, 1);
    }
}

static void print_register(struct beat_text *text, uint32_t cpu,
                           const struct beat_report *report)
{
    beat_text_str(text, "register ");
    print_name(text, report->name, sizeof(report->name));
    beat_text_str(text, " of cpu ");
    beat_text_u64(text, cpu);
    beat_text_str(text, " expected ");
    beat_text_hex(text, report->expected);
    beat_text_str(text, " found ");
    beat_text_hex(text, report->found);
}

static void print_report(const struct beat_ops *ops, uint32_t cpu,
                         const struct beat_report *report)
{
    struct beat_text text = {0};

    beat_text_str(&text, "beat: ERROR ");
    switch (report->kind) {
    case BEAT_REPORT_PAGE:
        print_page(&text, report);
        break;
    case BEAT_REPORT_REGISTER:
        print_register(&text, cpu, report);
        break;
    case BEAT_REPORT_TIME:
        beat_text_str(&text, "time went backwards on cpu ");
        beat_text_u64(&text, cpu);
        beat_text_str(&text, " from ");
        beat_text_u64(&text, report->expected);
        beat_text_str(&text, " ns to ");
        beat_text_u64(&text, report->found);
        beat_text_str(&text, " ns");
        break;
    case BEAT_REPORT_TICK:
        beat_text_str(&text, "tick of the state page is ");
        beat_text_u64(&text, report->found);
        beat_text_str(&text, " and that of the cpu page is ");
        beat_text_u64(&text, report->expected);
        break;
    default:
        beat_text_str(&text, "of unknown kind ");
        beat_text_u64(&text, report->kind);
        break;
    }
    beat_text_flush(&text, ops);
}

static void print_unreported(const struct beat_ops *ops, struct beat_cpu *cpu)
{
    uint64_t unreported = beat_load64(&cpu->unreported);
    struct beat_text text = {0};

    if (unreported == cpu->told) {
        return;
    }
    beat_text_str(&text, "beat: ERROR and ");
    beat_text_u64(&text, unreported - cpu->told);
    beat_text_str(&text, " more on cpu ");
    beat_text_u64(&text, cpu->index);
    cpu->told = unreported;
    beat_text_flush(&text, ops);
}

/* Prints what waits in the rings of all CPUs. Only CPU 0. */
int beat_report_print(const struct beat_run *run)
{
    for (uint32_t i = 0; i < run->config.n_cpus; i++) {
        struct beat_cpu *cpu = beat_cpu_at(run->ram, i);
        uint32_t head = beat_load32(&cpu->head);
        uint32_t tail = cpu->tail;

        if (head - tail > BEAT_REPORTS) {
            return BEAT_E_REPORTS;
        }
        for (; tail != head; tail++) {
            struct beat_report report = cpu->reports[tail % BEAT_REPORTS];

            print_report(run->ops, i, &report);
            beat_store32(&cpu->tail, tail + 1);
        }
        print_unreported(run->ops, cpu);
    }
    return 0;
}

/*
 * COM1, a 16550: output by polling, input byte by byte into the workload.
 */
#include "beat.h"

#include "cpu.h"

#define COM1 0x3f8
#define DATA (COM1 + 0)
#define INTERRUPT_ENABLE (COM1 + 1)
#define FIFO_CONTROL (COM1 + 2)
#define LINE_CONTROL (COM1 + 3)
#define MODEM_CONTROL (COM1 + 4)
#define LINE_STATUS (COM1 + 5)

#define STATUS_DATA_READY 0x01
#define STATUS_THR_EMPTY 0x20
#define FIFO_SIZE 16

void beat_uart_init(void)
{
    outb(INTERRUPT_ENABLE, 0);
    outb(LINE_CONTROL, 0x80); /* divisor latch */
    outb(DATA, 1);            /* 115200 baud */
    outb(INTERRUPT_ENABLE, 0);
    outb(LINE_CONTROL, 0x03);  /* 8 bits, no parity, 1 stop bit */
    outb(FIFO_CONTROL, 0x07);  /* on and empty, interrupt at every byte */
    outb(MODEM_CONTROL, 0x0b); /* DTR, RTS, and OUT2: interrupts go out */
    outb(INTERRUPT_ENABLE, 0x01);
}

/* Without a UART every register reads 0xff: nothing waits for it then. */
void beat_uart_write(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (i % FIFO_SIZE == 0) {
            while (!(inb(LINE_STATUS) & STATUS_THR_EMPTY)) {
                pause_a_little();
            }
        }
        outb(DATA, (uint8_t)text[i]);
    }
}

/* Takes what has come, but no more than a FIFO full at a time. */
void beat_uart_read(void)
{
    for (int i = 0; i < FIFO_SIZE; i++) {
        uint8_t status = inb(LINE_STATUS);
        uint8_t byte;

        if (status == 0xff || !(status & STATUS_DATA_READY)) {
            return;
        }
        byte = inb(DATA);
        beat_take_input(&byte, 1);
    }
}

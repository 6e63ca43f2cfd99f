/*
 * Ethernet frames with IPv4 in them, by hand.
 */
#ifndef GW_TESTS_UNIT_VMM_IP_FRAMES_H
#define GW_TESTS_UNIT_VMM_IP_FRAMES_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Bytes of the headers. */
#define ETHERNET 14u
#define IP 20u

static inline uint16_t get16(const uint8_t *from)
{
    return (uint16_t)(from[0] << 8 | from[1]);
}

static inline uint32_t get32(const uint8_t *from)
{
    return (uint32_t)get16(from) << 16 | get16(from + 2);
}

static inline void put16(uint8_t *to, uint32_t value)
{
    to[0] = (uint8_t)(value >> 8);
    to[1] = (uint8_t)value;
}

static inline void put32(uint8_t *to, uint32_t value)
{
    put16(to, value >> 16);
    put16(to + 2, value);
}

/* Of 16-bit words, added to what was summed before. */
static inline uint32_t sum(uint32_t so_far, const uint8_t *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        so_far += i % 2 ? bytes[i] : (uint32_t)bytes[i] << 8;
    }
    return so_far;
}

static inline uint16_t checksum(uint32_t sum)
{
    while (sum >> 16) {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    return (uint16_t)~sum;
}

static inline void make_ethernet(uint8_t *frame, const char *from,
                                 const char *to, unsigned int type)
{
    memcpy(frame, to, 6);
    memcpy(frame + 6, from, 6);
    put16(frame + 12, type);
}

/* An IP header for a payload behind it; gives where that begins. */
static inline uint8_t *make_ip(uint8_t *frame, uint8_t protocol,
                               const char *from, const char *to,
                               size_t payload_bytes)
{
    uint8_t *ip = frame + ETHERNET;

    ip[0] = 0x45;
    put16(ip + 2, IP + (uint32_t)payload_bytes);
    ip[8] = 64;
    ip[9] = protocol;
    memcpy(ip + 12, from, 4);
    memcpy(ip + 16, to, 4);
    put16(ip + 10, checksum(sum(0, ip, IP)));
    return ip + IP;
}

/* The checksum of UDP and TCP, over the addresses, too. */
static inline uint16_t transport_checksum(const uint8_t *frame)
{
    const uint8_t *ip = frame + ETHERNET;
    uint32_t bytes = get16(ip + 2) - IP;

    return checksum(sum(sum(ip[9] + bytes, ip + 12, 8), ip + IP, bytes));
}

#endif

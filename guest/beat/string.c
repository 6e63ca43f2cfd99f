/*
 * What a compiler may call without being asked to.
 */
#include "beat.h"

void *memset(void *to, int value, size_t n);
void *memcpy(void *restrict to, const void *restrict from, size_t n);
void *memmove(void *to, const void *from, size_t n);
int memcmp(const void *a, const void *b, size_t n);

void *memset(void *to, int value, size_t n)
{
    void *at = to;

    __asm__ volatile("rep stosb" : "+D"(at), "+c"(n) : "a"(value) : "memory");
    return to;
}

void *memcpy(void *restrict to, const void *restrict from, size_t n)
{
    void *at = to;
    size_t rest = n % 8;

    n /= 8;
    __asm__ volatile("rep movsq" : "+D"(at), "+S"(from), "+c"(n) : : "memory");
    __asm__ volatile("rep movsb"
                     : "+D"(at), "+S"(from), "+c"(rest)
                     :
                     : "memory");
    return to;
}

void *memmove(void *to, const void *from, size_t n)
{
    char *t = to;
    const char *f = from;

    if (t <= f || t >= f + n) {
        return memcpy(to, from, n);
    }
    while (n--) {
        t[n] = f[n];
    }
    return to;
}

int memcmp(const void *a, const void *b, size_t n)
{
    const unsigned char *x = a;
    const unsigned char *y = b;

    for (size_t i = 0; i < n; i++) {
        if (x[i] != y[i]) {
            return x[i] < y[i] ? -1 : 1;
        }
    }
    return 0;
}

size_t beat_strlen(const char *str)
{
    size_t n = 0;

    while (str[n]) {
        n++;
    }
    return n;
}

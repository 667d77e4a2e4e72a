/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/duration.h"

#include "base/scope.h"

static const struct {
    const char *name;
    int64_t ns;
} units[] = {{"ns", 1},           {"us", 1000},      {"\xc2\xb5s", 1000}, /* micro sign */
             {"\xce\xbcs", 1000},                                         /* Greek mu */
             {"ms", 1000000},     {"s", 1000000000}, {"m", 60000000000},  {"h", 3600000000000}};

static bool is_digit(struct str s)
{
    return s.size > 0 && s.ptr[0] >= '0' && s.ptr[0] <= '9';
}

static bool take_unit(struct str *s, int64_t *ns)
{
    size_t n = 0;

    while (n < s->size && s->ptr[n] != '.' && !is_digit(str_slice(*s, n, s->size)))
        n++;
    for (size_t i = 0; i < ARRAY_SIZE(units); i++) {
        if (!str_is(str_slice(*s, 0, n), units[i].name))
            continue;
        *ns = units[i].ns;
        *s = str_slice(*s, n, s->size);
        return true;
    }
    return false;
}

/* One "1.5h" off the front. */
static bool take_part(struct str *s, int64_t *out)
{
    int64_t whole = 0, fraction = 0, scale = 1, unit;
    bool digits = is_digit(*s);

    for (; is_digit(*s); *s = str_slice(*s, 1, s->size))
        if (__builtin_mul_overflow(whole, 10, &whole) ||
            __builtin_add_overflow(whole, s->ptr[0] - '0', &whole))
            return false;
    if (str_starts(*s, ".")) {
        *s = str_slice(*s, 1, s->size);
        digits = digits || is_digit(*s);
        for (; is_digit(*s); *s = str_slice(*s, 1, s->size)) {
            if (scale > INT64_MAX / 100)
                continue; /* beyond a nanosecond of an hour */
            scale *= 10;
            fraction = fraction * 10 + (s->ptr[0] - '0');
        }
    }
    if (!digits || !take_unit(s, &unit) || __builtin_mul_overflow(whole, unit, out))
        return false;
    int64_t part = (int64_t)((double)fraction * ((double)unit / (double)scale));
    return !__builtin_add_overflow(*out, part, out);
}

bool duration_parse(struct str text, int64_t *nanoseconds)
{
    bool negative = str_starts(text, "-");
    int64_t total = 0;

    if (negative || str_starts(text, "+"))
        text = str_slice(text, 1, text.size);
    if (str_is(text, "0")) {
        *nanoseconds = 0;
        return true;
    }
    if (text.size == 0)
        return false;
    while (text.size > 0) {
        int64_t part;

        if (!take_part(&text, &part) || __builtin_add_overflow(total, part, &total))
            return false;
    }
    *nanoseconds = negative ? -total : total;
    return true;
}

/* value/divisor with the fraction's zeros at the end left out. */
static void add_decimal(struct buf *out, uint64_t value, uint64_t divisor, const char *unit)
{
    uint64_t fraction = value % divisor;

    buf_addf(out, "%llu", (unsigned long long)(value / divisor));
    if (fraction) {
        buf_addc(out, '.');
        for (uint64_t place = divisor / 10; fraction; place /= 10) {
            buf_addc(out, (char)('0' + fraction / place));
            fraction %= place;
        }
    }
    buf_adds(out, unit);
}

void duration_format(struct buf *out, int64_t nanoseconds)
{
    uint64_t ns = nanoseconds < 0 ? -(uint64_t)nanoseconds : (uint64_t)nanoseconds;

    if (nanoseconds < 0)
        buf_addc(out, '-');
    if (ns == 0) {
        buf_adds(out, "0s");
    } else if (ns < 1000) {
        buf_addf(out, "%lluns", (unsigned long long)ns);
    } else if (ns < 1000000) {
        add_decimal(out, ns, 1000, "\xc2\xb5s");
    } else if (ns < 1000000000) {
        add_decimal(out, ns, 1000000, "ms");
    } else {
        uint64_t minutes = ns / 60000000000;

        if (minutes >= 60)
            buf_addf(out, "%lluh", (unsigned long long)(minutes / 60));
        if (minutes > 0)
            buf_addf(out, "%llum", (unsigned long long)(minutes % 60));
        add_decimal(out, ns % 60000000000, 1000000000, "s");
    }
}

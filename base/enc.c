/* SPDX-License-Identifier: Apache-2.0 */
#include "base/enc.h"

#include <stdint.h>
#include <string.h>

static const char hex_lower[] = "0123456789abcdef";
static const char hex_upper[] = "0123456789ABCDEF";
static const char base64_digits[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

void hex_encode(struct buf *out, const void *bytes, size_t size)
{
    const uint8_t *p = bytes;
    char *to = buf_reserve(out, 2 * size);

    for (size_t i = 0; i < size; i++) {
        to[2 * i] = hex_lower[p[i] >> 4];
        to[2 * i + 1] = hex_lower[p[i] & 15];
    }
    buf_commit(out, 2 * size);
}

bool hex_decode(struct buf *out, struct str text)
{
    if (text.size % 2)
        return false;
    for (size_t i = 0; i < text.size; i += 2) {
        int high = hex_value(text.ptr[i]), low = hex_value(text.ptr[i + 1]);

        if (high < 0 || low < 0)
            return false;
        buf_addc(out, (char)(high << 4 | low));
    }
    return true;
}

void base64_encode(struct buf *out, const void *bytes, size_t size)
{
    const uint8_t *p = bytes;

    for (size_t i = 0; i < size; i += 3) {
        uint32_t group = (uint32_t)p[i] << 16;
        char quad[4];

        if (i + 1 < size)
            group |= (uint32_t)p[i + 1] << 8;
        if (i + 2 < size)
            group |= p[i + 2];
        quad[0] = base64_digits[group >> 18];
        quad[1] = base64_digits[group >> 12 & 63];
        quad[2] = i + 1 < size ? base64_digits[group >> 6 & 63] : '=';
        quad[3] = i + 2 < size ? base64_digits[group & 63] : '=';
        buf_add(out, quad, 4);
    }
}

static int base64_value(char c)
{
    const char *at;

    if (c == '-')
        c = '+';
    else if (c == '_')
        c = '/';
    at = c ? strchr(base64_digits, c) : NULL;
    return at ? (int)(at - base64_digits) : -1;
}

bool base64_decode(struct buf *out, struct str text)
{
    uint32_t bits = 0;
    unsigned have = 0, padding = 0;

    for (size_t i = 0; i < text.size; i++) {
        char c = text.ptr[i];
        int value;

        if (c == ' ' || (c >= '\t' && c <= '\r'))
            continue;
        if (c == '=') {
            padding++;
            continue;
        }
        value = base64_value(c);
        if (value < 0 || padding)
            return false;
        bits = bits << 6 | (uint32_t)value;
        have += 6;
        if (have >= 8) {
            have -= 8;
            buf_addc(out, (char)(bits >> have & 255));
        }
    }
    return padding <= 2 && have != 6;
}

static bool unreserved(char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '.' || c == '_' || c == '~';
}

void percent_encode(struct buf *out, struct str text, const char *keep)
{
    for (size_t i = 0; i < text.size; i++) {
        uint8_t c = (uint8_t)text.ptr[i];

        if (unreserved((char)c) || (c && strchr(keep, c))) {
            buf_addc(out, (char)c);
        } else {
            char code[3] = {'%', hex_upper[c >> 4], hex_upper[c & 15]};

            buf_add(out, code, 3);
        }
    }
}

bool percent_decode(struct buf *out, struct str text)
{
    for (size_t i = 0; i < text.size; i++) {
        int high, low;

        if (text.ptr[i] != '%') {
            buf_addc(out, text.ptr[i]);
            continue;
        }
        if (i + 2 >= text.size)
            return false;
        high = hex_value(text.ptr[i + 1]);
        low = hex_value(text.ptr[i + 2]);
        if (high < 0 || low < 0)
            return false;
        buf_addc(out, (char)(high << 4 | low));
        i += 2;
    }
    return true;
}

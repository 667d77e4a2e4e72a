/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/box.h"

#include <arpa/inet.h>
#include <string.h>

#include "base/csv.h"
#include "base/scope.h"
#include "runtime/caps.h"
#include "runtime/plan.h"

#define DNS_WORD_MAX 255

void box_release(struct box *box)
{
    strv_release(&box->dns);
    strv_release(&box->dns_search);
    strv_release(&box->dns_options);
    resources_release(&box->resources);
    *box = (struct box){0};
}

static int refuse(struct err *err, const char *what, const char *text)
{
    SCOPED(buf_release) struct buf shown = {0};

    buf_add_escaped(&shown, str_slice(str_of(text), 0, 120));
    return err_set(err, ERR_USAGE, 0, "%s \"%s\"", what, buf_cstr(&shown));
}

static int sum_caps(const struct strv *names, uint64_t *mask, struct err *err)
{
    *mask = 0;
    for (size_t i = 0; names && i < names->count; i++) {
        uint64_t one;

        if (!caps_parse(str_of(names->ptr[i]), &one))
            return refuse(err, "unknown capability", names->ptr[i]);
        *mask |= one;
    }
    return 0;
}

int box_set_caps(struct box *box, const struct strv *add, const struct strv *drop, struct err *err)
{
    uint64_t added, dropped;

    if (sum_caps(add, &added, err) < 0 || sum_caps(drop, &dropped, err) < 0)
        return -1;
    if (added == CAPS_ALL && dropped != CAPS_ALL)
        added &= ~dropped;
    box->added = added;
    box->dropped = dropped;
    return 0;
}

uint64_t box_caps(const struct box *box)
{
    return (CAPS_DEFAULT & ~box->dropped) | box->added;
}

static int add_seccomp(struct box *box, struct str value, struct err *err)
{
    if (!str_is(value, "unconfined") && !str_is(value, "builtin"))
        return err_add(err, "; a profile of one's own is not carried out: seccomp=unconfined and "
                            "seccomp=builtin are");
    box->no_filter = str_is(value, "unconfined");
    return 0;
}

static int add_privileges(struct box *box, struct str value, struct err *err)
{
    AUTO_FREE char *text = str_dup(value);

    if (!value.size) {
        box->no_new_privs = true;
        return 0;
    }
    return csv_bool(text, &box->no_new_privs, &(struct err){0}) == 0
               ? 0
               : err_add(err, "; want true or false");
}

int box_add_security(struct box *box, const char *text, struct err *err)
{
    struct err failure = {0};
    struct str name = str_of(text), value = {0};
    ptrdiff_t equals = str_find(name, '='), colon = str_find(name, ':');
    int rc;

    /* Whichever comes first: a file's path may hold the other. */
    str_cut(str_of(text), equals >= 0 && (colon < 0 || equals < colon) ? '=' : ':', &name, &value);
    refuse(&failure, "security option", text);
    if (!text[0])
        return 0; /* scripts give an option that is empty for "none" */
    if (str_is(name, "seccomp"))
        rc = add_seccomp(box, value, &failure);
    else if (str_is(name, "no-new-privileges"))
        rc = add_privileges(box, value, &failure);
    else if (str_is(name, "apparmor") && str_is(value, "unconfined"))
        rc = 0;
    else if (str_is(name, "label") && str_is(value, "disable"))
        rc = 0;
    else if (str_is(name, "apparmor") || str_is(name, "label"))
        rc = err_add(&failure, "; no AppArmor profile and no SELinux label is ever set: "
                               "apparmor=unconfined and label=disable are all there is");
    else
        rc = err_add(&failure, " is not carried out; there are no-new-privileges, seccomp, "
                               "apparmor and label");
    if (rc < 0)
        *err = failure;
    return rc;
}

int box_add_dns(struct box *box, const char *text, struct err *err)
{
    unsigned char bytes[16];

    if (inet_pton(AF_INET, text, bytes) != 1 && inet_pton(AF_INET6, text, bytes) != 1) {
        refuse(err, "server", text);
        return err_add(err, " is no address, as in 192.0.2.53 or 2001:db8::53");
    }
    strv_add(&box->dns, text);
    return 0;
}

/* One word of a line of resolv.conf. */
static bool is_word(const char *text)
{
    size_t size = strlen(text);

    for (size_t i = 0; i < size; i++)
        if ((unsigned char)text[i] <= ' ' || text[i] == 127 || text[i] == '#' || text[i] == ';')
            return false;
    return size && size <= DNS_WORD_MAX;
}

int box_add_dns_search(struct box *box, const char *text, struct err *err)
{
    if (!is_word(text)) {
        refuse(err, "domain", text);
        return err_add(err, " is no name of a domain");
    }
    strv_add(&box->dns_search, text);
    return 0;
}

int box_add_dns_option(struct box *box, const char *text, struct err *err)
{
    if (!is_word(text)) {
        refuse(err, "option", text);
        return err_add(err, " is none of resolv.conf, as in ndots:2");
    }
    strv_add(&box->dns_options, text);
    return 0;
}

void box_put(const struct box *box, struct plan *plan)
{
    plan->caps = box_caps(box);
    plan->no_filter = box->no_filter;
    plan->no_new_privs = box->no_new_privs;
    plan->shm_size = box->shm_size;
    plan->limits = box->limits;
}

/* Is this line one that a list of ours stands for? */
static bool is_replaced(const struct box *box, struct str line)
{
    struct str word = str_trim(line);

    for (size_t i = 0; i < word.size; i++)
        if (word.ptr[i] == '\t' || word.ptr[i] == ' ') {
            word = str_slice(word, 0, i);
            break;
        }
    return (box->dns.count && str_is(word, "nameserver")) ||
           (box->dns_search.count && (str_is(word, "search") || str_is(word, "domain"))) ||
           (box->dns_options.count && str_is(word, "options"));
}

static void print_words(const char *key, const struct strv *words, struct buf *out)
{
    if (words->count == 0 || (words->count == 1 && strcmp(words->ptr[0], ".") == 0))
        return;
    buf_adds(out, key);
    for (size_t i = 0; i < words->count; i++)
        buf_addf(out, " %s", words->ptr[i]);
    buf_addc(out, '\n');
}

void box_print_resolv_conf(const struct box *box, struct str text, struct buf *out)
{
    struct str line;

    while (str_line(&text, &line))
        if (!is_replaced(box, line)) {
            buf_add_str(out, line);
            buf_addc(out, '\n');
        }
    for (size_t i = 0; i < box->dns.count; i++)
        buf_addf(out, "nameserver %s\n", box->dns.ptr[i]);
    print_words("search", &box->dns_search, out);
    print_words("options", &box->dns_options, out);
}

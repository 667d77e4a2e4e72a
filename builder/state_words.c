/* SPDX-License-Identifier: Apache-2.0 */
#include "builder/state_words.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/scope.h"
#include "builder/expand.h"
#include "builder/text.h"

/* An ARG that was declared without a value is empty on purpose. */
static void note_unset(struct state *s, const struct instruction *in, const struct strv *unset)
{
    for (size_t i = 0; i < unset->count; i++) {
        if (strv_has(&s->args, unset->ptr[i]))
            continue;
        VEC_GROW(s->unset, s->unset_count, s->unset_capacity);
        s->unset[s->unset_count++] = (struct unset_name){
            in, xstrdup(unset->ptr[i]), str_dup(expand_nearest(&s->env, str_of(unset->ptr[i])))};
    }
}

int state_expand(struct state *s, const struct instruction *in, const char *word, struct buf *out,
                 struct err *err)
{
    SCOPED(strv_release) struct strv unset = {0};
    struct expand x = {
        .lookup = expand_from_env, .arg = &s->env, .escape = in->doc->escape, .unset = &unset};
    int failed = expand_word(&x, str_of(word), out, err);

    note_unset(s, in, &unset);
    return failed;
}

int state_expand_words(struct state *s, const struct instruction *in, const char *word,
                       struct strv *out, struct err *err)
{
    SCOPED(strv_release) struct strv unset = {0};
    struct expand x = {
        .lookup = expand_from_env, .arg = &s->env, .escape = in->doc->escape, .unset = &unset};
    int failed = expand_words(&x, str_of(word), out, err);

    note_unset(s, in, &unset);
    return failed;
}

int state_expand_body(struct state *s, const struct instruction *in, struct str body,
                      struct buf *out, struct err *err)
{
    SCOPED(strv_release) struct strv unset = {0};
    struct expand x = {.lookup = expand_from_env,
                       .arg = &s->env,
                       .escape = '\\',
                       .keep_quotes = true,
                       .unset = &unset};
    int failed = expand_word(&x, body, out, err);

    note_unset(s, in, &unset);
    return failed;
}

json_t *state_json_text(const char *text)
{
    SCOPED(buf_release) struct buf fixed = {0};

    for (struct str s = str_of(text); s.size > 0;) {
        size_t n = text_char(s);

        if (n == 1 && (s.ptr[0] & 0x80))
            buf_adds(&fixed, "\xef\xbf\xbd");
        else
            buf_add_str(&fixed, str_slice(s, 0, n));
        s = str_slice(s, n, s.size);
    }
    return json_string(buf_cstr(&fixed));
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "registry/refusal.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/json.h"
#include "base/scope.h"

#define BODY_MAX (64 << 10) /* ours: what is looked at of a body */
#define ERRORS_MAX 3        /* ours: of a list of errors, those that are told */

void refusal_release(struct refusal *r)
{
    free(r->code);
    free(r->message);
    *r = (struct refusal){0};
}

bool refusal_is(const struct refusal *r, const char *code)
{
    return r->code && strcmp(r->code, code) == 0;
}

/* The query of a URL may be its signature. Appends text, with "?…" for every query of a URL in it.
 */
static void add_redacted(struct buf *out, struct str text)
{
    static const char ends[] = " \t\r\n\"'<>()[]{}\\";

    while (text.size) {
        ptrdiff_t url = str_search(text, "://");
        size_t end;
        struct str whole;
        ptrdiff_t query;

        if (url < 0) {
            buf_add_str(out, text);
            return;
        }
        for (end = (size_t)url; end < text.size && !(text.ptr[end] && strchr(ends, text.ptr[end]));)
            end++;
        whole = str_slice(text, 0, end);
        query = str_find(str_slice(whole, (size_t)url, end), '?');
        if (query < 0) {
            buf_add_str(out, whole);
        } else {
            buf_add_str(out, str_slice(whole, 0, (size_t)(url + query)));
            buf_adds(out, "?...");
        }
        text = str_slice(text, end, text.size);
    }
}

/* One line, bounded, no control bytes. NULL for nothing but space. */
static char *tidy(struct str text)
{
    SCOPED(buf_release) struct buf flat = {0};
    SCOPED(buf_release) struct buf redacted = {0};
    SCOPED(buf_release) struct buf out = {0};
    struct str line;

    text = str_trim(str_slice(text, 0, BODY_MAX));
    for (size_t i = 0; i < text.size; i++) {
        bool space = text.ptr[i] == ' ' || (text.ptr[i] >= '\t' && text.ptr[i] <= '\r');

        if (!space)
            buf_addc(&flat, text.ptr[i]);
        else if (flat.size && flat.ptr[flat.size - 1] != ' ')
            buf_addc(&flat, ' ');
    }
    while (flat.size && (flat.ptr[flat.size - 1] == '.' || flat.ptr[flat.size - 1] == ' '))
        flat.size--;
    add_redacted(&redacted, buf_str(&flat));
    line = str_slice(buf_str(&redacted), 0, REFUSAL_TEXT_MAX);
    /* never through the middle of a character */
    while (line.size < redacted.size && line.size &&
           ((unsigned char)line.ptr[line.size] & 0xc0) == 0x80)
        line.size--;
    if (!line.size)
        return NULL;
    buf_add_escaped(&out, line);
    if (line.size + 3 < redacted.size)
        buf_adds(&out, "...");
    return buf_steal(&out);
}

static struct str text_of(const json_t *value)
{
    if (!json_is_string(value))
        return (struct str){0};
    return (struct str){json_string_value(value), json_string_length(value)};
}

/* The first of these members that is a text and not empty. */
static struct str first_text(const json_t *obj, const char *const *keys)
{
    for (; *keys; keys++) {
        struct str text = str_trim(text_of(json_object_get(obj, *keys)));

        if (text.size)
            return text;
    }
    return (struct str){0};
}

static void add_part(struct buf *out, const char *sep, struct str text)
{
    if (!text.size)
        return;
    if (out->size)
        buf_adds(out, sep);
    buf_add_str(out, text);
}

/* One element of "errors": its message, and its detail where that says more. */
static void add_error(struct buf *out, const json_t *error)
{
    static const char *const messages[] = {"message", "Message", "title", NULL};
    struct str message = first_text(error, messages);
    json_t *detail = json_object_get(error, "detail");
    struct str note = str_trim(text_of(detail));
    SCOPED(buf_release) struct buf printed = {0};

    /* of what is unknown it repeats the question */
    if (json_is_object(detail) && json_object_size(detail) &&
        !str_ends(str_of(json_str(error, "code")), "_UNKNOWN")) {
        json_print(detail, &printed);
        note = buf_str(&printed);
    }
    if (!message.size)
        message = str_trim(text_of(json_object_get(error, "code")));
    add_part(out, "; ", message);
    if (note.size && !str_eq(note, message) && note.size < REFUSAL_TEXT_MAX / 2)
        buf_addf(out, " (" STR_FMT ")", STR_ARG(note));
}

static void from_object(const json_t *doc, struct refusal *out)
{
    static const char *const codes[] = {"code", "__type", "error", NULL};
    static const char *const messages[] = {
        "message", "Message", "error_description", "details", "detail", "error", "title", NULL};
    const json_t *errors = json_object_get(doc, "errors");
    SCOPED(buf_release) struct buf text = {0};
    struct str code = first_text(doc, codes);

    if (json_is_array(errors) && json_array_size(errors)) {
        code = first_text(json_array_get(errors, 0), codes);
        for (size_t i = 0; i < json_array_size(errors) && i < ERRORS_MAX; i++)
            add_error(&text, json_array_get(errors, i));
    } else {
        add_part(&text, "; ", first_text(doc, messages));
    }
    /* AWS writes "namespace#Name" */
    if (str_rfind(code, '#') >= 0)
        code = str_slice(code, (size_t)str_rfind(code, '#') + 1, code.size);
    out->code = tidy(code);
    out->message = tidy(buf_str(&text));
}

static bool from_json(struct str body, struct refusal *out)
{
    struct err ignored = {0};
    json_auto_t *doc = json_parse(body, &ignored);
    const json_t *inner = json_object_get(doc, "error");

    if (!json_is_object(doc))
        return false;
    from_object(json_is_object(inner) ? inner : doc, out);
    return true;
}

/* What stands between <name> and </name>; no attributes, no nesting: S3's errors have neither. */
static struct str element(struct str body, const char *name)
{
    SCOPED(buf_release) struct buf tag = {0};
    ptrdiff_t from, to;

    buf_addf(&tag, "<%s>", name);
    from = str_search(body, buf_cstr(&tag));
    if (from < 0)
        return (struct str){0};
    body = str_slice(body, (size_t)from + tag.size, body.size);
    to = str_find(body, '<');
    return to < 0 ? (struct str){0} : str_slice(body, 0, (size_t)to);
}

static bool from_markup(struct str body, struct refusal *out)
{
    static const char *const titles[] = {"title", "TITLE", "h1", "H1"};
    SCOPED(buf_release) struct buf text = {0};
    bool inside = false;

    if (element(body, "Code").size) {
        out->code = tidy(element(body, "Code"));
        out->message = tidy(element(body, "Message"));
        return true;
    }
    for (size_t i = 0; i < ARRAY_SIZE(titles); i++) {
        out->message = tidy(element(body, titles[i]));
        if (out->message)
            return true;
    }
    for (size_t i = 0; i < body.size; i++) {
        if (body.ptr[i] == '<')
            inside = true;
        if (!inside)
            buf_addc(&text, body.ptr[i]);
        if (body.ptr[i] == '>')
            inside = false;
    }
    out->message = tidy(buf_str(&text));
    return true;
}

void refusal_parse(struct str body, const char *content_type, struct refusal *out)
{
    bool binary = content_type && (str_starts(str_of(content_type), "application/octet-stream") ||
                                   str_starts(str_of(content_type), "application/gzip"));

    *out = (struct refusal){0};
    body = str_trim(str_slice(body, 0, BODY_MAX));
    if (!body.size)
        return;
    /* by looks, not by type: proxies and storage label these at random */
    if (body.ptr[0] == '{' && from_json(body, out))
        return;
    if (body.ptr[0] == '<' && from_markup(body, out))
        return;
    if (!binary)
        out->message = tidy(body);
}

static const char *status_name(int status)
{
    switch (status) {
    case 400:
        return "bad request";
    case 401:
        return "unauthorized";
    case 403:
        return "forbidden";
    case 404:
        return "not found";
    case 405:
        return "method not allowed";
    case 407:
        return "proxy authentication required";
    case 408:
        return "request timeout";
    case 413:
        return "too large";
    case 429:
        return "too many requests";
    case 500:
        return "internal server error";
    case 502:
        return "bad gateway";
    case 503:
        return "unavailable";
    case 504:
        return "gateway timeout";
    default:
        return NULL;
    }
}

static bool is_ecr(const struct refusal_request *r)
{
    return r->ecr_region != NULL;
}

static int advise_login(const struct refusal_request *r, struct err *err)
{
    if (is_ecr(r) && r->authorized)
        return err_add(err, "; the AWS login was not accepted: is it for this account and region, "
                            "and is it still valid?");
    if (is_ecr(r))
        return err_add(err, "; no AWS credentials were found: set AWS_PROFILE or AWS_ACCESS_KEY_ID "
                            "and AWS_SECRET_ACCESS_KEY");
    if (r->authorized)
        return err_add(err, "; the login for %s was not accepted: run `slipway login %s` again",
                       r->host, r->host);
    return err_add(err, "; it wants a login: run `slipway login %s`", r->host);
}

static int advise_denied(const struct refusal_request *r, struct err *err)
{
    if (is_ecr(r) && r->push)
        return err_add(
            err,
            "; pushing to %s needs the permissions ecr:BatchCheckLayerAvailability, "
            "ecr:InitiateLayerUpload, "
            "ecr:UploadLayerPart, ecr:CompleteLayerUpload, ecr:PutImage and ecr:BatchGetImage",
            r->repository);
    if (is_ecr(r))
        return err_add(err,
                       "; pulling from %s needs the permissions ecr:BatchGetImage, "
                       "ecr:GetDownloadUrlForLayer and "
                       "ecr:BatchCheckLayerAvailability",
                       r->repository);
    if (!r->authorized)
        return err_add(err, "; no login was sent: run `slipway login %s`", r->host);
    return err_add(err, "; this login may not %s %s", r->push ? "push to" : "pull from",
                   r->repository);
}

static int advise_missing(const struct refusal_request *r, const struct refusal *refusal,
                          struct err *err)
{
    bool name =
        refusal_is(refusal, "NAME_UNKNOWN") || refusal_is(refusal, "RepositoryNotFoundException");

    if (name && is_ecr(r) && r->push)
        return err_add(err,
                       "; create the repository first: aws ecr create-repository --region %s "
                       "--repository-name %s",
                       r->ecr_region, r->repository);
    if (name && r->push)
        return err_add(err, "; create the repository %s at %s first", r->repository, r->host);
    if (name)
        return err_add(err, "; there is no repository %s at %s", r->repository, r->host);
    if (str_starts(str_of(r->path), "manifests/"))
        return err_add(err, "; %s/%s has no such tag or digest", r->host, r->repository);
    return -1;
}

static int advise(const struct refusal_request *r, int status, const struct refusal *refusal,
                  struct err *err)
{
    bool immutable =
        refusal_is(refusal, "TAG_INVALID") || refusal_is(refusal, "ImageTagAlreadyExistsException");

    if (immutable && r->push)
        return err_add(err,
                       "; the tag names another image already and %s keeps tags as they are: "
                       "choose another tag",
                       r->repository);
    if (refusal_is(refusal, "NAME_UNKNOWN") || status == 404)
        return advise_missing(r, refusal, err);
    switch (status) {
    case 401:
        return advise_login(r, err);
    case 403:
        return advise_denied(r, err);
    case 405:
        return r->push ? err_add(err, "; it takes no such upload: is it read-only, or a media type "
                                      "it does not know?")
                       : -1;
    case 407:
        return err_add(
            err,
            "; the proxy wants a login: put it into HTTPS_PROXY (http://user:password@proxy:port)");
    case 413:
        return err_add(
            err,
            "; the registry, or a proxy before it, takes no body of that size: raise its limit "
            "(nginx: client_max_body_size) or make the layer smaller");
    case 429:
        if (r->retry_after)
            err_add(err, "; it asks to wait (retry-after: %.40s)", r->retry_after);
        if (!r->authorized && !is_ecr(r))
            return err_add(err, "; a login raises the limit: run `slipway login %s`", r->host);
        return err_add(err, "; tried %u times: wait, or run fewer at a time", r->attempts);
    default:
        if (status < 400)
            return err_add(err, ", which is no answer to %s %s", r->method, r->path);
        return status >= 500
                   ? err_add(err, "; the fault is the server's: tried %u times, try again later",
                             r->attempts)
                   : -1;
    }
}

int refusal_explain(const struct refusal_request *request, int status,
                    const struct refusal *refusal, struct err *err)
{
    SCOPED(buf_release) struct buf text = {0};
    const char *name = status_name(status);

    buf_addf(&text, "%s answered %d", request->storage ? request->storage : request->host, status);
    if (refusal->code)
        buf_addf(&text, " %s", refusal->code);
    else if (name)
        buf_addf(&text, " (%s)", name);
    if (refusal->message && !refusal_is(refusal, refusal->message))
        buf_addf(&text, ": %s", refusal->message);
    err_set(err, ERR_REMOTE, status, "%s", buf_cstr(&text));
    if (request->storage)
        return err_add(err, "; that is where %s sent us, it has no login of ours", request->host);
    advise(request, status, refusal, err);
    return -1;
}

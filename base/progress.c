/* SPDX-License-Identifier: Apache-2.0 */
#include "base/progress.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/progress_json.h"
#include "base/scope.h"
#include "base/str.h"

/*
 * On a terminal the running steps stand at the bottom, redrawn at most ten times a second;
 * everything finished scrolls up above them. Elsewhere: "#3 title" when a step begins, its output
 * behind "#3 ", "#3 DONE 1.2s" when it ends.
 */
struct step {
    int number;
    char *title;
    uint64_t begun_ms;
    struct timespec started;
    uint64_t done, total;
    struct buf partial; /* output not yet ended by a newline */
};

#define REDRAW_MS 100
#define OUTPUT_LINE_MAX 8192 /* a longer line is shown in pieces */

static struct {
    pthread_mutex_t lock;
    enum progress_mode mode;
    struct step *steps;
    size_t count, capacity;
    int last_number;
    size_t drawn; /* in-place lines now on the terminal */
    uint64_t drawn_ms;
    bool held; /* the terminal is somebody's, who is holder */
    pthread_t holder;
    pthread_cond_t free;
} state = {
    .lock = PTHREAD_MUTEX_INITIALIZER, .mode = PROGRESS_AUTO, .free = PTHREAD_COND_INITIALIZER};

static void lock(void)
{
    pthread_mutex_lock(&state.lock);
    while (state.held && !pthread_equal(state.holder, pthread_self()))
        pthread_cond_wait(&state.free, &state.lock);
}

static void unlock(void)
{
    pthread_mutex_unlock(&state.lock);
}

static void write_out(const char *bytes, size_t size)
{
    while (size) {
        ssize_t n = write(STDERR_FILENO, bytes, size);

        if (n <= 0)
            return;
        bytes += n;
        size -= (size_t)n;
    }
}

static bool on_terminal(void)
{
    if (state.mode == PROGRESS_AUTO) {
        const char *term = getenv("TERM");

        state.mode = isatty(STDERR_FILENO) && term && strcmp(term, "dumb") != 0 ? PROGRESS_TTY
                                                                                : PROGRESS_PLAIN;
    }
    return state.mode == PROGRESS_TTY;
}

static void erase(struct buf *out)
{
    for (; state.drawn; state.drawn--)
        buf_adds(out, "\x1b[1A\x1b[2K");
}

static unsigned terminal_width(void)
{
    struct winsize size;

    return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 20 ? size.ws_col : 80;
}

static void draw(struct buf *out)
{
    unsigned width = terminal_width();
    uint64_t now = clock_mono_ms();

    for (size_t i = 0; i < state.count; i++) {
        struct step *s = &state.steps[i];
        SCOPED(buf_release) struct buf line = {0};

        buf_addf(&line, "=> %s  %.1fs", s->title, (double)(now - s->begun_ms) / 1000);
        if (s->total)
            buf_addf(&line, "  %.1f / %.1f MB", (double)s->done / 1e6, (double)s->total / 1e6);
        else if (s->done)
            buf_addf(&line, "  %.1f MB", (double)s->done / 1e6);
        buf_add(out, line.ptr, line.size < width ? line.size : width - 1);
        buf_addc(out, '\n');
        state.drawn++;
    }
    state.drawn_ms = now;
}

/* Puts whole lines above the in-place ones. Caller holds the lock. */
static void emit(const char *bytes, size_t size)
{
    SCOPED(buf_release) struct buf out = {0};

    if (state.mode == PROGRESS_TTY)
        erase(&out);
    buf_add(&out, bytes, size);
    if (state.mode == PROGRESS_TTY && !state.held)
        draw(&out);
    write_out(out.ptr, out.size);
}

static struct step *find(int number)
{
    for (size_t i = 0; i < state.count; i++)
        if (state.steps[i].number == number)
            return &state.steps[i];
    return NULL;
}

void progress_set_mode(enum progress_mode mode)
{
    lock();
    state.mode = mode;
    unlock();
}

static struct progress_vertex vertex_of(const struct step *s)
{
    return (struct progress_vertex){s->number, s->title, s->started};
}

int progress_begin(const char *fmt, ...)
{
    SCOPED(buf_release) struct buf title = {0}, safe = {0};
    struct step *s;
    int number;
    va_list ap;

    va_start(ap, fmt);
    buf_vaddf(&title, fmt, ap);
    va_end(ap);
    buf_add_escaped(&safe, buf_str(&title));
    lock();
    VEC_GROW(state.steps, state.count, state.capacity);
    s = &state.steps[state.count++];
    *s = (struct step){
        .number = ++state.last_number, .begun_ms = clock_mono_ms(), .started = clock_now()};
    number = s->number;
    s->title = buf_steal(&safe);
    if (on_terminal()) {
        emit("", 0);
    } else if (state.mode == PROGRESS_PLAIN) {
        SCOPED(buf_release) struct buf line = {0};

        buf_addf(&line, "#%d %s\n", number, s->title);
        emit(line.ptr, line.size);
    } else if (state.mode == PROGRESS_JSON) {
        SCOPED(buf_release) struct buf line = {0};
        struct progress_vertex v = vertex_of(s);

        progress_json_begin(&line, &v);
        emit(line.ptr, line.size);
    }
    unlock();
    return number;
}

/* As often as a terminal would be drawn. */
static void emit_status(const struct step *s)
{
    SCOPED(buf_release) struct buf line = {0};
    struct progress_vertex v = vertex_of(s);

    progress_json_status(&line, &v, clock_now(), s->done, s->total);
    emit(line.ptr, line.size);
    state.drawn_ms = clock_mono_ms();
}

void progress_advance(int number, uint64_t done, uint64_t total)
{
    struct step *s;

    pthread_mutex_lock(&state.lock);
    s = find(number);
    if (s) {
        s->done = done;
        s->total = total;
    }
    /* A transfer does not wait for the terminal: its server would not wait for it. */
    if (s && !state.held) {
        if (on_terminal() && clock_mono_ms() - state.drawn_ms >= REDRAW_MS)
            emit("", 0);
        else if (state.mode == PROGRESS_JSON && clock_mono_ms() - state.drawn_ms >= REDRAW_MS)
            emit_status(s);
    }
    unlock();
}

/* Takes terminal sequences (ECMA-48 §5.4: ESC [ parameters, final) out: tools colour their output
 * wherever it goes. */
static void drop_sequences(struct buf *b)
{
    size_t to = 0;

    for (size_t i = 0; i < b->size; i++) {
        if (b->ptr[i] != 0x1b || i + 1 == b->size || b->ptr[i + 1] != '[') {
            b->ptr[to++] = b->ptr[i];
            continue;
        }
        i += 2;
        while (i < b->size && b->ptr[i] >= 0x20 && b->ptr[i] < 0x40)
            i++;
    }
    b->size = to;
}

static void output_line(struct step *s)
{
    SCOPED(buf_release) struct buf line = {0};

    if (state.mode == PROGRESS_JSON) {
        struct progress_vertex v = vertex_of(s);

        buf_addc(&s->partial, '\n');
        progress_json_log(&line, &v, clock_now(), buf_str(&s->partial));
        emit(line.ptr, line.size);
    } else if (state.mode != PROGRESS_QUIET) {
        buf_addf(&line, "#%d ", s->number);
        drop_sequences(&s->partial);
        buf_add_columns(&line, str_trim_right(buf_str(&s->partial)));
        buf_addc(&line, '\n');
        emit(line.ptr, line.size);
    }
    buf_clear(&s->partial);
}

void progress_output(int number, const void *bytes, size_t size)
{
    const char *p = bytes;
    struct step *s;

    lock();
    on_terminal();
    s = find(number);
    for (size_t i = 0; s && i < size; i++) {
        if (p[i] == '\n' || s->partial.size >= OUTPUT_LINE_MAX)
            output_line(s);
        if (p[i] != '\n')
            buf_addc(&s->partial, p[i]);
    }
    unlock();
}

void progress_usage(int number, const char *id, uint64_t value)
{
    struct step *s;

    lock();
    s = find(number);
    if (s && state.mode == PROGRESS_JSON) {
        SCOPED(buf_release) struct buf line = {0};
        struct progress_vertex v = vertex_of(s);

        progress_json_usage(&line, &v, clock_now(), id, value);
        emit(line.ptr, line.size);
    }
    unlock();
}

static bool has_colours(void)
{
    const char *no = getenv("NO_COLOR"); /* no-color.org: set and not empty */

    return !no || !*no;
}

/* The line that ends a step. */
static void print_end(struct buf *line, const struct step *s, enum progress_end how,
                      const char *note)
{
    static const char *const words[] = {"DONE", "CACHED", "ERROR", "SKIPPED"};
    struct progress_vertex v = vertex_of(s);

    if (state.mode == PROGRESS_JSON) {
        progress_json_end(line, &v, clock_now(), how == PROGRESS_CACHED,
                          how == PROGRESS_FAILED ? (note ? note : "failed") : NULL);
        return;
    }
    if (!on_terminal())
        buf_addf(line, "#%d", s->number);
    else if (how == PROGRESS_FAILED)
        buf_addf(line, "%s %s", has_colours() ? "\x1b[31m✗\x1b[0m" : "✗", s->title);
    else
        buf_addf(line, "✓ %s", s->title);
    buf_addf(line, " %s", words[how]);
    if (how == PROGRESS_DONE || how == PROGRESS_FAILED)
        buf_addf(line, " %.2fs", (double)(clock_mono_ms() - s->begun_ms) / 1000);
    if (note)
        buf_addf(line, " %s", note);
    buf_addc(line, '\n');
}

void progress_finish(int number, enum progress_end how, const char *note)
{
    SCOPED(buf_release) struct buf line = {0};
    struct step *s;

    lock();
    s = find(number);
    if (s) {
        if (s->partial.size)
            output_line(s);
        print_end(&line, s, how, note);
        free(s->title);
        buf_release(&s->partial);
        *s = state.steps[state.count - 1];
        state.count--;
        if (state.count == 0) {
            free(state.steps);
            state.steps = NULL;
            state.capacity = 0;
        }
        if (state.mode != PROGRESS_QUIET)
            emit(line.ptr, line.size);
    }
    unlock();
}

void progress_clear(void)
{
    SCOPED(buf_release) struct buf out = {0};

    lock();
    erase(&out);
    write_out(out.ptr, out.size);
    unlock();
}

void progress_write_line(const char *bytes, size_t size)
{
    SCOPED(buf_release) struct buf line = {0};

    lock();
    if (state.mode == PROGRESS_JSON) {
        progress_json_note(&line, str_trim_right((struct str){bytes, size}));
        emit(line.ptr, line.size);
    } else {
        emit(bytes, size);
    }
    unlock();
}

int progress_mode_parse(const char *name, enum progress_mode *mode)
{
    static const struct {
        const char *name;
        enum progress_mode mode;
    } modes[] = {{"auto", PROGRESS_AUTO},   {"plain", PROGRESS_PLAIN}, {"tty", PROGRESS_TTY},
                 {"quiet", PROGRESS_QUIET}, {"none", PROGRESS_QUIET},  {"rawjson", PROGRESS_JSON}};

    for (size_t i = 0; i < ARRAY_SIZE(modes); i++) {
        if (strcmp(modes[i].name, name) != 0)
            continue;
        *mode = modes[i].mode;
        return 0;
    }
    return -1;
}

void progress_hold(void)
{
    SCOPED(buf_release) struct buf out = {0};

    lock();
    erase(&out);
    write_out(out.ptr, out.size);
    state.held = true;
    state.holder = pthread_self();
    unlock();
}

void progress_resume(void)
{
    lock();
    state.held = false;
    pthread_cond_broadcast(&state.free);
    unlock();
}

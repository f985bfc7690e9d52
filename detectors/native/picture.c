/* Pictures: code values of 8 bits, or of 16 with the value in the low bits. */

#include "buffers.h"

#include <math.h>
#include <stdlib.h>

enum { TILE_ROWS = 9, TILE_COLUMNS = 16, LEVELS = 256, WIDEST = 16384, FULL = 255 };

#define KERNEL(name) static PyObject *name(PyObject *Py_UNUSED(self), PyObject *const *args, Py_ssize_t count)

static inline uint8_t less(uint8_t a, uint8_t b) { return a > b ? a - b : 0; }
static inline uint8_t higher(uint8_t a, uint8_t b) { return a > b ? a : b; }
static inline uint8_t lower(uint8_t a, uint8_t b) { return a < b ? a : b; }
static inline uint8_t apart(uint8_t a, uint8_t b) { return a > b ? a - b : b - a; }

/* Begins to load what is read next: the decoder has left it long ago, and no machine guesses where it lies. */
static inline void send_for(const char *line, Py_ssize_t bytes) {
    for (Py_ssize_t x = 0; x < bytes; x += 64) __builtin_prefetch(line + x);
}

/* --- thin(plane, step, lines, shift, out): out[y, x] = plane[y * lines, x * step] >> shift --- */

WIDE static void thin_line(const uint8_t *in, long step, uint8_t *out, Py_ssize_t columns) {
    switch (step) {
    case 1: memcpy(out, in, columns); return;
    case 2: for (Py_ssize_t x = 0; x < columns; x++) out[x] = in[2 * x]; return;
    case 3: for (Py_ssize_t x = 0; x < columns; x++) out[x] = in[3 * x]; return;
    case 4: for (Py_ssize_t x = 0; x < columns; x++) out[x] = in[4 * x]; return;
    case 5: for (Py_ssize_t x = 0; x < columns; x++) out[x] = in[5 * x]; return;
    default: for (Py_ssize_t x = 0; x < columns; x++) out[x] = in[step * x];
    }
}

KERNEL(thin) {
    Arrays arrays = {.held = 0};
    Plane in, out;
    long step, lines, shift;
    int bytes;
    if (!expect(count, 5) || !take_int(args[1], 1, WIDEST, &step) || !take_int(args[2], 1, WIDEST, &lines) ||
        !take_int(args[3], 0, 8, &shift) || !take_picture(&arrays, args[0], &in, &bytes) ||
        !take(&arrays, args[4], 'B', 1, &out) ||
        !require((out.rows - 1) * lines < in.rows && (out.columns - 1) * step < in.columns, "out is too large"))
        goto failed;
    for (Py_ssize_t y = 0; y < out.rows; y++) {
        const char *line = in.at + y * lines * in.stride;
        uint8_t *into = (uint8_t *)out.at + y * out.stride;
        if (y + 1 < out.rows) send_for(line + lines * in.stride, out.columns * step * bytes);
        if (bytes == 1 && !shift) {
            thin_line((const uint8_t *)line, step, into, out.columns);
            continue;
        }
        for (Py_ssize_t x = 0; x < out.columns; x++)
            into[x] = (bytes == 1 ? ((const uint8_t *)line)[x * step] : ((const uint16_t *)line)[x * step]) >> shift;
    }
    release(&arrays);
    Py_RETURN_NONE;
failed:
    release(&arrays);
    return NULL;
}

/* --- change(now, before, lines, tiles) -> sum: absolute differences, of all, of each line, of each tile --- */

WIDE static uint32_t differ(const uint8_t *a, const uint8_t *b, Py_ssize_t width, uint16_t *columns) {
    uint32_t sum = 0;
    for (Py_ssize_t x = 0; x < width; x++) sum += abs(a[x] - b[x]);
    for (Py_ssize_t x = 0; x < width; x++) columns[x] += apart(a[x], b[x]);
    return sum;
}

static void gather(const uint16_t *columns, Py_ssize_t width, float *tiles) {
    for (int k = 0; k < TILE_COLUMNS; k++) {
        uint32_t sum = 0;
        for (Py_ssize_t x = k * width / TILE_COLUMNS; x < (k + 1) * width / TILE_COLUMNS; x++) sum += columns[x];
        tiles[k] += (float)sum;
    }
}

KERNEL(change) {
    Arrays arrays = {.held = 0};
    Plane now, before, lines, tiles;
    uint16_t columns[WIDEST];
    uint64_t total = 0;
    if (!expect(count, 4) || !take(&arrays, args[0], 'B', 0, &now) || !take(&arrays, args[1], 'B', 0, &before) ||
        !take(&arrays, args[2], 'f', 1, &lines) || !take(&arrays, args[3], 'f', 1, &tiles) ||
        !require(now.rows == before.rows && now.columns == before.columns, "the pictures differ in size") ||
        !require(lines.columns == now.rows && now.columns <= WIDEST, "lines has another length") ||
        !require(tiles.rows == TILE_ROWS && tiles.columns == TILE_COLUMNS, "tiles has another shape"))
        goto failed;
    for (int row = 0; row < TILE_ROWS; row++) {
        Py_ssize_t first = row * now.rows / TILE_ROWS, end = (row + 1) * now.rows / TILE_ROWS;
        float *of_row = (float *)(tiles.at + row * tiles.stride);
        memset(of_row, 0, sizeof(float) * TILE_COLUMNS);
        memset(columns, 0, sizeof(uint16_t) * now.columns);
        for (Py_ssize_t y = first; y < end; y++) {
            uint32_t sum = differ((const uint8_t *)now.at + y * now.stride,
                                  (const uint8_t *)before.at + y * before.stride, now.columns, columns);
            ((float *)lines.at)[y] = (float)sum / (float)now.columns;
            total += sum;
            if ((y - first) % 256 == 255) { /* more would not fit */
                gather(columns, now.columns, of_row);
                memset(columns, 0, sizeof(uint16_t) * now.columns);
            }
        }
        gather(columns, now.columns, of_row);
    }
    release(&arrays);
    return PyFloat_FromDouble((double)total);
failed:
    release(&arrays);
    return NULL;
}

/* --- spread(plane) -> (mean, standard deviation) --- */

WIDE static void moments(const uint8_t *line, Py_ssize_t width, uint64_t *sum, uint64_t *squares) {
    uint32_t s = 0, q = 0; /* 65,535 squares fit */
    for (Py_ssize_t x = 0; x < width; x++) {
        s += line[x];
        q += (uint32_t)(line[x] * line[x]);
    }
    *sum += s;
    *squares += q;
}

KERNEL(spread) {
    Arrays arrays = {.held = 0};
    Plane plane;
    uint64_t sum = 0, squares = 0;
    if (!expect(count, 1) || !take(&arrays, args[0], 'B', 0, &plane) ||
        !require(plane.columns <= WIDEST && plane.columns * plane.rows > 0, "the plane is empty, or too wide")) {
        release(&arrays);
        return NULL;
    }
    for (Py_ssize_t y = 0; y < plane.rows; y++)
        moments((const uint8_t *)plane.at + y * plane.stride, plane.columns, &sum, &squares);
    release(&arrays);
    double size = (double)(plane.rows * plane.columns), mean = (double)sum / size;
    double variance = (double)squares / size - mean * mean;
    PyObject *pair = PyTuple_New(2);
    if (!pair) return NULL;
    PyTuple_SetItem(pair, 0, PyFloat_FromDouble(mean));
    PyTuple_SetItem(pair, 1, PyFloat_FromDouble(variance > 0 ? sqrt(variance) : 0));
    return pair;
}

/* --- light(plane, table, out): out[y, x] = table[plane[2 y, 2 x]] --- */

KERNEL(light) {
    Arrays arrays = {.held = 0};
    Plane in, table, out;
    if (!expect(count, 3) || !take(&arrays, args[0], 'B', 0, &in) || !take(&arrays, args[1], 'B', 0, &table) ||
        !take(&arrays, args[2], 'B', 1, &out) || !require(table.columns == LEVELS, "the table must have 256 values") ||
        !require(out.rows == (in.rows + 1) / 2 && out.columns == (in.columns + 1) / 2, "out has another shape")) {
        release(&arrays);
        return NULL;
    }
    for (Py_ssize_t y = 0; y < out.rows; y++) {
        const uint8_t *line = (const uint8_t *)in.at + 2 * y * in.stride, *to = (const uint8_t *)table.at;
        uint8_t *into = (uint8_t *)out.at + y * out.stride;
        for (Py_ssize_t x = 0; x < out.columns; x++) into[x] = to[line[2 * x]];
    }
    release(&arrays);
    Py_RETURN_NONE;
}

/* --- turns(plane, step, high, low, may_rise, may_fall, risen, fallen) -> (risen, fallen): see _flashing._Turns --- */

WIDE static void turn(const uint8_t *restrict plane, uint8_t step, uint8_t *restrict high, uint8_t *restrict low,
                      uint8_t *restrict may_rise, uint8_t *restrict may_fall, uint8_t *restrict risen,
                      uint8_t *restrict fallen, Py_ssize_t size) {
    for (Py_ssize_t i = 0; i < size; i++) {
        uint8_t now = plane[i];
        uint8_t up = less(now, low[i]) >= step ? FULL : 0, down = less(high[i], now) >= step ? FULL : 0;
        uint8_t rise = (may_rise[i] & (uint8_t)~up) | down, fall = (may_fall[i] | up) & (uint8_t)~down;
        high[i] = higher(high[i], now) & fall;
        low[i] = lower(low[i], now) | (uint8_t)~rise;
        may_rise[i] = rise;
        may_fall[i] = fall;
        risen[i] = up;
        fallen[i] = down;
    }
}

WIDE static uint32_t set_in(const uint8_t *mask, Py_ssize_t size) {
    uint32_t sum = 0;
    for (Py_ssize_t i = 0; i < size; i++) sum += mask[i];
    return sum / FULL;
}

KERNEL(turns) {
    Arrays arrays = {.held = 0};
    Plane in[7];
    long step;
    PyObject *pair = NULL;
    if (!expect(count, 8) || !take(&arrays, args[0], 'B', 0, &in[0]) || !take_int(args[1], 1, FULL, &step)) goto end;
    for (int k = 1; k < 7; k++)
        if (!take(&arrays, args[k + 1], 'B', 1, &in[k])) goto end;
    for (int k = 0; k < 7; k++)
        if (!require(in[k].rows == in[0].rows && in[k].columns == in[0].columns && in[k].stride == in[k].columns,
                     "all must be of one size, and without gaps"))
            goto end;
    Py_ssize_t size = in[0].rows * in[0].columns;
    if (!require(size < (1 << 24), "the plane is too large")) goto end;
    uint8_t *of[7];
    for (int k = 0; k < 7; k++) of[k] = (uint8_t *)in[k].at;
    turn(of[0], (uint8_t)step, of[1], of[2], of[3], of[4], of[5], of[6], size);
    pair = PyTuple_New(2);
    if (!pair) goto end;
    PyTuple_SetItem(pair, 0, PyLong_FromUnsignedLong(set_in(of[5], size)));
    PyTuple_SetItem(pair, 1, PyLong_FromUnsignedLong(set_in(of[6], size)));
end:
    release(&arrays);
    return pair;
}

/* --- levels(plane, counts): how many samples have each level --- */

static void count_line(const uint8_t *line, Py_ssize_t width, uint32_t counts[4][LEVELS]) {
    Py_ssize_t x = 0;
    for (; x + 4 <= width; x += 4)
        for (int k = 0; k < 4; k++) counts[k][line[x + k]]++;
    for (; x < width; x++) counts[0][line[x]]++;
}

KERNEL(levels) {
    Arrays arrays = {.held = 0};
    Plane plane, out;
    uint32_t counts[4][LEVELS] = {{0}};
    if (!expect(count, 2) || !take(&arrays, args[0], 'B', 0, &plane) || !take(&arrays, args[1], 'f', 1, &out) ||
        !require(out.columns == LEVELS, "counts must have 256 values")) {
        release(&arrays);
        return NULL;
    }
    for (Py_ssize_t y = 0; y < plane.rows; y++)
        count_line((const uint8_t *)plane.at + y * plane.stride, plane.columns, counts);
    for (int n = 0; n < LEVELS; n++)
        ((float *)out.at)[n] = (float)(counts[0][n] + counts[1][n] + counts[2][n] + counts[3][n]);
    release(&arrays);
    Py_RETURN_NONE;
}

/* --- smooth_levels(plane, most, counts): the same of samples from which no neighbour is more than `most` away,
 *     nor are any two of its neighbours from each other --- */

WIDE static void vary(const uint8_t *above, const uint8_t *here, const uint8_t *below, Py_ssize_t width, uint8_t most,
                      uint8_t *high, uint8_t *low, uint8_t *smooth) {
    /* high and low have one value more at either end */
    for (Py_ssize_t x = 0; x < width; x++) {
        high[x + 1] = higher(higher(above[x], here[x]), below[x]);
        low[x + 1] = lower(lower(above[x], here[x]), below[x]);
    }
    high[0] = high[1], low[0] = low[1];
    high[width + 1] = high[width], low[width + 1] = low[width];
    for (Py_ssize_t x = 0; x < width; x++) {
        uint8_t top = higher(higher(high[x], high[x + 1]), high[x + 2]);
        uint8_t bottom = lower(lower(low[x], low[x + 1]), low[x + 2]);
        smooth[x] = (uint8_t)(top - bottom) <= most;
    }
}

KERNEL(smooth_levels) {
    Arrays arrays = {.held = 0};
    Plane plane, out;
    long most;
    uint32_t counts[2][LEVELS] = {{0}};
    uint8_t high[WIDEST + 2], low[WIDEST + 2], smooth[WIDEST];
    if (!expect(count, 3) || !take(&arrays, args[0], 'B', 0, &plane) || !take_int(args[1], 0, FULL, &most) ||
        !take(&arrays, args[2], 'f', 1, &out) || !require(out.columns == LEVELS, "counts must have 256 values") ||
        !require(plane.columns >= 1 && plane.columns <= WIDEST, "the plane is empty, or too wide")) {
        release(&arrays);
        return NULL;
    }
    for (Py_ssize_t y = 0; y < plane.rows; y++) {
        const uint8_t *here = (const uint8_t *)plane.at + y * plane.stride;
        vary(y ? here - plane.stride : here, here, y + 1 < plane.rows ? here + plane.stride : here, plane.columns,
             (uint8_t)most, high, low, smooth);
        for (Py_ssize_t x = 0; x < plane.columns; x++) counts[smooth[x]][here[x]]++;
    }
    for (int n = 0; n < LEVELS; n++) ((float *)out.at)[n] = (float)counts[1][n];
    release(&arrays);
    Py_RETURN_NONE;
}

/* --- combs(counts, blur, spans, few, most, much, least, first, centres, group, begins, places, cosine, sine, out):
 *     see detectors.picture.banding --- */

static Py_ssize_t mirrored(Py_ssize_t n) { return n < 0 ? -n : n >= LEVELS ? 2 * (LEVELS - 1) - n : n; }

static void box(const float *in, int span, float *out) {
    double sum = 0;
    for (int k = -(span / 2); k <= span / 2; k++) sum += in[mirrored(k)];
    for (int n = 0; n < LEVELS; n++) {
        out[n] = (float)(sum / span);
        sum += in[mirrored(n + 1 + span / 2)] - in[mirrored(n - span / 2)];
    }
}

WIDE static void wave(const float *values, const float *cosine, const float *sine, int length, float *c, float *s) {
    float a = 0, b = 0;
#pragma omp simd reduction(+ : a, b)
    for (int n = 0; n < length; n++) {
        a += values[n] * cosine[n];
        b += values[n] * sine[n];
    }
    *c = a, *s = b;
}

KERNEL(combs) {
    enum { MOST_GROUPS = 8 };
    Arrays arrays = {.held = 0};
    Plane counts, blur, spans, least, first, centres, group, begins, places, cosine, sine, out;
    float excess[MOST_GROUPS][LEVELS], course[MOST_GROUPS][LEVELS], once[LEVELS], here[LEVELS];
    PyObject *result = NULL;
    if (!expect(count, 15)) return NULL;
    float few = (float)PyFloat_AsDouble(args[3]), most = (float)PyFloat_AsDouble(args[4]),
          much = (float)PyFloat_AsDouble(args[5]);
    if (PyErr_Occurred() || !take(&arrays, args[0], 'f', 0, &counts) || !take(&arrays, args[1], 'f', 0, &blur) ||
        !take(&arrays, args[2], 'i', 0, &spans) || !take(&arrays, args[6], 'f', 0, &least) ||
        !take(&arrays, args[7], 'i', 0, &first) || !take(&arrays, args[8], 'i', 0, &centres) ||
        !take(&arrays, args[9], 'i', 0, &group) || !take(&arrays, args[10], 'i', 0, &begins) ||
        !take(&arrays, args[11], 'i', 0, &places) || !take(&arrays, args[12], 'f', 0, &cosine) ||
        !take(&arrays, args[13], 'f', 0, &sine) || !take(&arrays, args[14], 'f', 1, &out))
        goto end;
    Py_ssize_t periods = out.columns, windows = centres.columns;
    if (!require(counts.columns == LEVELS && blur.columns == 5 && spans.columns <= MOST_GROUPS, "another shape") ||
        !require(least.columns == periods && first.columns == periods + 1, "one of each period is wanted") ||
        !require(group.columns == windows && begins.columns == windows && places.columns == windows + 1,
                 "one of each window is wanted") ||
        !require(cosine.columns == sine.columns, "as many cosines as sines are wanted"))
        goto end;
    const float *in = (const float *)counts.at, *tap = (const float *)blur.at;
    const int32_t *at = (const int32_t *)places.at, *begin = (const int32_t *)begins.at;
    const int32_t *to = (const int32_t *)first.at, *centre = (const int32_t *)centres.at;
    const int32_t *of = (const int32_t *)group.at, *span = (const int32_t *)spans.at;
    if (!require(to[0] == 0 && to[periods] == windows && at[0] == 0 && at[windows] == cosine.columns, "bad places"))
        goto end;
    for (Py_ssize_t k = 0; k < windows; k++)
        if (!require(at[k + 1] >= at[k] && begin[k] >= 0 && begin[k] + at[k + 1] - at[k] <= LEVELS && of[k] >= 0 &&
                         of[k] < spans.columns && centre[k] >= 0 && centre[k] < LEVELS,
                     "a window lies outside of the levels"))
            goto end;
    for (int n = 0; n < LEVELS; n++) {
        float sum = 0;
        for (int k = 0; k < 5; k++) sum += tap[k] * in[mirrored(n + k - 2)];
        here[n] = sum;
    }
    for (Py_ssize_t g = 0; g < spans.columns; g++) {
        if (!require(span[g] > 0 && span[g] < LEVELS, "a span is too long")) goto end;
        box(in, span[g], once);
        box(once, span[g], course[g]);
        for (int n = 0; n < LEVELS; n++) {
            float more = here[n] / (course[g][n] + few) - 1;
            excess[g][n] = more < most ? more : most;
        }
    }
    for (Py_ssize_t p = 0; p < periods; p++) {
        float found = 0, weights = 0;
        if (!require(to[p] >= 0 && to[p] <= to[p + 1] && to[p + 1] <= windows, "bad places")) goto end;
        for (int32_t k = to[p]; k < to[p + 1]; k++) {
            float weight = course[of[k]][centre[k]], c, s;
            weight = weight < much ? weight : much;
            wave(excess[of[k]] + begin[k], (const float *)cosine.at + at[k], (const float *)sine.at + at[k],
                 at[k + 1] - at[k], &c, &s);
            found += sqrtf(c * c + s * s) * weight;
            weights += weight;
        }
        ((float *)out.at)[p] = found / (weights + ((const float *)least.at)[p]);
    }
    result = Py_NewRef(Py_None);
end:
    release(&arrays);
    return result;
}

/* --- comb(now, before, tops, lefts, wide, shift, moved, sharp, grain, out): see detectors.picture.combing; out
 *     (bands, 4): samples of each band that move, those of them where a line stands out, where teeth do, and where grain
 *     does, if that is asked for --- */

enum { COMB_LINES = 10, COMB_WIDEST = 1024 };

static void fetch(const Plane *plane, int bytes, long top, long left, long wide, long shift,
                  uint8_t out[COMB_LINES][COMB_WIDEST]) {
    for (int y = 0; y < COMB_LINES; y++) {
        const char *line = plane->at + (top + y) * plane->stride + left * bytes;
        if (y + 1 < COMB_LINES) send_for(line + plane->stride, wide * bytes);
        if (bytes == 1) {
            memcpy(out[y], line, wide);
            continue;
        }
        for (long x = 0; x < wide; x++) out[y][x] = (uint8_t)(((const uint16_t *)line)[x] >> shift);
    }
}

/* Teeth of four neighbours a, b, c, d: as long as b and c stand out to opposite sides, less what each field differs. */
#define TOOTH(a, b, c, d, rises, falls) \
    less(higher(lower(rises, less(lower(b, d), c)), lower(falls, less(c, higher(b, d)))), quarter(apart(a, c), apart(b, d)))

static inline uint8_t quarter(uint8_t a, uint8_t b) { /* of the sum, halves to even */
    uint16_t sum = (uint16_t)(a + b);
    return (uint8_t)((sum + 1 + ((sum >> 2) & 1)) >> 2);
}

WIDE static void comb_line(const uint8_t *a, const uint8_t *b, const uint8_t *c, const uint8_t *d,
                           const uint8_t *before, long wide, uint8_t moved, uint8_t sharp, uint32_t sums[4]) {
    uint32_t moving = 0, single = 0, teeth = 0;
    for (long x = 0; x < wide; x++) moving += apart(b[x], before[x]) >= moved;
    if (!moving) return;
    for (long x = 0; x < wide; x++) {
        uint8_t rises = less(b[x], higher(a[x], c[x])), falls = less(lower(a[x], c[x]), b[x]);
        uint8_t moves = apart(b[x], before[x]) >= moved;
        single += moves & (higher(rises, falls) >= sharp);
        teeth += moves & (TOOTH(a[x], b[x], c[x], d[x], rises, falls) >= sharp);
    }
    sums[0] += moving, sums[1] += single, sums[2] += teeth;
}

WIDE static uint32_t grain_of(const uint8_t *b, const uint8_t *before, long wide, uint8_t moved, uint8_t sharp) {
    uint32_t grain = 0;
    for (long x = 1; x < wide - 2; x++) {
        uint8_t rises = less(b[x], higher(b[x - 1], b[x + 1])), falls = less(lower(b[x - 1], b[x + 1]), b[x]);
        grain += (apart(b[x], before[x]) >= moved) & (TOOTH(b[x - 1], b[x], b[x + 1], b[x + 2], rises, falls) >= sharp);
    }
    return grain;
}

KERNEL(comb) {
    Arrays arrays = {.held = 0};
    Plane now, before, tops, lefts, out;
    long wide, shift, moved, sharp, grain;
    int bytes, bytes_before;
    PyObject *result = NULL;
    uint8_t lines[COMB_LINES][COMB_WIDEST], past[COMB_LINES][COMB_WIDEST];
    if (!expect(count, 10) || !take_int(args[4], 4, COMB_WIDEST, &wide) || !take_int(args[5], 0, 8, &shift) ||
        !take_int(args[6], 1, FULL, &moved) || !take_int(args[7], 1, FULL, &sharp) ||
        !take_int(args[8], 0, 1, &grain) || !take_picture(&arrays, args[0], &now, &bytes) ||
        !take_picture(&arrays, args[1], &before, &bytes_before) ||
        !take(&arrays, args[2], 'i', 0, &tops) || !take(&arrays, args[3], 'i', 0, &lefts) ||
        !take(&arrays, args[9], 'f', 1, &out) ||
        !require(now.rows == before.rows && now.columns == before.columns, "the pictures differ in size") ||
        !require(tops.columns == out.rows && lefts.columns == out.rows && out.columns == 4, "out has another shape"))
        goto end;
    for (Py_ssize_t band = 0; band < out.rows; band++) {
        long top = ((const int32_t *)tops.at)[band], left = ((const int32_t *)lefts.at)[band];
        uint32_t sums[4] = {0};
        if (!require(top >= 0 && left >= 0 && top + COMB_LINES <= now.rows && left + wide <= now.columns,
                     "a band lies outside of the picture"))
            goto end;
        fetch(&now, bytes, top, left, wide, shift, lines);
        fetch(&before, bytes_before, top, left, wide, shift, past);
        for (int y = 1; y < COMB_LINES - 2; y++) {
            comb_line(lines[y - 1], lines[y], lines[y + 1], lines[y + 2], past[y], wide, (uint8_t)moved, (uint8_t)sharp,
                      sums);
            if (grain) sums[3] += grain_of(lines[y], past[y], wide, (uint8_t)moved, (uint8_t)sharp);
        }
        for (int k = 0; k < 4; k++) ((float *)(out.at + band * out.stride))[k] = (float)sums[k];
    }
    result = Py_NewRef(Py_None);
end:
    release(&arrays);
    return result;
}

/* --- grid(plane, every, shift, most, bands, lines, groups, group, flat, even, least) -> float or None: steps along lines
 *     on the grid of 8 against all steps, the median of all parts in which there are steps; see detectors.grid --- */

enum { GRID = 8, MOST_PARTS = 256 };

WIDE static void step_line(const uint8_t *line, Py_ssize_t width, uint8_t most, uint16_t *sums) {
    for (Py_ssize_t x = 0; x < width; x++) sums[x] += lower(apart(line[x + 1], line[x]), most);
}

static int ascending(const void *a, const void *b) {
    float one = *(const float *)a, other = *(const float *)b;
    return (one > other) - (one < other);
}

/* A part's steps: the sum of all, and what it were if all were like those on the grid, without what the middlemost
 * column of these does not explain. */
static void part_of(const uint16_t *sums, long group, double even, double *whole, double *on_grid) {
    float columns[WIDEST / GRID];
    double all = 0, on = 0;
    long count = group / GRID;
    for (long x = 0; x < group; x++) all += sums[x];
    for (long k = 0; k < count; k++) on += columns[k] = sums[GRID * k + GRID - 1];
    qsort(columns, count, sizeof(float), ascending);
    double limit = even * columns[count / 2] * (double)group;
    *whole = all;
    *on_grid = GRID * on < limit ? GRID * on : limit;
}

KERNEL(grid) {
    Arrays arrays = {.held = 0};
    Plane plane;
    long every, shift, most, bands, lines, groups, group, least;
    int bytes;
    uint8_t rounded[WIDEST];
    uint16_t sums[WIDEST];
    float ratios[MOST_PARTS];
    long told = 0;
    PyObject *result = NULL;
    if (!expect(count, 11)) return NULL;
    double flat = PyFloat_AsDouble(args[8]), even = PyFloat_AsDouble(args[9]);
    if (PyErr_Occurred() || !take_int(args[1], 1, WIDEST, &every) || !take_int(args[2], 0, 8, &shift) ||
        !take_int(args[3], 1, FULL, &most) || !take_int(args[4], 1, MOST_PARTS, &bands) ||
        !take_int(args[5], 1, 256, &lines) || !take_int(args[6], 1, MOST_PARTS, &groups) ||
        !take_int(args[7], GRID, WIDEST, &group) || !take_int(args[10], 1, MOST_PARTS, &least) ||
        !take_picture(&arrays, args[0], &plane, &bytes) ||
        !require(bands * groups <= MOST_PARTS, "too many parts are wanted") ||
        !require(groups * group < plane.columns && plane.columns <= WIDEST && (bands * lines - 1) * every < plane.rows,
                 "the parts lie outside of the picture"))
        goto end;
    for (long band = 0; band < bands; band++) {
        memset(sums, 0, sizeof(uint16_t) * groups * group);
        for (long y = band * lines; y < (band + 1) * lines; y++) {
            const char *line = plane.at + y * every * plane.stride;
            if (y + 1 < bands * lines) send_for(line + every * plane.stride, groups * group * bytes);
            if (bytes == 2) {
                for (long x = 0; x <= groups * group; x++) { /* halves to even */
                    uint32_t value = ((const uint16_t *)line)[x];
                    if (shift) value = (value + (1u << (shift - 1)) - 1 + ((value >> shift) & 1)) >> shift;
                    rounded[x] = (uint8_t)(value < FULL ? value : FULL);
                }
                line = (const char *)rounded;
            }
            step_line((const uint8_t *)line, groups * group, (uint8_t)most, sums);
        }
        for (long k = 0; k < groups; k++) {
            double whole, on_grid;
            part_of(sums + k * group, group, even, &whole, &on_grid);
            if (whole > flat * (double)(lines * group)) ratios[told++] = (float)(on_grid / whole);
        }
    }
    if (told < least) {
        result = Py_NewRef(Py_None);
        goto end;
    }
    qsort(ratios, told, sizeof(float), ascending);
    result = PyFloat_FromDouble(ratios[told / 2]);
end:
    release(&arrays);
    return result;
}

/* --- patches(plane, out): the mean of each of 9 x 16 parts of equal size, rounded; what lies on an edge is shared --- */

WIDE static void add_line(const uint8_t *line, Py_ssize_t width, float share, float *sums) {
    for (Py_ssize_t x = 0; x < width; x++) sums[x] += share * (float)line[x];
}

/* How much of what begins at `place` and is one long lies within `from` to `to`. */
static inline float covered(double from, double to, Py_ssize_t place) {
    double first = from > (double)place ? from : (double)place;
    double end = to < (double)(place + 1) ? to : (double)(place + 1);
    return end > first ? (float)(end - first) : 0;
}

KERNEL(patches) {
    Arrays arrays = {.held = 0};
    Plane plane, out;
    float sums[WIDEST];
    if (!expect(count, 2) || !take(&arrays, args[0], 'B', 0, &plane) || !take(&arrays, args[1], 'f', 1, &out) ||
        !require(out.rows == TILE_ROWS && out.columns == TILE_COLUMNS, "out has another shape") ||
        !require(plane.rows >= 1 && plane.columns >= 1 && plane.columns <= WIDEST, "the plane is empty, or too wide")) {
        release(&arrays);
        return NULL;
    }
    double tall = (double)plane.rows / TILE_ROWS, wide = (double)plane.columns / TILE_COLUMNS;
    for (int row = 0; row < TILE_ROWS; row++) {
        double top = row * tall, bottom = (row + 1) * tall;
        memset(sums, 0, sizeof(float) * plane.columns);
        for (Py_ssize_t y = (Py_ssize_t)top; y < plane.rows && (double)y < bottom; y++) {
            float share = covered(top, bottom, y);
            if (share > 0) add_line((const uint8_t *)plane.at + y * plane.stride, plane.columns, share, sums);
        }
        float *into = (float *)(out.at + row * out.stride);
        for (int k = 0; k < TILE_COLUMNS; k++) {
            double left = k * wide, right = (k + 1) * wide, sum = 0;
            for (Py_ssize_t x = (Py_ssize_t)left; x < plane.columns && (double)x < right; x++)
                sum += covered(left, right, x) * sums[x];
            into[k] = (float)rint(sum / (tall * wide));
        }
    }
    release(&arrays);
    Py_RETURN_NONE;
}

/* --- detail(plane, seam, parts): mean distance of samples from their 3 x 3 neighbourhood in each of 9 x 16 parts,
 *     without the `seam` lines at a part's upper and lower edge --- */

WIDE static void distances(const uint8_t *above, const uint8_t *here, const uint8_t *below, Py_ssize_t width,
                           uint16_t *three, uint16_t *sums) {
    /* three has one value more at either end, mirrored about the last sample */
    for (Py_ssize_t x = 0; x < width; x++) three[x + 1] = (uint16_t)(above[x] + here[x] + below[x]);
    three[0] = three[width > 1 ? 2 : 1];
    three[width + 1] = three[width > 1 ? width - 1 : width];
    for (Py_ssize_t x = 0; x < width; x++) {
        uint16_t nine = (uint16_t)(three[x] + three[x + 1] + three[x + 2]);
        uint8_t mean = (uint8_t)(((uint32_t)nine * 7282u + 32768u) >> 16);
        sums[x] += apart(here[x], mean);
    }
}

KERNEL(detail) {
    Arrays arrays = {.held = 0};
    Plane plane, out;
    long seam;
    uint16_t three[WIDEST + 2], sums[WIDEST];
    PyObject *result = NULL;
    if (!expect(count, 3) || !take(&arrays, args[0], 'B', 0, &plane) || !take_int(args[1], 0, 8, &seam) ||
        !take(&arrays, args[2], 'f', 1, &out) ||
        !require(out.rows == TILE_ROWS && out.columns == TILE_COLUMNS, "parts has another shape") ||
        !require(plane.columns >= TILE_COLUMNS && plane.columns <= WIDEST && plane.rows >= TILE_ROWS * (2 * seam + 1) &&
                     plane.rows / TILE_ROWS < 256,
                 "the plane is too small, or too large"))
        goto end;
    for (int row = 0; row < TILE_ROWS; row++) {
        Py_ssize_t first = row * plane.rows / TILE_ROWS + seam, end = (row + 1) * plane.rows / TILE_ROWS - seam;
        memset(sums, 0, sizeof(uint16_t) * plane.columns);
        for (Py_ssize_t y = first; y < end; y++) {
            const uint8_t *here = (const uint8_t *)plane.at + y * plane.stride;
            const uint8_t *above = y ? here - plane.stride : here + (plane.rows > 1 ? plane.stride : 0);
            const uint8_t *below = y + 1 < plane.rows ? here + plane.stride : here - (plane.rows > 1 ? plane.stride : 0);
            distances(above, here, below, plane.columns, three, sums);
        }
        float *into = (float *)(out.at + row * out.stride);
        memset(into, 0, sizeof(float) * TILE_COLUMNS);
        gather(sums, plane.columns, into);
        for (int k = 0; k < TILE_COLUMNS; k++) {
            Py_ssize_t wide = (k + 1) * plane.columns / TILE_COLUMNS - k * plane.columns / TILE_COLUMNS;
            into[k] /= (float)(wide * (end - first));
        }
    }
    result = Py_NewRef(Py_None);
end:
    release(&arrays);
    return result;
}

/* --- halve(plane, shift, out): the mean of 2 x 2 samples, in 8 bits --- */

WIDE static void halve_line(const uint8_t *upper, const uint8_t *under, Py_ssize_t width, uint8_t *out) {
    for (Py_ssize_t x = 0; x < width; x++)
        out[x] = (uint8_t)((upper[2 * x] + upper[2 * x + 1] + under[2 * x] + under[2 * x + 1] + 2) >> 2);
}

KERNEL(halve) {
    Arrays arrays = {.held = 0};
    Plane in, out;
    if (!expect(count, 2) || !take(&arrays, args[0], 'B', 0, &in) || !take(&arrays, args[1], 'B', 1, &out) ||
        !require(2 * out.rows <= in.rows && 2 * out.columns <= in.columns, "out is too large")) {
        release(&arrays);
        return NULL;
    }
    for (Py_ssize_t y = 0; y < out.rows; y++) {
        const uint8_t *upper = (const uint8_t *)in.at + 2 * y * in.stride;
        halve_line(upper, upper + in.stride, out.columns, (uint8_t *)out.at + y * out.stride);
    }
    release(&arrays);
    Py_RETURN_NONE;
}

/* --- rests(past, changes, middle, lively, still, least) -> (lines that move usually and hardly now, lines that move
 *     twice as much): see detectors.picture.tearing --- */

WIDE static void usual_of(const float *past, Py_ssize_t stride, Py_ssize_t rows, Py_ssize_t width, float middle,
                          float *most) {
    memcpy(most, past, sizeof(float) * width);
    for (Py_ssize_t n = 1; n < rows; n++)
        for (Py_ssize_t x = 0; x < width; x++) most[x] += past[n * stride + x];
    for (Py_ssize_t x = 0; x < width; x++) most[x] /= middle;
}

KERNEL(rests) {
    Arrays arrays = {.held = 0};
    Plane past, changes;
    float most[WIDEST];
    if (!expect(count, 6)) return NULL;
    float middle = (float)PyFloat_AsDouble(args[2]), lively = (float)PyFloat_AsDouble(args[3]),
          still = (float)PyFloat_AsDouble(args[4]), least = (float)PyFloat_AsDouble(args[5]);
    if (PyErr_Occurred() || !take(&arrays, args[0], 'f', 0, &past) || !take(&arrays, args[1], 'f', 0, &changes) ||
        !require(past.columns == changes.columns && past.columns <= WIDEST && past.rows > 0, "another length")) {
        release(&arrays);
        return NULL;
    }
    usual_of((const float *)past.at, past.stride / (Py_ssize_t)sizeof(float), past.rows, past.columns, middle, most);
    long rest = 0, moves = 0;
    for (Py_ssize_t x = 0; x < past.columns; x++) {
        float limit = still * most[x] > least ? still * most[x] : least;
        rest += most[x] >= lively && ((const float *)changes.at)[x] <= limit;
        moves += most[x] >= 2 * lively;
    }
    release(&arrays);
    PyObject *pair = PyTuple_New(2);
    if (!pair) return NULL;
    PyTuple_SetItem(pair, 0, PyLong_FromLong(rest));
    PyTuple_SetItem(pair, 1, PyLong_FromLong(moves));
    return pair;
}

#define ENTRY(name) {#name, (PyCFunction)(void (*)(void))name, METH_FASTCALL, NULL}

PyMethodDef picture_kernels[] = {
    ENTRY(thin), ENTRY(change), ENTRY(spread), ENTRY(light), ENTRY(turns), ENTRY(levels), ENTRY(smooth_levels),
    ENTRY(combs), ENTRY(comb), ENTRY(grid), ENTRY(patches), ENTRY(detail), ENTRY(halve), ENTRY(rests), {NULL, NULL, 0, NULL},
};

/* Sound: (channels, samples), full scale 1.0. */

#include "buffers.h"

#include <math.h>

#define KERNEL(name) static PyObject *name(PyObject *Py_UNUSED(self), PyObject *const *args, Py_ssize_t count)

/* --- steps_of(samples, peaks, mean_squares): in equal steps, as many as the outputs have columns --- */

WIDE static void step(const float *x, Py_ssize_t size, float *peak, float *square) {
    float top = 0, sum = 0;
#pragma omp simd reduction(max : top) reduction(+ : sum)
    for (Py_ssize_t n = 0; n < size; n++) {
        float height = fabsf(x[n]);
        top = height > top ? height : top;
        sum += x[n] * x[n];
    }
    *peak = top;
    *square = sum / (float)size;
}

KERNEL(steps_of) {
    Arrays arrays = {.held = 0};
    Plane x, peaks, squares;
    if (!expect(count, 3) || !take(&arrays, args[0], 'f', 0, &x) || !take(&arrays, args[1], 'f', 1, &peaks) ||
        !take(&arrays, args[2], 'f', 1, &squares) ||
        !require(peaks.rows == x.rows && squares.rows == x.rows && peaks.columns == squares.columns,
                 "one line of each channel is wanted") ||
        !require(peaks.columns > 0 && x.columns % peaks.columns == 0, "the steps are not of one length")) {
        release(&arrays);
        return NULL;
    }
    Py_ssize_t size = x.columns / peaks.columns;
    for (Py_ssize_t row = 0; row < x.rows; row++)
        for (Py_ssize_t n = 0; n < peaks.columns; n++)
            step((const float *)(x.at + row * x.stride) + n * size, size, (float *)(peaks.at + row * peaks.stride) + n,
                 (float *)(squares.at + row * squares.stride) + n);
    release(&arrays);
    Py_RETURN_NONE;
}

/* --- fine(samples, last, powers, bends): mean square and largest second difference in equal steps; `last` are the two
 *     samples before --- */

WIDE static void fine_step(const float *x, Py_ssize_t size, float *power, float *bend) {
    /* x has two samples before it */
    float top = 0, sum = 0;
#pragma omp simd reduction(max : top) reduction(+ : sum)
    for (Py_ssize_t n = 0; n < size; n++) {
        float height = fabsf((x[n] - x[n - 1]) - (x[n - 1] - x[n - 2]));
        top = height > top ? height : top;
        sum += x[n] * x[n];
    }
    *power = sum / (float)size;
    *bend = top;
}

KERNEL(fine) {
    enum { LONGEST = 4096 };
    Arrays arrays = {.held = 0};
    Plane x, last, powers, bends;
    float first[LONGEST + 2];
    if (!expect(count, 4) || !take(&arrays, args[0], 'f', 0, &x) || !take(&arrays, args[1], 'f', 0, &last) ||
        !take(&arrays, args[2], 'f', 1, &powers) || !take(&arrays, args[3], 'f', 1, &bends) ||
        !require(powers.rows == x.rows && bends.rows == x.rows && last.rows == x.rows && last.columns == 2 &&
                     powers.columns == bends.columns,
                 "one line of each channel is wanted") ||
        !require(powers.columns > 0 && x.columns % powers.columns == 0 && x.columns / powers.columns <= LONGEST,
                 "the steps are not of one length, or too long")) {
        release(&arrays);
        return NULL;
    }
    Py_ssize_t size = x.columns / powers.columns;
    for (Py_ssize_t row = 0; row < x.rows; row++) {
        const float *line = (const float *)(x.at + row * x.stride);
        float *power = (float *)(powers.at + row * powers.stride), *bend = (float *)(bends.at + row * bends.stride);
        memcpy(first, last.at + row * last.stride, 2 * sizeof(float));
        memcpy(first + 2, line, size * sizeof(float));
        fine_step(first + 2, size, power, bend);
        for (Py_ssize_t n = 1; n < powers.columns; n++) {
            if (size > 1 || n > 1)
                fine_step(line + n * size, size, power + n, bend + n);
            else { /* one sample a step: the one before the last is not in this block */
                float three[3] = {first[1], line[0], line[1]};
                fine_step(three + 2, 1, power + n, bend + n);
            }
        }
    }
    release(&arrays);
    Py_RETURN_NONE;
}

/* --- pair(left, right) -> (left squared, right squared, left times right, their difference squared): sums --- */

WIDE static void products(const float *a, const float *b, Py_ssize_t size, double sums[4]) {
    enum { PIECE = 512 }; /* that single precision is good enough for */
    for (Py_ssize_t first = 0; first < size; first += PIECE) {
        Py_ssize_t end = size - first < PIECE ? size : first + PIECE;
        float left = 0, right = 0, both = 0, apart = 0;
#pragma omp simd reduction(+ : left, right, both, apart)
        for (Py_ssize_t n = first; n < end; n++) {
            left += a[n] * a[n];
            right += b[n] * b[n];
            both += a[n] * b[n];
            apart += (a[n] - b[n]) * (a[n] - b[n]);
        }
        sums[0] += left, sums[1] += right, sums[2] += both, sums[3] += apart;
    }
}

KERNEL(pair) {
    Arrays arrays = {.held = 0};
    Plane left, right;
    double sums[4] = {0};
    if (!expect(count, 2) || !take(&arrays, args[0], 'f', 0, &left) || !take(&arrays, args[1], 'f', 0, &right) ||
        !require(left.rows == 1 && right.rows == 1 && left.columns == right.columns, "two lines of one length are wanted")) {
        release(&arrays);
        return NULL;
    }
    products((const float *)left.at, (const float *)right.at, left.columns, sums);
    release(&arrays);
    PyObject *four = PyTuple_New(4);
    if (!four) return NULL;
    for (int k = 0; k < 4; k++) PyTuple_SetItem(four, k, PyFloat_FromDouble(sums[k]));
    return four;
}

/* --- k_weight(samples, filter, state, squares): mean square of the filtered sound in equal steps. `filter` is two
 *     biquads (b0 b1 b2 a1 a2), `state` (channels, 4) the memory of each, in transposed direct form II --- */

typedef double Two __attribute__((vector_size(16)));

static void weigh(const float *x, const float *y, Py_ssize_t size, const double *f, Two s[4], double *square_x,
                  double *square_y) {
    Two sum = {0, 0}, s0 = s[0], s1 = s[1], s2 = s[2], s3 = s[3];
    for (Py_ssize_t n = 0; n < size; n++) {
        Two in = {x[n], y[n]};
        Two mid = f[0] * in + s0;
        s0 = f[1] * in - f[3] * mid + s1;
        s1 = f[2] * in - f[4] * mid;
        Two out = f[5] * mid + s2;
        s2 = f[6] * mid - f[8] * out + s3;
        s3 = f[7] * mid - f[9] * out;
        sum += out * out;
    }
    s[0] = s0, s[1] = s1, s[2] = s2, s[3] = s3;
    *square_x = sum[0] / (double)size;
    *square_y = sum[1] / (double)size;
}

KERNEL(k_weight) {
    Arrays arrays = {.held = 0};
    Plane x, filter, state, squares;
    if (!expect(count, 4) || !take(&arrays, args[0], 'f', 0, &x) || !take(&arrays, args[1], 'd', 0, &filter) ||
        !take(&arrays, args[2], 'd', 1, &state) || !take(&arrays, args[3], 'd', 1, &squares) ||
        !require(filter.columns == 10 && state.columns == 4 && state.rows == x.rows && squares.rows == x.rows,
                 "the filter or the state has another shape") ||
        !require(squares.columns > 0 && x.columns % squares.columns == 0, "the steps are not of one length")) {
        release(&arrays);
        return NULL;
    }
    Py_ssize_t size = x.columns / squares.columns;
    for (Py_ssize_t row = 0; row < x.rows; row += 2) { /* two at once; the last of an odd number twice */
        Py_ssize_t other = row + 1 < x.rows ? row + 1 : row;
        const float *one = (const float *)(x.at + row * x.stride), *two = (const float *)(x.at + other * x.stride);
        double *s_one = (double *)(state.at + row * state.stride), *s_two = (double *)(state.at + other * state.stride);
        Two s[4];
        for (int k = 0; k < 4; k++) s[k] = (Two){s_one[k], s_two[k]};
        for (Py_ssize_t n = 0; n < squares.columns; n++)
            weigh(one + n * size, two + n * size, size, (const double *)filter.at, s,
                  (double *)(squares.at + row * squares.stride) + n,
                  (double *)(squares.at + other * squares.stride) + n);
        for (int k = 0; k < 4; k++) s_one[k] = s[k][0], s_two[k] = s[k][1];
    }
    release(&arrays);
    Py_RETURN_NONE;
}

/* --- low_rate(samples, taps, factor, out): out[n] = the samples from n * factor on, weighed by the taps --- */

WIDE static float weighed(const float *x, const float *taps, Py_ssize_t length) {
    float sum = 0;
#pragma omp simd reduction(+ : sum)
    for (Py_ssize_t n = 0; n < length; n++) sum += x[n] * taps[n];
    return sum;
}

KERNEL(low_rate) {
    Arrays arrays = {.held = 0};
    Plane x, taps, out;
    long factor;
    if (!expect(count, 4) || !take_int(args[2], 1, 4096, &factor) || !take(&arrays, args[0], 'f', 0, &x) ||
        !take(&arrays, args[1], 'f', 0, &taps) || !take(&arrays, args[3], 'f', 1, &out) ||
        !require((out.columns - 1) * factor + taps.columns <= x.columns, "out is too long")) {
        release(&arrays);
        return NULL;
    }
    for (Py_ssize_t n = 0; n < out.columns; n++)
        ((float *)out.at)[n] = weighed((const float *)x.at + n * factor, (const float *)taps.at, taps.columns);
    release(&arrays);
    Py_RETURN_NONE;
}

/* --- extremes(samples) -> (highest, how often, lowest, how often) --- */

WIDE static void range_of(const float *x, Py_ssize_t size, float *high, float *low) {
    float top = x[0], bottom = x[0];
#pragma omp simd reduction(max : top) reduction(min : bottom)
    for (Py_ssize_t n = 0; n < size; n++) {
        top = x[n] > top ? x[n] : top;
        bottom = x[n] < bottom ? x[n] : bottom;
    }
    *high = top, *low = bottom;
}

WIDE static void count_both(const float *x, Py_ssize_t size, float high, float low, int32_t *highs, int32_t *lows) {
    int32_t a = 0, b = 0;
    for (Py_ssize_t n = 0; n < size; n++) {
        a += x[n] == high;
        b += x[n] == low;
    }
    *highs = a, *lows = b;
}

KERNEL(extremes) {
    Arrays arrays = {.held = 0};
    Plane x;
    if (!expect(count, 1) || !take(&arrays, args[0], 'f', 0, &x) ||
        !require(x.rows == 1 && x.columns > 0 && x.columns < INT32_MAX, "one line of samples is wanted")) {
        release(&arrays);
        return NULL;
    }
    float high, low;
    int32_t highs, lows;
    range_of((const float *)x.at, x.columns, &high, &low);
    count_both((const float *)x.at, x.columns, high, low, &highs, &lows);
    release(&arrays);
    PyObject *four = PyTuple_New(4);
    if (!four) return NULL;
    PyTuple_SetItem(four, 0, PyFloat_FromDouble(high));
    PyTuple_SetItem(four, 1, PyLong_FromLong(highs));
    PyTuple_SetItem(four, 2, PyFloat_FromDouble(low));
    PyTuple_SetItem(four, 3, PyLong_FromLong(lows));
    return four;
}

/* --- true_peak(samples, last, phases, gain, run, floors, peaks, runs) -> bool: see sound_features.TruePeak. `last` are
 *     the samples before, `floors` of each channel what need not be looked at. True where any run was --- */

enum { TAPS = 12, PHASES = 4, LONGEST_RUN = 64 };

WIDE static float interpolated(const float *x, const float *phases, Py_ssize_t size) {
    /* x[TAPS - 1] is the first sample that is looked at; phases are those of Annex 2, last tap first */
    float top = 0;
    for (int phase = 0; phase < PHASES; phase++) {
        const float *taps = phases + phase * TAPS;
        float best = 0;
#pragma omp simd reduction(max : best)
        for (Py_ssize_t n = 0; n < size; n++) {
            float sum = 0;
            for (int k = 0; k < TAPS; k++) sum += x[n + k] * taps[k];
            float height = fabsf(sum);
            best = height > best ? height : best;
        }
        top = best > top ? best : top;
    }
    return top;
}

WIDE static float highest(const float *x, Py_ssize_t size) {
    float top = 0;
#pragma omp simd reduction(max : top)
    for (Py_ssize_t n = 0; n < size; n++) top = fabsf(x[n]) > top ? fabsf(x[n]) : top;
    return top;
}

KERNEL(true_peak) {
    Arrays arrays = {.held = 0};
    Plane x, last, phases, floors, peaks, runs;
    long run;
    float window[LONGEST_RUN + TAPS - 1];
    int looked = 0;
    PyObject *result = NULL;
    if (!expect(count, 8)) return NULL;
    float gain = (float)PyFloat_AsDouble(args[3]);
    if (PyErr_Occurred() || !take_int(args[4], TAPS, LONGEST_RUN, &run) || !take(&arrays, args[0], 'f', 0, &x) ||
        !take(&arrays, args[1], 'f', 0, &last) || !take(&arrays, args[2], 'f', 0, &phases) ||
        !take(&arrays, args[5], 'd', 0, &floors) || !take(&arrays, args[6], 'd', 1, &peaks) ||
        !take(&arrays, args[7], 'f', 1, &runs) ||
        !require(last.rows == x.rows && last.columns == TAPS - 1 && floors.columns == x.rows && peaks.columns == x.rows,
                 "one of each channel is wanted") ||
        !require(phases.rows == PHASES && phases.columns == TAPS && phases.stride == TAPS * (Py_ssize_t)sizeof(float),
                 "the filter has another shape") ||
        !require(runs.columns == (x.columns + run - 1) / run, "runs has another length"))
        goto end;
    memset(runs.at, 0, sizeof(float) * runs.columns);
    for (Py_ssize_t row = 0; row < x.rows; row++) {
        const float *line = (const float *)(x.at + row * x.stride), *before = (const float *)(last.at + row * last.stride);
        double *peak = (double *)peaks.at + row, floor = ((const double *)floors.at)[row];
        for (Py_ssize_t n = 0; n < runs.columns; n++) {
            Py_ssize_t first = n * run, size = x.columns - first < run ? x.columns - first : run;
            const float *from = line + first - (TAPS - 1);
            if (!n) {
                memcpy(window, before, (TAPS - 1) * sizeof(float));
                memcpy(window + TAPS - 1, line, size * sizeof(float));
                from = window;
            }
            if ((double)highest(from, size + TAPS - 1) * gain <= floor) continue;
            float top = interpolated(from, (const float *)phases.at, size), *of_run = (float *)runs.at + n;
            looked = 1;
            *of_run = top > *of_run ? top : *of_run;
            *peak = top > *peak ? top : *peak;
        }
    }
    result = PyBool_FromLong(looked);
end:
    release(&arrays);
    return result;
}

/* --- falls(powers, least, floor) -> bool: whether any channel falls from more than `floor` to `least` of that, from
 *     two steps to the next but one; see detectors.sound.audio_dropout --- */

WIDE static int falling(const float *p, Py_ssize_t size, float least, float floor) {
    int any = 0;
    for (Py_ssize_t n = 0; n < size - 4; n++) {
        float before = p[n] > p[n + 1] ? p[n] : p[n + 1], after = p[n + 3] > p[n + 4] ? p[n + 3] : p[n + 4];
        any |= (after < before * least) & (before > floor);
    }
    return any;
}

KERNEL(falls) {
    Arrays arrays = {.held = 0};
    Plane p;
    int any = 0;
    if (!expect(count, 3)) return NULL;
    float least = (float)PyFloat_AsDouble(args[1]), floor = (float)PyFloat_AsDouble(args[2]);
    if (PyErr_Occurred() || !take(&arrays, args[0], 'f', 0, &p)) {
        release(&arrays);
        return NULL;
    }
    for (Py_ssize_t row = 0; row < p.rows; row++)
        any |= falling((const float *)(p.at + row * p.stride), p.columns, least, floor);
    release(&arrays);
    return PyBool_FromLong(any);
}

/* --- stands_out(values, far, times, floor) -> bool: whether any value is above `floor`, and `times` those that lie
 *     `far` before and behind it; see detectors.sound.click --- */

WIDE static int standing(const float *p, Py_ssize_t size, long far, float times, float floor) {
    int any = 0;
    for (Py_ssize_t n = far; n < size - far; n++) {
        float beside = p[n - far] > p[n + far] ? p[n - far] : p[n + far];
        any |= (p[n] > floor) & (p[n] > beside * times);
    }
    return any;
}

KERNEL(stands_out) {
    Arrays arrays = {.held = 0};
    Plane p;
    long far;
    int any = 0;
    if (!expect(count, 4)) return NULL;
    float times = (float)PyFloat_AsDouble(args[2]), floor = (float)PyFloat_AsDouble(args[3]);
    if (PyErr_Occurred() || !take_int(args[1], 1, 4096, &far) || !take(&arrays, args[0], 'f', 0, &p)) {
        release(&arrays);
        return NULL;
    }
    for (Py_ssize_t row = 0; row < p.rows; row++)
        any |= standing((const float *)(p.at + row * p.stride), p.columns, far, times, floor);
    release(&arrays);
    return PyBool_FromLong(any);
}

/* --- spread_of(sizes, least, level, beyond, scale, counts) -> (below `least`, above `level`, above `beyond`): how many;
 *     counts[k] of those that are `scale` times k or more, and less than k + 1; the last one of all higher ones --- */

KERNEL(spread_of) {
    Arrays arrays = {.held = 0};
    Plane x, counts;
    if (!expect(count, 6)) return NULL;
    float least = (float)PyFloat_AsDouble(args[1]), level = (float)PyFloat_AsDouble(args[2]),
          beyond = (float)PyFloat_AsDouble(args[3]), scale = (float)PyFloat_AsDouble(args[4]);
    if (PyErr_Occurred() || !take(&arrays, args[0], 'f', 0, &x) || !take(&arrays, args[5], 'f', 1, &counts) ||
        !require(x.rows == 1 && counts.columns > 0 && x.columns < INT32_MAX, "one line of sizes is wanted")) {
        release(&arrays);
        return NULL;
    }
    float *bins = (float *)counts.at, most = (float)(counts.columns - 1);
    memset(bins, 0, sizeof(float) * counts.columns);
    int32_t low = 0, high = 0, over = 0;
    for (Py_ssize_t n = 0; n < x.columns; n++) {
        float value = ((const float *)x.at)[n], bin = value * scale;
        low += value < least, high += value > level, over += value > beyond;
        bins[bin >= most ? counts.columns - 1 : bin > 0 ? (Py_ssize_t)bin : 0]++;
    }
    release(&arrays);
    PyObject *three = PyTuple_New(3);
    if (!three) return NULL;
    PyTuple_SetItem(three, 0, PyLong_FromLong(low));
    PyTuple_SetItem(three, 1, PyLong_FromLong(high));
    PyTuple_SetItem(three, 2, PyLong_FromLong(over));
    return three;
}

/* --- likeness(samples, products, window, out): out[shift] of the last `window` samples and those `shift` before them:
 *     their products, in order of the place of the earlier ones, over the root of both energies --- */

KERNEL(likeness) {
    Arrays arrays = {.held = 0};
    Plane x, products, out;
    long window;
    if (!expect(count, 4) || !take_int(args[2], 1, 1 << 24, &window) || !take(&arrays, args[0], 'f', 0, &x) ||
        !take(&arrays, args[1], 'f', 0, &products) || !take(&arrays, args[3], 'd', 1, &out) ||
        !require(x.columns == window + out.columns - 1 && products.columns == out.columns, "another length")) {
        release(&arrays);
        return NULL;
    }
    const float *past = (const float *)x.at, *product = (const float *)products.at;
    double last = 0, energy = 0, least = 1e-12;
    for (Py_ssize_t n = x.columns - window; n < x.columns; n++) last += (double)past[n] * past[n];
    for (Py_ssize_t n = 0; n < window; n++) energy += (double)past[n] * past[n];
    last = last > least ? last : least;
    for (Py_ssize_t place = 0; place < out.columns; place++) {
        double own = energy > least ? energy : least;
        ((double *)out.at)[out.columns - 1 - place] = product[place] / sqrt(own * last);
        if (place + 1 < out.columns)
            energy += (double)past[place + window] * past[place + window] - (double)past[place] * past[place];
    }
    release(&arrays);
    Py_RETURN_NONE;
}

#define ENTRY(name) {#name, (PyCFunction)(void (*)(void))name, METH_FASTCALL, NULL}

PyMethodDef sound_kernels[] = {
    ENTRY(steps_of), ENTRY(fine), ENTRY(pair), ENTRY(k_weight), ENTRY(low_rate), ENTRY(extremes), ENTRY(true_peak),
    ENTRY(falls), ENTRY(stands_out), ENTRY(spread_of), ENTRY(likeness), {NULL, NULL, 0, NULL},
};

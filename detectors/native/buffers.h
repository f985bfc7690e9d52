/* Arrays from Python, checked: kind of value, dimensions, values of a line next to each other. */

#ifndef GLITCHWATCH_BUFFERS_H
#define GLITCHWATCH_BUFFERS_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stdint.h>
#include <string.h>

/* Machines with wider vectors get code of their own, chosen when the module is loaded. */
#if defined(__x86_64__) && defined(__GLIBC__) && defined(__GNUC__) && !defined(__clang__)
#define WIDE __attribute__((target_clones("avx2", "default")))
#else
#define WIDE
#endif

enum { MOST_ARRAYS = 20 };

typedef struct {
    Py_buffer of[MOST_ARRAYS];
    int held;
} Arrays;

/* A matrix, or a vector as a matrix of one line. `stride` is from line to line, in bytes. */
typedef struct {
    char *at;
    Py_ssize_t rows, columns, stride;
} Plane;

/* Takes one array of `kind` (as of Python's struct: B H f d i); false, with an exception set, where it is another. */
int take(Arrays *arrays, PyObject *object, char kind, int writable, Plane *plane);

/* The same of 8 or 16 bits; `bytes` says which. */
int take_picture(Arrays *arrays, PyObject *object, Plane *plane, int *bytes);

/* A whole number; false, with an exception set, where it is none or not within the bounds. */
int take_int(PyObject *object, long least, long most, long *value);

/* The right number of arguments; false, with an exception set, where it is another. */
int expect(Py_ssize_t count, Py_ssize_t wanted);

/* False, with an exception set, where `fits` is. */
int require(int fits, const char *what);

void release(Arrays *arrays);

extern PyMethodDef picture_kernels[];
extern PyMethodDef sound_kernels[];

#endif

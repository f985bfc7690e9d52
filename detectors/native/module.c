/* detectors.native._kernels: the inner loops of detection in C. What each of them means is said where it is used. */

#include "buffers.h"

int expect(Py_ssize_t count, Py_ssize_t wanted) {
    if (count == wanted) return 1;
    PyErr_Format(PyExc_TypeError, "%zd arguments are wanted, %zd were given", wanted, count);
    return 0;
}

int require(int fits, const char *what) {
    if (!fits) PyErr_SetString(PyExc_ValueError, what);
    return fits;
}

int take_int(PyObject *object, long least, long most, long *value) {
    *value = PyLong_AsLong(object);
    if (*value == -1 && PyErr_Occurred()) return 0;
    if (*value >= least && *value <= most) return 1;
    PyErr_Format(PyExc_ValueError, "%ld is not within %ld to %ld", *value, least, most);
    return 0;
}

static int take_any(Arrays *arrays, PyObject *object, int writable, Plane *plane, char *kind) {
    if (arrays->held == MOST_ARRAYS) return require(0, "too many arrays");
    Py_buffer *buffer = &arrays->of[arrays->held];
    int flags = PyBUF_STRIDES | PyBUF_FORMAT | (writable ? PyBUF_WRITABLE : 0);
    if (PyObject_GetBuffer(object, buffer, flags) < 0) return 0;
    arrays->held++;
    const char *format = buffer->format ? buffer->format : "B";
    if (*format == '<' || *format == '=' || *format == '@') format++;
    *kind = format[1] ? '?' : format[0];
    if (!require(buffer->ndim == 1 || buffer->ndim == 2, "an array of one or two dimensions is wanted")) return 0;
    int last = buffer->ndim - 1;
    plane->at = buffer->buf;
    plane->columns = buffer->shape[last];
    plane->rows = last ? buffer->shape[0] : 1;
    plane->stride = last ? buffer->strides[0] : 0;
    return require(
        plane->columns <= 1 || buffer->strides[last] == buffer->itemsize, "the values of a line must lie side by side");
}

int take(Arrays *arrays, PyObject *object, char kind, int writable, Plane *plane) {
    char found = 0;
    if (!take_any(arrays, object, writable, plane, &found)) return 0;
    if (found == kind) return 1;
    PyErr_Format(PyExc_TypeError, "an array of %c is wanted, not of %c", (int)kind, (int)found);
    return 0;
}

int take_picture(Arrays *arrays, PyObject *object, Plane *plane, int *bytes) {
    char found = 0;
    if (!take_any(arrays, object, 0, plane, &found)) return 0;
    *bytes = found == 'H' ? 2 : 1;
    if (found == 'B' || found == 'H') return 1;
    PyErr_Format(PyExc_TypeError, "an array of B or H is wanted, not of %c", (int)found);
    return 0;
}

void release(Arrays *arrays) {
    while (arrays->held) PyBuffer_Release(&arrays->of[--arrays->held]);
}

static int fill(PyObject *module) {
    return PyModule_AddFunctions(module, picture_kernels) < 0 || PyModule_AddFunctions(module, sound_kernels) < 0 ? -1 : 0;
}

static PyModuleDef_Slot slots[] = {{Py_mod_exec, fill}, {0, NULL}};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = "detectors.native._kernels",
    .m_doc = "Inner loops of detection.",
    .m_slots = slots,
};

PyMODINIT_FUNC PyInit__kernels(void) { return PyModuleDef_Init(&definition); }

"""A pytest plugin (`-p tests.without_kernels`): tests run as where the package was built without a compiler."""

from detectors import native

native.kernels = None

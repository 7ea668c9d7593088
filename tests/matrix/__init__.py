"""The tests on other kernels and with other versions of BCC. See README.md in this folder."""

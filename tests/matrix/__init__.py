"""Other kernels than the running one: Debian's, fetched, booted under plain emulation, and tested in."""

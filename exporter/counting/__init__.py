"""From the kernel's maps to samples, and from samples to per-process series that never decrease."""

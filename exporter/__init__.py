"""What the CPU copies, what passes by reference and what DMA moves, for every process of a Linux host."""

__version__ = "0.2.0-dev0"

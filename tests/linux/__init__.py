"""Pieces of small Linux machines that tests boot: kernel, initramfs, QEMU."""

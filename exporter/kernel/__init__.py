"""What we need of the kernel, through libbpf and a few system calls. Never imports bcc."""

"""The kernel's functions that copy, by name, from v5.10 to v6.18, and those that encrypt. No kernel has all of them.

Where a copy of user memory is inlined (``rep movsb`` on CPUs that are fast at it), a sample falls into the function
around it. So functions that step through an iterator and do little else are listed too. Functions that only clear
memory or compute checksums are not.
"""

_ITERATORS = (
    "_copy_to_iter",
    "_copy_from_iter",
    "_copy_from_iter_nocache",
    "_copy_from_iter_flushcache",
    "_copy_from_iter_full",  # until 4b6c132b7da6 (v5.14)
    "_copy_from_iter_full_nocache",
    "_copy_mc_to_iter",
    "copy_page_to_iter",
    "copy_page_to_iter_iovec",
    "copy_page_to_iter_nofault",
    "copy_page_from_iter",
    "copy_page_from_iter_iovec",
    "copy_folio_from_iter_atomic",
    "copy_page_from_iter_atomic",
    "iov_iter_copy_from_user_atomic",  # the same until f0b65f39ac50 (v5.14)
    "hash_and_copy_to_iter",
    "csum_and_copy_to_iter",
    "csum_and_copy_from_iter",
    "csum_and_copy_from_iter_full",
    "copyin",
    "copyout",
)
_USER = (
    "_copy_to_user",
    "_copy_from_user",
    "raw_copy_to_user",
    "raw_copy_from_user",
    "copy_from_user_nmi",
    "csum_and_copy_to_user",
    "csum_and_copy_from_user",
)
_X86 = (
    "rep_movs_alternative",  # since 034ff37d3407 (v6.4)
    "copy_user_generic_unrolled",
    "copy_user_generic_string",
    "copy_user_enhanced_fast_string",
    "copy_user_fast_string",
    "copy_user_short_string",
    "copy_user_handle_tail",
    "__copy_user_nocache",
    "copy_to_nontemporal",  # its later name
    "__copy_user_flushcache",
    "copy_user_flushcache",
    "__memcpy_flushcache",
    "copy_mc_to_user",
    "copy_mc_to_kernel",
    "copy_mc_fragile",
    "copy_mc_enhanced_fast_string",
    "csum_partial_copy_generic",
    "copy_page_regs",
    "memcpy_orig",
    "memcpy_erms",
    "memmove_erms",
)
_ARM64 = (
    "__arch_copy_to_user",
    "__arch_copy_from_user",
    "__arch_copy_in_user",
    "__pi_copy_page",
    "__pi_memcpy",
    "__pi_memmove",
)
_MEMORY = ("memcpy", "__memcpy", "memmove", "__memmove", "copy_page")

COPY_ROUTINES = (*_ITERATORS, *_USER, *_X86, *_ARM64, *_MEMORY)

CIPHER_ROUTINES = r"_*(?:crypto_)?(?:aes|aria|chacha|clmul|gcm|gf128mul|ghash|neon_aes|pmull|poly1305|polyval|sm4)\w*"
"""A pattern of names: the ciphers of kernel TLS, and what authenticates with them. CPUs have functions of their own."""

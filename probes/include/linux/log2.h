/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause: empty on purpose, BCC includes it and we need nothing of it. */

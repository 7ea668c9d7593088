# The service in a container: `make image`, or any builder that knows --mount=type=secret; docs/privileges.md and
# deploy/README.md tell how to run it. Nothing here names a machine's architecture.
ARG BASE=debian:12.12-slim

FROM ${BASE} AS build
RUN --mount=type=secret,id=apt,target=/etc/apt/apt.conf.d/99-host \
    apt-get update -qq \
    && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends libcap2-bin python3-venv
WORKDIR /build
COPY deploy/image/*requirements.txt ./
# The interpreter is a copy, for the capabilities below; pip stays outside.
RUN --mount=type=secret,id=pip,target=/etc/pip.conf --mount=type=secret,id=certificates \
    python3 -m venv tools \
    && tools/bin/pip install --quiet --require-hashes --requirement build-requirements.txt \
    && python3 -m venv --copies --system-site-packages --without-pip /opt/copy-exporter \
    && tools/bin/pip --python /opt/copy-exporter/bin/python install --quiet --require-hashes --requirement requirements.txt
COPY . source
ARG REVISION=unknown
RUN echo "${REVISION}" > source/exporter/REVISION \
    && tools/bin/pip --python /opt/copy-exporter/bin/python install --quiet --no-index --no-deps --no-build-isolation \
        "$(tools/bin/pip wheel --quiet --no-index --no-deps --no-build-isolation --wheel-dir . ./source && ls ./*.whl)" \
    && tools/bin/pip --python /opt/copy-exporter/bin/python check
# Permitted, not effective: the container starts as nobody, with those of them that it was given, or says what is missing.
RUN cd /opt/copy-exporter/bin && rm python3 python3.* && ln -s python python3 \
    && setcap cap_bpf,cap_perfmon,cap_dac_read_search,cap_syslog,cap_sys_ptrace,cap_setuid,cap_setgid,cap_sys_admin=p python

FROM ${BASE}
RUN --mount=type=secret,id=apt,target=/etc/apt/apt.conf.d/99-host \
    apt-get update -qq \
    && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
        libbpf1 linux-libc-dev python3-bpfcc \
    && rm -rf /var/lib/apt/lists/* /var/cache/apt/*
COPY --from=build /opt/copy-exporter /opt/copy-exporter
ENV PATH=/opt/copy-exporter/bin:$PATH
ARG REVISION=unknown
ARG VERSION=unknown
LABEL org.opencontainers.image.title="copy-exporter" \
      org.opencontainers.image.description="Which bytes the CPU copies and which go by zero copy, for Prometheus" \
      org.opencontainers.image.licenses="Apache-2.0 AND (GPL-2.0-only OR BSD-2-Clause)" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
USER 65534:65534
EXPOSE 10435
HEALTHCHECK --start-period=10s --timeout=5s \
    CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:10435/-/healthy', timeout=4)"]
ENTRYPOINT ["copy-exporter"]
CMD ["serve"]

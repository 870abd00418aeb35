# One image for the server, the workers and the command line: `serve`, `worker` and the rest are arguments.
#
#   docker build --build-arg VERSION=0.1.0 --build-arg REVISION=$(git rev-parse HEAD) -t rollback-controller:0.1.0 .
#   docker run --rm --read-only --tmpfs /tmp rollback-controller:0.1.0 --version
#
# It runs as 65532:65532 with a read-only root. What must be writable: /tmp, which is an `emptyDir` in a pod, and
# /dev/shm, which every container runtime mounts. There is no shell, package manager or compiler in it.
#
# Why Debian and not Alpine: google-re2 brings wheels for glibc only. Why this Python: all tests run with it.
# A machine without a package index gives the locked wheels along: --build-context wheels=FOLDER and
# --build-arg PIP_NO_INDEX=1.

# A build that must be the same again gives it by its digest: --build-arg BASE=…@sha256:….
ARG BASE=docker.io/library/python:3.11-slim-bookworm

FROM scratch AS wheels

FROM ${BASE} AS build
ARG PIP_NO_INDEX
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_ROOT_USER_ACTION=ignore PYTHONDONTWRITEBYTECODE=1
WORKDIR /build
# pip stays in a place of its own; what runs has none.
RUN python3 -m venv /build/tools && python3 -m venv --without-pip /opt/rollback-controller
COPY requirements.txt ./
RUN --mount=type=bind,from=wheels,target=/wheels \
    /build/tools/bin/pip --python /opt/rollback-controller/bin/python install --quiet --no-compile \
    --find-links /wheels --only-binary :all: --require-hashes -r requirements.txt
COPY pyproject.toml README.md LICENSE ./
COPY rules ./rules
COPY controller ./controller
COPY workers ./workers
# setuptools is locked like the rest, builds our own package, and is not needed after it.
RUN /build/tools/bin/pip --python /opt/rollback-controller/bin/python install --quiet --no-compile \
    --no-index --no-deps --no-build-isolation . \
 && /build/tools/bin/pip --python /opt/rollback-controller/bin/python uninstall --quiet --yes setuptools
COPY docker/assemble_root.py ./
RUN python3 assemble_root.py --into /image --environment /opt/rollback-controller

FROM scratch
ARG BASE
ARG VERSION=0.1.0
ARG REVISION=unknown
ARG SOURCE=https://example.com/rollback-controller
ARG LICENSES=Apache-2.0
LABEL org.opencontainers.image.title="rollback-controller" \
      org.opencontainers.image.description="Prometheus alerts roll back only the affected instances of a bad release, once, and say why." \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.source="${SOURCE}" \
      org.opencontainers.image.licenses="${LICENSES}" \
      org.opencontainers.image.base.name="${BASE}"
COPY --from=build /image/system /
COPY --from=build /image/product /
ENV PATH=/opt/rollback-controller/bin \
    LANG=C.UTF-8 \
    HOME=/tmp \
    SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
# By numbers: a cluster that is told `runAsNonRoot` cannot judge a name.
USER 65532:65532
WORKDIR /etc/rollback-controller
EXPOSE 8095
STOPSIGNAL SIGTERM
ENTRYPOINT ["rollbackctl"]
CMD ["--help"]

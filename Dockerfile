# One file, five images.
#
#   base -- light -+- channel_proxy
#                  +- client            + matplotlib
#                  +- console           + NiceGUI
#                  +- services -+- transmitter       + torch, faiss, open_clip, HEIC
#                               +- receiver
#
# SERVICES=edge, the default, leaves torch out: they run clip-tiny from the bundle that ships, or one of yours. With
# SERVICES=services, as docker-compose.gpu.yml builds them, they have all codecs and any CLIP.
#
# SemLink itself is built once, as a wheel, and put in last: when only code changes, the dependencies stay as they are.
ARG BASE=python:3.11-slim

FROM ${BASE} AS base
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore PYTHONUNBUFFERED=1
RUN useradd --create-home --uid 1000 semlink

FROM base AS wheel
COPY locks/build.txt /locks/
RUN pip install --quiet --require-hashes --requirement /locks/build.txt
COPY . /source
RUN pip wheel --quiet --no-deps --no-build-isolation --wheel-dir /wheel /source

# --- dependencies -----------------------------------------------------------------------------------------------------
FROM base AS light-dependencies
COPY locks/light.txt locks/observe.txt /locks/
RUN pip install --quiet --require-hashes --requirement /locks/light.txt --requirement /locks/observe.txt
WORKDIR /home/semlink

FROM light-dependencies AS client-dependencies
COPY locks/plot.txt /locks/
RUN pip install --quiet --require-hashes --requirement /locks/plot.txt

FROM light-dependencies AS console-dependencies
COPY locks/console.txt /locks/
RUN pip install --quiet --require-hashes --requirement /locks/console.txt

FROM light-dependencies AS services-dependencies
ARG SERVICES=edge
COPY locks/${SERVICES}.txt locks/heif.txt locks/milvus.txt /locks/
# HEIC too, which phones send.
RUN pip install --quiet --require-hashes --requirement /locks/${SERVICES}.txt --requirement /locks/heif.txt
# What else the services need: "milvus", see docker-compose.milvus.yml, or nothing.
ARG FURTHER=""
RUN if [ -n "$FURTHER" ]; then pip install --quiet --require-hashes --requirement "/locks/$FURTHER.txt"; fi

# --- SemLink ----------------------------------------------------------------------------------------------------------
FROM light-dependencies AS channel_proxy
RUN --mount=type=bind,from=wheel,source=/wheel,target=/wheel pip install --quiet --no-deps /wheel/*.whl
ENV SEMLINK_CHANNEL_HOST=0.0.0.0 SEMLINK_CHANNEL_HEARTBEAT=/tmp/heartbeat
USER semlink
EXPOSE 50052
HEALTHCHECK --interval=5s --timeout=10s --start-period=30s --retries=6 CMD test -n "$(find /tmp/heartbeat -mmin -0.5)"
ENTRYPOINT ["python", "-m", "channel_proxy"]

FROM client-dependencies AS client
RUN --mount=type=bind,from=wheel,source=/wheel,target=/wheel pip install --quiet --no-deps /wheel/*.whl
RUN install --directory --owner=semlink --group=semlink /out
# Mount points of docker-compose.tls.yml, so that its volumes are semlink's.
RUN install --directory --owner=semlink --group=semlink --mode=0700 \
    /certs/ca /certs/transmitter /certs/channel_proxy /certs/receiver /certs/client
USER semlink
ENTRYPOINT ["semlink"]
CMD ["--help"]

FROM console-dependencies AS console
RUN --mount=type=bind,from=wheel,source=/wheel,target=/wheel pip install --quiet --no-deps /wheel/*.whl
USER semlink
EXPOSE 8080
ENTRYPOINT ["semlink", "console", "--host=0.0.0.0", "--no-open"]

FROM services-dependencies AS services
RUN --mount=type=bind,from=wheel,source=/wheel,target=/wheel pip install --quiet --no-deps /wheel/*.whl
RUN install --directory --owner=semlink --group=semlink /kb
USER semlink

FROM services AS transmitter
ENV SEMLINK_TRANSMITTER_HOST=0.0.0.0 SEMLINK_TRANSMITTER_HEARTBEAT=/tmp/heartbeat
EXPOSE 50051
HEALTHCHECK --interval=5s --timeout=10s --start-period=180s --retries=6 CMD test -n "$(find /tmp/heartbeat -mmin -0.5)"
ENTRYPOINT ["python", "-m", "transmitter"]

FROM services AS receiver
ENV SEMLINK_RECEIVER_HOST=0.0.0.0 SEMLINK_RECEIVER_HEARTBEAT=/tmp/heartbeat SEMLINK_RECEIVER_KB=/kb
EXPOSE 50053
HEALTHCHECK --interval=5s --timeout=10s --start-period=300s --retries=6 CMD test -n "$(find /tmp/heartbeat -mmin -0.5)"
ENTRYPOINT ["python", "-m", "receiver"]

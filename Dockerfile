# LightVoice in a container: the page with the starter bundle, nothing fetched at run time.
#
#   docker build --target cpu -t lightvoice .
#   docker run --rm -p 127.0.0.1:7860:7860 lightvoice
#   docker run --rm -v "$PWD:/data:ro" lightvoice transcribe /data/recording.wav
#
# More bundles: mount their folder at /app/bundles. The root file system may be read-only if /tmp is writable (compose.yaml does so).

# ---- packages: the runtime requirements in a virtual environment, compiled, so that the last stage carries no build leftovers
FROM python:3.11-slim-bookworm AS packages
WORKDIR /build
RUN python -m venv /opt/venv
COPY requirements-runtime.txt constraints.txt ./
RUN /opt/venv/bin/python -m pip install --no-cache-dir --disable-pip-version-check -r requirements-runtime.txt

# ---- packages-gpu: the same with ONNX Runtime's CUDA build and the CUDA libraries it asks for; the driver comes from the host
FROM packages AS packages-gpu
RUN sed -i 's/^onnxruntime==/onnxruntime-gpu[cuda,cudnn]==/' requirements-runtime.txt \
 && /opt/venv/bin/python -m pip uninstall --yes onnxruntime \
 && /opt/venv/bin/python -m pip install --no-cache-dir --disable-pip-version-check -r requirements-runtime.txt

# ---- packages-cluster: the same with Ray, for the machines of a cluster (deploy/kuberay)
FROM packages AS packages-cluster
COPY requirements-cluster.txt ./
RUN /opt/venv/bin/python -m pip install --no-cache-dir --disable-pip-version-check -r requirements-cluster.txt -r requirements-runtime.txt

# ---- product: the files that run, and their bytecode
FROM python:3.11-slim-bookworm AS product
WORKDIR /app
COPY LICENSE app.py ./
COPY engine engine
COPY ui ui
# The page hands its jobs to the workshop, which says what they lack here; no command of the workshop runs in a container.
COPY models/__init__.py models/
COPY models/fetch/__init__.py models/fetch/catalog.py models/fetch/held.py models/fetch/on_demand.py models/fetch/
COPY models/jobs/__init__.py models/jobs/command_line.py models/jobs/failure_kind.py models/jobs/job.py models/jobs/packages.py models/jobs/
COPY models/jobs/progress.py models/jobs/workshop.py models/jobs/
COPY models/quantize/__init__.py models/quantize/recipe_names.py models/quantize/
COPY models/starter/__init__.py models/starter/README.md models/starter/
COPY models/starter/bundle models/starter/bundle
RUN python -m compileall -q app.py engine ui models

# ---- base: a user without rights, a home that may be thrown away, libraries that report to nobody (engine/runtime/telemetry.py; Ray's own
# processes read it here)
FROM python:3.11-slim-bookworm AS base
RUN useradd --uid 10001 --no-create-home --home-dir /tmp --shell /usr/sbin/nologin lightvoice
COPY --from=product /app /app
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    HOME=/tmp \
    HF_HUB_OFFLINE=1 \
    ORT_DISABLE_TELEMETRY=1 \
    GRADIO_ANALYTICS_ENABLED=False \
    HF_HUB_DISABLE_TELEMETRY=1 \
    NNCF_CI=1 \
    RAY_USAGE_STATS_ENABLED=0 \
    DO_NOT_TRACK=1
WORKDIR /data
USER 10001:10001
EXPOSE 7860
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s --retries=3 \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:7860/healthz', timeout=4).read()"]
ENTRYPOINT ["python", "/app/app.py"]

# ---- gpu: `docker run --gpus all …`, with NVIDIA's container toolkit on the host
FROM base AS gpu
COPY --from=packages-gpu /opt/venv /opt/venv
ENV LD_LIBRARY_PATH=/opt/venv/lib/python3.11/site-packages/nvidia/cu13/lib:/opt/venv/lib/python3.11/site-packages/nvidia/cudnn/lib \
    NVIDIA_DRIVER_CAPABILITIES=compute,utility
CMD ["serve", "--host", "0.0.0.0", "--port", "7860", "--device", "cuda"]

# ---- cluster: a machine of a Ray cluster; KubeRay says what it runs, and asks with wget whether it is well
FROM base AS cluster
USER 0
# Debian's mirrors keep no older version of a package that could be named here.
# hadolint ignore=DL3008
RUN apt-get update -qq && apt-get install -y -qq --no-install-recommends wget && rm -rf /var/lib/apt/lists/*
USER 10001:10001
COPY --from=packages-cluster /opt/venv /opt/venv
ENV PYTHONPATH=/app
WORKDIR /app
HEALTHCHECK NONE
ENTRYPOINT []
CMD ["python", "-m", "engine.cluster", "--help"]

# ---- cpu: the default
FROM base AS cpu
COPY --from=packages /opt/venv /opt/venv
CMD ["serve", "--host", "0.0.0.0", "--port", "7860"]

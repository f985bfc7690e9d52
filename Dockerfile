# One image for all: the command says what a container is (controller.main, worker.main, worker.jobs, glitchwatch).
FROM python:3.13-slim AS build
WORKDIR /src
# A compiler, for the inner loops of detection; what it makes is all that the image keeps of it.
RUN apt-get update && apt-get install --yes --no-install-recommends gcc libc6-dev && rm -rf /var/lib/apt/lists/*
COPY requirements.txt ./
RUN python -m venv /opt/glitchwatch \
    && /opt/glitchwatch/bin/pip install --no-cache-dir --disable-pip-version-check --require-hashes -r requirements.txt
COPY . .
RUN /opt/glitchwatch/bin/pip install --no-cache-dir --disable-pip-version-check "hatchling>=1.27" "editables>=0.5" \
    && /opt/glitchwatch/bin/pip install --no-cache-dir --disable-pip-version-check --no-deps --no-build-isolation . \
    && /opt/glitchwatch/bin/pip uninstall --yes --quiet hatchling editables

FROM python:3.13-slim
RUN useradd --system --uid 10001 --no-create-home glitchwatch
COPY --from=build /opt/glitchwatch /opt/glitchwatch
ENV PATH=/opt/glitchwatch/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
USER glitchwatch
WORKDIR /tmp
EXPOSE 8080
STOPSIGNAL SIGTERM
CMD ["python", "-m", "controller.main"]

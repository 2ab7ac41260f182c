# The program with Prefect's flows, and nothing that only developers need.
#
#     docker build --tag kspay-reconcile .
#     docker run --rm kspay-reconcile doctor --quick

FROM python:3.11-slim AS build
WORKDIR /build
RUN python -m venv /opt/reconcile
COPY requirements.lock ./
RUN /opt/reconcile/bin/pip install --no-cache-dir --require-hashes -r requirements.lock
COPY pyproject.toml README.md LICENSE ./
COPY reconcile reconcile
COPY sql sql
RUN /opt/reconcile/bin/pip install --no-cache-dir --no-deps .

FROM python:3.11-slim
RUN useradd --uid 10001 --create-home reconcile && install -d -o reconcile /srv/reconcile /srv/reconcile/reports
COPY --from=build /opt/reconcile /opt/reconcile
WORKDIR /srv/reconcile
COPY flows flows
COPY prefect.yaml automations.yaml ./
ENV PATH=/opt/reconcile/bin:$PATH \
    PYTHONPATH=/srv/reconcile \
    PYTHONDONTWRITEBYTECODE=1 \
    DO_NOT_TRACK=1 \
    PREFECT_SERVER_ANALYTICS_ENABLED=false \
    GX_ANALYTICS_ENABLED=false
# By its number: an orchestrator that lets no root in cannot look a name up.
USER 10001
ENTRYPOINT ["reconcile"]
CMD ["--help"]

# One image for the four services; which one runs is the command: `services.gateway` and so on.
# It runs as nobody in particular, with a read-only file system and no capability.
FROM python:3.13-slim AS packages
COPY requirements-services.lock .
RUN python -m venv /opt/venv \
 && /opt/venv/bin/pip install --no-cache-dir --require-hashes -r requirements-services.lock

FROM python:3.13-slim
ENV PATH=/opt/venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
COPY --from=packages /opt/venv /opt/venv
WORKDIR /app
COPY shared shared
COPY services services
COPY paystream paystream
# Compiled here, because a read-only file system cannot keep what Python compiles at the first start.
RUN python -m compileall -q shared services paystream && useradd --uid 10001 --no-create-home paystream
USER 10001
# SIGTERM ends a service in order; give it 12 s.
STOPSIGNAL SIGTERM
ENTRYPOINT ["python", "-m"]
CMD ["services.gateway"]

# The service, for one model folder mounted at /model: docker compose up
FROM python:3.12-slim
WORKDIR /src
COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY src src
# The CPU build of PyTorch: the default one brings gigabytes of CUDA.
RUN pip install --no-cache-dir --extra-index-url https://download.pytorch.org/whl/cpu -c constraints.txt ".[serve,formats]" \
    && useradd --create-home ecgenough
USER ecgenough
EXPOSE 8000
HEALTHCHECK CMD python -c "import urllib.request as r; r.urlopen('http://127.0.0.1:8000/healthz', timeout=3)"
ENTRYPOINT ["ecgenough", "serve", "/model", "--host", "0.0.0.0"]

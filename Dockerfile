# The service, with the model that comes with ecgenough: docker run -p 127.0.0.1:8000:8000 IMAGE. With a model folder of
# your own, mounted at /model: docker compose up
FROM python:3.12-slim
WORKDIR /src
COPY pyproject.toml constraints.txt README.md LICENSE CITATION.cff ./
COPY src src
# Without it pip takes PyTorch's default build, which brings gigabytes of CUDA: give the index of PyTorch's CPU builds.
ARG PIP_EXTRA_INDEX_URL
RUN pip install --no-cache-dir -c constraints.txt ".[serve,formats,explain]" \
    && useradd --create-home ecgenough
USER ecgenough
EXPOSE 8000
HEALTHCHECK CMD python -c "import urllib.request as r; r.urlopen('http://127.0.0.1:8000/healthz', timeout=3)"
ENV MPLCONFIGDIR=/tmp/matplotlib
ENTRYPOINT ["ecgenough", "serve", "--host", "0.0.0.0"]
CMD ["ptbxl-base"]

"""An app of six services that downloads nothing: two stores, a one-off, a worker, an API, and what people look at."""

from __future__ import annotations

from pathlib import Path

SERVER = """
import http.server
import os


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = f"{os.environ['WORD']} from {os.environ['NAME']}".encode()
        print(f"INFO asked for {self.path}", flush=True)
        self.send_response(200)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


print(f"{os.environ['NAME']} listens", flush=True)
http.server.ThreadingHTTPServer(("", 8000), Handler).serve_forever()
"""
DOCKERFILE = """
FROM python:3-slim
WORKDIR /app
COPY . .
CMD ["python", "server.py"]
"""
COMPOSE = """
name: {name}
services:
  web:
    build: ./six
    ports: [{{target: 8000, mode: ingress}}]
    environment: {{NAME: web, WORD: {word}}}
    depends_on: [api]
  api:
    build: ./six
    ports: [{{target: 8000, mode: host}}]
    environment: {{NAME: api, WORD: {word}}}
    depends_on:
      migrate: {{condition: service_completed_successfully}}
      cache: {{condition: service_healthy}}
  worker:
    build: ./six
    command: ["python", "-c", "import time; print('at work', flush=True); time.sleep(3600)"]
    depends_on: [cache]
  migrate:
    build: ./six
    command: ["python", "-c", "print('migrated')"]
    restart: "no"
    depends_on:
      db: {{condition: service_healthy}}
  db:
    image: postgres:16
    x-defang-postgres: true
    environment: [POSTGRES_PASSWORD]
  cache:
    image: redis:7
    x-defang-redis: true
"""


def write_six(folder: Path) -> None:
    """Its build context, beside the notebooks of `folder`."""
    (folder / "six").mkdir(exist_ok=True)
    (folder / "six" / "server.py").write_text(SERVER)
    (folder / "six" / "Dockerfile").write_text(DOCKERFILE)


def six(name: str, word: str = "hello") -> str:
    """Its Compose cell."""
    return f"%%compose\n{COMPOSE.format(name=name, word=word).strip()}"

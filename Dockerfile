# `fer-keras serve` in a container. Not built or run by the authors.
FROM python:3.11-slim
RUN pip install --no-cache-dir torch==2.13.0 --index-url https://download.pytorch.org/whl/cpu
COPY . /src
RUN pip install --no-cache-dir '/src[serve]' && rm -r /src && useradd --create-home fer
USER fer
EXPOSE 8000
CMD ["fer-keras", "serve", "--host", "0.0.0.0"]

"""What holds for every gunicorn of ours, however it is started; how many of what stands in the Procfile."""

limit_request_line = 8190  # bytes, the most that gunicorn takes: an id of any shape is answered by us, as unknown

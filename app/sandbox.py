"""The sandbox: a mail server and an SMS gateway that take everything, keep it in the database and send nothing.

`python -m app.sandbox --smtp-port N --http-port M`, on 127.0.0.1, until SIGTERM or SIGINT. What was acknowledged is
committed. For trying out and for demonstrations; `flask check` refuses it in production.
"""

import argparse
import asyncio
import signal
from collections.abc import Sequence
from threading import Thread

from app.sandbox_log import MessageLog
from app.sandbox_mail import mail_protocol
from app.sandbox_sms import sms_server
from workers import logs, settings

HOST = "127.0.0.1"

log = logs.get(__name__)


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m app.sandbox", description=__doc__)
    parser.add_argument("--smtp-port", type=int, required=True)
    parser.add_argument("--http-port", type=int, required=True)
    given = parser.parse_args(argv)
    logs.setup(production=settings.current().app_env == "production")
    asyncio.run(_serve(given.smtp_port, given.http_port))


async def _serve(smtp_port: int, http_port: int) -> None:
    """Mail in this loop, SMS in threads of their own, all of which end with the process."""
    stopped, loop, messages = asyncio.Event(), asyncio.get_running_loop(), MessageLog()
    for each in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(each, stopped.set)
    mail = await loop.create_server(lambda: mail_protocol(messages, loop), HOST, smtp_port)
    Thread(target=sms_server((HOST, http_port), messages).serve_forever, daemon=True).start()
    log.info("sandbox listens", smtp_port=smtp_port, http_port=http_port)
    await stopped.wait()
    mail.close()


if __name__ == "__main__":
    main()

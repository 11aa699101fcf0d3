"""A mail server for tests: writes each message it takes into a folder, in order of arrival.

Arguments: the folder; then, for TLS and a password, certificate, key, user and password.
Prints the port it listens on.
"""

import asyncio
import pathlib
import socket
import ssl
import sys

from aiosmtpd.smtp import SMTP, AuthResult


class Keep:
    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.taken = 0

    async def handle_DATA(self, server, session, envelope):
        self.taken += 1
        head = [f"X-From: {envelope.mail_from}"]
        head += [f"X-To: {one}" for one in envelope.rcpt_tos]
        head += [f"X-Encrypted: {session.ssl is not None}"]
        text = "\r\n".join(head).encode() + b"\r\n" + envelope.content
        # There whole or not at all.
        part = self.folder / f"{self.taken}.part"
        part.write_bytes(text)
        part.rename(self.folder / f"{self.taken}.eml")
        return "250 2.0.0 taken"


def main():
    keep, more = Keep(sys.argv[1]), {}
    if len(sys.argv) > 2:
        certificate, key, user, password = sys.argv[2:6]
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)

        def known(server, session, envelope, mechanism, data):
            given = (data.login.decode(), data.password.decode())
            return AuthResult(success=given == (user, password), handled=False)

        more = {
            "tls_context": context,
            "require_starttls": True,
            "auth_required": True,
            "authenticator": known,
        }
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    listener = socket.create_server(("127.0.0.1", 0))
    make = lambda: SMTP(keep, hostname="localhost", loop=loop, enable_SMTPUTF8=True, **more)
    loop.run_until_complete(loop.create_server(make, sock=listener))
    print(listener.getsockname()[1], flush=True)
    loop.run_forever()


main()

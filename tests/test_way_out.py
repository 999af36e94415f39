"""Quotes and trades on their way out: through a company's proxy that wants a password and looks into TLS.

The proxy is real: it speaks CONNECT and SOCKS 5, shows a certificate of its own, and hands what it reads to a twin.
"""
import asyncio, shutil, ssl, subprocess
from base64 import b64encode
from contextlib import asynccontextmanager, closing, suppress
from urllib.parse import urlsplit

import pytest
from stock_pipeline.core.errors import FeedUnavailableError
from stock_pipeline.core.network import NOT_TRUSTED
from stock_pipeline.feed.finnhub import CallLimits, FinnhubClient
from stock_pipeline.feed.trades import TradeStream
from stock_pipeline.twin.server import Twin, TwinMarket

HOST, NAME, WORD = 'feed.example', 'ann', 's3cret'
VARIABLES = 'HTTP_PROXY', 'HTTPS_PROXY', 'ALL_PROXY', 'NO_PROXY', 'SSL_CERT_FILE', 'SSL_CERT_DIR'

class Company:
    "A proxy that lets those through who know the password, and reads what they say."
    def __init__(self, certificate, key, behind):
        self.tls, self.behind, self.asked = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH), behind, []
        self.tls.load_cert_chain(certificate, key)

    async def talk(self, reader, writer):
        with suppress(OSError, asyncio.IncompleteReadError, ssl.SSLError), closing(writer):
            first = await reader.readexactly(1)
            host = await (self.socks(reader, writer) if first == b'\5' else self.connect(reader, writer))
            if host is None: return
            self.asked.append(host)
            await writer.start_tls(self.tls)
            there, back = await asyncio.open_connection('127.0.0.1', self.behind)
            with closing(back): await asyncio.gather(pump(reader, back), pump(there, writer))

    async def connect(self, reader, writer): # the host that is asked for; None: refused
        head = (await reader.readuntil(b'\r\n\r\n')).decode().split('\r\n')
        known = f'Proxy-Authorization: Basic {b64encode(f"{NAME}:{WORD}".encode()).decode()}'.lower()
        knows = known in (o.lower() for o in head)
        writer.write(b'HTTP/1.1 200 OK\r\n\r\n' if knows else b'HTTP/1.1 407 No\r\nContent-Length: 0\r\n\r\n')
        return head[0].split()[1] if knows else None

    async def socks(self, reader, writer): # RFC 1928 and 1929
        await reader.readexactly((await reader.readexactly(1))[0])
        writer.write(b'\5\2') # a name and a password, please
        await reader.readexactly(1)
        said = [(await reader.readexactly((await reader.readexactly(1))[0])).decode() for _ in range(2)]
        writer.write(b'\1\0' if said == [NAME, WORD] else b'\1\1')
        if said != [NAME, WORD]: return None
        await reader.readexactly(4)
        host = (await reader.readexactly((await reader.readexactly(1))[0])).decode()
        port = int.from_bytes(await reader.readexactly(2), 'big')
        writer.write(b'\5\0\0\1' + bytes(6))
        return f'{host}:{port}'

async def pump(reader, writer):
    with suppress(OSError):
        while part := await reader.read(1 << 16):
            writer.write(part)
            await writer.drain()
    writer.close()

@pytest.fixture(scope='module')
def certificate(tmp_path_factory):
    "The file of certificates that a company gives to its people, and the key that it keeps."
    if not shutil.which('openssl'): pytest.skip('no openssl to make a certificate with')
    folder = tmp_path_factory.mktemp('company')
    pem, key = folder/'ca.pem', folder/'key.pem'
    words = ['-subj', '/CN=company', '-addext', f'subjectAltName=DNS:{HOST}', '-days', '2']
    argv = ['openssl', 'req', '-x509', '-newkey', 'rsa:2048', '-nodes', *words, '-out', pem, '-keyout', key]
    subprocess.run(argv, check=True, capture_output=True)
    return pem, key

@asynccontextmanager
async def company(certificate):
    async with Twin(TwinMarket(seed=1, symbols=['AAPL']), key='right') as twin:
        c = Company(*certificate, urlsplit(twin.url).port)
        server = await asyncio.start_server(c.talk, '127.0.0.1', 0)
        c.port, c.path = server.sockets[0].getsockname()[1], urlsplit(twin.url).path
        c.ws_path = urlsplit(twin.ws_url).path
        try: yield c
        finally: server.close()

async def quote(c):
    limits = CallLimits(deadline=5, attempts=1)
    async with FinnhubClient('right', f'https://{HOST}{c.path}', limits=limits) as client:
        return (await client.quote('AAPL')).symbol

async def trade(c):
    stream = TradeStream('right', f'wss://{HOST}{c.ws_path}', ['AAPL'])
    async with asyncio.timeout(10):
        async for message in stream.messages():
            if message.trades: return message.trades[0].symbol

def shell(monkeypatch, **env):
    for name in VARIABLES:
        for o in (name, name.lower()): monkeypatch.delenv(o, raising=False)
    for name, value in env.items(): monkeypatch.setenv(name, str(value))

@pytest.mark.parametrize('variable, scheme', [('HTTPS_PROXY', 'http'), ('ALL_PROXY', 'socks5')])
def test_quotes_and_trades_take_the_same_way(certificate, monkeypatch, variable, scheme):
    async def main():
        async with company(certificate) as c:
            way = {variable: f'{scheme}://{NAME}:{WORD}@127.0.0.1:{c.port}'}
            shell(monkeypatch, SSL_CERT_FILE=certificate[0], **way)
            got = await quote(c), await trade(c)
            return got, c.asked
    got, asked = asyncio.run(main())
    assert got == ('AAPL', 'AAPL') and set(asked) == {f'{HOST}:443'} and len(asked) == 2

def test_a_certificate_that_nobody_trusts_is_named_by_both(certificate, monkeypatch):
    async def main():
        async with company(certificate) as c:
            shell(monkeypatch, HTTPS_PROXY=f'http://{NAME}:{WORD}@127.0.0.1:{c.port}')
            with pytest.raises(FeedUnavailableError, match='SSL_CERT_FILE'): await quote(c)
            stream = TradeStream('right', f'wss://{HOST}{c.ws_path}', ['AAPL'])
            with pytest.raises(FeedUnavailableError) as refused: await stream._connect()
            return str(refused.value)
    assert NOT_TRUSTED in asyncio.run(main())

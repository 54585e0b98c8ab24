"""The recipes are followed as they are written, as far as this machine has what they are about."""

import contextlib
import re
import socket
import ssl
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any, Iterator, List, Tuple
from urllib.parse import urljoin
from xml.etree import ElementTree

import pytest
from cryptography.hazmat.primitives import serialization

from opcws.app import Server
from opcws.config import loads

from ... import support
from ...support import PATIENCE, Client, PlantProcess, pki, wait_until
from ...support.byte_client import ByteClient, no_connections_left, opening, serving
from ...support.node import node_with_websocket
from ...support.recipes import Running, code, needed


def port(server: Server) -> int:
    found: int = server.listeners[0].addresses[0][1]
    return found


def here(text: str, server: Server) -> str:
    """*text*, of the server of this test."""
    assert "127.0.0.1:8081" in text
    return text.replace("127.0.0.1:8081", "127.0.0.1:%d" % port(server))


# --- nginx ---------------------------------------------------------------------------------------

_NGINX = """
daemon off;
master_process off;
pid {place}/pid;
error_log stderr warn;
events {{}}
http {{
    access_log off;
    client_body_temp_path {place}/body;
    proxy_temp_path {place}/proxy;
    fastcgi_temp_path {place}/fastcgi;
    uwsgi_temp_path {place}/uwsgi;
    scgi_temp_path {place}/scgi;
{server}
}}
"""


@pytest.fixture(scope="module")
def trusting(plant: PlantProcess) -> Iterator[Server]:
    """opcws as the recipe for nginx has it configured."""
    listen = loads(
        code("nginx", "listen:") + "\nservers: {p: {endpoint: 'opc.tcp://h:1', variables: {}}}"
    ).listen[0]
    assert (listen.host, listen.port) == ("127.0.0.1", 8081)
    with serving(plant.endpoint, trusted_proxies=list(listen.trusted_proxies)) as running:
        yield running


@pytest.fixture(scope="module")
def proxy(trusting: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tuple[int, str]]:
    """nginx with the server of the recipe: its port, and the file with its certificate."""
    nginx = needed("nginx", "/usr/sbin/nginx")
    place = tmp_path_factory.mktemp("nginx")
    made = pki.make("hmi.example", hosts=["hmi.example", "127.0.0.1"])
    certificate, key = place / "hmi.crt", place / "hmi.key"
    certificate.write_bytes(made.certificate.public_bytes(serialization.Encoding.PEM))
    key.write_bytes(
        made.key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.TraditionalOpenSSL,
            serialization.NoEncryption(),
        )
    )
    number = support.free_port()
    section = here(code("nginx", "server {"), trusting)
    for theirs, ours in (
        ("443 ssl", "127.0.0.1:%d ssl" % number),
        ("/etc/ssl/hmi.crt", str(certificate)),
        ("/etc/ssl/hmi.key", str(key)),
    ):
        assert theirs in section
        section = section.replace(theirs, ours)
    below = section[section.index("    location / {") : section.rindex("}")]
    for theirs, ours in (("location /", "location /plant/"), (";", "/;")):
        below = below.replace(theirs, ours, 1)
    section = section[: section.rindex("}")] + below + "}\n"
    (place / "nginx.conf").write_text(_NGINX.format(place=place, server=section), encoding="utf-8")
    command = [nginx, "-p", str(place), "-c", str(place / "nginx.conf"), "-e", "stderr"]
    with Running(command) as running:
        wait_until(lambda: _listens(number) or running.process.poll() is not None, "nginx listens")
        assert running.process.poll() is None, running.lines
        yield number, str(certificate)


def _listens(number: int) -> bool:
    try:
        ByteClient(("127.0.0.1", number)).__exit__()
    except OSError:
        return False
    return True


def test_through_nginx_a_page_of_the_same_origin_reads_and_monitors_over_wss(
    proxy: Tuple[int, str],
) -> None:
    number, certificate = proxy
    origin = "https://127.0.0.1:%d" % number
    with Client(origin + "/", sslopt={"ca_certs": certificate}, origin=origin) as client:
        assert client.body("READ", {"Variable": "Boiler.Temperature"})["Value"]["Type"] == 11
        client.body("MONITORSTART", {"Variable": "Boiler.Temperature"}, "m")
        for _ in range(3):
            assert client.update("m")["Value"]["Body"] > 0


def test_through_nginx_a_page_of_another_origin_is_refused(proxy: Tuple[int, str]) -> None:
    number, certificate = proxy
    with pytest.raises(Exception, match="403"):
        Client(
            "https://127.0.0.1:%d/" % number,
            sslopt={"ca_certs": certificate},
            origin="https://evil.example",
        )


def test_behind_nginx_the_address_is_the_clients_and_not_what_it_made_up(
    proxy: Tuple[int, str], trusting: Server
) -> None:
    number, certificate = proxy
    made_up = ["X-Forwarded-For: 203.0.113.9", "X-Forwarded-Proto: http"]
    no_connections_left(trusting)
    address = ("127.0.0.1", number)
    context = ssl.create_default_context(cafile=certificate)
    # An address of this machine that is not the proxy's, as if it were another one.
    plain = socket.create_connection(address, PATIENCE, source_address=("127.0.0.2", 0))
    secured = context.wrap_socket(plain, server_hostname="127.0.0.1")
    with Client("https://127.0.0.1:%d/" % number, socket=secured, header=made_up) as client:
        client.body("VALUELIST")
        addresses = [each.address for each in trusting.listeners[0].connections()]
    assert addresses == ["127.0.0.2"]


def fetched(proxy: Tuple[int, str], path: str) -> Tuple[bytes, bytes]:
    """Head and body of what is at *path*."""
    number, certificate = proxy
    context = ssl.create_default_context(cafile=certificate)
    with ByteClient(("127.0.0.1", number)) as peer:
        peer.sock = context.wrap_socket(peer.sock, server_hostname="127.0.0.1")
        peer.sock.sendall(opening(path, Upgrade=None, Connection="close", Host="127.0.0.1"))
        received = b"".join(iter(lambda: peer.sock.recv(65536), b""))
    head, _, body = received.partition(b"\r\n\r\n")
    return head, body


def test_behind_nginx_the_documentation_and_status_are_served(proxy: Tuple[int, str]) -> None:
    for path, begins in (("/docs/nginx", b"<!DOCTYPE html>"), ("/status", b"{")):
        head, body = fetched(proxy, path)
        assert head.startswith(b"HTTP/1.1 200") and body.startswith(begins)


def test_through_nginx_everything_can_be_below_a_path(proxy: Tuple[int, str]) -> None:
    number, certificate = proxy
    url = "https://127.0.0.1:%d/plant/" % number
    with Client(url, sslopt={"ca_certs": certificate}) as client:
        assert client.body("READ", {"Variable": "Boiler.Temperature"})["Value"]["Type"] == 11
    head, _ = fetched(proxy, "/plant/docs")
    assert b"\r\nLocation: docs/\r\n" in head
    # What a page asks for is beside it, or above it by one.
    for path in ("/plant/", "/plant/docs/start"):
        head, body = fetched(proxy, path)
        assert head.startswith(b"HTTP/1.1 200")
        wanted = re.findall(r'(?:src|href)="([^"#]+)"', body.decode("utf-8"))
        assert len(wanted) > 4
        for each in wanted:
            head, _ = fetched(proxy, urljoin(path, each))
            assert head.startswith((b"HTTP/1.1 200", b"HTTP/1.1 301")), each


# --- Other proxies ------------------------------------------------------------------


def test_the_file_of_iis_is_well_formed() -> None:
    root = ElementTree.fromstring(code("iis", "<?xml").encode("utf-8"))
    values = "".join(
        text for each in root.iter() for text in (each.text or "", *each.attrib.values())
    )
    assert "opcws" in values


@pytest.mark.parametrize("name", ["nginx", "iis"])
def test_the_configuration_of_a_recipe_is_good(name: str) -> None:
    servers = "\nservers: {p: {endpoint: 'opc.tcp://h:1', variables: {a: {node: i=1}}}}"
    assert not loads(code(name, "listen:") + servers).warnings


# --- Clients -------------------------------------------------------------------------------------


def test_the_javascript_client_that_stays_is_back_when_opcws_is(plant: PlantProcess) -> None:
    command = node_with_websocket()
    number = support.free_port()
    source = code("javascript", "function watch").replace("127.0.0.1:8081", "127.0.0.1:%d" % number)
    value = r"^Boiler\.Temperature -?[0-9.]+ Good$"
    with contextlib.ExitStack() as stack:
        with serving(plant.endpoint, port=number):
            client = stack.enter_context(Running([*command, "-e", source]))
            client.wait_for("no variable is named .*Nowhere")
            client.wait_for(value)
        lost = client.wait_for("^Boiler.Temperature null no connection to opcws$")
        with serving(plant.endpoint, port=number):
            client.wait_for(value, lost)


# --- Grafana -------------------------------------------------------------------------------------


@pytest.fixture
def collector() -> Iterator[Tuple[str, List[Tuple[str, str, str]]]]:
    """What takes line protocol: its address, and (path, Authorization, line) of all that it got."""
    taken: List[Tuple[str, str, str]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode("utf-8")
            shown = self.headers["Authorization"]
            taken.extend((self.path, shown, line) for line in body.split("\n"))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *arguments: Any) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as http:
        thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield "http://127.0.0.1:%d" % http.server_address[1], taken
        finally:
            http.shutdown()
            thread.join(PATIENCE)


def test_the_script_for_grafana_passes_numbers_on_as_line_protocol(
    trusting: Server, collector: Tuple[str, List[Tuple[str, str, str]]]
) -> None:
    address, taken = collector
    (path,) = re.findall(r"http://127\.0\.0\.1:3000(\S+)", code("grafana", "OPCWS_URL"))
    source = code("grafana", '"""')
    names = ["Boiler.Temperature", "Batch.Id", "Nowhere"]
    command = [sys.executable, "-c", source, address + path, *names]
    url = "ws://127.0.0.1:%d/" % port(trusting)
    with Running(command, OPCWS_URL=url, PUSH_TOKEN="s3cret") as script:
        script.wait_for("no variable is named .*Nowhere")
        line = r"values,variable=Boiler\.Temperature value=-?[0-9.]+ \d{19}"
        wait_until(
            lambda: sum(re.fullmatch(line, each[2]) is not None for each in list(taken)) > 2,
            "lines are pushed",
            3 * PATIENCE,
        )
    assert {each[:2] for each in taken} == {(path, "Bearer s3cret")}
    shape = re.compile(r"values,variable=[^ ,]+ value=[-+0-9.e]+ \d{19}")
    assert all(shape.fullmatch(each[2]) for each in taken), taken

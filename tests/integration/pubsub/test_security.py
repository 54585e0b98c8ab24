"""Whom opcws trusts as a broker, what it shows, and what is said where that does not fit."""

import logging
import subprocess
from pathlib import Path
from typing import Any, Iterator, List

import pytest
from cryptography.hazmat.primitives import serialization
from paho.mqtt import client as paho

from opcws.config.publishing import access_to_publish
from opcws.config.settings import Mqtt, MqttTLS, MqttUser
from opcws.pubsub.connection import BrokerError, connect
from opcws.pubsub.network_messages import OPERATIONAL

from ... import support
from ...support import PlantProcess, pki, wait_until
from ...support.edge import edge, wait_state
from ...support.mosquitto import Gate, Mosquitto, Subscriber, mqtt_3_only
from ...support.publishing import (
    COUNTER,
    STATUS,
    configuration,
    data,
    once,
    publishing,
    running,
    state,
    wait_count,
    write,
)
from ...support.recipes import code, needed

pytestmark = pytest.mark.own_plant


class Files:
    """PEM files of an authority, of the broker and of opcws."""

    def __init__(self, directory: Path) -> None:
        root = pki.authority("broker root")
        self.ca = self._save(directory, "ca", root)
        self.broker = self._save(directory, "broker", pki.make("broker", None, issuer=root))
        own = pki.make("plant-3", None, (), issuer=root, server=False, own_key=pki.key("client"))
        self.own = self._save(directory, "own", own)
        self.stranger = self._save(directory, "stranger", pki.authority("stranger"))

    @staticmethod
    def _save(directory: Path, name: str, made: pki.Made) -> str:
        path = directory / (name + ".pem")
        path.write_bytes(made.certificate.public_bytes(serialization.Encoding.PEM))
        path.with_suffix(".key").write_bytes(pki.key_text(made.key))
        return str(path)

    @staticmethod
    def key(path: str) -> str:
        return str(Path(path).with_suffix(".key"))


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Files:
    return Files(tmp_path_factory.mktemp("files"))


def tls_lines(files: Files, *more: str) -> List[str]:
    return ["certfile " + files.broker, "keyfile " + files.key(files.broker), *more]


def refusal(**mqtt: Any) -> str:
    with pytest.raises(BrokerError) as caught:
        connect(access_to_publish(Mqtt(variables=("*",), **mqtt)))
    return str(caught.value)


def test_over_tls_with_a_client_certificate_values_come(
    tmp_path: Path, files: Files, plant: PlantProcess
) -> None:
    lines = tls_lines(files, "cafile " + files.ca, "require_certificate true")
    with Mosquitto(tmp_path, *lines) as broker:
        url = "mqtts://127.0.0.1:%d" % broker.port
        tls = {"ca": files.ca, "certificate": files.own, "key": files.key(files.own)}

        def prepare(client: paho.Client) -> None:
            client.tls_set(files.ca, files.own, files.key(files.own))

        with Subscriber(broker.port, prepare=prepare) as subscriber:
            with publishing(plant, tmp_path, broker=url, tls=tls) as server:
                write(server, 51, 52)
                wait_count(subscriber, 52)
        settings = MqttTLS(files.ca)
        told = refusal(broker=url, tls=settings)
        assert "ended the connection" in told and "publish.mqtt.tls" in told


def test_what_comes_by_tls_with_a_client_certificate_is_served(
    tmp_path: Path, files: Files, plant: PlantProcess
) -> None:
    lines = tls_lines(files, "cafile " + files.ca, "require_certificate true")
    with Mosquitto(tmp_path, *lines) as broker:
        url = "mqtts://127.0.0.1:%d" % broker.port
        tls = {"ca": files.ca, "certificate": files.own, "key": files.key(files.own)}
        with publishing(plant, tmp_path, broker=url, tls=tls):
            with edge(url, {COUNTER: {}}, tls=tls) as server:
                wait_state(server, "connected")
            with edge(url, {COUNTER: {}}) as server:
                told = wait_state(server, "disconnected")["Reason"]
                assert "name its authority in servers.hall.tls.ca" in told


def test_a_broker_that_is_not_trusted_is_told_with_what_to_do(tmp_path: Path, files: Files) -> None:
    with Mosquitto(tmp_path, *tls_lines(files)) as broker:
        url = "mqtts://127.0.0.1:%d" % broker.port
        connect(access_to_publish(Mqtt(url, ("*",), tls=MqttTLS(files.ca)))).close()
        for tls in (None, MqttTLS(files.stranger)):
            told = refusal(broker=url, tls=tls)
            assert "is not good" in told and "name its authority in publish.mqtt.tls.ca" in told
        told = refusal(broker=url, tls=MqttTLS(files.key(files.ca)))
        assert "the files of publish.mqtt.tls cannot be used" in told
        told = refusal(broker=url, tls=MqttTLS(files.ca, files.own, files.key(files.ca)))
        assert "a key that belongs to the certificate" in told
        told = refusal(broker=broker.url)
        assert "broker" in told


def test_tls_where_none_is_spoken_and_nobody_at_all_are_told(
    broker: Mosquitto, tmp_path: Path
) -> None:
    told = refusal(broker=broker.url.replace("mqtt:", "mqtts:"))
    assert "port %d" % broker.port in told
    port = support.free_port()
    told = refusal(broker="mqtt://127.0.0.1:%d" % port)
    assert "no broker answers at 127.0.0.1 port %d" % port in told
    assert "is not known" in refusal(broker="mqtt://nobody.invalid")


@pytest.fixture
def guarded(tmp_path: Path) -> Iterator[Mosquitto]:
    """Mosquitto that knows two users, of whom one may read all and the other publish."""
    tool = needed("mosquitto_passwd")
    passwords = tmp_path / "passwords"
    passwords.write_text("", "utf-8")
    for name in ("opcws", "reader"):
        subprocess.check_call([tool, "-b", str(passwords), name, "secret-" + name])
    acl = tmp_path / "acl"
    acl.write_text(
        # As the page has it.
        code("machines", "user plant-3").replace("plant-3", "opcws") + "\n"
        "user reader\ntopic read #\n",
        "utf-8",
    )
    lines = ["password_file %s" % passwords, "acl_file %s" % acl]
    with Mosquitto(tmp_path, *lines, anonymous=False) as running:
        yield running


def reader(client: paho.Client) -> None:
    client.username_pw_set("reader", "secret-reader")


def test_collectors_that_may_not_hear_each_other_say_so(
    tmp_path: Path, guarded: Mosquitto, plant: PlantProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BROKER_PASSWORD", "secret-opcws")
    user = {"name": "opcws", "password_env": "BROKER_PASSWORD"}
    config = configuration(
        *(plant, tmp_path), broker=guarded.url, user=user, variables=["*"], lease_ms=500
    )
    with running(config) as server:
        publisher = server.publisher
        assert publisher is not None
        why = "what goes to opcua/json/status/opcws does not come back"
        wait_until(lambda: why in str(publisher.status().get("Reason")), why)
        assert publisher.standing_by is not None
        assert server.plants["plant"].status()["Connections"] == 0


def test_a_user_and_a_password_let_opcws_in_and_a_wrong_one_is_told(
    tmp_path: Path,
    guarded: Mosquitto,
    plant: PlantProcess,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setenv("BROKER_PASSWORD", "secret-opcws")
    user = {"name": "opcws", "password_env": "BROKER_PASSWORD"}
    with Subscriber(guarded.port, prepare=reader) as subscriber:
        with publishing(plant, tmp_path, broker=guarded.url, user=user) as server:
            write(server, 61)
            wait_count(subscriber, 61)
            subscriber.wait_for(lambda each: each.topic == STATUS, "a status")
            assert server.publisher is not None
            assert server.publisher.status()["Refused"] == 0
    wrong = MqttUser("opcws", "wrong")
    told = refusal(broker=guarded.url, user=wrong)
    assert "the broker refuses the user of publish.mqtt.user: Not authorized" in told
    assert "wrong" not in told
    assert "who shows no user" in refusal(broker=guarded.url)
    monkeypatch.delenv("BROKER_PASSWORD")
    unset = MqttUser("opcws", password_env="BROKER_PASSWORD")
    assert "BROKER_PASSWORD" in refusal(broker=guarded.url, user=unset)


def test_a_topic_that_the_user_may_not_publish_is_told(
    tmp_path: Path,
    guarded: Mosquitto,
    plant: PlantProcess,
    caplog: pytest.LogCaptureFixture,
) -> None:
    user = {"name": "opcws", "password": "secret-opcws"}
    mqtt = {"encoding": "raw", "prefix": "elsewhere", "broker": guarded.url, "user": user}
    with caplog.at_level(logging.WARNING), publishing(plant, tmp_path, **mqtt) as server:
        assert server.publisher is not None
        publisher = server.publisher
        wait_until(lambda: publisher.status()["Refused"], "refused")
        reason = publisher.status()["Reason"]
        assert "the broker refuses what goes to elsewhere/" in reason
        assert "Not authorized" in reason
    assert any("the broker refuses what goes to" in each.message for each in caplog.records)


def test_a_broker_that_knows_no_mqtt_5_gets_3_1_1(
    tmp_path: Path, broker: Mosquitto, plant: PlantProcess
) -> None:
    with Gate(broker.port, mqtt_3_only) as gate, Subscriber(broker.port) as subscriber:
        with publishing(plant, tmp_path, broker=gate.url) as server:
            write(server, 71, 72)
            wait_count(subscriber, 72)
            status = subscriber.wait_for(lambda each: each.topic == STATUS, "a status")
            assert state(status) == OPERATIONAL
            gate.shut()
            subscriber.wait_for(
                lambda each: each.topic == STATUS and state(each) == 3, "the Will says Error"
            )
            write(server, 73)
            gate.let_through()
            wait_count(subscriber, 73)
    told = [data(each).fields[COUNTER].body for each in once(subscriber) if "delta" in each.text]
    assert [n for n in told if n in (71, 72, 73)] == [71, 72, 73]

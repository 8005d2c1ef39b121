"""Three Cassandra nodes on loopback: real servers from Maven Central's jars, each a process that can be killed."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from pathlib import Path
from typing import Final

HERE: Final = Path(__file__).parent
CQL: Final = 9042
TOKENS: Final = ("-9223372036854775808", "-3074457345618258603", "3074457345618258602")
HEAP: Final = os.environ.get("CASSANDRA_HEAP", "512m")

# What Cassandra 5 has to reach into on Java 17; its own start script gives the same.
OPENED: Final = (
    *(f"--add-exports={name}=ALL-UNNAMED" for name in (
        "java.base/jdk.internal.misc", "java.base/jdk.internal.ref", "java.base/java.lang.ref", "java.base/sun.nio.ch",
        "java.management.rmi/com.sun.jmx.remote.internal.rmi", "java.rmi/sun.rmi.registry", "java.rmi/sun.rmi.server",
        "java.sql/java.sql", "jdk.unsupported/sun.misc", "jdk.attach/sun.tools.attach",
    )),
    *(f"--add-opens={name}=ALL-UNNAMED" for name in (
        "java.base/java.io", "java.base/java.lang", "java.base/java.lang.module", "java.base/java.lang.reflect",
        "java.base/java.math", "java.base/java.net", "java.base/java.nio", "java.base/java.util",
        "java.base/java.util.concurrent", "java.base/java.util.concurrent.atomic", "java.base/jdk.internal.loader",
        "java.base/jdk.internal.math", "java.base/jdk.internal.module", "java.base/jdk.internal.ref",
        "java.base/jdk.internal.reflect", "java.base/jdk.internal.util.jar", "java.base/sun.nio.ch",
        "jdk.management/com.sun.management.internal",
    )),
    "-Djdk.attach.allowAttachSelf=true", "-Djava.net.preferIPv4Stack=true",
    "-Dio.netty.tryReflectionSetAccessible=true", "-Dcassandra-foreground=yes",
    # Tokens are given and nothing has to settle; but with no delay a busy machine's node finds no peer in time.
    "-Dcassandra.ring_delay_ms=15000", "-Dcassandra.skip_wait_for_gossip_to_settle=0",
)  # fmt: skip
# As docker-compose.yml sets it: each write is on disk before it counts.
SYNCED: Final = (
    "-Dcassandra.config.allow_system_properties=true",
    "-Dcassandra.settings.commitlog_sync=batch",
    "-Dcassandra.settings.commitlog_sync_period=0ms",
)


def jars() -> Path:
    """Return the folder of Cassandra's jars, fetched once into the cache."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "agentos-otel" / "cassandra-5.0.9"
    if not (cache / "complete").exists():
        command = ["mvn", "-q", "-B", "-f", str(HERE / "pom.xml"), "dependency:copy-dependencies"]
        subprocess.run([*command, f"-DoutputDirectory={cache}", "-DincludeScope=runtime"], check=True)
        (cache / "complete").touch()
    return cache


def lacking() -> str:
    """Return what this machine lacks for a ring, or an empty text."""
    return ", ".join(program for program in ("java", "mvn") if shutil.which(program) is None)


class Node:
    """One node: 127.0.0.`number`."""

    def __init__(self, folder: Path, number: int) -> None:
        self.address = f"127.0.0.{number}"
        self.folder = folder / f"node{number}"
        self.number = number
        self.process: subprocess.Popen[bytes] | None = None

    def configure(self) -> None:
        """Write the node's configuration: the image's default sync of the commit log, which `SYNCED` overrides."""
        self.folder.mkdir(parents=True)
        (self.folder / "cassandra-rackdc.properties").write_text("dc=dc1\nrack=rack1\n")
        (self.folder / "logback.xml").write_text(
            '<configuration><appender name="out" class="ch.qos.logback.core.ConsoleAppender"><encoder>'
            "<pattern>%d %-5level %logger{20} %msg%n</pattern></encoder></appender>"
            '<root level="INFO"><appender-ref ref="out"/></root></configuration>\n'
        )
        (self.folder / "cassandra.yaml").write_text(f"""\
cluster_name: jaeger
partitioner: org.apache.cassandra.dht.Murmur3Partitioner
num_tokens: 1
initial_token: '{TOKENS[self.number - 1]}'
auto_bootstrap: false
listen_address: {self.address}
rpc_address: {self.address}
native_transport_port: {CQL}
start_native_transport: true
endpoint_snitch: GossipingPropertyFileSnitch
seed_provider: [{{class_name: org.apache.cassandra.locator.SimpleSeedProvider, parameters: [{{seeds: "127.0.0.1"}}]}}]
data_file_directories: [{self.folder}/data]
commitlog_directory: {self.folder}/commitlog
saved_caches_directory: {self.folder}/saved_caches
hints_directory: {self.folder}/hints
cdc_raw_directory: {self.folder}/cdc_raw
commitlog_sync: periodic
commitlog_sync_period: 10000ms
commitlog_segment_size: 8MiB
authenticator: AllowAllAuthenticator
authorizer: AllowAllAuthorizer
auto_snapshot: false
""")

    def start(self, seconds: float = 600) -> None:
        """Start it and wait until it answers CQL."""
        if not self.folder.exists():
            self.configure()
        lib = jars()
        (agent,) = lib.glob("jamm-*.jar")
        command = [
            "java", f"-javaagent:{agent}", f"-Xms{HEAP}", f"-Xmx{HEAP}", "-XX:+UseG1GC", *OPENED, *SYNCED,
            f"-Dcassandra.config=file://{self.folder}/cassandra.yaml", f"-Dcassandra.storagedir={self.folder}",
            f"-Dcassandra.jmx.local.port=2719{self.number}",
            f"-Dlogback.configurationFile={self.folder}/logback.xml",
            "-cp", f"{self.folder}:{lib}/*", "org.apache.cassandra.service.CassandraDaemon",
        ]  # fmt: skip
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log, cwd=self.folder)
        until = time.monotonic() + seconds
        while True:
            try:
                socket.create_connection((self.address, CQL), timeout=1).close()
                return
            except OSError:
                said = (self.folder / "log").read_text()[-1500:]
                assert self.process.poll() is None, said
                assert time.monotonic() < until, said
                time.sleep(0.3)

    def kill(self) -> None:
        """Kill it with -9."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()

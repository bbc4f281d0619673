#!/usr/bin/env python3
"""PostgreSQL for tests: a server of our own, alone or with standbys that replicate synchronously.

    pgcluster.py start DIR [--standbys N]    prints the conninfo of a database in it; it runs until
    pgcluster.py stop DIR

As a module: see Cluster. The programs are Debian's; the cluster that Debian's package makes is not touched.
A server runs as the user postgres when we are root, since it refuses to run as root. All listen on ports
of their own at 127.0.0.1 and trust whoever connects, but for the user `secret`, who needs a password.

Users: postgres, who may all; kantele, who may create databases; visitor, who may nothing; secret.

A server that is killed loses nothing that it wrote, since the machine goes on; so fsync is off unless it is
wanted. Whatever ends the process that made a Cluster ends its servers too (not those of the command).
"""
import argparse
import atexit
import getpass
import itertools
import json
import os
import pathlib
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

PASSWORD = "s3cret"         # of the user `secret`
FOLDERS = "/usr/lib/postgresql/*/bin"

CONF = """
listen_addresses = '127.0.0.1'
unix_socket_directories = ''
max_connections = 60
shared_buffers = 32MB
huge_pages = off
jit = off
fsync = {fsync}
wal_log_hints = on
wal_keep_size = 128MB
max_wal_size = 256MB
max_wal_senders = 10
wal_sender_timeout = 5s
wal_receiver_timeout = 5s
wal_retrieve_retry_interval = 200ms
wal_receiver_status_interval = 1s
log_line_prefix = '%m [%p] %a '
timezone = UTC
include_if_exists = 'role.conf'
"""

HBA = """
host all secret 127.0.0.1/32 scram-sha-256
host all,replication all 127.0.0.1/32 trust
"""

ROLES = f"""
CREATE ROLE kantele LOGIN CREATEDB;
CREATE ROLE visitor LOGIN;
SET password_encryption = 'scram-sha-256';
CREATE ROLE secret LOGIN CREATEDB PASSWORD '{PASSWORD}';
REVOKE CREATE ON DATABASE postgres FROM PUBLIC;
"""


class PgError(Exception):
    pass


def program(name):
    found = sorted(pathlib.Path("/").glob(FOLDERS.lstrip("/") + "/" + name), key=lambda p: float(p.parts[-3]))
    if not found:
        raise PgError(f"there is no {FOLDERS}/{name}: install Debian's postgresql")
    return str(found[-1])


def owner():
    """Whom the servers run as."""
    return "postgres" if os.geteuid() == 0 else getpass.getuser()


def as_owner(arguments, dies_with_us=False):
    line = ["setpriv"]
    if os.geteuid() == 0:
        account = pwd.getpwnam(owner())
        line += [f"--reuid={account.pw_uid}", f"--regid={account.pw_gid}", "--clear-groups"]
    if dies_with_us:
        line += ["--pdeathsig=QUIT"]
    return line + arguments if len(line) > 1 else arguments


def environment():
    kept = {k: v for k, v in os.environ.items() if not k.startswith("PG") and not k.startswith("LC_")}
    return dict(kept, LC_ALL="C", TZ="UTC")


def run(*arguments, **more):
    """As the owner; its standard output."""
    done = subprocess.run(as_owner([str(a) for a in arguments]), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, env=environment(), cwd="/", **more)
    if done.returncode != 0:
        raise PgError(f"{pathlib.Path(str(arguments[0])).name}: {(done.stderr or done.stdout).strip()}")
    return done.stdout


def await_(condition, what, seconds=30):
    """Polls until condition() is true; returns its value."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise PgError(f"waited {seconds} s for: {what}")
        time.sleep(0.02)


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def children_of(pid):
    found = []
    for entry in pathlib.Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = entry.read_text().rpartition(")")[2].split()
        except OSError:
            continue        # gone meanwhile
        if int(fields[1]) == pid:
            found.append(int(entry.parent.name))
    return found


def alive(pid):
    """A process that is no zombie."""
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


class Server:
    """One server: a folder and a port, which stay the same whatever its role."""

    def __init__(self, folder, name, port, attached):
        self.name, self.port, self.attached = name, port, attached
        self.data = pathlib.Path(folder) / name
        self.child = None

    def __str__(self):
        return f"{self.name} (port {self.port})"

    @property
    def log(self):
        return self.data.with_suffix(".log")

    @property
    def pid(self):
        """Of the postmaster; 0: it does not run."""
        try:
            pid = int((self.data / "postmaster.pid").read_text().split()[0])
        except (OSError, IndexError, ValueError):
            return 0
        return pid if alive(pid) and str(self.data) in pathlib.Path(f"/proc/{pid}/cmdline").read_text() else 0

    def write(self, name, text):
        path = self.data / name
        path.write_text(text)
        if os.geteuid() == 0:
            shutil.chown(path, owner(), owner())

    def role(self, primary=None, sync=()):
        """Whom it follows (a Server; None: nobody), and who has to confirm its commits."""
        text = "synchronous_standby_names = '{}'\n".format(f"ANY 1 ({', '.join(sync)})" if sync else "")
        if primary is not None:
            text += f"primary_conninfo = 'host=127.0.0.1 port={primary.port} user=postgres " \
                    f"application_name={self.name} connect_timeout=2'\n"
            self.write("standby.signal", "")
        self.write("role.conf", text)
        if self.pid:
            os.kill(self.pid, signal.SIGHUP)

    def start(self, wait=True):
        with open(self.log, "ab") as log:
            self.child = subprocess.Popen(
                as_owner([program("postgres"), "-D", str(self.data), "-p", str(self.port)], self.attached),
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment(), cwd="/",
                start_new_session=True)
        if wait:
            self.wait()

    def wait(self, seconds=60):
        """Until it answers. (A standby answers when it is consistent.)"""
        def answers():
            if self.child is not None and self.child.poll() is not None:
                raise PgError(f"{self} ended:\n" + self.log.read_text()[-2000:])
            return self.answers()
        await_(answers, f"{self} to answer", seconds)

    def answers(self):
        return subprocess.run([program("pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(self.port)],
                              env=environment(), check=False).returncode == 0

    def gone(self, pids):
        if self.child is not None:
            self.child.poll()
        return not any(alive(p) for p in pids)

    def stop(self, how=signal.SIGINT, seconds=60):
        """SIGINT: fast, SIGQUIT: at once, with recovery at the next start."""
        pid = self.pid
        if pid:
            os.kill(pid, how)
            await_(lambda: self.gone([pid]), f"{self} to stop", seconds)
        self.child = None

    def kill(self):
        """All its processes at once, as if the machine had died."""
        pid = self.pid
        if not pid:
            return
        pids = [pid]
        os.kill(pid, signal.SIGSTOP)        # it makes no new ones now
        pids += children_of(pid)
        for each in pids:
            try:
                os.kill(each, signal.SIGKILL)
            except ProcessLookupError:
                pass
        await_(lambda: self.gone(pids), f"{self} to be dead")
        (self.data / "postmaster.pid").unlink(missing_ok=True)     # its number may be somebody else's soon
        self.child = None

    def psql(self, sql, database="postgres", user="postgres", seconds=60):
        """Rows as text, columns separated by '|'."""
        return run(program("psql"), "-XAtq", "-v", "ON_ERROR_STOP=1", "-h", "127.0.0.1", "-p", self.port,
                   "-U", user, "-d", database, "-c", sql, timeout=seconds).strip()


class Cluster:
    """A primary and its standbys. Cluster(standbys=2) starts them; a commit waits for one of the standbys."""

    def __init__(self, standbys=0, folder=None, fsync=False, attached=True, start=True):
        self.temporary = folder is None
        self.folder = pathlib.Path(folder or tempfile.mkdtemp(prefix="kantele-pg-")).resolve()
        self.folder.mkdir(parents=True, exist_ok=True)
        self.folder.chmod(0o755 if os.geteuid() == 0 else 0o700)
        self.fsync, self.attached = fsync, attached
        self.names = itertools.count(1)
        self.servers = []
        self.primary = None
        if not start:
            return
        atexit.register(self.stop)
        try:
            self._create(standbys)
        except BaseException:
            self.stop()
            raise

    # --- making ---

    def _data(self, server):
        server.data.mkdir(mode=0o700)
        if os.geteuid() == 0:
            shutil.chown(server.data, owner(), owner())

    def _sync_for(self, server):
        return [s.name for s in self.servers if s is not server]

    def _create(self, standbys):
        self.servers = [Server(self.folder, f"s{n}", free_port(), self.attached) for n in range(standbys + 1)]
        first = self.primary = self.servers[0]
        self._data(first)
        run(program("initdb"), "-D", first.data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C",
            "--no-sync", "--no-instructions")
        with open(first.data / "postgresql.conf", "a", encoding="ascii") as out:
            out.write(CONF.format(fsync="on" if self.fsync else "off"))
        first.write("pg_hba.conf", HBA)
        first.start()
        first.psql(ROLES)
        for server in self.servers[1:]:
            self.rebuild(server)
        first.role(sync=self._sync_for(first))
        self.await_standbys()
        self._note()

    def _note(self):
        """For the command `stop`."""
        (self.folder / "cluster.json").write_text(json.dumps(
            {"primary": self.servers.index(self.primary), "ports": [s.port for s in self.servers]}))

    @classmethod
    def at(cls, folder):
        """The one that `start` made."""
        cluster = cls(folder=folder, attached=False, start=False)
        said = json.loads((cluster.folder / "cluster.json").read_text())
        cluster.servers = [Server(cluster.folder, f"s{n}", port, False) for n, port in enumerate(said["ports"])]
        cluster.primary = cluster.servers[said["primary"]]
        return cluster

    # --- its life ---

    @property
    def standbys(self):
        return [s for s in self.servers if s is not self.primary]

    def follows(self, server):
        """It streams from the primary, and is on its timeline (one that has gone astray streams too)."""
        if not server.pid:
            return False
        timeline = self.primary.psql("SELECT timeline_id FROM pg_control_checkpoint()")
        return self.primary.psql("SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming' AND "
                                 f"application_name = '{server.name}'") == "1" and \
            server.psql("SELECT received_tli FROM pg_stat_wal_receiver WHERE status = 'streaming'") == timeline

    def await_standbys(self, seconds=60):
        """Until all standbys follow the primary."""
        for server in self.standbys:
            await_(lambda s=server: self.follows(s), f"{server} to follow {self.primary}", seconds)

    def start(self):
        """All that do not run, in their roles."""
        for server in self.servers:
            if not server.pid:
                server.start(wait=False)
        for server in self.servers:
            server.wait()

    def stop(self):
        atexit.unregister(self.stop)
        for server in sorted(self.servers, key=lambda s: s is not self.primary):    # the primary first
            try:
                server.stop()
            except PgError:
                server.kill()
        if self.temporary:
            shutil.rmtree(self.folder, ignore_errors=True)

    def kill_primary(self):
        self.primary.kill()
        return self.primary

    def _position(self, server):
        """How far it has received, when nothing comes any more."""
        await_(lambda: server.psql("SELECT count(*) FROM pg_stat_wal_receiver WHERE status = 'streaming'") == "0",
               f"{server} to notice that the primary is gone")
        return int(server.psql("SELECT greatest(coalesce(pg_last_wal_receive_lsn(), '0/0'), "
                               "coalesce(pg_last_wal_replay_lsn(), '0/0')) - '0/0'::pg_lsn"))

    def promote(self):
        """After kill_primary: the standby that has received most is the primary now, the others follow it.
        Returns it."""
        if self.primary.pid:
            raise PgError(f"{self.primary} runs: two primaries would be made")
        running = [s for s in self.standbys if s.pid]
        chosen = max(running, key=self._position)
        chosen.role(sync=self._sync_for(chosen))
        chosen.psql("SELECT pg_promote(true, 60)")
        await_(lambda: chosen.psql("SELECT pg_is_in_recovery()") == "f", f"{chosen} to be the primary")
        self.primary = chosen
        for server in running:
            if server is not chosen:
                server.role(chosen)
        chosen.psql("CHECKPOINT")       # pg_rewind looks up the timeline there
        self._note()
        return chosen

    def failover(self):
        """The primary dies, a standby takes its place. Returns who died."""
        dead = self.kill_primary()
        self.promote()
        return dead

    def rejoin(self, server):
        """A server that is down, a former primary say, comes back as a standby."""
        try:
            run(program("pg_rewind"), "-D", server.data, "--no-sync", "--source-server",
                f"host=127.0.0.1 port={self.primary.port} user=postgres dbname=postgres", timeout=120)
            server.role(self.primary)
            server.start()
            await_(lambda: self.follows(server), f"{server} to follow {self.primary}", 10)
        except PgError as e:
            print(f"pgcluster: {server} is made anew: {e}", file=sys.stderr)
            server.kill()
            self.rebuild(server)

    def rebuild(self, server):
        """A standby made anew from the primary, and started."""
        shutil.rmtree(server.data, ignore_errors=True)
        self._data(server)
        run(program("pg_basebackup"), "-h", "127.0.0.1", "-p", self.primary.port, "-U", "postgres", "-D", server.data,
            "-X", "stream", "-c", "fast", "--no-sync", timeout=120)
        server.role(self.primary)
        server.start()

    # --- its use ---

    def psql(self, sql, database="postgres", user="postgres"):
        return self.primary.psql(sql, database, user)

    def conninfo(self, database="postgres", user="kantele", servers=None, ports=None, **more):
        """For a node: all servers, and the one that takes writes is wanted. `ports`: through these instead."""
        ports = ports or [s.port for s in servers or self.servers]
        words = {"host": ",".join(["127.0.0.1"] * len(ports)), "port": ",".join(map(str, ports)),
                 "dbname": database, "user": user, "target_session_attrs": "read-write", **more}
        return " ".join(f"{name}={value}" for name, value in words.items() if value is not None)

    def createdb(self, owned_by="kantele"):
        """A fresh database; returns its name."""
        name = f"test_{os.getpid()}_{next(self.names)}"
        self.psql(f"CREATE DATABASE {name} OWNER {owned_by}")
        return name


def main():
    parser = argparse.ArgumentParser(description="PostgreSQL for tests")
    commands = parser.add_subparsers(dest="command", required=True)
    start = commands.add_parser("start", help="makes and starts one, prints its conninfo")
    start.add_argument("folder")
    start.add_argument("--standbys", type=int, default=0)
    start.add_argument("--fsync", action="store_true", help="what is committed survives a power failure")
    stop = commands.add_parser("stop", help="stops it and removes it")
    stop.add_argument("folder")
    said = parser.parse_args()
    try:
        if said.command == "start":
            if os.path.isdir(said.folder) and os.listdir(said.folder):
                raise PgError(f"{said.folder} is not empty")
            cluster = Cluster(said.standbys, said.folder, said.fsync, attached=False)
            atexit.unregister(cluster.stop)
            cluster.psql("CREATE DATABASE kantele OWNER kantele")
            print(cluster.conninfo("kantele"))
        else:
            cluster = Cluster.at(said.folder)
            cluster.stop()
            shutil.rmtree(cluster.folder)
    except (PgError, OSError) as e:
        print(f"pgcluster: {e}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

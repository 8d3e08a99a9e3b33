# Copyright 2026 The ovs-mqtt-proxy authors.
# SPDX-License-Identifier: Apache-2.0
"""Processes and waiting for the system tests: everything is bounded in time, everything that
is started is stopped by its own pid, and dies with the test at the latest.

Knows nothing of switches and MQTT.  One thread.
"""

import ctypes
import os
import shlex
import signal
import subprocess
import time

LIBC = ctypes.CDLL(None, use_errno=True)
PR_SET_PDEATHSIG = 1
CLONE_NEWNET = 0x40000000


class Skip(Exception):
    """The test cannot run here; the text says why."""


class CommandFailed(AssertionError):
    """A command of the test exited with another status than wanted."""


class Hopeless(AssertionError):
    """Waiting longer cannot help."""


def wait_for(condition, timeout=5.0, what="a condition", pause=0.02):
    """Calls 'condition' until it returns something true, and returns that.  AssertionError
    after 'timeout' seconds; an AssertionError or OSError inside 'condition' means "not yet",
    but Hopeless is the end."""
    deadline = time.monotonic() + timeout
    while True:
        try:
            value, problem = condition(), None
        except Hopeless:
            raise
        except (AssertionError, OSError) as error:
            value, problem = None, error
        if value:
            return value
        if time.monotonic() >= deadline:
            text = what() if callable(what) else what
            raise AssertionError("waited %.1f s in vain for %s%s" % (
                timeout, text, " (%s)" % problem if problem else ""))
        time.sleep(pause)


def stays(condition, seconds, what="a condition", pause=0.05):
    """AssertionError as soon as 'condition' is false within 'seconds': for what must *not*
    happen, where there is nothing to wait for."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        assert condition(), "%s did not last %.1f s" % (what, seconds)
        time.sleep(pause)
    assert condition(), "%s did not last %.1f s" % (what, seconds)


def _die_with_parent():
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def words(command):
    return shlex.split(command) if isinstance(command, str) else [str(w) for w in command]


def run(command, timeout=20, check=True, stdin=None, env=None):
    """Runs a command to its end; returns its CompletedProcess, output as bytes."""
    argv = words(command)
    try:
        done = subprocess.run(argv, input=stdin, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, timeout=timeout, env=env,
                              stdin=None if stdin is not None else subprocess.DEVNULL,
                              preexec_fn=_die_with_parent)
    except subprocess.TimeoutExpired:
        raise CommandFailed("%s: still running after %d s" % (shlex.join(argv), timeout))
    if check and done.returncode != 0:
        raise CommandFailed("%s: exit status %d\n%s%s" % (
            shlex.join(argv), done.returncode, done.stdout.decode(errors="replace"),
            done.stderr.decode(errors="replace")))
    return done


class Process:
    """A process in the background whose standard output and error go to files."""

    def __init__(self, name, command, log_dir, env=None, stdin=None):
        self.name = name
        self.argv = words(command)
        self.out_path = os.path.join(log_dir, name + ".out")
        self.err_path = os.path.join(log_dir, name + ".err")
        with open(self.out_path, "ab") as out, open(self.err_path, "ab") as err:
            self.popen = subprocess.Popen(
                self.argv, stdin=subprocess.DEVNULL if stdin is None else stdin, stdout=out,
                stderr=err, env=env, preexec_fn=_die_with_parent, start_new_session=True)
        self.pid = self.popen.pid

    @property
    def out(self):
        return _read(self.out_path)

    @property
    def err(self):
        return _read(self.err_path)

    @property
    def text(self):
        return (self.out + self.err).decode(errors="replace")

    def is_running(self):
        return self.popen.poll() is None

    def check_running(self):
        """Hopeless, with its last words, when it has ended."""
        if not self.is_running():
            raise Hopeless("%s has ended with status %s: %s" % (
                self.name, self.popen.returncode, self.text[-3000:]))

    def wait(self, timeout=10):
        """Waits for the end; returns the exit status."""
        try:
            return self.popen.wait(timeout)
        except subprocess.TimeoutExpired:
            raise AssertionError("%s: still running after %s s" % (self.name, timeout))

    def wait_text(self, text, timeout=5):
        """Waits until 'text' stands in the output."""
        def there():
            if text in self.text:
                return True
            self.check_running()
            return False
        wait_for(there, timeout, lambda: "%r of %s, which said %r" % (
            text, self.name, self.text[-2000:]))

    def signal(self, number):
        if self.is_running():
            os.kill(self.pid, number)

    def stop(self, timeout=5):
        """SIGTERM, and SIGKILL when that is ignored; returns the exit status (a process that
        had to be killed: -9)."""
        self.signal(signal.SIGTERM)
        try:
            status = self.popen.wait(timeout)
        except subprocess.TimeoutExpired:
            return self.kill()
        self._sweep()
        return status

    def kill(self):
        self.signal(signal.SIGKILL)
        status = self.popen.wait(10)
        self._sweep()
        return status

    def _sweep(self):
        """Its children, if it left any: they are in its session's process group, which is
        ours alone."""
        try:
            os.killpg(self.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass


def _read(path):
    with open(path, "rb") as data:
        return data.read()


class NetnsEntered:
    """with NetnsEntered("name"): sockets that are made inside live in that namespace, also
    afterwards.  Only the calling thread moves."""

    def __init__(self, name):
        self.path = "/run/netns/" + name

    def __enter__(self):
        self.home = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
        try:
            target = os.open(self.path, os.O_RDONLY)
            try:
                _setns(target)
            finally:
                os.close(target)
        except OSError:
            os.close(self.home)
            raise

    def __exit__(self, *exc):
        _setns(self.home)
        os.close(self.home)


def _setns(fd):
    if LIBC.setns(fd, CLONE_NEWNET) != 0:
        number = ctypes.get_errno()
        raise OSError(number, "setns: " + os.strerror(number))

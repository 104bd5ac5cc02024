"""Runs a program at a terminal. Commands on standard input: read, stop (Ctrl-S), start (Ctrl-Q), ask, close. It ends with its standard input.

What the terminal shows goes to standard output once it is read. Descriptor 3 is handed on to the program.
"""

import fcntl
import os
import pty
import select
import subprocess
import sys
import termios

uid = int(sys.argv[1])
master, slave = pty.openpty()


def take_terminal():
    os.setsid()
    fcntl.ioctl(slave, termios.TIOCSCTTY, 0)
    if uid:
        os.setgid(uid)
        os.setuid(uid)


program = subprocess.Popen(
    sys.argv[2:], stdin=slave, stdout=slave, stderr=slave, pass_fds=[3], preexec_fn=take_terminal
)
os.close(slave)
is_reading = False
is_over = False


def obey(command):
    global is_reading
    if command == "read":
        is_reading = True
    if command == "stop":
        os.write(master, b"\x13")
    if command == "start":
        os.write(master, b"\x11")
    if command == "ask":
        os.write(master, b"?\n")
    if command == "close":
        is_reading = False
        os.close(master)


while not is_over and program.poll() is None:
    ready, _, _ = select.select([0] + ([master] if is_reading else []), [], [], 0.1)
    if is_reading and master in ready:
        try:
            os.write(1, os.read(master, 65536))
        except OSError:
            is_reading = False
    if 0 in ready:
        commands = os.read(0, 4096).decode().split()
        is_over = not commands
        for each in commands:
            obey(each)
program.kill()
program.wait()

"""Holds packets of the wide area for a while: delay, jitter and loss in user space.

Runs inside the wide-area namespace, whose policy routing sends every packet that comes in from a leg to tun0.
Each packet is read from there, kept for its delay, and written back, and the kernel routes it on to its leg.
For kernels without sch_netem.

Every line on stdin is a complete setting, as JSON:
  {"delayMs": 20, "jitterMs": 0, "lossPercent": 0, "legs": {"3": {"delayMs": 5, "jitterMs": 0, "lossPercent": 1}}}
A leg's figures come on top for packets from it or to it. Each setting is answered by the line "applied".
The end of stdin is the end of the program.
"""

import fcntl
import gc
import heapq
import json
import os
import random
import select
import struct
import sys
import time

TUNSETIFF = 0x400454CA
TUNSETOFFLOAD = 0x400454D0
IFF_TUN = 0x0001
IFF_NO_PI = 0x1000
IFF_VNET_HDR = 0x4000
# Checksums and segmentation left to the end hosts: packets of up to 64 KiB instead of 1500 bytes.
OFFLOADS = 0x01 | 0x02 | 0x04  # TUN_F_CSUM, TUN_F_TSO4, TUN_F_TSO6

VNET_HEADER = 10  # bytes in front of every packet (struct virtio_net_hdr)
LARGEST_READ = VNET_HEADER + 65535 + 40
READS_PER_ROUND = 64
FLOWS_REMEMBERED = 10_000


def open_tun(name):
    tun = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    request = struct.pack("16sH22x", name.encode(), IFF_TUN | IFF_NO_PI | IFF_VNET_HDR)
    fcntl.ioctl(tun, TUNSETIFF, request)
    return tun


def legs_of(packet):
    """The numbers of the legs that a packet comes from and goes to: the address plan puts them into the address."""
    if packet[VNET_HEADER] >> 4 == 4:
        return packet[VNET_HEADER + 14], packet[VNET_HEADER + 18]
    return packet[VNET_HEADER + 13], packet[VNET_HEADER + 29]


def flow_of(packet):
    """Addresses, and for TCP and UDP without options or extension headers the ports."""
    if packet[VNET_HEADER] >> 4 == 4:
        has_ports = packet[VNET_HEADER + 9] in (6, 17)
        return packet[VNET_HEADER + 12 : VNET_HEADER + (24 if has_ports else 20)]
    has_ports = packet[VNET_HEADER + 6] in (6, 17)
    return packet[VNET_HEADER + 8 : VNET_HEADER + (44 if has_ports else 40)]


class Impairment:
    def __init__(self, setting):
        self.delay = setting.get("delayMs", 0) / 1000
        self.jitter = setting.get("jitterMs", 0) / 1000
        self.loss = setting.get("lossPercent", 0) / 100

    def is_lost(self):
        return self.loss > 0 and random.random() < self.loss

    def seconds(self):
        return self.delay + (random.random() * self.jitter if self.jitter else 0)


class Line:
    """What is on its way, in the order of its arrival times."""

    def __init__(self, tun):
        self.tun = tun
        self.travelling = []
        self.count = 0
        self.last_of_flow = {}
        self.configure({})

    def configure(self, setting):
        self.everywhere = Impairment(setting)
        self.legs = {int(leg): Impairment(extra) for leg, extra in setting.get("legs", {}).items()}
        # A lost 64 KiB segment would stand for 45 lost packets.
        has_loss = any(part.loss for part in (self.everywhere, *self.legs.values()))
        fcntl.ioctl(self.tun, TUNSETOFFLOAD, 0 if has_loss else OFFLOADS)

    def accept(self, packet, now):
        if self.everywhere.is_lost():
            return
        due = now + self.everywhere.seconds()
        if self.legs:
            for leg in legs_of(packet):
                extra = self.legs.get(leg)
                if extra is not None:
                    if extra.is_lost():
                        return
                    due += extra.seconds()
        flow = flow_of(packet)
        due = max(due, self.last_of_flow.get(flow, 0))
        self.last_of_flow[flow] = due
        self.count += 1
        heapq.heappush(self.travelling, (due, self.count, packet))

    def deliver(self, now):
        travelling = self.travelling
        while travelling and travelling[0][0] <= now:
            packet = heapq.heappop(travelling)[2]
            try:
                os.write(self.tun, packet)
            except OSError:
                pass  # the device is down, or the kernel refuses the packet: lost, like on any line
        if len(self.last_of_flow) > FLOWS_REMEMBERED:
            self.last_of_flow = {flow: due for flow, due in self.last_of_flow.items() if due > now}

    def seconds_to_next(self, now):
        return max(0, self.travelling[0][0] - now) if self.travelling else None


def read_packets(line):
    for _ in range(READS_PER_ROUND):
        try:
            packet = os.read(line.tun, LARGEST_READ)
        except BlockingIOError:
            return
        line.accept(packet, time.monotonic())


def read_settings(line, rest):
    """Applies the complete lines on stdin and returns the incomplete one; None at its end."""
    chunk = os.read(0, 65536)
    if not chunk:
        return None
    *complete, rest = (rest + chunk).split(b"\n")
    for setting in complete:
        line.configure(json.loads(setting))
        sys.stdout.write("applied\n")
    sys.stdout.flush()
    return rest


def main():
    try:
        os.nice(-10)  # a late forwarder is a longer line
    except OSError:
        pass
    gc.disable()  # nothing here makes cycles, and a collection would show as jitter
    line = Line(open_tun(sys.argv[1]))
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    rest = b""
    while rest is not None:
        # select, because its time-out is finer than epoll's millisecond
        readable, _, _ = select.select((line.tun, 0), (), (), line.seconds_to_next(time.monotonic()))
        if line.tun in readable:
            read_packets(line)
        line.deliver(time.monotonic())
        if 0 in readable:
            rest = read_settings(line, rest)


main()

package main

import (
	"context"
	"fmt"
	"os"
	"strings"
)

// All bytes that have passed the network interfaces of this host, in and out, loopback left out.
func traffic(context.Context, Request) (Reply, error) {
	table, err := os.ReadFile("/proc/self/net/dev")
	if err != nil {
		return nil, err
	}
	total := 0
	for _, line := range strings.Split(strings.TrimSpace(string(table)), "\n")[2:] {
		name, counters, _ := strings.Cut(strings.TrimSpace(line), ":")
		if name == "lo" {
			continue
		}
		fields := strings.Fields(counters)
		var in, out int
		if _, err := fmt.Sscan(fields[0]+" "+fields[8], &in, &out); err != nil {
			return nil, err
		}
		total += in + out
	}
	return Reply{"bytes": total}, nil
}

package main

import (
	"context"
	"time"

	"github.com/libp2p/go-libp2p/p2p/protocol/circuitv2/client"
)

// Reserves at a relay, and tells what go-libp2p has read of the terms.
func (n *nodes) reserve(ctx context.Context, request Request) (Reply, error) {
	node, err := n.named(request.Name)
	if err != nil {
		return nil, err
	}
	relays, err := infos(request.Relays)
	if err != nil {
		return nil, err
	}
	reservation, err := client.Reserve(ctx, node.host, relays[0])
	if err != nil {
		return nil, err
	}
	return Reply{
		"seconds":        reservation.LimitDuration.Seconds(),
		"bytes":          reservation.LimitData,
		"expiresSeconds": time.Until(reservation.Expiration).Seconds(),
		"addrs":          texts(reservation.Addrs),
		"hasVoucher":     reservation.Voucher != nil,
	}, nil
}

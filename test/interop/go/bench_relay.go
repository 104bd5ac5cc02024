package main

import (
	"context"
	"math"
	"runtime/debug"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/connmgr"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/p2p/muxer/yamux"
	relayv2 "github.com/libp2p/go-libp2p/p2p/protocol/circuitv2/relay"
	"github.com/libp2p/go-libp2p/p2p/security/noise"
	libp2ptls "github.com/libp2p/go-libp2p/p2p/security/tls"
	"github.com/libp2p/go-libp2p/p2p/transport/tcp"
)

// A relay without any limit, for the benchmarks.
func (n *nodes) benchRelay(_ context.Context, request Request) (Reply, error) {
	relay, err := libp2p.New(
		libp2p.ListenAddrStrings(request.Listen...),
		libp2p.Transport(tcp.NewTCPTransport),
		libp2p.Security(noise.ID, noise.New),
		libp2p.Security(libp2ptls.ID, libp2ptls.New),
		libp2p.Muxer(yamux.ID, yamux.DefaultTransport),
		libp2p.DisableMetrics(),
		libp2p.ForceReachabilityPublic(),
		libp2p.ResourceManager(&network.NullResourceManager{}),
		libp2p.ConnectionManager(connmgr.NullConnMgr{}),
	)
	if err != nil {
		return nil, err
	}
	resources := relayv2.DefaultResources()
	resources.Limit = nil
	resources.MaxReservations = math.MaxInt32
	resources.MaxReservationsPerIP = math.MaxInt32
	resources.MaxReservationsPerASN = math.MaxInt32
	resources.MaxCircuits = math.MaxInt32
	if _, err := relayv2.New(relay, relayv2.WithResources(resources)); err != nil {
		return nil, err
	}
	n.add("relay", &node{host: relay, paths: newPaths()})
	addrs, err := peer.AddrInfoToP2pAddrs(host.InfoFromHost(relay))
	if err != nil {
		return nil, err
	}
	return Reply{"addrs": texts(addrs)}, nil
}

// Collects garbage and gives memory back, as the benchmarks do with the other relays before they measure memory.
func settle(context.Context, Request) (Reply, error) {
	debug.FreeOSMemory()
	return Reply{}, nil
}

package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"slices"
	"sync"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/event"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/p2p/host/autorelay"
	"github.com/libp2p/go-libp2p/p2p/muxer/yamux"
	relayv2 "github.com/libp2p/go-libp2p/p2p/protocol/circuitv2/relay"
	"github.com/libp2p/go-libp2p/p2p/protocol/holepunch"
	"github.com/libp2p/go-libp2p/p2p/security/noise"
	"github.com/libp2p/go-libp2p/p2p/transport/tcp"
	ma "github.com/multiformats/go-multiaddr"
)

// The protocol of test/lab/echo.ts.
const echoProtocol = "/lab/echo/1"

// node is one of ours, and whom it has connected to.
type node struct {
	host   host.Host
	paths  *paths
	remote peer.ID
}

type nodes struct {
	mutex  sync.Mutex
	byName map[string]*node
}

func newNodes() *nodes { return &nodes{byName: map[string]*node{}} }

// TCP, Noise and yamux alone, as on the other side.
func common(listen ...string) libp2p.Option {
	return libp2p.ChainOptions(
		libp2p.ListenAddrStrings(listen...),
		libp2p.Transport(tcp.NewTCPTransport),
		libp2p.Security(noise.ID, noise.New),
		libp2p.Muxer(yamux.ID, yamux.DefaultTransport),
		libp2p.DisableMetrics(),
	)
}

func (n *nodes) relay(_ context.Context, request Request) (Reply, error) {
	var options []relayv2.Option
	if !request.IsPublic {
		options = append(options, relayv2.WithInfiniteLimits())
	}
	relay, err := libp2p.New(
		common(request.Listen...),
		libp2p.EnableRelayService(options...),
		libp2p.ForceReachabilityPublic(),
	)
	if err != nil {
		return nil, err
	}
	n.add("relay", &node{host: relay, paths: newPaths()})
	addrs, err := peer.AddrInfoToP2pAddrs(host.InfoFromHost(relay))
	if err != nil {
		return nil, err
	}
	return Reply{"addrs": texts(addrs)}, nil
}

func (n *nodes) peer(ctx context.Context, request Request) (Reply, error) {
	relays, err := infos(request.Relays)
	if err != nil {
		return nil, err
	}
	paths := newPaths()
	options := []libp2p.Option{
		common("/ip4/0.0.0.0/tcp/0"),
		libp2p.EnableHolePunching(holepunch.WithTracer(paths)),
		libp2p.ForceReachabilityPrivate(),
	}
	if request.Reserve {
		options = append(options, libp2p.EnableAutoRelayWithStaticRelays(relays, autorelay.WithBootDelay(0)))
	}
	created, err := libp2p.New(options...)
	if err != nil {
		return nil, err
	}
	paths.watch(created)
	n.add(request.Name, &node{host: created, paths: paths})
	created.SetStreamHandler(echoProtocol, func(stream network.Stream) {
		defer stream.Close()
		_, _ = io.Copy(stream, stream)
	})
	var addrs []ma.Multiaddr
	if request.Reserve {
		addrs, err = circuits(ctx, created)
		if err != nil {
			return nil, err
		}
	}
	if !request.IsCold {
		if err := warmUp(ctx, created, relays); err != nil {
			return nil, err
		}
	}
	return Reply{"peerId": created.ID().String(), "addrs": texts(addrs)}, nil
}

// Connects to the relays and waits until the node speaks DCUtR: it does not before it has seen that it has a public address.
func warmUp(ctx context.Context, node host.Host, relays []peer.AddrInfo) error {
	changes, err := node.EventBus().Subscribe(new(event.EvtLocalProtocolsUpdated))
	if err != nil {
		return err
	}
	defer changes.Close()
	for _, relay := range relays {
		if err := node.Connect(ctx, relay); err != nil {
			return err
		}
	}
	for !slices.Contains(node.Mux().Protocols(), holepunch.Protocol) {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-changes.Out():
		}
	}
	return nil
}

// Waits for a reservation; returns the circuit addresses.
func circuits(ctx context.Context, node host.Host) ([]ma.Multiaddr, error) {
	changes, err := node.EventBus().Subscribe(new(event.EvtLocalAddressesUpdated))
	if err != nil {
		return nil, err
	}
	defer changes.Close()
	for {
		found := ma.FilterAddrs(node.Addrs(), isCircuit)
		if len(found) > 0 {
			return peer.AddrInfoToP2pAddrs(&peer.AddrInfo{ID: node.ID(), Addrs: found})
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-changes.Out():
		}
	}
}

func (n *nodes) connect(ctx context.Context, request Request) (Reply, error) {
	node, err := n.named(request.Name)
	if err != nil {
		return nil, err
	}
	target, err := peer.AddrInfoFromString(request.Target)
	if err != nil {
		return nil, err
	}
	node.remote = target.ID
	if err := node.host.Connect(ctx, *target); err != nil {
		return nil, err
	}
	return Reply{"path": path(node.host, target.ID)}, nil
}

func (n *nodes) direct(ctx context.Context, request Request) (Reply, error) {
	node, err := n.named(request.Name)
	if err != nil {
		return nil, err
	}
	elapsed, err := node.paths.direct(ctx, node.remote)
	if err != nil {
		return nil, err
	}
	return Reply{"path": "direct", "elapsedMs": float64(elapsed.Microseconds()) / 1000}, nil
}

func (n *nodes) echo(ctx context.Context, request Request) (Reply, error) {
	node, err := n.named(request.Name)
	if err != nil {
		return nil, err
	}
	stream, err := node.host.NewStream(network.WithAllowLimitedConn(ctx, "the lab"), node.remote, echoProtocol)
	if err != nil {
		return nil, err
	}
	defer stream.Close()
	sent := make([]byte, request.Bytes)
	if _, err := rand.Read(sent); err != nil {
		return nil, err
	}
	go func() {
		_, _ = stream.Write(sent)
		_ = stream.CloseWrite()
	}()
	received, err := io.ReadAll(stream)
	if err != nil {
		return nil, err
	}
	if !bytes.Equal(sent, received) {
		return nil, fmt.Errorf("%d bytes came back of %d, or others", len(received), len(sent))
	}
	return Reply{"path": pathOf(stream.Conn())}, nil
}

func (n *nodes) stop(_ context.Context, request Request) (Reply, error) {
	node, err := n.named(request.Name)
	if err != nil {
		return nil, err
	}
	n.mutex.Lock()
	delete(n.byName, request.Name)
	n.mutex.Unlock()
	return Reply{}, node.host.Close()
}

func (n *nodes) add(name string, node *node) {
	n.mutex.Lock()
	defer n.mutex.Unlock()
	n.byName[name] = node
}

func (n *nodes) named(name string) (*node, error) {
	n.mutex.Lock()
	defer n.mutex.Unlock()
	node, ok := n.byName[name]
	if !ok {
		return nil, fmt.Errorf("no node is called %s", name)
	}
	return node, nil
}

func (n *nodes) closeAll() {
	for _, node := range n.byName {
		_ = node.host.Close()
	}
}

func infos(addrs []string) ([]peer.AddrInfo, error) {
	var found []peer.AddrInfo
	for _, addr := range addrs {
		info, err := peer.AddrInfoFromString(addr)
		if err != nil {
			return nil, err
		}
		found = append(found, *info)
	}
	return found, nil
}

func texts(addrs []ma.Multiaddr) []string {
	all := []string{}
	for _, addr := range addrs {
		all = append(all, addr.String())
	}
	return all
}

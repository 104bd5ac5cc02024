package main

import (
	"context"
	"fmt"
	"regexp"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/p2p/protocol/holepunch"
	ma "github.com/multiformats/go-multiaddr"
)

// Relayed is the error of a connection that did not become direct.
type Relayed struct{ reason string }

func (e Relayed) Error() string { return e.reason }

// paths knows when a node was first connected to each remote by a circuit and directly, and how the last punch failed.
type paths struct {
	mutex    sync.Mutex
	circuits map[peer.ID]time.Time
	directs  map[peer.ID]time.Time
	failures map[peer.ID]string
	opened   chan struct{}
}

func newPaths() *paths {
	return &paths{
		circuits: map[peer.ID]time.Time{},
		directs:  map[peer.ID]time.Time{},
		failures: map[peer.ID]string{},
		opened:   make(chan struct{}, 1),
	}
}

func (p *paths) watch(node host.Host) {
	node.Network().Notify(&network.NotifyBundle{ConnectedF: func(_ network.Network, conn network.Conn) {
		p.note(conn.RemotePeer(), isCircuit(conn.RemoteMultiaddr()))
	}})
}

func (p *paths) note(remote peer.ID, isCircuit bool) {
	now := time.Now()
	p.mutex.Lock()
	defer p.mutex.Unlock()
	first := p.directs
	if isCircuit {
		first = p.circuits
	}
	if _, ok := first[remote]; !ok {
		first[remote] = now
	}
	select {
	case p.opened <- struct{}{}:
	default:
	}
}

// Trace is told of punches by go-libp2p.
func (p *paths) Trace(event *holepunch.Event) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	switch told := event.Evt.(type) {
	case *holepunch.EndHolePunchEvt:
		p.failures[event.Remote] = told.Error
	case *holepunch.ProtocolErrorEvt:
		p.failures[event.Remote] = told.Error
	}
}

// Waits for a direct connection as long as it is given, since go-libp2p tells nobody that none will come.
// Returns how long it took from the circuit.
func (p *paths) direct(ctx context.Context, remote peer.ID) (time.Duration, error) {
	for {
		p.mutex.Lock()
		direct, ok := p.directs[remote]
		elapsed := direct.Sub(p.circuits[remote])
		failure := p.failures[remote]
		p.mutex.Unlock()
		if ok {
			return elapsed, nil
		}
		select {
		case <-ctx.Done():
			return 0, Relayed{reasonOf(failure)}
		case <-p.opened:
		}
	}
}

var detail = regexp.MustCompile(`(?s)\n.*|12D3\w+|/ip[46]/\S+`)

func reasonOf(failure string) string {
	if failure == "" {
		return "no punch was begun"
	}
	return fmt.Sprintf("punch failed: %s", detail.ReplaceAllString(failure, ""))
}

func path(node host.Host, remote peer.ID) string {
	for _, conn := range node.Network().ConnsToPeer(remote) {
		if pathOf(conn) == "direct" {
			return "direct"
		}
	}
	return "relayed"
}

func pathOf(conn network.Conn) string {
	if isCircuit(conn.RemoteMultiaddr()) {
		return "relayed"
	}
	return "direct"
}

func isCircuit(addr ma.Multiaddr) bool {
	_, err := addr.ValueForProtocol(ma.P_CIRCUIT)
	return err == nil
}

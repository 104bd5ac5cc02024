//! What a node has seen so far. Requests wait for changes of it, so that none is missed that came before the wait.

use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

use libp2p::core::transport::ListenerId;
use libp2p::multiaddr::Protocol;
use libp2p::swarm::{ConnectionId, SwarmEvent};
use libp2p::{Multiaddr, PeerId};

use crate::request::with_causes;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Path {
    Relayed,
    Direct,
}

impl Path {
    pub fn text(self) -> &'static str {
        match self {
            Path::Relayed => "relayed",
            Path::Direct => "direct",
        }
    }
}

#[derive(Default)]
pub struct Seen {
    listening: HashMap<ListenerId, Vec<Multiaddr>>,
    closed_listeners: HashMap<ListenerId, String>,
    connections: HashMap<PeerId, HashMap<ConnectionId, Path>>,
    /// When each path to a remote came about first.
    firsts: HashMap<(PeerId, Path), Instant>,
    failed_dials: HashMap<ConnectionId, String>,
    /// What others say they see of this node.
    pub observed: HashSet<Multiaddr>,
    /// The relays that have accepted a reservation.
    pub reserved: HashSet<PeerId>,
    /// What DCUtR has said last about a remote that it failed with.
    pub punch_errors: HashMap<PeerId, String>,
}

impl Seen {
    /// Takes note of what any node may see.
    pub fn note<E>(&mut self, event: &SwarmEvent<E>) {
        match event {
            SwarmEvent::NewListenAddr { listener_id, address } => {
                self.listening.entry(*listener_id).or_default().push(address.clone());
            }
            SwarmEvent::ListenerClosed {
                listener_id, reason, ..
            } => {
                let reason = reason
                    .as_ref()
                    .err()
                    .map_or("it was closed".into(), |it| with_causes(it));
                self.closed_listeners.insert(*listener_id, reason);
            }
            SwarmEvent::ConnectionEstablished {
                peer_id,
                connection_id,
                endpoint,
                ..
            } => {
                let path = if endpoint.is_relayed() {
                    Path::Relayed
                } else {
                    Path::Direct
                };
                self.connections
                    .entry(*peer_id)
                    .or_default()
                    .insert(*connection_id, path);
                self.firsts.entry((*peer_id, path)).or_insert_with(Instant::now);
            }
            SwarmEvent::ConnectionClosed {
                peer_id, connection_id, ..
            } => {
                self.connections.entry(*peer_id).or_default().remove(connection_id);
            }
            SwarmEvent::OutgoingConnectionError {
                connection_id, error, ..
            } => {
                self.failed_dials.insert(*connection_id, with_causes(error));
            }
            SwarmEvent::NewExternalAddrCandidate { address } => {
                self.observed.insert(address.clone());
            }
            _ => {}
        }
    }

    /// The best path that is open to a remote.
    pub fn path_to(&self, remote: &PeerId) -> Option<Path> {
        let paths = || self.connections.get(remote).into_iter().flat_map(HashMap::values);
        paths().find(|it| **it == Path::Direct).or(paths().next()).copied()
    }

    /// How long it took from the circuit to the direct connection; nothing if there was no circuit.
    pub fn upgrade_time(&self, remote: &PeerId) -> Duration {
        let first = |path| self.firsts.get(&(*remote, path));
        match (first(Path::Relayed), first(Path::Direct)) {
            (Some(circuit), Some(direct)) => direct.saturating_duration_since(*circuit),
            _ => Duration::ZERO,
        }
    }

    pub fn failed_dial(&self, connection: &ConnectionId) -> Option<String> {
        self.failed_dials.get(connection).cloned()
    }

    pub fn closed_listener(&self, listener: &ListenerId) -> Option<String> {
        self.closed_listeners.get(listener).cloned()
    }

    /// The addresses of a listener that others can reach it at, or could but for a NAT.
    pub fn addrs_of(&self, listener: &ListenerId) -> Vec<Multiaddr> {
        let addrs = self.listening.get(listener).into_iter().flatten();
        addrs.filter(|it| is_of_a_network(it)).cloned().collect()
    }
}

/// False for the addresses that mean something else on another host.
fn is_of_a_network(addr: &Multiaddr) -> bool {
    match addr.iter().next() {
        Some(Protocol::Ip4(ip)) => !ip.is_loopback(),
        Some(Protocol::Ip6(ip)) => !ip.is_loopback() && !ip.is_unicast_link_local(),
        _ => false,
    }
}

pub fn is_circuit(addr: &Multiaddr) -> bool {
    addr.iter().any(|it| it == Protocol::P2pCircuit)
}

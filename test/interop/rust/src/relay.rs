//! A relay: circuit relay v2 on the addresses that the test names.

use std::time::Duration;

use futures::future::try_join_all;
use libp2p::core::transport::ListenerId;
use libp2p::multiaddr::Protocol;
use libp2p::swarm::NetworkBehaviour;
use libp2p::{Multiaddr, SwarmBuilder, identify, noise, ping, relay, tcp, yamux};

use crate::node::{BuildError, IDLE_TIMEOUT, Node, identify_of};
use crate::request::Failure;

#[derive(NetworkBehaviour)]
pub struct Behaviour {
    relay: relay::Behaviour,
    identify: identify::Behaviour,
    ping: ping::Behaviour,
}

pub type Relay = Node<Behaviour>;

/// How long after the last one no further address of an interface is expected: they come one by one, and nobody says
/// which is the last.
const ADDRS_SETTLE_IN: Duration = Duration::from_millis(200);

pub fn start(config: relay::Config) -> Result<Relay, BuildError> {
    let swarm = SwarmBuilder::with_new_identity()
        .with_tokio()
        .with_tcp(tcp::Config::default(), noise::Config::new, yamux::Config::default)?
        .with_behaviour(|key| Behaviour {
            relay: relay::Behaviour::new(key.public().to_peer_id(), config),
            identify: identify_of(key),
            ping: ping::Behaviour::default(),
        })?
        .with_swarm_config(|it| it.with_idle_connection_timeout(IDLE_TIMEOUT))
        .build();
    Ok(Node::start(swarm, |_, _| {}))
}

/// No test is to meet a limit that it does not ask for.
pub fn without_limits() -> relay::Config {
    relay::Config {
        max_reservations: usize::MAX,
        max_reservations_per_peer: usize::MAX,
        reservation_rate_limiters: vec![],
        max_circuits: usize::MAX,
        max_circuits_per_peer: usize::MAX,
        // rust-libp2p always names a limit, and a day in milliseconds is one that JavaScript's timers can take
        max_circuit_duration: Duration::from_secs(24 * 60 * 60),
        // none
        max_circuit_bytes: 0,
        circuit_src_rate_limiters: vec![],
        ..relay::Config::default()
    }
}

/// Listens, and returns the addresses for others.
pub async fn listen(relay: &Relay, addrs: &[String]) -> Result<Vec<Multiaddr>, Failure> {
    let parsed = addrs
        .iter()
        .map(|it| it.parse())
        .collect::<Result<Vec<Multiaddr>, _>>()?;
    let listeners = try_join_all(parsed.into_iter().map(|it| relay.listen(it))).await?;
    let found = settled_addrs(relay, &listeners).await;
    let external = found.clone();
    // reservations carry these alone, and none are granted without
    relay
        .with(move |swarm| external.into_iter().for_each(|it| swarm.add_external_address(it)))
        .await?;
    Ok(found
        .into_iter()
        .map(|it| it.with(Protocol::P2p(relay.peer_id)))
        .collect())
}

async fn settled_addrs(relay: &Relay, listeners: &[ListenerId]) -> Vec<Multiaddr> {
    loop {
        let found = relay.look(|seen| listeners.iter().flat_map(|it| seen.addrs_of(it)).collect::<Vec<_>>());
        tokio::time::sleep(ADDRS_SETTLE_IN).await;
        let later = relay.look(|seen| listeners.iter().map(|it| seen.addrs_of(it).len()).sum::<usize>());
        if !found.is_empty() && later == found.len() {
            return found;
        }
    }
}

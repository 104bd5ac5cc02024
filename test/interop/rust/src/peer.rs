//! A peer: relay client, identify and DCUtR over TCP, Noise and yamux alone, as on the other side.

use std::sync::Mutex;
use std::time::Duration;

use futures::future::join;
use futures::{AsyncReadExt, AsyncWriteExt, StreamExt, io};
use libp2p::multiaddr::Protocol;
use libp2p::swarm::NetworkBehaviour;
use libp2p::swarm::dial_opts::{DialOpts, PeerCondition};
use libp2p::{Multiaddr, PeerId, StreamProtocol, SwarmBuilder, dcutr, identify, noise, ping, relay, tcp, yamux};
use libp2p_stream::{Control, IncomingStreams};
use rand::RngCore;

use crate::circuit_streams;
use crate::node::{BuildError, IDLE_TIMEOUT, Node, identify_of};
use crate::request::Failure;
use crate::seen::{Path, Seen};

/// The protocol of test/lab/echo.ts.
const ECHO_PROTOCOL: StreamProtocol = StreamProtocol::new("/lab/echo/1");

#[derive(NetworkBehaviour)]
pub struct Behaviour {
    relay_client: relay::client::Behaviour,
    dcutr: dcutr::Behaviour,
    identify: identify::Behaviour,
    ping: ping::Behaviour,
    streams: circuit_streams::Behaviour,
}

pub struct Peer {
    pub node: Node<Behaviour>,
    direct: Control,
    relayed: Control,
    remote: Mutex<Option<PeerId>>,
}

impl Peer {
    pub fn start() -> Result<Self, BuildError> {
        let swarm = SwarmBuilder::with_new_identity()
            .with_tokio()
            .with_tcp(tcp::Config::default(), noise::Config::new, yamux::Config::default)?
            .with_relay_client(noise::Config::new, yamux::Config::default)?
            .with_behaviour(|key, relay_client| Behaviour {
                relay_client,
                dcutr: dcutr::Behaviour::new(key.public().to_peer_id()),
                identify: identify_of(key),
                ping: ping::Behaviour::default(),
                streams: circuit_streams::Behaviour::default(),
            })?
            .with_swarm_config(|it| it.with_idle_connection_timeout(IDLE_TIMEOUT))
            .build();
        let streams = &swarm.behaviour().streams;
        let mut controls = [Path::Direct, Path::Relayed].map(|path| streams.control(path));
        for control in &mut controls {
            let incoming = control.accept(ECHO_PROTOCOL).map_err(|it| it.to_string())?;
            tokio::spawn(echo_all(incoming));
        }
        let [direct, relayed] = controls;
        Ok(Self {
            node: Node::start(swarm, note),
            direct,
            relayed,
            remote: Mutex::new(None),
        })
    }

    /// Listens on a port, which all dials leave from afterwards: those before the first address is known would not.
    pub async fn listen(&self) -> Result<(), Failure> {
        let listener = self.node.listen("/ip4/0.0.0.0/tcp/0".parse()?).await?;
        self.node
            .until(|seen| seen.addrs_of(&listener).first().cloned())
            .await?;
        Ok(())
    }

    /// Connects to a relay and waits until it has said what it observes. DCUtR offers the addresses that were known
    /// when the circuit was made, and none that are learned later. (It is not awaited that the relay asks who this is, as in
    /// rust-libp2p's example of DCUtR: a relay need not, and ours does not.)
    pub async fn meet(&self, relay: &Multiaddr) -> Result<(), Failure> {
        let relay_id = last_peer_id(relay)?;
        let opts = DialOpts::peer_id(relay_id)
            .condition(PeerCondition::DisconnectedAndNotDialing)
            .addresses(vec![relay.clone()])
            .build();
        let dialed = self.node.dial(opts).await?;
        let met = self.node.until(|seen| match seen.failed_dial(&dialed) {
            Some(error) => Some(Err(Failure::new(error))),
            None => (seen.path_to(&relay_id).is_some() && !seen.observed.is_empty()).then_some(Ok(())),
        });
        met.await?
    }

    /// Takes a place at a relay; returns the circuit address.
    pub async fn reserve(&self, relay: &Multiaddr) -> Result<Multiaddr, Failure> {
        let relay_id = last_peer_id(relay)?;
        let circuit = relay.clone().with(Protocol::P2pCircuit);
        let listener = self.node.listen(circuit.clone()).await?;
        let reserved = self.node.until(|seen| match seen.closed_listener(&listener) {
            Some(error) => Some(Err(Failure::new(error))),
            None => seen.reserved.contains(&relay_id).then_some(Ok(())),
        });
        reserved.await??;
        Ok(circuit.with(Protocol::P2p(self.node.peer_id)))
    }

    pub async fn connect(&self, target: Multiaddr) -> Result<Path, Failure> {
        let remote = last_peer_id(&target)?;
        let opts = DialOpts::peer_id(remote).addresses(vec![target]).build();
        let dialed = self.node.dial(opts).await?;
        let connected = self.node.until(|seen| match seen.failed_dial(&dialed) {
            Some(error) => Some(Err(Failure::new(error))),
            None => seen.path_to(&remote).map(Ok),
        });
        let path = connected.await??;
        *self.remote.lock().unwrap() = Some(remote);
        Ok(path)
    }

    /// Waits for a direct connection, as long as it is given: DCUtR tells of some failures only, and an initiator of
    /// none. Returns how long it took from the circuit.
    pub async fn direct(&self, timeout: Duration) -> Result<Duration, Failure> {
        let remote = self.remote()?;
        let direct = self.node.until(|seen| match seen.path_to(&remote) {
            Some(Path::Direct) => Some(seen.upgrade_time(&remote)),
            _ => None,
        });
        match tokio::time::timeout(timeout, direct).await {
            Ok(result) => result,
            Err(_) => Err(Failure::relayed(self.why_relayed(&remote))),
        }
    }

    fn why_relayed(&self, remote: &PeerId) -> String {
        let because = self.node.look(|seen| seen.punch_errors.get(remote).cloned());
        let because = because.map_or(String::new(), |it| format!(": {it}"));
        format!("no direct connection came about{because}")
    }

    /// Sends random bytes on the best path and checks that the same come back.
    pub async fn echo(&self, bytes: usize) -> Result<Path, Failure> {
        let remote = self.remote()?;
        let path = self.node.look(|seen| seen.path_to(&remote));
        let path = path.ok_or_else(|| Failure::new("the connection is lost"))?;
        let mut control = match path {
            Path::Direct => self.direct.clone(),
            Path::Relayed => self.relayed.clone(),
        };
        let (mut reader, mut writer) = control.open_stream(remote, ECHO_PROTOCOL).await?.split();
        let mut sent = vec![0; bytes];
        rand::rng().fill_bytes(&mut sent);
        let sending = async {
            writer.write_all(&sent).await?;
            writer.close().await
        };
        let mut received = Vec::with_capacity(bytes);
        let (sending, receiving) = join(sending, reader.read_to_end(&mut received)).await;
        sending?;
        receiving?;
        if sent != received {
            return Err(Failure::new(format!(
                "{} bytes came back of {bytes}, or others",
                received.len()
            )));
        }
        Ok(path)
    }

    fn remote(&self) -> Result<PeerId, Failure> {
        let remote = *self.remote.lock().unwrap();
        remote.ok_or_else(|| Failure::new("it has not connected"))
    }
}

/// What test/lab/trial.ts has to wait for, out of the events of a peer.
fn note(seen: &mut Seen, event: &BehaviourEvent) {
    match event {
        BehaviourEvent::RelayClient(relay::client::Event::ReservationReqAccepted { relay_peer_id, .. }) => {
            seen.reserved.insert(*relay_peer_id);
        }
        BehaviourEvent::Dcutr(dcutr::Event {
            remote_peer_id,
            result: Err(error),
        }) => {
            // its causes are in no other text
            seen.punch_errors.insert(*remote_peer_id, format!("{error:?}"));
        }
        _ => {}
    }
}

async fn echo_all(mut incoming: IncomingStreams) {
    while let Some((_, stream)) = incoming.next().await {
        tokio::spawn(async move {
            let (reader, mut writer) = stream.split();
            // whoever breaks off an echo knows of it
            let _ = io::copy(reader, &mut writer).await;
            let _ = writer.close().await;
        });
    }
}

fn last_peer_id(addr: &Multiaddr) -> Result<PeerId, Failure> {
    match addr.iter().last() {
        Some(Protocol::P2p(peer_id)) => Ok(peer_id),
        _ => Err(Failure::new(format!("{addr} does not end with a peer id"))),
    }
}

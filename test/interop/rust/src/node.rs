//! A swarm with a task of its own: it is asked to do something by functions that are sent to it, and tells what it
//! sees.

use std::error::Error;
use std::fmt::Debug;
use std::time::Duration;

use futures::StreamExt;
use libp2p::core::transport::ListenerId;
use libp2p::swarm::dial_opts::DialOpts;
use libp2p::swarm::{ConnectionId, DialError, NetworkBehaviour, SwarmEvent};
use libp2p::{Multiaddr, PeerId, Swarm, TransportError, identify, identity};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;

use crate::request::Failure;
use crate::seen::Seen;

/// Longer than any test: a connection is idle while its test waits for something else.
pub const IDLE_TIMEOUT: Duration = Duration::from_secs(600);

type Command<B> = Box<dyn FnOnce(&mut Swarm<B>) + Send>;

pub struct Node<B: NetworkBehaviour> {
    pub peer_id: PeerId,
    commands: mpsc::UnboundedSender<Command<B>>,
    seen: watch::Receiver<Seen>,
    task: JoinHandle<()>,
}

impl<B: NetworkBehaviour<ToSwarm: Debug + Send> + Send> Node<B> {
    /// Runs a swarm. `note` is told the events of its behaviours.
    pub fn start(swarm: Swarm<B>, note: fn(&mut Seen, &B::ToSwarm)) -> Self {
        let (commands, received) = mpsc::unbounded_channel();
        let (sender, seen) = watch::channel(Seen::default());
        let peer_id = *swarm.local_peer_id();
        let task = tokio::spawn(run(swarm, received, sender, note));
        Self {
            peer_id,
            commands,
            seen,
            task,
        }
    }

    /// Listens on an address.
    pub async fn listen(&self, addr: Multiaddr) -> Result<ListenerId, Failure> {
        let listened: Result<_, TransportError<_>> = self.with(|swarm| swarm.listen_on(addr)).await?;
        Ok(listened?)
    }

    /// Begins to dial.
    pub async fn dial(&self, opts: DialOpts) -> Result<ConnectionId, Failure> {
        let id = opts.connection_id();
        let begun: Result<_, DialError> = self.with(|swarm| swarm.dial(opts)).await?;
        begun?;
        Ok(id)
    }

    /// Runs a function on the swarm.
    pub async fn with<T: Send + 'static>(
        &self,
        act: impl FnOnce(&mut Swarm<B>) -> T + Send + 'static,
    ) -> Result<T, Failure> {
        let (done, result) = oneshot::channel();
        let command: Command<B> = Box::new(|swarm| drop(done.send(act(swarm))));
        self.commands.send(command).map_err(|_| stopped())?;
        result.await.map_err(|_| stopped())
    }

    /// Waits until something is found in what the node has seen.
    pub async fn until<T>(&self, find: impl Fn(&Seen) -> Option<T>) -> Result<T, Failure> {
        let mut seen = self.seen.clone();
        loop {
            let found = find(&seen.borrow_and_update());
            if let Some(found) = found {
                return Ok(found);
            }
            seen.changed().await.map_err(|_| stopped())?;
        }
    }

    /// Looks at what the node has seen.
    pub fn look<T>(&self, at: impl Fn(&Seen) -> T) -> T {
        at(&self.seen.borrow())
    }

    /// Ends the node and all its connections, whatever requests still wait for.
    pub async fn stop(&self) {
        self.task.abort();
        self.commands.closed().await;
    }
}

fn stopped() -> Failure {
    Failure::new("the node was stopped")
}

async fn run<B: NetworkBehaviour<ToSwarm: Debug>>(
    mut swarm: Swarm<B>,
    mut commands: mpsc::UnboundedReceiver<Command<B>>,
    seen: watch::Sender<Seen>,
    note: fn(&mut Seen, &B::ToSwarm),
) {
    loop {
        tokio::select! {
            event = swarm.select_next_some() => {
                tracing::info!("{event:?}");
                seen.send_modify(|seen| {
                    seen.note(&event);
                    if let SwarmEvent::Behaviour(event) = &event {
                        note(seen, event);
                    }
                });
            }
            command = commands.recv() => match command {
                Some(act) => act(&mut swarm),
                None => return,
            }
        }
    }
}

/// Identify as every node does it.
pub fn identify_of(key: &identity::Keypair) -> identify::Behaviour {
    identify::Behaviour::new(identify::Config::new("ipfs/0.1.0".into(), key.public()))
}

/// What making a swarm of TCP, Noise and yamux can fail with.
pub type BuildError = Box<dyn Error + Send + Sync>;

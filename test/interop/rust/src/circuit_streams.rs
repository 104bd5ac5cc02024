//! Streams of which one can choose whether they go directly or over a circuit.
//!
//! libp2p-stream opens a stream on any of the connections to a peer, and after a punch there are two for a while. So it
//! is here twice, and each sees the connections of one kind alone. (To close the circuit would do as well, but the
//! remote may still be at work with it.)

use std::task::{Context, Poll};

use libp2p::core::Endpoint;
use libp2p::core::transport::PortUse;
use libp2p::swarm::{
    ConnectionDenied, ConnectionId, FromSwarm, NetworkBehaviour, THandler, THandlerInEvent, THandlerOutEvent, ToSwarm,
};
use libp2p::{Multiaddr, PeerId};
use libp2p_stream as stream;

use crate::seen::{Path, is_circuit};

#[derive(Default)]
pub struct Behaviour {
    direct: stream::Behaviour,
    relayed: stream::Behaviour,
}

impl Behaviour {
    pub fn control(&self, path: Path) -> stream::Control {
        match path {
            Path::Direct => self.direct.new_control(),
            Path::Relayed => self.relayed.new_control(),
        }
    }

    fn of(&mut self, is_relayed: bool) -> &mut stream::Behaviour {
        if is_relayed {
            &mut self.relayed
        } else {
            &mut self.direct
        }
    }
}

impl NetworkBehaviour for Behaviour {
    type ConnectionHandler = THandler<stream::Behaviour>;
    type ToSwarm = ();

    fn handle_established_inbound_connection(
        &mut self,
        id: ConnectionId,
        peer: PeerId,
        local: &Multiaddr,
        remote: &Multiaddr,
    ) -> Result<Self::ConnectionHandler, ConnectionDenied> {
        self.of(is_circuit(local))
            .handle_established_inbound_connection(id, peer, local, remote)
    }

    fn handle_established_outbound_connection(
        &mut self,
        id: ConnectionId,
        peer: PeerId,
        addr: &Multiaddr,
        role: Endpoint,
        port: PortUse,
    ) -> Result<Self::ConnectionHandler, ConnectionDenied> {
        self.of(is_circuit(addr))
            .handle_established_outbound_connection(id, peer, addr, role, port)
    }

    fn on_swarm_event(&mut self, event: FromSwarm) {
        match event {
            FromSwarm::ConnectionEstablished(it) => self.of(it.endpoint.is_relayed()).on_swarm_event(event),
            FromSwarm::ConnectionClosed(it) => self.of(it.endpoint.is_relayed()).on_swarm_event(event),
            _ => {
                self.direct.on_swarm_event(event);
                self.relayed.on_swarm_event(event);
            }
        }
    }

    fn on_connection_handler_event(&mut self, peer: PeerId, id: ConnectionId, event: THandlerOutEvent<Self>) {
        // there are no such events, whoever they would be for
        self.direct.on_connection_handler_event(peer, id, event);
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<ToSwarm<(), THandlerInEvent<Self>>> {
        match self.direct.poll(cx) {
            Poll::Pending => self.relayed.poll(cx),
            ready => ready,
        }
    }
}

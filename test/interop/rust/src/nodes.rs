//! The nodes of this program, by name, and what can be asked of them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use futures::future::{join_all, try_join_all};
use libp2p::{Multiaddr, relay};
use serde_json::{Value, json};

use crate::peer::Peer;
use crate::relay::{Relay, listen, start, without_limits};
use crate::request::{Failure, Request};

#[derive(Default)]
pub struct Nodes {
    relays: Mutex<Vec<Arc<Relay>>>,
    peers: Mutex<HashMap<String, Arc<Peer>>>,
}

impl Nodes {
    pub async fn relay(&self, request: &Request) -> Result<Value, Failure> {
        let config = if request.is_public || request.limits == "default" {
            relay::Config::default()
        } else {
            without_limits()
        };
        let relay = Arc::new(start(config).map_err(|it| Failure::new(it.to_string()))?);
        self.relays.lock().unwrap().push(relay.clone());
        let addrs = listen(&relay, &request.listen).await?;
        Ok(json!({ "addrs": addrs }))
    }

    pub async fn peer(&self, request: &Request) -> Result<Value, Failure> {
        let relays = request.relays.iter().map(|it| it.parse());
        let relays = relays.collect::<Result<Vec<Multiaddr>, _>>()?;
        let peer = Arc::new(Peer::start().map_err(|it| Failure::new(it.to_string()))?);
        self.peers.lock().unwrap().insert(request.name.clone(), peer.clone());
        peer.listen().await?;
        try_join_all(relays.iter().map(|it| peer.meet(it))).await?;
        let addrs = if request.reserve {
            try_join_all(relays.iter().map(|it| peer.reserve(it))).await?
        } else {
            vec![]
        };
        Ok(json!({ "peerId": peer.node.peer_id.to_string(), "addrs": addrs }))
    }

    pub async fn connect(&self, request: &Request) -> Result<Value, Failure> {
        let path = self.named(&request.name)?.connect(request.target.parse()?).await?;
        Ok(json!({ "path": path.text() }))
    }

    pub async fn direct(&self, request: &Request) -> Result<Value, Failure> {
        let elapsed = self.named(&request.name)?.direct(request.timeout()).await?;
        Ok(json!({ "path": "direct", "elapsedMs": elapsed.as_secs_f64() * 1000.0 }))
    }

    pub async fn echo(&self, request: &Request) -> Result<Value, Failure> {
        let path = self.named(&request.name)?.echo(request.bytes).await?;
        Ok(json!({ "path": path.text() }))
    }

    pub async fn stop(&self, request: &Request) -> Result<Value, Failure> {
        let peer = self.named(&request.name)?;
        self.peers.lock().unwrap().remove(&request.name);
        peer.node.stop().await;
        Ok(json!({}))
    }

    pub async fn stop_all(&self) {
        let peers: Vec<_> = self.peers.lock().unwrap().drain().map(|(_, it)| it).collect();
        let relays: Vec<_> = self.relays.lock().unwrap().drain(..).collect();
        join_all(peers.iter().map(|it| it.node.stop())).await;
        join_all(relays.iter().map(|it| it.stop())).await;
    }

    fn named(&self, name: &str) -> Result<Arc<Peer>, Failure> {
        let peers = self.peers.lock().unwrap();
        let peer = peers.get(name).cloned();
        peer.ok_or_else(|| Failure::new(format!("no node is called {name}")))
    }
}

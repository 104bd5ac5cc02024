//! The program of the lab's hosts over rust-libp2p. It answers the requests that test/lab/trial.ts makes, one line of
//! JSON each, as test/lab/agent.ts does, and ends when its standard input does.

mod circuit_streams;
mod node;
mod nodes;
mod peer;
mod relay;
mod request;
mod seen;
mod traffic;

use std::sync::Arc;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt, BufReader};
use tracing_subscriber::EnvFilter;

use crate::nodes::Nodes;
use crate::request::{Failure, Request, write_failure, write_reply};

/// Enough to tell the course of a punch afterwards; RUST_LOG asks for more.
const DEFAULT_LOG: &str = "throughnat_interop=info,libp2p_dcutr=debug,libp2p_tcp=debug";

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Failure> {
    log_to_stderr();
    let nodes = Arc::new(Nodes::default());
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    while let Some(line) = lines.next_line().await? {
        let request: Request = serde_json::from_str(&line)?;
        tokio::spawn(answer(nodes.clone(), request));
    }
    nodes.stop_all().await;
    Ok(())
}

/// Standard output is for replies alone.
fn log_to_stderr() {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(DEFAULT_LOG));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(false)
        .init();
}

async fn answer(nodes: Arc<Nodes>, request: Request) {
    match act(&nodes, &request).await {
        Ok(reply) => write_reply(request.id, reply),
        Err(failure) => {
            tracing::error!("{}: {failure:?}", request.act);
            write_failure(request.id, &failure);
        }
    }
}

async fn act(nodes: &Nodes, request: &Request) -> Result<Value, Failure> {
    match request.act.as_str() {
        "relay" => request.in_time(nodes.relay(request)).await,
        "peer" => request.in_time(nodes.peer(request)).await,
        "connect" => request.in_time(nodes.connect(request)).await,
        // it has something better to say when time is up
        "direct" => nodes.direct(request).await,
        "echo" => request.in_time(nodes.echo(request)).await,
        "traffic" => traffic::traffic(),
        "stop" => nodes.stop(request).await,
        other => Err(Failure::new(format!("cannot do {other}"))),
    }
}

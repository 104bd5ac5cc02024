//! What the test asks for, and how it is answered.

use std::error::Error;
use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};

/// What the test asks for. What an action does not need is left out.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Request {
    pub id: u64,
    #[serde(rename = "do")]
    pub act: String,
    #[serde(default)]
    pub name: String,
    #[serde(default)]
    pub listen: Vec<String>,
    #[serde(default)]
    pub is_public: bool,
    #[serde(default)]
    pub limits: String,
    #[serde(default)]
    pub relays: Vec<String>,
    #[serde(default)]
    pub reserve: bool,
    #[serde(default)]
    pub target: String,
    #[serde(default)]
    pub bytes: usize,
    pub timeout_ms: u64,
}

impl Request {
    pub fn timeout(&self) -> Duration {
        Duration::from_millis(self.timeout_ms)
    }

    /// Gives an action the time of the request, and no more.
    pub async fn in_time<T>(&self, action: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
        tokio::time::timeout(self.timeout(), action)
            .await
            .map_err(|_| Failure::new(format!("{} took longer than {} ms", self.act, self.timeout_ms)))?
    }
}

/// Why a request could not be fulfilled.
#[derive(Debug)]
pub struct Failure {
    message: String,
    /// Why a connection did not become direct.
    reason: Option<String>,
}

impl Failure {
    pub fn new(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            reason: None,
        }
    }

    /// A connection did not become direct.
    pub fn relayed(reason: String) -> Self {
        Self {
            message: reason.clone(),
            reason: Some(reason),
        }
    }
}

impl<E: Error> From<E> for Failure {
    fn from(error: E) -> Self {
        Self::new(with_causes(&error))
    }
}

/// The errors of libp2p leave the cause out of their text.
pub fn with_causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

pub fn write_reply(id: u64, mut reply: Value) {
    reply["id"] = id.into();
    println!("{reply}");
}

pub fn write_failure(id: u64, failure: &Failure) {
    let mut error = json!({ "name": "Error", "message": failure.message });
    if let Some(reason) = &failure.reason {
        error["reason"] = reason.as_str().into();
    }
    println!("{}", json!({ "id": id, "error": error }));
}

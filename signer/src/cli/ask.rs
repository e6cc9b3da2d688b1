//! The commands' way to the API of a running signer, by what its own configuration says: where the API is, and a token.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    path::PathBuf,
    time::Duration,
};

use anyhow::{Context, bail};
use axum::body::{Body, to_bytes};
use clap::Args;
use hyper::{
    Method, Request,
    header::{AUTHORIZATION, CONTENT_TYPE, HOST},
};
use hyper_util::rt::TokioIo;
use igra_config::{Config, Role, TokensFile};
use serde_json::Value;
use tokio::{net::TcpStream, time::timeout};

/// For a whole call.
const PATIENCE: Duration = Duration::from_secs(15);
const LARGEST_ANSWER: usize = 1024 * 1024;

/// Whom to ask.
#[derive(Debug, Args)]
pub struct Whom {
    /// The config.yaml of the signer that runs here: its API's port, and its tokens file with a token of role admin
    #[arg(long, value_name = "FILE", default_value = "/etc/igra/config.yaml")]
    config: PathBuf,
    /// Another address of its API
    #[arg(long, value_name = "HOST:PORT")]
    api: Option<SocketAddr>,
}

impl Whom {
    /// What the signer answers to this question.
    pub fn get(&self, path: &str) -> anyhow::Result<Value> {
        self.ask(Method::GET, path, None)
    }

    /// What it answers to this order, which has a reason.
    pub fn order(&self, path: &str, reason: &str) -> anyhow::Result<Value> {
        self.ask(Method::POST, path, Some(serde_json::json!({"reason": reason})))
    }

    fn ask(&self, method: Method, path: &str, body: Option<Value>) -> anyhow::Result<Value> {
        let config = Config::load(&self.config)?;
        let address = self.api.unwrap_or_else(|| reachable(config.api.listen));
        let request = request(method, address, path, body, token(&config)?.as_deref())?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let answered = runtime.block_on(async { timeout(PATIENCE, send(address, request)).await });
        let (ok, text) =
            answered.with_context(|| format!("the signer at {address} did not answer in time"))??;
        let answer: Value =
            serde_json::from_slice(&text).with_context(|| format!("{address} is not a signer's API"))?;
        if !ok {
            bail!(
                "the signer refuses ({}): {}",
                answer["code"].as_str().unwrap_or("?"),
                answer["message"].as_str().unwrap_or("?")
            );
        }
        Ok(answer)
    }
}

/// An address that stands for all of this machine's is no address to call.
fn reachable(listen: SocketAddr) -> SocketAddr {
    let ip = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, listen.port())
}

/// The first token that may do everything; none where the API is open.
fn token(config: &Config) -> anyhow::Result<Option<Vec<u8>>> {
    let Some(file) = &config.api.tokens_file else { return Ok(None) };
    let tokens = TokensFile::load(file)?.tokens;
    let admin = tokens.iter().find(|entry| entry.roles.contains(&Role::Admin));
    let admin = admin.with_context(|| format!("{} has no token of role admin", file.display()))?;
    Ok(Some(admin.token.as_bytes().to_vec()))
}

fn request(
    method: Method,
    address: SocketAddr,
    path: &str,
    body: Option<Value>,
    token: Option<&[u8]>,
) -> anyhow::Result<Request<Body>> {
    let mut request = Request::builder().method(method).uri(path).header(HOST, address.to_string());
    if let Some(token) = token {
        request = request.header(AUTHORIZATION, [b"Bearer ", token].concat());
    }
    let body = body.map_or_else(Body::empty, |body| Body::from(body.to_string()));
    Ok(request.header(CONTENT_TYPE, "application/json").body(body)?)
}

/// Whether it was granted, and the answer's bytes.
async fn send(address: SocketAddr, request: Request<Body>) -> anyhow::Result<(bool, Vec<u8>)> {
    let stream =
        TcpStream::connect(address).await.with_context(|| format!("no signer answers at {address}"))?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    let serving = tokio::spawn(connection);
    let response = sender.send_request(request).await?;
    let ok = response.status().is_success();
    let body = to_bytes(Body::new(response.into_body()), LARGEST_ANSWER).await?;
    serving.abort();
    Ok((ok, body.to_vec()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_api_on_all_addresses_is_called_on_this_machine() {
        for (listen, called) in
            [("0.0.0.0:80", "127.0.0.1:80"), ("[::]:80", "[::1]:80"), ("10.0.0.1:80", "10.0.0.1:80")]
        {
            assert_eq!(reachable(listen.parse().unwrap()), called.parse().unwrap());
        }
    }
}

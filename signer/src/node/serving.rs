//! The two HTTP servers of a signer, and what they need from the rest of it.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use igra_config::Config;
use igra_group::{Group, MemberIndex};
use tokio::{net::TcpListener, sync::watch, time::timeout};

use super::{Door, Health, RunError, policy::Rules, tasks::Tasks};
use crate::{
    api::{Api, BadEvent, Identity, RateLimit, Tokens, Verify, serve_admin},
    events::{VerifyCode, VerifyError},
    metrics::Metrics,
};

/// How long requests in hand may take at the end.
const CLOSING: Duration = Duration::from_secs(2);

/// The running servers.
pub(super) struct Serving {
    // Dropped, it tells both servers to stop.
    stop: watch::Sender<()>,
    servers: Tasks,
}

/// The API as this signer's configuration wants it.
pub(super) fn api(
    config: &Config,
    (group, me): (&Group, MemberIndex),
    door: Door,
    metrics: &Metrics,
    rules: watch::Receiver<Rules>,
    tokens: Option<watch::Receiver<Tokens>>,
) -> Result<Api, RunError> {
    let identity = Identity::new(group, me).ok_or_else(|| RunError::NoSuchMember(config.member.clone()))?;
    Ok(Api { door, verify: verify(rules), tokens, identity: Arc::new(identity), metrics: metrics.clone() })
}

/// Verifies by the newest policy.
fn verify(rules: watch::Receiver<Rules>) -> Verify {
    Arc::new(move |body| {
        let verifier = rules.borrow().verifier.clone();
        verifier.verify_json(body).map_err(bad_event)
    })
}

fn bad_event(error: VerifyError) -> BadEvent {
    BadEvent {
        code: error.code.as_str(),
        too_large: error.code == VerifyCode::EvidenceTooLarge,
        field: error.field,
        message: error.message,
    }
}

impl Serving {
    /// Opens both ports.
    pub(super) async fn start(config: &Config, api: Api, health: Health) -> Result<Self, RunError> {
        let (stop, stopped) = watch::channel(());
        let rate =
            RateLimit { per_second: config.api.rate_limit_per_second, burst: config.api.rate_limit_burst };
        let metrics = api.metrics.clone();
        let (for_api, for_admin) = (listen(config.api.listen).await?, listen(config.admin.listen).await?);
        let mut servers = Tasks::default();
        servers.spawn("the API server", api.serve(for_api, rate, told_to_stop(stopped.clone())));
        let admin = serve_admin(for_admin, health, metrics, told_to_stop(stopped));
        servers.spawn("the server of health and metrics", admin);
        Ok(Self { stop, servers })
    }

    /// Waits until one of the servers ends that nobody told to, and names it.
    pub(super) async fn ended(&mut self) -> &'static str {
        self.servers.ended().await
    }

    /// Answers the requests in hand and closes the ports.
    pub(super) async fn shutdown(self) {
        let Self { stop, mut servers } = self;
        drop(stop);
        if timeout(CLOSING, servers.all_ended()).await.is_err() {
            tracing::debug!("a client held on to its connection");
        }
    }
}

async fn listen(listen: SocketAddr) -> Result<TcpListener, RunError> {
    TcpListener::bind(listen).await.map_err(|source| RunError::Listen { listen, source })
}

async fn told_to_stop(mut stopped: watch::Receiver<()>) {
    // Nothing is ever sent; the error says that the sender is gone.
    while stopped.changed().await.is_ok() {}
}

//! Where a peer is. Pods get new addresses, so names are asked again before each dial and now and then.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use futures::future::{BoxFuture, join_all};
use igra_config::HostPort;
use iroh::{EndpointAddr, EndpointId, address_lookup::memory::MemoryLookup};
use tokio::{net::lookup_host, time::timeout};

/// Turns a name and port into addresses. DNS in a signer; a table in tests.
pub type Resolver = Arc<dyn Fn(HostPort) -> BoxFuture<'static, io::Result<Vec<SocketAddr>>> + Send + Sync>;

const PATIENCE: Duration = Duration::from_secs(3);

/// One peer's names, and the place where iroh looks for what they mean.
#[derive(Clone)]
pub(super) struct Addresses {
    id: EndpointId,
    names: Vec<HostPort>,
    resolver: Resolver,
    lookup: MemoryLookup,
}

/// Asks the system's resolver.
pub fn dns() -> Resolver {
    Arc::new(|name| {
        Box::pin(async move { Ok(lookup_host((name.host().to_owned(), name.port())).await?.collect()) })
    })
}

impl Addresses {
    pub(super) fn new(
        id: EndpointId,
        names: Vec<HostPort>,
        resolver: Resolver,
        lookup: MemoryLookup,
    ) -> Self {
        Self { id, names, resolver, lookup }
    }

    /// What the names mean now. What iroh knew before is replaced, unless no name means anything.
    pub(super) async fn resolve(&self) -> EndpointAddr {
        let found = join_all(self.names.iter().map(|name| self.ask(name))).await;
        let address =
            found.into_iter().flatten().fold(EndpointAddr::new(self.id), EndpointAddr::with_ip_addr);
        if !address.is_empty() {
            self.lookup.set_endpoint_info(address.clone());
        }
        address
    }

    async fn ask(&self, name: &HostPort) -> Vec<SocketAddr> {
        match timeout(PATIENCE, (self.resolver)(name.clone())).await {
            Ok(Ok(addresses)) => addresses,
            Ok(Err(error)) => {
                tracing::debug!(%name, %error, "could not resolve a peer's name");
                Vec::new()
            }
            Err(_) => {
                tracing::debug!(%name, "no answer to a peer's name");
                Vec::new()
            }
        }
    }
}

//! One peer: a connection to it, opened again when it breaks, and a stream for each message.

use std::{collections::BTreeMap, fmt, sync::Arc, time::Duration};

use futures::future::BoxFuture;
use igra_group::MemberIndex;
use iroh::{
    Endpoint, EndpointId,
    endpoint::{Connection, ReadToEndError, RecvStream, VarInt},
    protocol::{AcceptError, ProtocolHandler},
};
use tokio::{
    sync::mpsc,
    task::JoinSet,
    time::{sleep, timeout},
};

use super::{
    MAX_MESSAGE_BYTES, QUEUE, addresses::Addresses, filter::Filter, metrics::Dropped, presence::Change,
};

/// What the streams speak: one message each, to the end of the stream.
pub(super) const ALPN: &[u8] = b"/igra/stream/1";

/// Connections of one peer that are kept: its own, ours, and some that are about to be found dead.
const MAX_CONNECTIONS: usize = 4;

const DIAL_TIMEOUT: Duration = Duration::from_secs(5);
const SEND_TIMEOUT: Duration = Duration::from_secs(5);
const READ_TIMEOUT: Duration = Duration::from_secs(5);

/// The first wait between dials, and the longest.
const DIAL_WAIT: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(5));

/// Between two looks at the peer's names while it is connected; gossip dials by what they find.
const REFRESH: Duration = Duration::from_secs(30);

/// What all links of a signer share.
#[derive(Clone)]
pub(super) struct Common {
    pub(super) me: MemberIndex,
    pub(super) endpoint: Endpoint,
    pub(super) filter: Arc<Filter>,
    pub(super) presence: mpsc::Sender<Change>,
}

/// The task that speaks with one peer.
pub(super) struct Link {
    member: MemberIndex,
    addresses: Addresses,
    common: Common,
    outgoing: mpsc::Receiver<Arc<[u8]>>,
    accepted: mpsc::Receiver<Connection>,
    /// The last one is used for sending; all are read.
    connections: Vec<Connection>,
    /// One for each connection, ending with it.
    readers: JoinSet<usize>,
}

impl Link {
    /// The task, the queue of messages to send, and where connections that the peer opened go.
    pub(super) fn new(
        member: MemberIndex,
        addresses: Addresses,
        common: Common,
    ) -> (Self, mpsc::Sender<Arc<[u8]>>, mpsc::Sender<Connection>) {
        let (send, outgoing) = mpsc::channel(QUEUE);
        let (accept, accepted) = mpsc::channel(MAX_CONNECTIONS);
        let (connections, readers) = (Vec::new(), JoinSet::new());
        (Self { member, addresses, common, outgoing, accepted, connections, readers }, send, accept)
    }

    /// Runs until the senders are gone or the task is aborted.
    pub(super) async fn run(mut self) {
        let mut failures = 0;
        let mut dialling = self.dial(self.first_wait());
        let mut refreshing = self.refresh();
        loop {
            let alone = self.connections.is_empty();
            tokio::select! {
                accepted = self.accepted.recv() => {
                    let Some(connection) = accepted else { return };
                    self.adopt(connection).await;
                    (failures, dialling) = (0, self.dial(DIAL_WAIT.0));
                }
                dialled = &mut dialling, if alone => {
                    match dialled {
                        Some(connection) => { self.adopt(connection).await; failures = 0 }
                        None => failures += 1,
                    }
                    dialling = self.dial(wait_after(failures));
                }
                Some(ended) = self.readers.join_next() => {
                    self.forget(ended.ok()).await;
                }
                message = self.outgoing.recv(), if !alone => {
                    let Some(message) = message else { return };
                    self.deliver(&message).await;
                }
                () = &mut refreshing => refreshing = self.refresh(),
            }
        }
    }

    /// Of two that start together one dials at once and the other a little later, so that they do not cross.
    fn first_wait(&self) -> Duration {
        if self.common.me < self.member { Duration::ZERO } else { DIAL_WAIT.0 }
    }

    fn dial(&self, wait: Duration) -> BoxFuture<'static, Option<Connection>> {
        let (addresses, endpoint, member) =
            (self.addresses.clone(), self.common.endpoint.clone(), self.member);
        Box::pin(async move {
            sleep(wait).await;
            let address = addresses.resolve().await;
            match timeout(DIAL_TIMEOUT, endpoint.connect(address, ALPN)).await {
                Ok(Ok(connection)) => Some(connection),
                Ok(Err(error)) => {
                    tracing::debug!(member = member.0, %error, "could not connect to a peer");
                    None
                }
                Err(_) => {
                    tracing::debug!(member = member.0, "a peer does not answer");
                    None
                }
            }
        })
    }

    fn refresh(&self) -> BoxFuture<'static, ()> {
        let addresses = self.addresses.clone();
        Box::pin(async move {
            sleep(REFRESH).await;
            addresses.resolve().await;
        })
    }

    async fn adopt(&mut self, connection: Connection) {
        tracing::debug!(member = self.member.0, "connected to a peer");
        self.readers.spawn(read(connection.clone(), self.member, self.common.filter.clone()));
        self.connections.push(connection);
        if self.connections.len() > MAX_CONNECTIONS {
            self.connections.remove(0).close(VarInt::from_u32(0), b"too many connections");
        }
        self.show().await;
    }

    /// A reader has ended, so its connection has; `None` if it panicked.
    async fn forget(&mut self, ended: Option<usize>) {
        self.connections.retain(|connection| {
            Some(connection.stable_id()) != ended && connection.close_reason().is_none()
        });
        self.show().await;
    }

    async fn show(&self) {
        let connected = !self.connections.is_empty();
        // Nobody listens once the signer stops.
        let _ = self.common.presence.send(Change::Connected(self.member, connected)).await;
    }

    /// Sends on the newest connection that takes it; one that does not is closed. Whether the peer got the message is
    /// not asked: catching up brings what it lacks.
    async fn deliver(&mut self, message: &[u8]) {
        while let Some(connection) = self.connections.last() {
            if timeout(SEND_TIMEOUT, send(connection, message)).await == Ok(true) {
                return;
            }
            connection.close(VarInt::from_u32(0), b"does not take messages");
            self.connections.pop();
        }
        self.common.filter.metrics.dropped(Dropped::Unsent);
    }
}

fn wait_after(failures: u32) -> Duration {
    let (first, longest) = DIAL_WAIT;
    longest.min(first * 2u32.saturating_pow(failures.min(16)))
}

/// Whether the connection took it.
async fn send(connection: &Connection, message: &[u8]) -> bool {
    let Ok(mut stream) = connection.open_uni().await else { return false };
    stream.write_all(message).await.is_ok() && stream.finish().is_ok()
}

/// Reads messages one after the other until the connection ends; then says which connection it was.
async fn read(connection: Connection, from: MemberIndex, filter: Arc<Filter>) -> usize {
    while let Ok(stream) = connection.accept_uni().await {
        match read_message(stream).await {
            Ok(message) => filter.stream(from, message).await,
            Err(reason) => filter.metrics.dropped(reason),
        }
    }
    connection.stable_id()
}

async fn read_message(mut stream: RecvStream) -> Result<Vec<u8>, Dropped> {
    match timeout(READ_TIMEOUT, stream.read_to_end(MAX_MESSAGE_BYTES)).await {
        Ok(Ok(message)) => Ok(message),
        Ok(Err(ReadToEndError::TooLong)) => Err(Dropped::Oversized),
        Ok(Err(ReadToEndError::Read(_))) | Err(_) => Err(Dropped::Broken),
    }
}

/// Hands connections that peers open to their links.
pub(super) struct Accepting {
    links: BTreeMap<EndpointId, mpsc::Sender<Connection>>,
}

impl Accepting {
    pub(super) fn new(links: BTreeMap<EndpointId, mpsc::Sender<Connection>>) -> Self {
        Self { links }
    }
}

impl ProtocolHandler for Accepting {
    async fn accept(&self, connection: Connection) -> Result<(), AcceptError> {
        // Strangers have been refused at the handshake; a peer that connects faster than its link takes is as well.
        if let Some(link) = self.links.get(&connection.remote_id())
            && let Err(refused) = link.try_send(connection)
        {
            refused.into_inner().close(VarInt::from_u32(0), b"too many connections");
        }
        Ok(())
    }
}

impl fmt::Debug for Accepting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Accepting").field("peers", &self.links.keys()).finish()
    }
}

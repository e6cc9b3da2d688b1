//! Connections of one port: bounded in number, and closed when the head of a request does not come in time.
//!
//! Axum's own server has neither bound, and whoever only connects would use up the process's file descriptors.

use std::{future::Future, io, net::SocketAddr, pin::pin, time::Duration};

use axum::{
    Router,
    extract::{ConnectInfo, Request},
};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinSet,
    time::sleep,
};
use tower::ServiceExt;

/// After an error of the listener, such as too many open files.
const ACCEPT_AGAIN: Duration = Duration::from_millis(500);

/// What a port bears.
#[derive(Clone, Copy)]
pub(super) struct Bounds {
    /// Open connections; more wait until one of them ends.
    pub(super) connections: usize,
    /// For the head of each request, from the end of the one before.
    pub(super) head: Duration,
}

/// Serves until `shutdown` is done; requests in hand are answered first. Dropped, it closes all connections.
pub(super) async fn serve(
    listener: TcpListener,
    routes: Router,
    bounds: Bounds,
    shutdown: impl Future<Output = ()> + Send,
) {
    let (stop, stopped) = watch::channel(());
    let mut connections = JoinSet::new();
    let mut shutdown = pin!(shutdown);
    loop {
        tokio::select! {
            biased;
            () = &mut shutdown => break,
            Some(_) = connections.join_next() => {}
            (stream, peer) = accept(&listener), if connections.len() < bounds.connections => {
                connections.spawn(connection(stream, peer, routes.clone(), bounds.head, stopped.clone()));
            }
        }
    }
    drop((listener, stop));
    while connections.join_next().await.is_some() {}
}

async fn accept(listener: &TcpListener) -> (TcpStream, SocketAddr) {
    loop {
        match listener.accept().await {
            Ok(accepted) => return accepted,
            Err(error) if of_the_client(&error) => {}
            Err(error) => {
                tracing::warn!(%error, "a connection cannot be taken");
                sleep(ACCEPT_AGAIN).await;
            }
        }
    }
}

fn of_the_client(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionRefused | io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset
    )
}

async fn connection(
    stream: TcpStream,
    peer: SocketAddr,
    routes: Router,
    head: Duration,
    mut stopped: watch::Receiver<()>,
) {
    let service = service_fn(move |request: hyper::Request<Incoming>| {
        let mut request: Request = request.map(axum::body::Body::new);
        request.extensions_mut().insert(ConnectInfo(peer));
        routes.clone().oneshot(request)
    });
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(head);
    let mut served = pin!(http.serve_connection(TokioIo::new(stream), service));
    let ended = tokio::select! {
        ended = &mut served => ended,
        // Nothing is ever sent; the error says that the server stops.
        _ = stopped.changed() => {
            served.as_mut().graceful_shutdown();
            served.await
        }
    };
    if let Err(error) = ended {
        tracing::trace!(%error, "a connection ended early");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        time::timeout,
    };

    const LONG: Duration = Duration::from_secs(30);

    async fn served(bounds: Bounds) -> (SocketAddr, JoinSet<()>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let routes = Router::new().route("/", axum::routing::get(|| async { "here" }));
        let mut server = JoinSet::new();
        server.spawn(serve(listener, routes, bounds, std::future::pending()));
        (address, server)
    }

    #[tokio::test]
    async fn a_connection_that_asks_nothing_is_closed() {
        for begun in ["", "GET / HTTP/1.1\r\nhost: x\r\n", "GET / HTTP/1.1\r\nhost: x\r\n\r\n"] {
            let bounds = Bounds { connections: 8, head: Duration::from_millis(50) };
            let (address, _server) = served(bounds).await;
            let mut stream = TcpStream::connect(address).await.unwrap();
            stream.write_all(begun.as_bytes()).await.unwrap();
            let mut answer = Vec::new();
            let closed = timeout(LONG, stream.read_to_end(&mut answer)).await;
            assert!(closed.is_ok(), "{begun:?} keeps the connection open");
        }
    }

    #[tokio::test]
    async fn one_more_than_the_bound_waits_for_a_place() {
        let (address, _server) = served(Bounds { connections: 1, head: LONG }).await;
        let ask = "GET / HTTP/1.1\r\nhost: x\r\n\r\n";
        let (mut first, mut part) = (TcpStream::connect(address).await.unwrap(), [0; 8]);
        first.write_all(ask.as_bytes()).await.unwrap();
        first.read_exact(&mut part).await.unwrap();
        let mut second = TcpStream::connect(address).await.unwrap();
        second.write_all(ask.as_bytes()).await.unwrap();
        let early = timeout(Duration::from_millis(200), second.read_exact(&mut part)).await;
        assert!(early.is_err(), "answered beside the first");

        drop(first);

        timeout(LONG, second.read_exact(&mut part)).await.expect("it has its place").unwrap();
        assert_eq!(&part, b"HTTP/1.1");
    }
}

//! A UDP socket of tokio's whose packets go in and out through `noq-udp`, which knows the kernel's shortcuts.

use std::{
    fmt, io,
    net::SocketAddr,
    num::NonZeroUsize,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use noq_udp::{RecvMeta, Transmit, UdpSocketState};
use socket2::{Domain, Socket, Type};
use tokio::io::Interest;

type Writable = Pin<Box<dyn Future<Output = io::Result<()>> + Send + Sync>>;

/// A bound socket.
#[derive(Debug)]
pub struct UdpSocket {
    socket: tokio::net::UdpSocket,
    state: UdpSocketState,
}

/// One of the ways out of a socket.
pub struct UdpSender {
    socket: Arc<UdpSocket>,
    // tokio wakes one `poll_send_ready` at a time, so each sender waits with a future of its own.
    writable: Option<Writable>,
}

impl UdpSocket {
    /// Binds; a socket of IPv6 takes no IPv4. Must be called inside a tokio runtime.
    pub fn bind_full(address: impl Into<SocketAddr>) -> io::Result<Self> {
        let address = address.into();
        let socket = Socket::new(Domain::for_address(address), Type::DGRAM, None)?;
        if address.is_ipv6() {
            socket.set_only_v6(true)?;
        }
        socket.set_nonblocking(true)?;
        socket.bind(&address.into())?;
        let socket = tokio::net::UdpSocket::from_std(socket.into())?;
        let state = UdpSocketState::new((&socket).into())?;
        Ok(Self { socket, state })
    }

    /// Does nothing: on a server a bound socket outlives changes of the machine's addresses.
    pub fn rebind(&self) -> io::Result<()> {
        Ok(())
    }

    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    /// Fills some of the buffers and says how many. One task at a time may wait here.
    pub fn poll_recv_noq(
        &self,
        context: &mut Context<'_>,
        buffers: &mut [io::IoSliceMut<'_>],
        meta: &mut [RecvMeta],
    ) -> Poll<io::Result<usize>> {
        loop {
            ready!(self.socket.poll_recv_ready(context))?;
            let receive = || self.state.recv((&self.socket).into(), buffers, meta);
            let received = self.socket.try_io(Interest::READABLE, receive);
            if !would_block(&received) {
                return Poll::Ready(received);
            }
        }
    }

    pub fn create_sender(self: Arc<Self>) -> UdpSender {
        UdpSender { socket: self, writable: None }
    }

    pub fn may_fragment(&self) -> bool {
        self.state.may_fragment()
    }

    pub fn max_gso_segments(&self) -> NonZeroUsize {
        self.state.max_gso_segments()
    }

    pub fn gro_segments(&self) -> NonZeroUsize {
        self.state.gro_segments()
    }

    /// Fails only where the kernel takes no packet now.
    fn try_send(&self, transmit: &Transmit<'_>) -> io::Result<()> {
        let send = || self.state.try_send((&self.socket).into(), transmit);
        match self.socket.try_io(Interest::WRITABLE, send) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Err(error),
            // A packet that cannot be sent is a lost packet, and QUIC knows how to live with those: a path that is gone
            // or that takes no packets of this size shows by its silence.
            Err(_) | Ok(()) => Ok(()),
        }
    }
}

impl UdpSender {
    /// Hands the packet to the kernel as soon as it takes one.
    pub fn poll_send(
        mut self: Pin<&mut Self>,
        transmit: &Transmit<'_>,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        loop {
            ready!(self.poll_writable(context))?;
            let sent = self.socket.try_send(transmit);
            if !would_block(&sent) {
                return Poll::Ready(sent);
            }
        }
    }

    fn poll_writable(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let socket = &self.socket;
        let writable = self.writable.get_or_insert_with(|| {
            let socket = socket.clone();
            Box::pin(async move { socket.socket.writable().await })
        });
        let answer = ready!(writable.as_mut().poll(context));
        self.writable = None;
        Poll::Ready(answer)
    }
}

fn would_block<T>(answer: &io::Result<T>) -> bool {
    matches!(answer, Err(error) if error.kind() == io::ErrorKind::WouldBlock)
}

impl Clone for UdpSender {
    fn clone(&self) -> Self {
        self.socket.clone().create_sender()
    }
}

impl fmt::Debug for UdpSender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UdpSender").field("socket", &self.socket).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use super::*;

    fn socket() -> Arc<UdpSocket> {
        Arc::new(UdpSocket::bind_full(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap())
    }

    async fn send(mut sender: UdpSender, destination: SocketAddr, contents: &[u8]) {
        let transmit = Transmit { destination, ecn: None, contents, segment_size: None, src_ip: None };
        poll_fn(|context| Pin::new(&mut sender).poll_send(&transmit, context)).await.unwrap();
    }

    async fn receive(socket: &UdpSocket) -> Vec<u8> {
        let mut buffer = vec![0; 1 << 16];
        let mut meta = [RecvMeta::default()];
        let mut buffers = [io::IoSliceMut::new(&mut buffer)];
        poll_fn(|context| socket.poll_recv_noq(context, &mut buffers, &mut meta)).await.unwrap();
        buffer.truncate(meta[0].stride);
        buffer
    }

    #[tokio::test]
    async fn two_senders_of_one_socket_reach_two_others() {
        let (from, left, right) = (socket(), socket(), socket());
        let first = from.create_sender();
        let second = first.clone();
        tokio::join!(
            send(first, left.local_addr().unwrap(), b"one"),
            send(second, right.local_addr().unwrap(), b"two")
        );
        assert_eq!((receive(&left).await, receive(&right).await), (b"one".to_vec(), b"two".to_vec()));
    }
}

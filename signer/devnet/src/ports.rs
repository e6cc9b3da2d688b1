//! Ports for what is started here. They lie below those that systems give to outgoing connections, and none is given out
//! twice, so that nothing takes one between being found free and being listened on.

use std::{
    net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket},
    process,
    sync::atomic::{AtomicU32, Ordering},
};

use anyhow::bail;

const FIRST: u32 = 20_000;
const COUNT: u32 = 12_000;

static GIVEN: AtomicU32 = AtomicU32::new(0);

/// One that is free on loopback for TCP and UDP.
pub(crate) fn free_port() -> anyhow::Result<SocketAddr> {
    // Processes that run at the same time begin at different places.
    let start = process::id().wrapping_mul(251);
    for _ in 0..COUNT {
        let place = start.wrapping_add(GIVEN.fetch_add(1, Ordering::Relaxed)) % COUNT;
        let port = u16::try_from(FIRST + place).expect("the last one is below 65 536");
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        if TcpListener::bind(address).is_ok() && UdpSocket::bind(address).is_ok() {
            return Ok(address);
        }
    }
    bail!("no port from {FIRST} to {} is free on loopback", FIRST + COUNT - 1)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn no_port_is_given_twice_and_none_that_is_in_use() {
        let first = free_port().unwrap();
        let _taken = TcpListener::bind(first).unwrap();
        let later: BTreeSet<SocketAddr> = (0..50).map(|_| free_port().unwrap()).collect();
        assert!(later.len() == 50 && !later.contains(&first));
    }
}

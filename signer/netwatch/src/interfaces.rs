//! The network interfaces that are up, and the addresses they have, at one moment.

use std::{collections::HashMap, fmt, net::IpAddr};

use if_addrs::IfAddr;
use ipnet::{Ipv4Net, Ipv6Net};

use crate::ip::LocalAddresses;

/// What the kernel says of an IPv6 address. Not asked for here: all stay unset, which means an ordinary address.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ipv6AddrFlags {
    pub deprecated: bool,
    pub temporary: bool,
    pub tentative: bool,
    pub duplicated: bool,
    pub permanent: bool,
}

/// An address of an interface with its prefix.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IpNet {
    V4(Ipv4Net),
    V6 { net: Ipv6Net, scope_id: u32, flags: Ipv6AddrFlags },
}

/// One interface that is up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interface {
    name: String,
    addresses: Vec<IpNet>,
}

/// All of it at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct State {
    pub interfaces: HashMap<String, Interface>,
    pub local_addresses: LocalAddresses,
    pub have_v6: bool,
    pub have_v4: bool,
    /// The first interface with an address that others can dial. iroh asks only whether there is one, so the routing
    /// table is not read.
    pub default_route_interface: Option<String>,
}

impl State {
    /// As [`State::read`]; asynchronous because iroh awaits it.
    pub async fn new() -> Self {
        Self::read()
    }

    /// Asks the system. Where it does not answer, the machine looks as if it had no interfaces.
    pub fn read() -> Self {
        let mut state = Self::default();
        for interface in if_addrs::get_if_addrs().unwrap_or_default() {
            if let Some(address) = IpNet::of(&interface) {
                state.add(interface.name, address, interface.addr.is_link_local());
            }
        }
        state
    }

    /// Whether connections may have lost their path: an address came or went.
    pub fn is_major_change(&self, old: &Self) -> bool {
        self.local_addresses != old.local_addresses
    }

    fn add(&mut self, name: String, address: IpNet, link_local: bool) {
        let ip = address.addr();
        self.local_addresses.add(ip, link_local);
        if !ip.is_loopback() && !link_local {
            self.have_v4 |= ip.is_ipv4();
            self.have_v6 |= ip.is_ipv6();
            self.default_route_interface.get_or_insert_with(|| name.clone());
        }
        let interface = self.interfaces.entry(name).or_insert_with_key(|name| Interface::named(name));
        interface.addresses.push(address);
    }
}

impl Interface {
    fn named(name: &str) -> Self {
        Self { name: name.to_owned(), addresses: Vec::new() }
    }

    /// Always: the system lists addresses of interfaces that are up only.
    pub fn is_up(&self) -> bool {
        true
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    pub fn addrs(&self) -> impl Iterator<Item = IpNet> + '_ {
        self.addresses.iter().cloned()
    }
}

impl IpNet {
    /// The address without its prefix.
    pub fn addr(&self) -> IpAddr {
        match self {
            Self::V4(net) => net.addr().into(),
            Self::V6 { net, .. } => net.addr().into(),
        }
    }

    fn of(interface: &if_addrs::Interface) -> Option<Self> {
        match &interface.addr {
            IfAddr::V4(v4) => Ipv4Net::new(v4.ip, v4.prefixlen).ok().map(Self::V4),
            IfAddr::V6(v6) => Ipv6Net::new(v6.ip, v6.prefixlen).ok().map(|net| Self::V6 {
                net,
                scope_id: interface.index.unwrap_or_default(),
                flags: Ipv6AddrFlags::default(),
            }),
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(&self.local_addresses.regular).entries(&self.local_addresses.loopback).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(addresses: &[&str]) -> State {
        let mut state = State::default();
        for text in addresses {
            state.add("eth0".to_owned(), IpNet::V4(text.parse().unwrap()), false);
        }
        state
    }

    #[test]
    fn a_new_address_is_a_major_change_and_the_same_ones_are_none() {
        let before = state(&["10.0.0.1/8"]);
        assert!(state(&["10.0.0.2/8"]).is_major_change(&before));
        assert!(!state(&["10.0.0.1/8"]).is_major_change(&before));
    }

    #[test]
    fn loopback_alone_is_no_way_out() {
        let alone = state(&["127.0.0.1/8"]);
        assert_eq!((alone.have_v4, alone.default_route_interface), (false, None));
        assert_eq!(state(&["127.0.0.1/8", "10.0.0.1/8"]).default_route_interface.as_deref(), Some("eth0"));
    }

    #[test]
    fn the_machine_that_runs_this_has_a_loopback_address() {
        assert!(!State::read().local_addresses.loopback.is_empty());
    }
}

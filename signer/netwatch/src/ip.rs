//! The machine's IP addresses, sorted by what they are good for.

use std::net::IpAddr;

/// Addresses of this machine, each list in ascending order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LocalAddresses {
    pub loopback: Vec<IpAddr>,
    /// Those that another machine can dial; link-local ones only reach the next cable and are left out.
    pub regular: Vec<IpAddr>,
}

impl LocalAddresses {
    pub(crate) fn add(&mut self, address: IpAddr, link_local: bool) {
        let list = match address.is_loopback() {
            true => &mut self.loopback,
            false if link_local => return,
            false => &mut self.regular,
        };
        if let Err(place) = list.binary_search(&address) {
            list.insert(place, address);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_in_which_the_system_lists_addresses_changes_nothing() {
        let addresses =
            ["10.0.0.2", "127.0.0.1", "10.0.0.1", "10.0.0.2"].map(|text| text.parse::<IpAddr>().unwrap());
        let (mut forward, mut backward) = (LocalAddresses::default(), LocalAddresses::default());
        addresses.iter().for_each(|address| forward.add(*address, false));
        addresses.iter().rev().for_each(|address| backward.add(*address, false));
        assert_eq!(forward, backward);
        assert_eq!((forward.loopback.len(), forward.regular.len()), (1, 2));
    }

    #[test]
    fn a_link_local_address_is_not_offered() {
        let mut addresses = LocalAddresses::default();
        addresses.add("fe80::1".parse().unwrap(), true);
        assert_eq!(addresses, LocalAddresses::default());
    }
}

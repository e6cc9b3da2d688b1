//! Somebody to pay: a key that only this program knows, and its address on simnet.

use igra_group::Network;
use kaspa_addresses::{Address, Version};
use secp256k1::{Keypair, SECP256K1};

/// A new address that holds nothing yet.
pub fn new_address() -> String {
    let pair = Keypair::new(SECP256K1, &mut rand::thread_rng());
    let key = pair.x_only_public_key().0.serialize();
    let address = Address::try_new(Network::Simnet.address_prefix(), Version::PubKey, &key);
    address.expect("an x-only key has the length that its address version asks for").to_string()
}

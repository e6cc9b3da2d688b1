//! What iroh asks of the crate `netwatch`, for servers: the machine's addresses, news when they change, and a UDP
//! socket that speaks to `noq-udp`. README.md says why it stands here and when it goes.

pub mod interfaces;
pub mod ip;
pub mod netmon;
mod udp;

pub use udp::{UdpSender, UdpSocket};

//! A request: what a client asks the group to pay, in the one form that approvers sign and peers hand on.
//!
//! `docs/reference/request.md` says the same for people who write clients.

use borsh::{BorshDeserialize, BorshSerialize};
use igra_group::{GroupId, Network, Sompi, tagged_hash};
use igra_tx::{EventKey, PayloadHash, Script};

use crate::events::{Approval, VerifyCode, VerifyError};

/// Bounds of a request, in bytes where nothing else is said.
pub mod limits {
    pub const EVIDENCE_BYTES: usize = 32 * 1024;
    pub const ID_BYTES: usize = 128;
    pub const SOURCE_BYTES: usize = 64;
    pub const RECIPIENT_BYTES: usize = 128;
    pub const MEMO_BYTES: usize = 1024;
    /// Approvals that one request may carry.
    pub const APPROVALS: usize = 64;
}

const REQUEST_TAG: &str = "igra.dev 2026 request v1";
const EVIDENCE_VERSION: u8 = 1;
/// API, file and custom resource are doors of this one kind: the same request through two doors is one event.
const SOURCE_KIND: &str = "request";

/// What a client asks for.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct Request {
    /// A source of the policy; ids of different sources are different.
    pub source: String,
    /// The client's own id, 1 to 128 visible ASCII characters: it makes the request safe to repeat.
    pub id: String,
    /// A Kaspa address.
    pub recipient: String,
    pub amount: Sompi,
    /// UTC, in seconds since 1970: after it the event is not approved any more. Without one the policy gives it.
    pub deadline: Option<u64>,
    pub memo: String,
}

/// A request with what stands for it. Approvals are in ascending order of their approvers' names, each name once, so
/// that one signed request has one encoding.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct SignedRequest {
    pub request: Request,
    pub approvals: Vec<Approval>,
}

impl Request {
    /// What approvers sign: a hash that binds the network and the group as well.
    ///
    /// blake3 in key-derivation mode with the context `igra.dev 2026 request v1`, over the fields in the order network,
    /// group (32 bytes), source, id, recipient, amount (u64), deadline (0, or 1 and a u64), memo; integers are little
    /// endian, texts are their length in bytes (u32) and UTF-8.
    pub fn hash(&self, network: Network, group: GroupId) -> [u8; 32] {
        tagged_hash(REQUEST_TAG, &encoded(&(network.as_str(), group, self)))
    }

    pub fn event_key(&self, network: Network) -> EventKey {
        EventKey::derive(network, SOURCE_KIND, &self.source, self.id.as_bytes())
    }

    /// Binds everything that the same id must not change.
    pub fn payload_hash(&self, recipient: &Script) -> PayloadHash {
        PayloadHash::derive(recipient, self.amount, &encoded(&(self.deadline, &self.memo)))
    }

    /// Checks sizes and shapes; gives the recipient's script.
    pub fn check(&self, network: Network) -> Result<Script, VerifyError> {
        check_source(&self.source)?;
        check_id(&self.id)?;
        check_memo(&self.memo)?;
        if self.amount == Sompi::ZERO {
            return Err(VerifyError::at(VerifyCode::AmountZero, "amountSompi", "the amount is 0"));
        }
        self.recipient_script(network)
    }

    fn recipient_script(&self, network: Network) -> Result<Script, VerifyError> {
        use igra_tx::AddressError;
        if self.recipient.len() > limits::RECIPIENT_BYTES {
            return Err(VerifyError::at(
                VerifyCode::InvalidRecipient,
                "recipient",
                "too long for an address",
            ));
        }
        Script::of_address(network, &self.recipient).map_err(|error| {
            let code = match error {
                AddressError::NotAnAddress { .. } => VerifyCode::InvalidRecipient,
                AddressError::OtherNetwork { .. } => VerifyCode::WrongNetwork,
            };
            VerifyError::at(code, "recipient", error.to_string())
        })
    }
}

fn check_source(source: &str) -> Result<(), VerifyError> {
    if source.is_empty() || source.len() > limits::SOURCE_BYTES || source.chars().any(char::is_control) {
        let message =
            format!("a source has from 1 to {} bytes, none of them control characters", limits::SOURCE_BYTES);
        return Err(VerifyError::at(VerifyCode::UnknownSource, "source", message));
    }
    Ok(())
}

fn check_id(id: &str) -> Result<(), VerifyError> {
    let visible = id.bytes().all(|byte| byte.is_ascii_graphic());
    if id.is_empty() || id.len() > limits::ID_BYTES || !visible {
        let message = format!("an id has from 1 to {} visible ASCII characters, no blanks", limits::ID_BYTES);
        return Err(VerifyError::at(VerifyCode::InvalidId, "id", message));
    }
    Ok(())
}

fn check_memo(memo: &str) -> Result<(), VerifyError> {
    if memo.len() > limits::MEMO_BYTES || memo.chars().any(char::is_control) {
        let message = format!("a memo has at most {} bytes and no control characters", limits::MEMO_BYTES);
        return Err(VerifyError::at(VerifyCode::InvalidMemo, "memo", message));
    }
    Ok(())
}

impl SignedRequest {
    /// The bytes that peers hand on.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = vec![EVIDENCE_VERSION];
        bytes.extend(encoded(self));
        bytes
    }

    /// Reads what [`SignedRequest::encode`] wrote, and nothing else: what decodes encodes to the same bytes.
    pub fn decode(bytes: &[u8]) -> Result<Self, VerifyError> {
        if bytes.len() > limits::EVIDENCE_BYTES {
            return Err(too_large(bytes.len()));
        }
        let malformed = |message: &str| VerifyError::new(VerifyCode::MalformedEvidence, message);
        let signed: Self = match bytes.split_first() {
            Some((&EVIDENCE_VERSION, rest)) => {
                borsh::from_slice(rest).map_err(|_| malformed("not a signed request"))?
            }
            Some(_) | None => return Err(malformed("evidence of an unknown version")),
        };
        let in_order = signed.approvals.is_sorted_by(|a, b| a.approver < b.approver);
        if !in_order || signed.approvals.len() > limits::APPROVALS {
            return Err(malformed("approvals out of order, twice by one approver, or too many"));
        }
        Ok(signed)
    }
}

pub(super) fn too_large(bytes: usize) -> VerifyError {
    let message = format!("{bytes} bytes of evidence, and at most {} are taken", limits::EVIDENCE_BYTES);
    VerifyError::new(VerifyCode::EvidenceTooLarge, message)
}

fn encoded(value: &impl BorshSerialize) -> Vec<u8> {
    borsh::to_vec(value).expect("a vector takes all bytes")
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use proptest::prelude::*;

    pub(crate) const GROUP: GroupId = GroupId::from_bytes([7; 32]);

    /// An address of a key with this byte all over; any 32 bytes will do for an address.
    pub(crate) fn address(network: Network, byte: u8) -> String {
        Script { version: 0, bytes: [&[0x20][..], &[byte; 32], &[0xac]].concat() }
            .to_address(network)
            .unwrap()
    }

    pub(crate) fn request() -> Request {
        Request {
            source: "desk".to_owned(),
            id: "invoice-42".to_owned(),
            recipient: address(Network::Simnet, 3),
            amount: Sompi(150_000_000),
            deadline: Some(1_790_000_000),
            memo: "rent".to_owned(),
        }
    }

    #[test]
    fn the_signed_bytes_are_as_the_reference_says() {
        let request = request();
        let text = |text: &str| [&(text.len() as u32).to_le_bytes()[..], text.as_bytes()].concat();
        let bytes = [
            text("simnet"),
            vec![7; 32],
            text("desk"),
            text("invoice-42"),
            text(&request.recipient),
            150_000_000u64.to_le_bytes().to_vec(),
            [&[1][..], &1_790_000_000u64.to_le_bytes()].concat(),
            text("rent"),
        ]
        .concat();
        assert_eq!(
            request.hash(Network::Simnet, GROUP),
            blake3::derive_key("igra.dev 2026 request v1", &bytes)
        );
    }

    #[test]
    fn the_reference_shows_a_request_with_its_hash_and_names_every_code() {
        let page = include_str!("../../../docs/reference/request.md");
        let (_, example) = page.split_once("```json\n").unwrap();
        let (example, _) = example.split_once("```").unwrap();
        let json = crate::events::RequestJson::parse(example.as_bytes()).unwrap();
        let (network, group) = json.signed_for().unwrap();
        let request = json.request().unwrap();
        request.check(network).unwrap();
        let hash = hex::encode(request.hash(network, group));
        assert!(page.contains(&hash), "{hash}");
        for code in VerifyCode::ALL {
            assert!(page.contains(&format!("`{}`", code.as_str())), "{code:?}");
        }
    }

    #[test]
    fn every_field_is_bound_by_what_approvers_sign() {
        let hash = |change: fn(&mut Request)| {
            let mut request = request();
            change(&mut request);
            request.hash(Network::Simnet, GROUP)
        };
        let hashes = [
            hash(|_| ()),
            hash(|r| r.source = "desk2".to_owned()),
            hash(|r| r.id = "invoice-43".to_owned()),
            hash(|r| r.recipient = address(Network::Simnet, 4)),
            hash(|r| r.amount = Sompi(150_000_001)),
            hash(|r| r.deadline = None),
            hash(|r| r.deadline = Some(0)),
            hash(|r| r.memo = String::new()),
            request().hash(Network::Devnet, GROUP),
            request().hash(Network::Simnet, GroupId::from_bytes([8; 32])),
        ];
        for (at, hash) in hashes.iter().enumerate() {
            assert!(!hashes[..at].contains(hash), "{at}");
        }
    }

    #[test]
    fn the_key_hangs_on_source_and_id_alone_and_the_payload_on_the_rest() {
        let (one, mut other) = (request(), request());
        other.amount = Sompi(1);
        assert_eq!(one.event_key(Network::Simnet), other.event_key(Network::Simnet));
        let script = one.check(Network::Simnet).unwrap();
        assert_ne!(one.payload_hash(&script), other.payload_hash(&script));
        other = Request { memo: "other".to_owned(), ..request() };
        assert_ne!(one.payload_hash(&script), other.payload_hash(&script));
        other = Request { id: "invoice-43".to_owned(), ..request() };
        assert_ne!(one.event_key(Network::Simnet), other.event_key(Network::Simnet));
    }

    #[test]
    fn out_of_bounds_fields_are_refused_by_name() {
        let field = |change: &dyn Fn(&mut Request)| {
            let mut request = request();
            change(&mut request);
            let error = request.check(Network::Simnet).unwrap_err();
            (error.code, error.field.unwrap())
        };
        let recipient = |text: &str| field(&|r| r.recipient = text.to_owned());
        for id in ["", "a b", "é", "tab\t", &"x".repeat(129)] {
            assert_eq!(field(&|r| r.id = id.to_owned()), (VerifyCode::InvalidId, "id".to_owned()), "{id}");
        }
        assert_eq!(field(&|r| r.memo = "x".repeat(1025)), (VerifyCode::InvalidMemo, "memo".to_owned()));
        assert_eq!(field(&|r| r.memo = "a\nb".to_owned()), (VerifyCode::InvalidMemo, "memo".to_owned()));
        assert_eq!(field(&|r| r.amount = Sompi::ZERO), (VerifyCode::AmountZero, "amountSompi".to_owned()));
        assert_eq!(recipient("kaspasim:nonsense"), (VerifyCode::InvalidRecipient, "recipient".to_owned()));
        assert_eq!(recipient(&"x".repeat(4096)), (VerifyCode::InvalidRecipient, "recipient".to_owned()));
        let foreign = address(Network::Mainnet, 3);
        assert_eq!(recipient(&foreign), (VerifyCode::WrongNetwork, "recipient".to_owned()));
    }

    proptest! {
        #[test]
        fn any_bytes_decode_to_an_error_or_to_what_encodes_to_the_same_bytes(bytes: Vec<u8>, versioned: bool) {
            let bytes = if versioned { [&[EVIDENCE_VERSION][..], &bytes].concat() } else { bytes };
            if let Ok(signed) = SignedRequest::decode(&bytes) {
                prop_assert_eq!(signed.encode(), bytes);
            }
        }

        #[test]
        fn a_flipped_bit_never_decodes_to_the_same_request(at: prop::sample::Index, bit in 0u8..8) {
            let approval = Approval { approver: "anna".to_owned(), signature: [5; 64] };
            let signed = SignedRequest { request: request(), approvals: vec![approval] };
            let mut bytes = signed.encode();
            let at = at.index(bytes.len());
            bytes[at] ^= 1 << bit;
            match SignedRequest::decode(&bytes) {
                Ok(other) => {
                    prop_assert_ne!(&other, &signed);
                    prop_assert_eq!(other.encode(), bytes);
                }
                Err(error) => prop_assert_eq!(error.code, VerifyCode::MalformedEvidence),
            }
        }
    }

    #[test]
    fn approvals_out_of_order_or_doubled_are_no_evidence() {
        let approval = |name: &str| Approval { approver: name.to_owned(), signature: [5; 64] };
        for names in [["bo", "anna"], ["anna", "anna"]] {
            let signed = SignedRequest { request: request(), approvals: names.map(approval).to_vec() };
            assert_eq!(
                SignedRequest::decode(&signed.encode()).unwrap_err().code,
                VerifyCode::MalformedEvidence
            );
        }
    }

    #[test]
    fn evidence_over_32_kib_is_refused_before_it_is_read() {
        let error = SignedRequest::decode(&vec![EVIDENCE_VERSION; limits::EVIDENCE_BYTES + 1]).unwrap_err();
        assert_eq!(error.code, VerifyCode::EvidenceTooLarge);
    }
}

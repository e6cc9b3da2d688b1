//! Checks requests and their evidence against the group and the approvers that the policy names.

use std::collections::BTreeMap;

use igra_config::{PolicyFile, SourceRule};
use igra_core::{Evidence, SourceName, UnixSeconds, VerifiedEvent};
use igra_group::{Group, GroupId, Network};
use igra_tx::{Payment, Script};

use crate::events::{
    RequestJson, SignedRequest, VerifyCode, VerifyError, approvals::KnownKey, limits, request::too_large,
};

/// Knows the sources of one policy. A changed policy makes a new one.
#[derive(Clone, Debug)]
pub struct Verifier {
    network: Network,
    group: GroupId,
    sources: BTreeMap<String, Source>,
}

/// A policy whose approvers cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the public key of approver {0} is not one of its scheme")]
pub struct VerifierError(String);

#[derive(Clone, Debug)]
struct Source {
    approvers: BTreeMap<String, KnownKey>,
    needed: usize,
    trust_ingress: bool,
}

impl Verifier {
    /// For a group and a checked policy.
    pub fn new(group: &Group, policy: &PolicyFile) -> Result<Self, VerifierError> {
        let sources = policy.sources.iter().map(|rule| Ok((rule.name.clone(), Source::new(rule, policy)?)));
        Ok(Self { network: group.network(), group: group.id(), sources: sources.collect::<Result<_, _>>()? })
    }

    /// Verifies what a peer handed on.
    pub fn verify(&self, evidence: &Evidence) -> Result<VerifiedEvent, VerifyError> {
        let signed = SignedRequest::decode(&evidence.bytes)?;
        if signed.request.source != evidence.source.0 {
            let message = "the evidence stands under another source than it names";
            return Err(VerifyError::new(VerifyCode::MalformedEvidence, message));
        }
        let recipient = self.check(&signed)?;
        Ok(self.event(signed, recipient, evidence.bytes.clone()))
    }

    /// Verifies a client's JSON, and makes the evidence that peers will get.
    pub fn verify_json(&self, body: &[u8]) -> Result<VerifiedEvent, VerifyError> {
        let signed = RequestJson::parse(body)?.into_signed(self.network, self.group)?;
        let recipient = self.check(&signed)?;
        let evidence = signed.encode();
        if evidence.len() > limits::EVIDENCE_BYTES {
            return Err(too_large(evidence.len()));
        }
        Ok(self.event(signed, recipient, evidence))
    }

    fn check(&self, signed: &SignedRequest) -> Result<Script, VerifyError> {
        let recipient = signed.request.check(self.network)?;
        let Some(source) = self.sources.get(&signed.request.source) else {
            let message = format!("the policy has no source {:?}", signed.request.source);
            return Err(VerifyError::at(VerifyCode::UnknownSource, "source", message));
        };
        source.check_approvals(signed, &signed.request.hash(self.network, self.group))?;
        Ok(recipient)
    }

    fn event(&self, signed: SignedRequest, recipient: Script, evidence: Vec<u8>) -> VerifiedEvent {
        let request = signed.request;
        let payment = Payment {
            event: request.event_key(self.network),
            payload: request.payload_hash(&recipient),
            recipient,
            amount: request.amount,
        };
        let source = SourceName(request.source);
        let evidence = Evidence { source: source.clone(), bytes: evidence };
        VerifiedEvent {
            payment,
            source,
            deadline: request.deadline.map(UnixSeconds),
            memo: request.memo,
            evidence,
        }
    }
}

impl Source {
    fn new(rule: &SourceRule, policy: &PolicyFile) -> Result<Self, VerifierError> {
        let key = |name: &String| {
            let key =
                policy.approver(name).and_then(KnownKey::of).ok_or_else(|| VerifierError(name.clone()))?;
            Ok((name.clone(), key))
        };
        Ok(Self {
            approvers: rule.api.approvers.iter().map(key).collect::<Result<_, _>>()?,
            needed: usize::from(rule.api.approvals),
            trust_ingress: rule.api.trust_ingress,
        })
    }

    /// Each approval must be good, and their number enough; names are distinct by the evidence's own form.
    fn check_approvals(&self, signed: &SignedRequest, hash: &[u8; 32]) -> Result<(), VerifyError> {
        for approval in &signed.approvals {
            let Some(key) = self.approvers.get(&approval.approver) else {
                let message = format!("{:?} is no approver of this source", approval.approver);
                return Err(VerifyError::at(VerifyCode::UnknownApprover, "approvals", message));
            };
            if !key.verifies(hash, &approval.signature) {
                let message = format!("the signature of {:?} is not one of this request", approval.approver);
                return Err(VerifyError::at(VerifyCode::InvalidSignature, "approvals", message));
            }
        }
        if signed.approvals.len() < self.needed && !self.trust_ingress {
            let message =
                format!("{} of the {} approvals that this source needs", signed.approvals.len(), self.needed);
            return Err(VerifyError::at(VerifyCode::TooFewApprovals, "approvals", message));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        events::{Approval, request::tests::request},
        keys::{
            ApproverKey,
            tests::{ed25519_key, group, schnorr_key},
        },
    };
    use igra_config::{ApiSource, Approver, ApproverScheme};
    use proptest::prelude::*;

    /// Source `desk` needs two of anna (Schnorr), bo (Ed25519) and cy (Schnorr); source `dev` takes anything.
    fn verifier() -> Verifier {
        let approver =
            |name: &str, scheme, public_key| Approver { name: name.to_owned(), scheme, public_key };
        let approvers = vec![
            approver("anna", ApproverScheme::Schnorr, schnorr_key(11).public_key().to_string()),
            approver("bo", ApproverScheme::Ed25519, ed25519_key(12).id().to_string()),
            approver("cy", ApproverScheme::Schnorr, schnorr_key(13).public_key().to_string()),
        ];
        let names = approvers.iter().map(|approver| approver.name.clone()).collect();
        let source = |name: &str, api| SourceRule { name: name.to_owned(), deadline_seconds: 60, api };
        let desk = source("desk", ApiSource { approvers: names, approvals: 2, trust_ingress: false });
        let dev = source("dev", ApiSource { trust_ingress: true, ..ApiSource::default() });
        let policy = PolicyFile { approvers, sources: vec![desk, dev], ..PolicyFile::default() };
        policy.check().unwrap();
        Verifier::new(&group(), &policy).unwrap()
    }

    fn hash() -> [u8; 32] {
        request().hash(Network::Simnet, group().id())
    }

    fn approval(name: &str) -> Approval {
        let signature = match name {
            "anna" => ApproverKey::Schnorr(schnorr_key(11)).sign(&hash()),
            "bo" => ApproverKey::Ed25519(ed25519_key(12)).sign(&hash()),
            _ => ApproverKey::Schnorr(schnorr_key(13)).sign(&hash()),
        };
        Approval { approver: name.to_owned(), signature }
    }

    fn verify(approvals: Vec<Approval>) -> Result<VerifiedEvent, VerifyCode> {
        let bytes = SignedRequest { request: request(), approvals }.encode();
        let evidence = Evidence { source: SourceName("desk".to_owned()), bytes };
        verifier().verify(&evidence).map_err(|error| error.code)
    }

    #[test]
    fn any_two_of_three_approvers_are_enough_in_either_scheme() {
        for pair in [["anna", "bo"], ["anna", "cy"], ["bo", "cy"]] {
            let event = verify(pair.map(approval).to_vec()).unwrap();
            assert_eq!(event.payment.amount, request().amount);
            assert_eq!(event.deadline, request().deadline.map(UnixSeconds));
        }
    }

    #[test]
    fn one_approver_is_too_few_and_counts_once() {
        assert_eq!(verify(vec![approval("anna")]), Err(VerifyCode::TooFewApprovals));
        assert_eq!(verify(vec![approval("anna"), approval("anna")]), Err(VerifyCode::MalformedEvidence));
        assert_eq!(verify(vec![]), Err(VerifyCode::TooFewApprovals));
    }

    #[test]
    fn a_bad_or_foreign_signature_spoils_the_whole() {
        let bent = Approval { signature: [9; 64], ..approval("bo") };
        assert_eq!(verify(vec![approval("anna"), bent, approval("cy")]), Err(VerifyCode::InvalidSignature));
        let stranger = Approval { approver: "dora".to_owned(), ..approval("cy") };
        assert_eq!(
            verify(vec![approval("anna"), approval("bo"), stranger]),
            Err(VerifyCode::UnknownApprover)
        );
        let borrowed = Approval { approver: "cy".to_owned(), ..approval("anna") };
        assert_eq!(verify(vec![approval("anna"), borrowed]), Err(VerifyCode::InvalidSignature));
    }

    #[test]
    fn a_signature_of_another_request_does_not_count() {
        let mut other = request();
        other.amount = igra_group::Sompi(1);
        let bytes =
            SignedRequest { request: other, approvals: vec![approval("anna"), approval("bo")] }.encode();
        let evidence = Evidence { source: SourceName("desk".to_owned()), bytes };
        assert_eq!(verifier().verify(&evidence).unwrap_err().code, VerifyCode::InvalidSignature);
    }

    #[test]
    fn json_and_evidence_of_one_request_are_one_event() {
        let approvals = ["anna", "bo"].map(approval);
        let by_evidence = verify(approvals.to_vec()).unwrap();
        let json = serde_json::json!({
            "source": "desk", "id": request().id, "recipient": request().recipient, "amountSompi": request().amount.0,
            "deadline": request().deadline, "memo": request().memo,
            "approvals": approvals.map(|a| serde_json::json!({"approver": a.approver, "signature": hex::encode(a.signature)})),
        });
        assert_eq!(verifier().verify_json(json.to_string().as_bytes()), Ok(by_evidence));
    }

    #[test]
    fn evidence_under_another_source_is_refused() {
        let signed = SignedRequest { request: request(), approvals: vec![] };
        let evidence = Evidence { source: SourceName("dev".to_owned()), bytes: signed.encode() };
        assert_eq!(verifier().verify(&evidence).unwrap_err().code, VerifyCode::MalformedEvidence);
    }

    #[test]
    fn a_source_that_trusts_ingress_needs_no_approval_and_an_unknown_one_takes_none() {
        let of = |source: &str| {
            let request = crate::events::Request { source: source.to_owned(), ..request() };
            let bytes = SignedRequest { request, approvals: vec![] }.encode();
            verifier().verify(&Evidence { source: SourceName(source.to_owned()), bytes })
        };
        assert!(of("dev").is_ok());
        assert_eq!(of("elsewhere").unwrap_err().code, VerifyCode::UnknownSource);
    }

    #[test]
    fn a_key_that_is_none_is_told_by_its_approver() {
        let anna = Approver {
            name: "anna".to_owned(),
            scheme: ApproverScheme::Schnorr,
            public_key: "ff".repeat(32),
        };
        let api = ApiSource { approvers: vec!["anna".to_owned()], approvals: 1, trust_ingress: false };
        let desk = SourceRule { name: "desk".to_owned(), deadline_seconds: 60, api };
        let policy = PolicyFile { approvers: vec![anna], sources: vec![desk], ..PolicyFile::default() };
        assert_eq!(Verifier::new(&group(), &policy).unwrap_err(), VerifierError("anna".to_owned()));
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes: Vec<u8>) {
            let mut versioned = vec![1];
            versioned.extend(&bytes);
            for bytes in [bytes.clone(), versioned] {
                let _ = verifier().verify(&Evidence { source: SourceName("dev".to_owned()), bytes });
            }
            let _ = verifier().verify_json(&bytes);
        }

        #[test]
        fn no_text_makes_it_panic(text: String, amount in ".{0,30}", recipient in "kaspa(sim|test|)?:[a-z0-9]{0,80}") {
            let json = serde_json::json!({"source": "dev", "id": text, "recipient": recipient, "amountSompi": amount});
            let _ = verifier().verify_json(json.to_string().as_bytes());
            let _ = verifier().verify_json(text.as_bytes());
        }
    }
}

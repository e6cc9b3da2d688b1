//! `igra-signer approve`: an approver's signature under a request.

use std::{fs, path::PathBuf};

use anyhow::{Context, ensure};
use clap::{Args, ValueEnum};
use igra_config::{ApproverScheme, LogConfig, LogFormat};

use crate::{
    cli::logs,
    events::{ApprovalJson, RequestJson},
    keys::ApproverKey,
};

pub const EXAMPLES: &str = "Examples:
  igra-signer approve --key anna.key --approver anna request.json > signed.json
  igra-signer approve --key bo.key --approver bo --scheme ed25519 --in-place request.json

A request:
  {\"network\": \"testnet-10\", \"group\": \"<group id>\", \"source\": \"desk\", \"id\": \"invoice-42\",
   \"recipient\": \"kaspatest:…\", \"amountSompi\": \"150000000\", \"memo\": \"rent\"}

`igra-signer keygen --member anna --out anna` makes keys that serve: anna/signing.key for schnorr, whose `publicKey` goes
into the policy, or anna/transport.key for ed25519 with its `transportId`.

Network and group id are what `GET /v1/identity` of a signer says. Send the signed request to `POST /v1/events`.";

#[derive(Debug, Args)]
pub struct Approve {
    /// The approver's key: a file of 64 digits of hex
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    /// The approver's name in the policy
    #[arg(long, value_name = "NAME")]
    approver: String,
    #[arg(long, value_enum, default_value_t)]
    scheme: Scheme,
    /// Writes the signature into the file instead of printing the signed request
    #[arg(long)]
    in_place: bool,
    /// The request, in JSON
    #[arg(value_name = "REQUEST")]
    request: PathBuf,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Scheme {
    /// BIP-340 over secp256k1
    #[default]
    Schnorr,
    Ed25519,
}

impl Approve {
    pub fn run(self) -> anyhow::Result<()> {
        // For the warning about a key file that everyone may read.
        logs::start(&LogConfig { format: LogFormat::Text, level: "warn".to_owned() })?;
        let file = self.request.display().to_string();
        let body = fs::read(&self.request).with_context(|| format!("could not read {file}"))?;
        let mut request = RequestJson::parse(&body).with_context(|| file.clone())?;
        let key = ApproverKey::read(self.scheme.into(), &self.key)?;
        let shown = sign(&mut request, &self.approver, &key).with_context(|| file.clone())?;
        let signed = serde_json::to_string_pretty(&request)? + "\n";
        match self.in_place {
            true => fs::write(&self.request, signed).with_context(|| format!("could not write {file}"))?,
            false => print!("{signed}"),
        }
        eprintln!("{} (public key {}) approves {shown}", self.approver, key.public_key());
        Ok(())
    }
}

/// Adds a signature; says what was signed.
fn sign(request: &mut RequestJson, approver: &str, key: &ApproverKey) -> anyhow::Result<String> {
    let (network, group) = request.signed_for()?;
    let asked = request.request()?;
    asked.check(network)?;
    let again = request.approvals.iter().any(|approval| approval.approver == approver);
    ensure!(!again, "{approver} has signed it already");
    let signature = hex::encode(key.sign(&asked.hash(network, group)));
    request.approvals.push(ApprovalJson { approver: approver.to_owned(), signature });
    Ok(format!("{} {}: {} to {} on {network}", asked.source, asked.id, asked.amount, asked.recipient))
}

impl From<Scheme> for ApproverScheme {
    fn from(scheme: Scheme) -> Self {
        match scheme {
            Scheme::Schnorr => Self::Schnorr,
            Scheme::Ed25519 => Self::Ed25519,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::tests::{ed25519_key, group, schnorr_key};
    use crate::{events::Verifier, events::tests::address};
    use igra_config::{ApiSource, Approver, PolicyFile, SourceRule};
    use igra_group::Network;

    fn request() -> RequestJson {
        let text = serde_json::json!({
            "network": "simnet", "group": group().id(), "source": "desk", "id": "a", "amountSompi": 5,
            "recipient": address(Network::Simnet, 1),
        });
        RequestJson::parse(text.to_string().as_bytes()).unwrap()
    }

    #[test]
    fn a_request_signed_by_two_approvers_is_verified() {
        let keys =
            [("anna", ApproverKey::Schnorr(schnorr_key(21))), ("bo", ApproverKey::Ed25519(ed25519_key(22)))];
        let approvers = keys.iter().zip([ApproverScheme::Schnorr, ApproverScheme::Ed25519]).map(
            |((name, key), scheme)| Approver {
                name: (*name).to_owned(),
                scheme,
                public_key: key.public_key(),
            },
        );
        let names = keys.iter().map(|(name, _)| (*name).to_owned()).collect();
        let api = ApiSource { approvers: names, approvals: 2, trust_ingress: false };
        let policy = PolicyFile {
            approvers: approvers.collect(),
            sources: vec![SourceRule { name: "desk".to_owned(), deadline_seconds: 60, api }],
            ..PolicyFile::default()
        };
        let mut request = request();

        for (name, key) in &keys {
            sign(&mut request, name, key).unwrap();
        }

        let body = serde_json::to_vec(&request).unwrap();
        Verifier::new(&group(), &policy).unwrap().verify_json(&body).unwrap();
    }

    #[test]
    fn nobody_signs_twice_or_for_no_group() {
        let key = ApproverKey::Schnorr(schnorr_key(21));
        let mut signed = request();
        sign(&mut signed, "anna", &key).unwrap();
        assert!(sign(&mut signed, "anna", &key).unwrap_err().to_string().contains("already"));
        let mut loose = RequestJson { group: None, ..request() };
        assert!(sign(&mut loose, "anna", &key).unwrap_err().to_string().contains("group"));
    }
}

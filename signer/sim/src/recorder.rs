//! Keeps what is said and written in a run, as the inputs from which the fuzz targets begin.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs, io,
    path::Path,
};

use igra_core::{
    Family, Row,
    messages::{self, Message},
};
use igra_group::{Group, MemberIndex, Network, tagged_hash};
use igra_tx::{Proposal, ProposalId, SignedTransaction};

/// Most inputs of one target and kind: a run says the same things again and again.
const MOST_OF_A_KIND: usize = 20;
const SIGNATURE_BYTES: usize = 64;

/// Distinct inputs by target and kind.
#[derive(Clone, Debug, Default)]
pub struct Recorder(BTreeMap<(&'static str, u8), BTreeSet<Vec<u8>>>);

impl Recorder {
    /// Writes every input to a file of its own in the folder of its target, named by its hash.
    ///
    /// # Errors
    /// A folder or a file cannot be written.
    pub fn write(&self, folder: &Path) -> io::Result<()> {
        for ((target, _), inputs) in &self.0 {
            let folder = folder.join(target);
            fs::create_dir_all(&folder)?;
            for input in inputs {
                let hash = tagged_hash("igra.dev 2026 fuzz input", input);
                let name: String = hash[..8].iter().map(|byte| format!("{byte:02x}")).collect();
                fs::write(folder.join(name), input)?;
            }
        }
        Ok(())
    }

    pub(crate) fn said(&mut self, group: &Group, sealed: &[u8]) {
        let Ok(opened) = messages::open(group, sealed) else { return };
        let kind = opened.header.kind as u8;
        self.keep("sealed", kind, sealed.to_vec());
        self.keep("resealed", kind, sealed[..sealed.len() - SIGNATURE_BYTES].to_vec());
        self.keep("body", kind, [&[kind], opened.body.as_slice()].concat());
        // As one turn of a conversation: a body under the seal of a member.
        let length = (opened.body.len() as u16).to_le_bytes();
        let MemberIndex(member) = opened.header.member;
        self.keep(
            "talk",
            kind,
            [&[0, 0, member, kind, length[0], length[1]], opened.body.as_slice()].concat(),
        );
        match Message::decode(opened.header.kind, &opened.body) {
            Some(Message::Propose(propose)) => self.proposed(propose.proposal),
            Some(Message::Body(body)) => self.proposed(body.proposal),
            Some(_) | None => {}
        }
    }

    fn proposed(&mut self, bytes: Vec<u8>) {
        let Ok(proposal) = Proposal::decode(&bytes) else { return };
        let scripts = proposal.outputs.iter().map(|output| &output.script);
        for address in scripts.filter_map(|script| script.to_address(Network::Simnet)) {
            self.keep("address", 0, address.into_bytes());
        }
        self.keep("payload", proposal.kind as u8, proposal.payload);
        self.keep("proposal", proposal.kind as u8, bytes);
    }

    /// One batch, in the form that the target takes: family, lengths of key and value, key, value.
    pub(crate) fn written(&mut self, batch: &[Row]) {
        let mut rows = Vec::new();
        for row in batch {
            let Some(value) = &row.value else { continue };
            let family = Family::ALL.into_iter().position(|family| family == row.family).unwrap_or(0) as u8;
            rows.extend([family, row.key.len() as u8]);
            rows.extend((value.len() as u16).to_le_bytes());
            rows.extend(row.key.iter().chain(value));
            self.row(row.family, &value[1..]);
        }
        let families: BTreeSet<Family> = batch.iter().map(|row| row.family).collect();
        let kind = families.into_iter().fold(0u8, |kind, family| kind.wrapping_mul(31) ^ family as u8);
        self.keep("rows", kind, rows);
    }

    fn row(&mut self, family: Family, value: &[u8]) {
        if family == Family::Partial {
            self.keep("partial", 0, value.to_vec());
        }
        if family == Family::Outbox
            && let Ok((_, transaction)) = borsh::from_slice::<(ProposalId, SignedTransaction)>(value)
        {
            let script = transaction.signature_scripts.first().cloned().unwrap_or_default();
            self.keep("last_push", 0, script);
            self.keep("signed_transaction", 0, value[32..].to_vec());
        }
    }

    fn keep(&mut self, target: &'static str, kind: u8, input: Vec<u8>) {
        let inputs = self.0.entry((target, kind)).or_default();
        if inputs.len() < MOST_OF_A_KIND {
            inputs.insert(input);
        }
    }
}

//! Groups, events and signers for tests: real keys, no world.

use ed25519_dalek::{Signer as _, SigningKey};
use igra_group::{
    Depths, Digest, Group, Member, MemberIndex, MemberKey, Network, Predecessor, SignatureScheme, Sompi,
    TransportId, Wallet,
};
use igra_tx::{
    Coin, EventKey, FeeLimits, FeeRate, Outpoint, Partial, PayloadHash, Payment, Proposal, Script, Signature,
    TransactionId,
};
use secp256k1::{Keypair, Message as Digest32, SECP256K1, SecretKey};

use crate::{
    AcceptedBlock, AcceptedTransaction, BlockId, ChainUpdate, Coordinator, Effect, Evidence, Ignored, Input,
    MessageKind, Millis, Now, Policy, Records, Row, Signs, SourceName, SourceRules, Step, Timing, To,
    UnixSeconds, VerifiedEvent, WalletUpdate,
    messages::{self, Header, Hello, Message, Standing},
};

pub(crate) const DEPTHS: Depths = Depths { coin: 2, deposit: 5, settled: 10, final_: 30 };
pub(crate) const TIMING: Timing = Timing {
    view_timeout: Millis(1_000),
    view_timeout_cap: Millis(8_000),
    rank_delay: Millis(200),
    catch_up: Millis(60_000),
};
const START: Now = Now { monotonic: Millis(10_000), utc: UnixSeconds(1_000_000) };

fn signing_key(secret: u8) -> Keypair {
    Keypair::from_secret_key(SECP256K1, &SecretKey::from_slice(&[secret + 1; 32]).unwrap())
}

fn transport_key(secret: u8) -> SigningKey {
    SigningKey::from_bytes(&[secret + 101; 32])
}

/// The secrets of the members, in script order.
fn in_script_order(members: u8) -> Vec<u8> {
    let mut order: Vec<u8> = (0..members).collect();
    order.sort_by_key(|secret| signing_key(*secret).x_only_public_key().0.serialize());
    order
}

pub(crate) fn group(members: u8, needed: u8, quorum: Option<u8>) -> Group {
    let member = |secret: u8| Member {
        name: format!("signer-{secret}"),
        key: MemberKey::from_bytes(
            SignatureScheme::Schnorr,
            signing_key(secret).x_only_public_key().0.serialize().to_vec(),
        )
        .unwrap(),
        transport: TransportId(Digest(transport_key(secret).verifying_key().to_bytes())),
    };
    let members = (0..members).map(member).collect();
    Group::new(
        Network::Simnet,
        SignatureScheme::Schnorr,
        needed,
        quorum,
        members,
        DEPTHS,
        Group::DEFAULT_DUST,
    )
    .unwrap()
}

/// A wallet of two of three other keys, whose coins move to the group.
pub(crate) fn predecessor() -> Predecessor {
    let key = |secret: u8| {
        let bytes = signing_key(secret).x_only_public_key().0.serialize().to_vec();
        MemberKey::from_bytes(SignatureScheme::Schnorr, bytes).unwrap()
    };
    let keys = (50..53).map(key).collect();
    let wallet = Wallet::new(Network::Simnet, SignatureScheme::Schnorr, 2, keys).unwrap();
    Predecessor { wallet, dust: Group::DEFAULT_DUST }
}

/// The transport signature of a member of a group of three.
pub(crate) fn transport(member: MemberIndex, bytes: &[u8]) -> [u8; 64] {
    transport_of(3, member, bytes)
}

/// The seal of a member of a group of so many.
fn transport_of(members: u8, member: MemberIndex, bytes: &[u8]) -> [u8; 64] {
    let secret = in_script_order(members).get(usize::from(member.0)).copied().unwrap_or(77);
    transport_key(secret).sign(bytes).to_bytes()
}

pub(crate) fn seal_as(header: &Header, body: &[u8]) -> Vec<u8> {
    messages::seal(header, body, |bytes| transport(header.member, bytes)).unwrap()
}

pub(crate) fn recipient(index: u8) -> Script {
    let mut bytes = vec![0x20];
    bytes.extend([index; 32]);
    bytes.push(0xac);
    Script { version: 0, bytes }
}

/// An event of a few KAS.
pub(crate) fn event(id: u64) -> VerifiedEvent {
    event_of(id, 500_000_000)
}

pub(crate) fn event_of(id: u64, sompi: u64) -> VerifiedEvent {
    let (recipient, amount) = (recipient(1), Sompi(sompi));
    let payload = PayloadHash::derive(&recipient, amount, &[]);
    let event = EventKey::derive(Network::Simnet, "test", "", &id.to_le_bytes());
    VerifiedEvent {
        payment: Payment { event, payload, recipient, amount },
        source: SourceName("test".to_owned()),
        deadline: None,
        memo: String::new(),
        evidence: Evidence { source: SourceName("test".to_owned()), bytes: id.to_le_bytes().to_vec() },
    }
}

pub(crate) fn policy() -> Policy {
    Policy {
        amount_min: Sompi::ZERO,
        amount_max: None,
        volumes: Vec::new(),
        allow: [recipient(1)].into(),
        sources: [(SourceName("test".to_owned()), SourceRules { deadline_seconds: 1_000 })].into(),
        internal: Default::default(),
        fee: FeeLimits { max_sompi_per_gram: 10_000, max: Sompi(1_000_000_000) },
        batch: crate::BatchRules::default(),
        replace_after: Millis(10_000),
    }
}

/// One of the group's coins, deep enough from the start.
pub(crate) fn coin(group: &Group, number: u8, kas: u64) -> Coin {
    let outpoint = Outpoint { transaction: TransactionId::from_bytes([number; 32]), index: 0 };
    let (amount, script) = (Sompi(kas * 100_000_000), Script::of_wallet(group.wallet()));
    Coin { outpoint, amount, script, daa_score: 1, coinbase: false }
}

/// A member of a group of three with a coordinator, and the hands to play the other two.
pub(crate) struct Signer {
    pub group: Group,
    pub me: MemberIndex,
    pub mind: Coordinator,
    pub now: Now,
    pub rows: std::collections::BTreeMap<(crate::Family, Vec<u8>), Vec<u8>>,
    sequences: u64,
}

impl Signer {
    /// The member of this index, with a synced node that shows three coins.
    pub(crate) fn new(me: u8, quorum: u8) -> Self {
        Self::with_policy(me, quorum, policy())
    }

    pub(crate) fn with_policy(me: u8, quorum: u8, policy: Policy) -> Self {
        Self::of(group(3, 2, Some(quorum)), me, policy)
    }

    pub(crate) fn of(group: Group, me: u8, policy: Policy) -> Self {
        let me = MemberIndex(me);
        let (mind, step) = Coordinator::restore(
            group.clone(),
            me,
            policy,
            TIMING,
            Records::default(),
            Signs::default(),
            START,
        );
        let mut signer = Self { group, me, mind, now: START, rows: Default::default(), sequences: 0 };
        signer.write(&step.writes);
        // The group is as new as its store, and the others are there.
        signer.take(Input::Chain(tip_at(0)));
        signer.wallet(Vec::new());
        signer.greeted();
        let coins = [10, 20, 30].map(|kas| coin(&signer.group, kas as u8, kas));
        signer.wallet(coins.to_vec());
        signer
    }

    pub(crate) fn wallet(&mut self, coins: Vec<Coin>) -> Step {
        let update = WalletUpdate {
            virtual_daa: 100,
            coins,
            predecessor: Vec::new(),
            fee_rate: FeeRate::new(100),
            synced: true,
        };
        self.take(Input::Wallet(update))
    }

    pub(crate) fn take(&mut self, input: Input) -> Step {
        let step = self.mind.handle(self.now, input);
        self.write(&step.writes);
        step
    }

    /// Takes an input and signs what it asks for, as the edge does.
    pub(crate) fn take_and_sign(&mut self, input: Input) -> Step {
        let mut step = self.take(input);
        while let Some(at) = step.effects.iter().position(|effect| matches!(effect, Effect::Sign { .. })) {
            let Effect::Sign { proposal } = step.effects.remove(at) else {
                unreachable!("it was just found")
            };
            let next = self.take(Input::Signed(partial(&self.group, self.me, &proposal)));
            step.writes.extend(next.writes);
            step.effects.extend(next.effects);
            step.alarms.extend(next.alarms);
            step.ignored = step.ignored.or(next.ignored);
        }
        step
    }

    pub(crate) fn after(&mut self, ms: u64) -> Step {
        self.now.monotonic.0 += ms;
        self.take_and_sign(Input::Tick)
    }

    /// A message of another member.
    pub(crate) fn hear(&mut self, from: u8, message: &Message) -> Step {
        let sealed = self.sealed(from, message);
        self.take_and_sign(Input::Received(sealed))
    }

    /// The same, with the signature still to come.
    pub(crate) fn hear_unsigned(&mut self, from: u8, message: &Message) -> Step {
        let sealed = self.sealed(from, message);
        self.take(Input::Received(sealed))
    }

    pub(crate) fn sealed(&mut self, from: u8, message: &Message) -> Vec<u8> {
        self.sealed_in(1, from, message)
    }

    /// A message under some member's seal, of one of its epochs.
    pub(crate) fn sealed_in(&mut self, epoch: u64, from: u8, message: &Message) -> Vec<u8> {
        self.sequences += 1;
        let header = Header {
            network: self.group.network(),
            group: self.group.id(),
            member: MemberIndex(from),
            epoch,
            sequence: self.sequences,
            kind: message.kind(),
        };
        let members = self.group.threshold().members();
        messages::seal(&header, &message.encode(), |bytes| transport_of(members, header.member, bytes))
            .unwrap()
    }

    /// Hello from the two others, as they say it once they have heard of this start.
    pub(crate) fn greeted(&mut self) -> Step {
        let mut step = Step::default();
        let me = self.me.0;
        for other in (0..3).filter(|other| *other != me) {
            let hello = self.hello();
            let next = self.hear_unsigned(other, &Message::Hello(hello));
            step.effects.extend(next.effects);
        }
        step
    }

    /// What another member says that knows all of this one.
    pub(crate) fn hello(&self) -> Hello {
        let heard = self.group.indices().map(|_| self.mind.own_heard()).collect();
        Hello {
            promise: 0,
            seen: self.group.indices().map(|_| 0).collect(),
            view: 0,
            config: self.group.config_digest(),
            policy: policy().digest(),
            software: String::new(),
            tag: None,
            standing: Standing { heard, answer: true },
        }
    }

    /// Stops and starts again from what was written, and the others are there.
    pub(crate) fn restart(&mut self) -> Step {
        let mut step = self.restart_alone(Signs::default());
        step.effects.extend(self.greeted().effects);
        step
    }

    /// The same, and nobody has said hello.
    pub(crate) fn restart_alone(&mut self, signs: Signs) -> Step {
        let rows = self.rows.iter().map(|((family, key), value)| (*family, key.clone(), value.clone()));
        let records = Records::read(rows).unwrap();
        let (mind, step) =
            Coordinator::restore(self.group.clone(), self.me, policy(), TIMING, records, signs, self.now);
        self.mind = mind;
        self.write(&step.writes);
        step
    }

    /// A block that accepts transactions, with the tip some blocks above it.
    pub(crate) fn accept(&mut self, block: u8, daa_score: u64, tip: u64, proposals: &[&Proposal]) -> Step {
        let accepted = |proposal: &&Proposal| AcceptedTransaction {
            id: proposal.transaction_id(),
            spends: proposal.outpoints().into_iter().collect(),
            pays: self.group_outputs(proposal),
            payload: proposal.payload.clone(),
            by_group: true,
            by_predecessor: false,
            signers: Vec::new(),
            body: Vec::new(),
        };
        let transactions: Vec<_> = proposals.iter().map(accepted).collect();
        let block = AcceptedBlock { block: BlockId::from_bytes([block; 32]), daa_score, transactions };
        self.take(Input::Chain(ChainUpdate { added: vec![block], ..tip_at(tip) }))
    }

    fn group_outputs(&self, proposal: &Proposal) -> Vec<(u32, Sompi)> {
        let home = Script::of_wallet(self.group.wallet());
        let outputs = proposal.outputs.iter().zip(0..).filter(|(output, _)| output.script == home);
        outputs.map(|(output, index)| (index, output.amount)).collect()
    }

    pub(crate) fn reorganise(&mut self, block: u8, tip: u64) -> Step {
        self.take(Input::Chain(ChainUpdate {
            removed: vec![BlockId::from_bytes([block; 32])],
            ..tip_at(tip)
        }))
    }

    fn write(&mut self, rows: &[Row]) {
        for row in rows {
            let key = (row.family, row.key.clone());
            match &row.value {
                Some(value) => drop(self.rows.insert(key, value.clone())),
                None => drop(self.rows.remove(&key)),
            }
        }
    }
}

pub(crate) fn tip_at(virtual_daa: u64) -> ChainUpdate {
    let cursor = BlockId::from_bytes([0xee; 32]);
    ChainUpdate {
        removed: Vec::new(),
        added: Vec::new(),
        cursor,
        cursor_daa: virtual_daa,
        virtual_daa,
        restarted: false,
        gapless: true,
    }
}

/// A genuine partial of any member of a group of three.
pub(crate) fn partial(group: &Group, member: MemberIndex, proposal: &Proposal) -> Partial {
    let key = signing_key(in_script_order(group.threshold().members())[usize::from(member.0)]);
    let sign = |hash: &igra_tx::SigHash| {
        Signature(SECP256K1.sign_schnorr_no_aux_rand(&Digest32::from_digest(hash.0), &key).serialize())
    };
    igra_tx::sign(group, proposal, member, sign).unwrap()
}

/// What a test looks for in a step.
impl Step {
    pub(crate) fn sent(&self) -> Vec<(To, Message)> {
        let sent = self.effects.iter().filter_map(|effect| match effect {
            Effect::Send { to, kind, body, .. } => Some((*to, Message::decode(*kind, body)?)),
            Effect::Relay { .. }
            | Effect::Verify { .. }
            | Effect::Sign { .. }
            | Effect::Submit { .. }
            | Effect::SubmitRaw { .. }
            | Effect::Draw
            | Effect::Note(_) => None,
        });
        sent.collect()
    }

    pub(crate) fn sent_kinds(&self) -> Vec<MessageKind> {
        self.sent().iter().map(|(_, message)| message.kind()).collect()
    }

    pub(crate) fn proposals(&self) -> Vec<Proposal> {
        let sent = self.sent().into_iter();
        let proposals = sent.filter_map(|(_, message)| match message {
            Message::Propose(propose) => Proposal::decode(&propose.proposal).ok(),
            _ => None,
        });
        proposals.collect()
    }

    pub(crate) fn refusals(&self) -> Vec<crate::RefusalCode> {
        let sent = self.sent().into_iter();
        let codes = sent.filter_map(|(_, message)| match message {
            Message::Refuse(refuse) => Some(refuse.code),
            _ => None,
        });
        codes.collect()
    }

    pub(crate) fn submitted(&self) -> Vec<TransactionId> {
        let ids = self.effects.iter().filter_map(|effect| match effect {
            Effect::Submit { transaction, .. } => Some(transaction.id()),
            _ => None,
        });
        ids.collect()
    }

    pub(crate) fn ignored(&self) -> Option<Ignored> {
        self.ignored.clone()
    }
}

/// The proposal that any member drafts for a payment from these coins, if it avoids none.
pub(crate) fn draft(
    group: &Group,
    view: &igra_tx::ChainView,
    payments: &[igra_tx::Payment],
) -> Result<Proposal, igra_tx::DraftError> {
    let (tags, avoid) = (Default::default(), Default::default());
    let purpose = igra_tx::Purpose::Pay(payments);
    let order =
        igra_tx::Draft { purpose, tags: &tags, limits: &policy().fee, avoid: &avoid, must_share: &[] };
    igra_tx::draft(group, view, &order)
}

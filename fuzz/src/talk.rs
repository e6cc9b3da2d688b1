//! Any bytes as a conversation: what its peers, its node, its doors and its clocks do to one coordinator. The others'
//! seals are genuine, so nothing ends at a signature.

use igra_core::{
    AcceptedBlock, AcceptedTransaction, BlockId, ChainUpdate, Input, WalletUpdate,
    messages::{
        self, Approve, Body, Certificate, Digest, Ended, FinalClaim, Header, Hello, Hint, Message,
        MessageKind, PartialMessage, Propose, Refuse, Standing, Status,
    },
};
use igra_group::{MemberIndex, Sompi};
use igra_tx::{EventKey, FeeRate, Proposal, Script};

use super::{
    keys::{self, MEMBERS},
    listener::Listener,
    world::{TIP, coins, draft, event, policy},
};

/// Longest conversation: what it is worth is found in short ones.
const MOST_TURNS: usize = 400;

/// The first byte chooses the group and the listener; then each turn takes one byte for what happens and a few for how,
/// until there are none left.
pub fn talk(bytes: &[u8]) {
    if let Some(mut listener) = after(bytes) {
        listener.restart();
    }
}

/// Who listened, in the end.
pub fn after(bytes: &[u8]) -> Option<Listener> {
    let (shape, rest) = bytes.split_first()?;
    let (me, quorum) = (MemberIndex(shape % MEMBERS), 2 + (shape >> 4) % 2);
    let mut talk = Talk {
        rest,
        listener: Listener::new(me, quorum),
        proposals: Vec::new(),
        sealed: Vec::new(),
        sequence: 0,
        tip: TIP,
        frank: true,
    };
    // The group is as new as its listener's store, and the others are there.
    talk.chain(Vec::new(), Vec::new(), false);
    talk.wallet(0);
    (0..MEMBERS).filter(|member| *member != me.0).for_each(|member| talk.greet(member, 0, 0));
    talk.wallet(0x0fff);
    for _ in 0..MOST_TURNS {
        if talk.turn().is_none() {
            break;
        }
    }
    Some(talk.listener)
}

struct Talk<'a> {
    rest: &'a [u8],
    listener: Listener,
    proposals: Vec<Proposal>,
    /// Everything that was said under a seal, to be said again.
    sealed: Vec<Vec<u8>>,
    sequence: u64,
    tip: u64,
    /// What the coordinator asks for is answered at once.
    frank: bool,
}

impl Talk<'_> {
    fn turn(&mut self) -> Option<()> {
        match self.byte()? % 24 {
            0 => self.any_body()?,
            1 => {
                let bytes = self.bytes()?;
                self.take(Input::Received(bytes));
            }
            2 => {
                let event = event(self.byte()?);
                self.take(Input::Event(event));
            }
            3 => {
                self.listener.now.monotonic.0 += u64::from(self.byte()?) * 64;
                self.take(Input::Tick);
            }
            4 => self.draft()?,
            5 => {
                let (from, view, proposal) = (self.byte()?, self.byte()?.into(), self.proposal()?);
                self.say(from, &Message::Propose(Propose { view, proposal: encoded(&proposal) }));
            }
            6 => self.approve()?,
            7 => self.partial()?,
            8 => {
                let (from, proposal) = (self.byte()?, self.proposal()?.id());
                let approvals = self.sealed.iter().rev().take(4).cloned().collect();
                self.say(from, &Message::Certificate(Certificate { proposal, approvals }));
            }
            9 => {
                let (from, proposal) = (self.byte()?, encoded(&self.proposal()?));
                self.say(from, &Message::Body(Body { proposal }));
            }
            10 => self.accept()?,
            11 => {
                let removed = vec![BlockId::from_bytes([self.byte()?; 32])];
                self.chain(removed, Vec::new(), false);
            }
            12 => {
                let bits = u16::from_le_bytes([self.byte()?, self.byte()?]);
                self.wallet(bits);
            }
            13 => self.again()?,
            14 => self.listener.restart(),
            15 => self.other()?,
            16 => {
                let kindly = self.byte()? % 4 != 0;
                self.listener.answer(kindly);
            }
            17 => self.frank = self.byte()? % 2 == 0,
            18 => self.hello()?,
            19 => self.refuse()?,
            20 => {
                let (from, view) = (self.byte()?, self.number()?);
                self.say(from, &Message::Status(Status { view }));
            }
            21 => self.final_claim()?,
            22 => {
                let (from, answer) = (self.byte()?, self.byte()? % 2 == 0);
                let (first, last) = (EventKey::from_bytes([0; 32]), EventKey::from_bytes([0xff; 32]));
                let digest = Digest { view: 0, from: first, to: last, entries: Vec::new(), answer };
                self.say(from, &Message::Digest(digest));
            }
            _ => {
                self.listener.now.utc.0 = self.number()?;
                self.take(Input::Tick);
            }
        }
        Some(())
    }

    /// One input, and the answers to what it asks for.
    fn take(&mut self, input: Input) {
        self.listener.take(input);
        for _ in 0..16 * u8::from(self.frank) {
            self.listener.answer(true);
        }
    }

    /// A body of any bytes under a genuine seal.
    fn any_body(&mut self) -> Option<()> {
        let (from, kind, body) = (self.byte()?, self.byte()?, self.bytes()?);
        let kind = MessageKind::ALL[usize::from(kind) % MessageKind::ALL.len()];
        self.seal(from, kind, &body);
        Some(())
    }

    fn say(&mut self, from: u8, message: &Message) {
        self.seal(from, message.kind(), &message.encode());
    }

    fn seal(&mut self, from: u8, kind: MessageKind, body: &[u8]) {
        self.sequence += 1;
        let group = &self.listener.group;
        let header = Header {
            network: group.network(),
            group: group.id(),
            member: MemberIndex(from % MEMBERS),
            epoch: 1,
            sequence: self.sequence,
            kind,
        };
        let sign = |bytes: &[u8]| keys::transport(group, header.member, bytes);
        let Ok(sealed) = messages::seal(&header, body, sign) else { return };
        self.sealed.push(sealed.clone());
        self.take(Input::Received(sealed));
    }

    fn draft(&mut self) -> Option<()> {
        let (what, first, count) = (self.byte()?, self.byte()?, self.byte()? % 4 + 1);
        let bits = u16::from_le_bytes([self.byte()?, self.byte()?]);
        let events: Vec<_> = (0..count).map(|more| event(first.wrapping_add(more))).collect();
        let coins = coins(&self.listener.group, bits);
        self.proposals.extend(draft(&self.listener.group, coins, what, &events));
        Some(())
    }

    fn approve(&mut self) -> Option<()> {
        let (from, promise, proposal) = (self.byte()?, self.byte()?.into(), self.proposal()?);
        let group = &self.listener.group;
        let at_once = group.quorum().get() == group.threshold().needed();
        let partial = keys::partial(group, MemberIndex(from % MEMBERS), &proposal);
        let approve = Approve {
            proposal: proposal.id(),
            events: proposal.events.clone(),
            config: group.config_digest(),
            promise,
            view: 0,
            signatures: partial.filter(|_| at_once).map(|partial| partial.signatures),
        };
        self.say(from, &Message::Approve(approve));
        Some(())
    }

    fn partial(&mut self) -> Option<()> {
        let (from, proposal) = (self.byte()?, self.proposal()?);
        let partial = keys::partial(&self.listener.group, MemberIndex(from % MEMBERS), &proposal)?;
        let partial = PartialMessage { proposal: partial.proposal, signatures: partial.signatures };
        self.say(from, &Message::Partial(partial));
        Some(())
    }

    /// The chain accepts a proposal, and grows.
    fn accept(&mut self) -> Option<()> {
        let (block, grows, proposal) = (self.byte()?, self.byte()?, self.proposal()?);
        let home = Script::of_wallet(self.listener.group.wallet());
        let outputs = proposal.outputs.iter().zip(0..);
        let to_group = outputs.filter(|(output, _)| output.script == home);
        let transaction = AcceptedTransaction {
            id: proposal.transaction_id(),
            spends: proposal.outpoints().into_iter().collect(),
            pays: to_group.map(|(output, index)| (index, output.amount)).collect::<Vec<(u32, Sompi)>>(),
            payload: proposal.payload.clone(),
            by_group: true,
            by_predecessor: false,
            signers: Vec::new(),
            body: Vec::new(),
        };
        let block = BlockId::from_bytes([block; 32]);
        let block = AcceptedBlock { block, daa_score: self.tip, transactions: vec![transaction] };
        self.tip += u64::from(grows % 32);
        self.chain(Vec::new(), vec![block], false);
        Some(())
    }

    fn chain(&mut self, removed: Vec<BlockId>, added: Vec<AcceptedBlock>, restarted: bool) {
        let cursor = BlockId::from_bytes([0xee; 32]);
        let virtual_daa = self.tip;
        let update = ChainUpdate {
            removed,
            added,
            cursor,
            cursor_daa: virtual_daa,
            virtual_daa,
            restarted,
            gapless: !restarted,
        };
        self.take(Input::Chain(update));
    }

    fn wallet(&mut self, bits: u16) {
        let coins = coins(&self.listener.group, bits);
        let update = WalletUpdate {
            virtual_daa: self.tip,
            coins,
            predecessor: Vec::new(),
            fee_rate: FeeRate::new(100),
            synced: bits >> 15 == 0,
        };
        self.take(Input::Wallet(update));
    }

    /// Something said before once more, perhaps with a bit changed: then nobody said it (invariant 17).
    fn again(&mut self) -> Option<()> {
        let (which, at, bit) = (self.byte()?, usize::from(self.byte()?), self.byte()?);
        let mut sealed = self.sealed.get(usize::from(which) % self.sealed.len().max(1))?.clone();
        if bit < 8 {
            let at = at % sealed.len();
            sealed[at] ^= 1 << bit;
            assert!(messages::open(&self.listener.group, &sealed).is_err(), "a changed message opens");
        }
        self.take(Input::Received(sealed));
        Some(())
    }

    fn other(&mut self) -> Option<()> {
        let input = match self.byte()? % 10 {
            0 => Input::PeerUp(MemberIndex(self.byte()? % MEMBERS)),
            1 => Input::PeerDown(MemberIndex(self.byte()? % MEMBERS)),
            2 => Input::NodeDown,
            3 => Input::Policy(policy()),
            4 => Input::Cancel { event: event(self.byte()?).payment.event, by: "admin".to_owned() },
            5 => Input::ClearHalt { reason: "seen to".to_owned() },
            6 => Input::ReleaseQuarantine { reason: "seen to".to_owned() },
            7 => Input::Drawn([self.byte()?; 32]),
            8 => {
                self.tip += u64::from(self.byte()?);
                self.chain(Vec::new(), Vec::new(), false);
                return Some(());
            }
            _ => {
                self.chain(Vec::new(), Vec::new(), true);
                return Some(());
            }
        };
        self.take(input);
        Some(())
    }

    /// A member says that a transaction is final, and above half of the bytes also what it ended.
    fn final_claim(&mut self) -> Option<()> {
        let (from, event, proposal) = (self.byte()?, event(self.byte()?).payment.event, self.proposal()?);
        let transaction = proposal.transaction_id();
        let ended = Ended {
            kind: proposal.events.contains(&event).then_some(proposal.kind),
            daa_score: self.tip,
            spends: proposal.outpoints().into_iter().collect(),
        };
        let ended = Some(ended).filter(|_| from >= 128);
        self.say(from, &Message::Final(FinalClaim { event, transaction, ended }));
        self.say(from, &Message::Hint(Hint { transaction }));
        Some(())
    }

    fn hello(&mut self) -> Option<()> {
        let (from, promise, seen) = (self.byte()?, self.byte()?.into(), self.byte()?.into());
        self.greet(from, promise, seen);
        Some(())
    }

    fn greet(&mut self, from: u8, promise: u64, seen: u64) {
        let hello = Hello {
            promise,
            seen: vec![seen; MEMBERS.into()],
            view: 0,
            config: self.listener.group.config_digest(),
            policy: policy().digest(),
            software: "talk".to_owned(),
            tag: None,
            standing: Standing::default(),
        };
        self.say(from, &Message::Hello(hello));
    }

    fn refuse(&mut self) -> Option<()> {
        let (from, code, proposal) = (self.byte()?, self.byte()?, self.proposal()?);
        let refuse = Refuse {
            proposal: proposal.id(),
            view: 0,
            code: borsh::from_slice(&[code % 8]).ok()?,
            detail: "no".to_owned(),
            outpoints: proposal.outpoints().into_iter().collect(),
            events: proposal.events.into_iter().filter(|_| code % 3 == 0).collect(),
        };
        self.say(from, &Message::Refuse(refuse));
        Some(())
    }

    /// One of the proposals that were drafted, or that the listener made or was shown.
    fn proposal(&mut self) -> Option<Proposal> {
        let which = usize::from(self.byte()?);
        let drafted = self.proposals.len();
        let all = drafted + self.listener.bodies.len();
        let which = which % all.max(1);
        self.proposals
            .get(which)
            .or_else(|| self.listener.bodies.values().nth(which.checked_sub(drafted)?))
            .cloned()
    }

    fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(*first)
    }

    fn number(&mut self) -> Option<u64> {
        let (number, rest) = self.rest.split_first_chunk()?;
        self.rest = rest;
        Some(u64::from_le_bytes(*number))
    }

    /// As many bytes as the next two say, the low one first, or as there are.
    fn bytes(&mut self) -> Option<Vec<u8>> {
        let length = u16::from_le_bytes([self.byte()?, self.byte()?]);
        let (bytes, rest) = self.rest.split_at(usize::from(length).min(self.rest.len()));
        self.rest = rest;
        Some(bytes.to_vec())
    }
}

fn encoded(proposal: &Proposal) -> Vec<u8> {
    borsh::to_vec(proposal).expect("a vector takes all bytes")
}

//! The transactions and coins of one search: all that could ever be proposed, written as lines of text.
//!
//! `pay A: a b -> x [1]` pays event A with coins a and b, has change x and carries tag 1. `pay A'` pays it as a second
//! payload asks. `void A`, `sweep`, `move` (an internal transaction without a tag) and `deposit -> d` read alike.
//! `migrate: a -> m` moves a coin to a successor group, which pays A with it by `new pay A: m`.
//! Each becomes a real proposal with a real id, since the core's rules are asked about those.

use std::collections::{BTreeMap, BTreeSet};

use igra_core::Parents;
use igra_group::{GroupId, Network, Sompi};
use igra_tx::{
    Coin, EventKey, Outpoint, Output, Proposal, ProposalId, ProposalKind, Script, Tag, TransactionId, payload,
};

use crate::mask::Mask;

/// What a transaction is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    Pay,
    Void,
    /// Sweeps, consolidations: they name no event, and members approve them in any state.
    Internal,
    /// To the successor group: whoever approves it pays nothing more.
    Migrate,
    /// From outside.
    Deposit,
}

/// One transaction that may come to be.
#[derive(Clone, Debug)]
pub struct Transaction {
    /// The line it was read from.
    pub text: &'static str,
    pub purpose: Purpose,
    /// It is the successor group's.
    pub by_new: bool,
    /// The events that it pays or voids, by their letters.
    pub events: Mask,
    /// It pays as the second payload of its event asks.
    pub other_payload: bool,
    pub inputs: u64,
    pub output: Option<usize>,
    pub tags: Mask,
    pub proposal: Proposal,
    pub proposal_id: ProposalId,
    pub id: TransactionId,
}

/// All transactions of one search, and what follows from which spends what.
#[derive(Clone, Debug)]
pub struct Universe {
    pub transactions: Vec<Transaction>,
    pub coin_names: Vec<&'static str>,
    /// The coins that stand there from the beginning.
    pub old_coins: u64,
    /// The coins that are the successor group's.
    pub new_coins: u64,
    pub outpoints: Vec<Outpoint>,
    /// By coin: the transaction that makes it.
    pub maker: Vec<Option<usize>>,
    /// By transaction: itself and all that it builds on.
    pub above: Vec<Mask>,
    /// By transaction: itself and all that builds on it.
    pub below: Vec<Mask>,
    /// By transaction: those that can never share a chain with it. The chain's own law, not a rule of ours.
    pub excludes: Vec<Mask>,
    pub deposits: Mask,
    pub migrations: Mask,
    /// By transaction: the highest tag in it or above it; it cannot exist before that is drawn.
    pub newest_tag: Vec<u8>,
}

/// The amount of every coin and payment, but for fees.
pub const AMOUNT: Sompi = Sompi(10_000_000);
/// Below every coin of a universe.
pub const DUST: Sompi = Sompi(1_000);

impl Universe {
    /// Reads a universe: names of old coins, behind a bar those of the successor group, then a line for each transaction.
    ///
    /// # Panics
    /// If a line reads otherwise than the module says: universes are written in this crate.
    pub fn read(old: &'static str, lines: &[&'static str]) -> Self {
        let parts: Vec<Parts> = lines.iter().map(|line| Parts::read(line)).collect();
        assert!(parts.len() <= 32, "a mask holds 32 transactions");
        let (ours, theirs) = old.split_once('|').unwrap_or((old, ""));
        let (ours, theirs) = (ours.split_whitespace(), theirs.split_whitespace());
        let old: Vec<&str> = ours.clone().chain(theirs).collect();
        let made = parts.iter().filter_map(|part| part.change);
        let coin_names: Vec<&str> = old.iter().copied().chain(made).collect();
        let mut built = Builder::new(&coin_names, ours.count(), old.len());
        let transactions: Vec<Transaction> = built.all(&parts);
        Self::derive(transactions, built)
    }

    fn derive(transactions: Vec<Transaction>, built: Builder) -> Self {
        let all = 0..transactions.len();
        let above: Vec<Mask> = all.clone().map(|x| above(x, &transactions, &built.maker)).collect();
        let below = all.clone().map(|x| Mask::of(all.clone().filter(|y| above[*y].has(x)))).collect();
        let excludes =
            all.clone().map(|x| Mask::of(all.clone().filter(|y| rivals(&above, &transactions, x, *y))));
        let excludes = excludes.collect();
        let of = |purpose| Mask::of(all.clone().filter(|x| transactions[*x].purpose == purpose));
        let newest = |x: &Mask| x.each().map(|y| transactions[y].tags.top()).max().unwrap_or(0);
        Self {
            newest_tag: above.iter().map(newest).collect(),
            deposits: of(Purpose::Deposit),
            migrations: of(Purpose::Migrate),
            old_coins: (1 << built.old) - 1,
            new_coins: built.new_coins(&transactions),
            coin_names: built.names,
            outpoints: built
                .outpoints
                .into_iter()
                .map(|found| found.expect("each coin has a maker"))
                .collect(),
            maker: built.maker,
            above,
            below,
            excludes,
            transactions,
        }
    }

    pub fn len(&self) -> usize {
        self.transactions.len()
    }

    pub fn is_empty(&self) -> bool {
        self.transactions.is_empty()
    }

    /// The coins that stand after these transactions.
    pub fn coins(&self, chain: Mask) -> u64 {
        let (mut made, mut spent) = (self.old_coins, 0);
        for x in chain.each() {
            made |= self.transactions[x].output.map_or(0, |coin| 1 << coin);
            spent |= self.transactions[x].inputs;
        }
        made & !spent
    }

    /// Whether the chain can take a transaction after these.
    pub fn fits(&self, chain: Mask, x: usize) -> bool {
        !chain.has(x) && self.transactions[x].inputs & !self.coins(chain) == 0
    }

    /// The transactions that name an event with one of these letters.
    pub fn naming(&self, events: Mask) -> Mask {
        let names = |x: &usize| !(self.transactions[*x].events & events).is_empty();
        Mask::of((0..self.len()).filter(names))
    }

    /// All events that these transactions name.
    pub fn events_of(&self, chain: Mask) -> Mask {
        chain.each().fold(Mask::NONE, |sum, x| sum | self.transactions[x].events)
    }

    /// What the proposal builds on. What of it was final at the approval needs no place in it, and does no harm: two
    /// final transactions never spend one coin.
    pub fn parents(&self, x: usize) -> Parents {
        let parents = (self.above[x] & !Mask::one(x)).each();
        parents.map(|y| (self.transactions[y].id, self.spends(y))).collect()
    }

    pub fn spends(&self, x: usize) -> Vec<Outpoint> {
        self.transactions[x].proposal.outpoints().into_iter().collect()
    }

    /// What these transactions spend, and which of them spends it: the shape in which the core keeps it.
    pub fn final_spends(&self, chain: Mask) -> BTreeMap<Outpoint, TransactionId> {
        let all = chain.each().flat_map(|x| self.spends(x).into_iter().map(move |outpoint| (outpoint, x)));
        all.map(|(outpoint, x)| (outpoint, self.transactions[x].id)).collect()
    }
}

/// The key of the event with this letter.
pub fn event_key(event: usize) -> EventKey {
    EventKey::derive(Network::Simnet, "request", "search", &[letter(event) as u8])
}

/// The tags with these numbers.
pub fn tags(numbers: Mask) -> BTreeSet<Tag> {
    numbers.each().map(tag).collect()
}

/// The tag with this number, counted from 0.
pub fn tag(number: usize) -> Tag {
    Tag::from_bytes([number as u8 + 1; 32])
}

/// A for 0.
pub fn letter(event: usize) -> char {
    char::from(b'A' + event as u8)
}

fn above(x: usize, all: &[Transaction], maker: &[Option<usize>]) -> Mask {
    let mut found = Mask::one(x);
    let mut open = vec![x];
    while let Some(y) = open.pop() {
        let inputs = (0..maker.len()).filter(|coin| all[y].inputs >> coin & 1 == 1);
        for parent in inputs.filter_map(|coin| maker[coin]) {
            if !found.has(parent) {
                found = found | Mask::one(parent);
                open.push(parent);
            }
        }
    }
    found
}

/// Two exclude each other if anything at or above the one spends what something else at or above the other spends.
fn rivals(above: &[Mask], all: &[Transaction], x: usize, y: usize) -> bool {
    let pairs = above[x].each().flat_map(|one| above[y].each().map(move |other| (one, other)));
    let mut pairs = pairs.filter(|(one, other)| one != other);
    x != y && pairs.any(|(one, other)| all[one].inputs & all[other].inputs != 0)
}

/// A line taken apart.
struct Parts {
    text: &'static str,
    purpose: Purpose,
    by_new: bool,
    kind: ProposalKind,
    events: Mask,
    other_payload: bool,
    inputs: Vec<&'static str>,
    change: Option<&'static str>,
    tags: Mask,
}

impl Parts {
    fn read(text: &'static str) -> Self {
        let (rest, tags) = match text.split_once(" [") {
            Some((rest, tags)) => (rest, tags.trim_end_matches(']')),
            None => (text, ""),
        };
        let (rest, change) = match rest.split_once("-> ") {
            Some((rest, change)) => (rest.trim_end(), Some(change)),
            None => (rest, None),
        };
        let (by_new, rest) = rest.strip_prefix("new ").map_or((false, rest), |rest| (true, rest));
        let (head, inputs) = rest.split_once(':').unwrap_or((rest, ""));
        let (word, events) = head.split_once(' ').unwrap_or((head, ""));
        let (purpose, kind) = purpose(word);
        let letters = events.bytes().filter(u8::is_ascii_uppercase);
        Self {
            text,
            purpose,
            by_new,
            kind,
            events: Mask::of(letters.map(|letter| usize::from(letter - b'A'))),
            other_payload: events.ends_with('\''),
            inputs: inputs.split_whitespace().collect(),
            change,
            tags: Mask::of(tags.bytes().filter(u8::is_ascii_digit).map(|digit| usize::from(digit - b'1'))),
        }
    }
}

/// The kind of a deposit is nobody's business: only its id is used.
fn purpose(word: &str) -> (Purpose, ProposalKind) {
    match word {
        "pay" => (Purpose::Pay, ProposalKind::Pay),
        "void" => (Purpose::Void, ProposalKind::Void),
        "sweep" => (Purpose::Internal, ProposalKind::Sweep),
        "move" => (Purpose::Internal, ProposalKind::Consolidate),
        "migrate" => (Purpose::Migrate, ProposalKind::Migrate),
        "deposit" => (Purpose::Deposit, ProposalKind::Consolidate),
        other => panic!("a line of a universe begins with {other}"),
    }
}

fn script(whom: &str) -> Script {
    Script { version: 0, bytes: whom.as_bytes().to_vec() }
}

/// Turns lines into proposals, makers first: an outpoint holds its maker's id.
struct Builder {
    names: Vec<&'static str>,
    /// How many of the coins that stand from the beginning are not the successor group's.
    ours: usize,
    old: usize,
    outpoints: Vec<Option<Outpoint>>,
    maker: Vec<Option<usize>>,
}

impl Builder {
    fn new(names: &[&'static str], ours: usize, old: usize) -> Self {
        let from_outside =
            |coin: usize| Outpoint { transaction: TransactionId::from_bytes([coin as u8 + 1; 32]), index: 0 };
        let outpoints = (0..names.len()).map(|coin| (coin < old).then(|| from_outside(coin))).collect();
        Self { names: names.to_vec(), ours, old, outpoints, maker: vec![None; names.len()] }
    }

    fn coin(&self, name: &str) -> usize {
        let mut found = self.names.iter().enumerate().filter(|(_, known)| **known == name);
        match (found.next(), found.next()) {
            (Some((place, _)), None) => place,
            (None, _) | (Some(_), Some(_)) => panic!("coin {name} has no maker, or several"),
        }
    }

    fn new_coins(&self, transactions: &[Transaction]) -> u64 {
        let made = transactions.iter().filter(|made| made.by_new || made.purpose == Purpose::Migrate);
        let made = made.filter_map(|made| made.output);
        (self.ours..self.old).chain(made).fold(0, |sum, coin| sum | 1 << coin)
    }

    fn all(&mut self, parts: &[Parts]) -> Vec<Transaction> {
        let mut made: Vec<Option<Transaction>> = parts.iter().map(|_| None).collect();
        while made.iter().any(Option::is_none) {
            let ready =
                |part: &Parts| part.inputs.iter().all(|name| self.outpoints[self.coin(name)].is_some());
            let next = (0..parts.len()).find(|x| made[*x].is_none() && ready(&parts[*x]));
            let x = next.expect("no transaction builds on itself");
            made[x] = Some(self.one(x, &parts[x]));
        }
        made.into_iter().flatten().collect()
    }

    fn one(&mut self, x: usize, part: &Parts) -> Transaction {
        let inputs: Vec<usize> = part.inputs.iter().map(|name| self.coin(name)).collect();
        let proposal = self.proposal(x, part, &inputs);
        let id = proposal.transaction_id();
        let output = part.change.map(|name| self.coin(name));
        if let Some(coin) = output {
            // The change comes last.
            let index = proposal.outputs.len() as u32 - 1;
            self.outpoints[coin] = Some(Outpoint { transaction: id, index });
            self.maker[coin] = Some(x);
        }
        Transaction {
            text: part.text,
            purpose: part.purpose,
            by_new: part.by_new,
            events: part.events,
            other_payload: part.other_payload,
            inputs: inputs.iter().fold(0, |sum, coin| sum | 1 << coin),
            output,
            tags: part.tags,
            proposal_id: proposal.id(),
            proposal,
            id,
        }
    }

    fn proposal(&self, x: usize, part: &Parts, inputs: &[usize]) -> Proposal {
        let mut events: Vec<EventKey> = part.events.each().map(event_key).collect();
        events.sort();
        let paid = if part.purpose == Purpose::Pay { events.len() } else { 0 };
        let to = |whom: &str, amount| Output { script: script(whom), amount };
        let recipient = if part.other_payload { "somebody else" } else { "recipient" };
        let mut outputs = vec![to(recipient, AMOUNT); paid];
        // A fee of its own tells apart what spends and pays the same.
        outputs.extend(part.change.map(|_| to("group", Sompi(AMOUNT.0 - x as u64))));
        let mut coins: Vec<Coin> = inputs.iter().map(|coin| self.entry(*coin)).collect();
        coins.sort_by_key(|coin| coin.outpoint);
        Proposal {
            group: GroupId::from_bytes([7; 32]),
            kind: part.kind,
            payload: payload::encode(part.kind, &events, &tags(part.tags)),
            events,
            inputs: coins,
            outputs,
        }
    }

    fn entry(&self, coin: usize) -> Coin {
        Coin {
            outpoint: self.outpoints[coin].expect("makers come first"),
            amount: AMOUNT,
            script: script("group"),
            daa_score: 0,
            coinbase: false,
        }
    }
}

//! What others state of a chain that the own node no longer shows.
//!
//! A member that was away for longer than nodes remember has a gap in its history. Of what became final within it, it
//! believes f + 1 members that say the same and are not quarantined themselves: one of them is honest. Outside of a gap
//! the own node alone decides, and what fewer members say is a hint and no more.

use std::collections::{BTreeMap, BTreeSet};

use borsh::{BorshDeserialize, BorshSerialize};
use igra_group::MemberIndex;
use igra_tx::{EventKey, ProposalId, ProposalKind, TransactionId};

use crate::{
    Coordinator, Ignored, Note, Row, Step, To,
    messages::{Ended, FinalClaim, Message},
    rules::Rules,
};

// More than any transaction of the group spends.
const MOST_SPENDS: usize = 256;

/// A member's word, with the seal that proves it to others.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub(crate) struct Statement {
    pub claim: FinalClaim,
    pub sealed: Vec<u8>,
}

/// Statements about live events: the last one of each member for each transaction that ended a promise there.
pub(crate) type Statements = BTreeMap<(EventKey, MemberIndex), Statement>;

impl<R: Rules> Coordinator<R> {
    /// Tells a member of an event that ended here, and by what.
    pub(crate) fn state_end(&mut self, to: MemberIndex, event: EventKey, step: &mut Step) {
        let Some(tombstone) = self.tombstones.get(&event) else { return };
        let claim = self.claim(event, tombstone.transaction, Some(tombstone.kind), tombstone.daa_score);
        self.send(To::Member(to), &Message::Final(claim), step);
    }

    /// Tells a member that a proposal which it holds for live can never become final, and why.
    pub(crate) fn state_death(
        &mut self,
        to: MemberIndex,
        event: EventKey,
        proposal: &ProposalId,
        step: &mut Step,
    ) {
        let Some(by) = self.offers.get(proposal).and_then(|offer| offer.dead) else { return };
        let Some(daa_score) = self.chain.accepted.get(&by).map(|record| record.daa_score) else { return };
        let claim = self.claim(event, by, None, daa_score);
        self.send(To::Member(to), &Message::Final(claim), step);
    }

    fn claim(
        &self,
        event: EventKey,
        transaction: TransactionId,
        kind: Option<ProposalKind>,
        daa_score: u64,
    ) -> FinalClaim {
        let spends = self.chain.accepted.get(&transaction).map(|record| record.spends.clone());
        let ended = Ended { kind, daa_score, spends: spends.unwrap_or_default() };
        FinalClaim { event, transaction, ended: Some(ended) }
    }

    pub(crate) fn on_final_claim(
        &mut self,
        from: MemberIndex,
        claim: FinalClaim,
        sealed: Vec<u8>,
        step: &mut Step,
    ) -> Result<(), Ignored> {
        let session = self.sessions.get_mut(&claim.event).ok_or(Ignored::UnknownEvent)?;
        if claim.ended.as_ref().is_none_or(|ended| ended.kind.is_some()) {
            session.final_claims.insert(from);
        }
        let Some(ended) = &claim.ended else { return Ok(()) };
        if ended.spends.len() > MOST_SPENDS {
            return Err(Ignored::TooMany);
        }
        if !self.gaps.contains(ended.daa_score) {
            return Ok(());
        }
        let (event, statement) = (claim.event, Statement { claim, sealed });
        if self.statements.get(&(event, from)).is_some_and(|known| known.claim == statement.claim) {
            // Its sender may have said only now how it stands.
            self.believe(event, step);
            return Err(Ignored::Duplicate);
        }
        step.writes.push(Row::statement(&event, from, &statement));
        self.statements.insert((event, from), statement);
        self.believe(event, step);
        Ok(())
    }

    /// Looks again at what a member stated, once it has said how it stands.
    pub(crate) fn weigh_statements_of(&mut self, from: MemberIndex, step: &mut Step) {
        let stated = self.statements.keys().filter(|(_, member)| *member == from);
        let events: Vec<EventKey> = stated.map(|(event, _)| *event).collect();
        for event in events {
            self.believe(event, step);
        }
    }

    /// Takes for final what enough members state of an event.
    fn believe(&mut self, event: EventKey, step: &mut Step) {
        let Some((claim, ended)) = self.stated(&event) else { return };
        let transaction = claim.transaction;
        self.chain.final_spends.extend(ended.spends.iter().map(|outpoint| (*outpoint, transaction)));
        for rival in self.rivals_of(&transaction, &ended.spends) {
            self.note_if_dead(rival, step);
        }
        if let Some(kind) = ended.kind {
            self.end(event, kind, transaction, ended.daa_score, step);
            step.note(Note::Final { events: vec![event], transaction });
        }
        self.forget_statements(&event, step);
        self.stir_all();
    }

    /// What f + 1 members say alike of an event.
    fn stated(&self, event: &EventKey) -> Option<(FinalClaim, Ended)> {
        let range = (*event, MemberIndex(0))..=(*event, MemberIndex(u8::MAX));
        let words: Vec<(MemberIndex, &FinalClaim)> = self
            .statements
            .range(range)
            .map(|((_, member), statement)| (*member, &statement.claim))
            .filter(|(member, _)| !self.may_have_forgotten(*member))
            .collect();
        let needed = self.believed_from();
        let alike = |claim: &FinalClaim| words.iter().filter(|(_, other)| *other == claim).count();
        let (_, claim) = words.iter().find(|(_, claim)| alike(claim) >= needed)?;
        Some(((*claim).clone(), claim.ended.clone()?))
    }

    /// How many members must say the same for it to be believed: one more than may lie.
    pub(crate) fn believed_from(&self) -> usize {
        let may_lie = self.group.quorum().tolerates_lying(self.group.threshold());
        if R::STATEMENTS { usize::from(may_lie) + 1 } else { 1 }
    }

    /// It says of itself that its disk may have gone back in time, or has not said how it stands.
    pub(crate) fn may_have_forgotten(&self, member: MemberIndex) -> bool {
        let hello = self.peers.get(&member).and_then(|peer| peer.hello.as_ref());
        hello.is_none_or(|hello| hello.tag.is_some())
    }

    pub(crate) fn forget_statements(&mut self, event: &EventKey, step: &mut Step) {
        let range = (*event, MemberIndex(0))..=(*event, MemberIndex(u8::MAX));
        let members: BTreeSet<MemberIndex> =
            self.statements.range(range).map(|((_, member), _)| *member).collect();
        for member in members {
            self.statements.remove(&(*event, member));
            step.writes.push(Row::forget_statement(event, member));
        }
    }
}

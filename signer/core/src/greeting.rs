//! What a signer must have heard before it promises anything after a start: hello from q − 1 others that know of
//! nothing under its seal that it does not know itself.

use igra_group::MemberIndex;
use igra_tx::ProposalKind;

use crate::{
    Coordinator, RefusalCode, Step,
    judge::Refusal,
    messages::{Heard, Hello, Standing},
    quarantine::Birth,
    rules::Rules,
};

impl<R: Rules> Coordinator<R> {
    /// Whether this signer may promise a proposal of this kind now: asked before every approval and every partial.
    pub(crate) fn may_promise(&self, kind: ProposalKind) -> Result<(), Refusal> {
        if self.is_halted() {
            return Err(Refusal::new(RefusalCode::Stopped, "this signer stopped after an alarm"));
        }
        if R::GREETED && !self.settled {
            return Err(Refusal::new(
                RefusalCode::Starting,
                "too few others have said hello since the start",
            ));
        }
        if self.birth == Birth::Undecided {
            return Err(Refusal::new(RefusalCode::Starting, "the own node has not shown the wallet yet"));
        }
        if self.awaits_predecessor() {
            let detail = "the predecessor's coins have not all moved here";
            return Err(Refusal::new(RefusalCode::Predecessor, detail));
        }
        let sweep = kind == ProposalKind::Sweep;
        if R::SWEEPS_ONLY && self.quarantine.is_some() && !sweep {
            return Err(Refusal::new(RefusalCode::Quarantined, "this signer is in quarantine"));
        }
        let moves = matches!(kind, ProposalKind::Sweep | ProposalKind::Migrate);
        if R::MOVED_PAYS_NOTHING && self.past.moved && !moves {
            return Err(Refusal::new(RefusalCode::Moved, "the group moves to its successor"));
        }
        Ok(())
    }

    /// First words to a peer.
    pub(crate) fn hello(&self, answer: bool) -> Hello {
        Hello {
            promise: self.promise,
            seen: self.group.indices().map(|member| self.promise_seen(member)).collect(),
            view: self.views.view,
            config: self.config,
            policy: self.policy_digest,
            software: env!("CARGO_PKG_VERSION").to_owned(),
            tag: self.own_tag().map(|tag| *tag.as_bytes()),
            standing: Standing {
                heard: self.group.indices().map(|member| self.heard_of(member)).collect(),
                answer,
            },
        }
    }

    fn heard_of(&self, member: MemberIndex) -> Heard {
        if member == self.me { self.own_heard() } else { self.windows.heard(member) }
    }

    /// Counts the hellos; true once this start is settled, for as long as the process lives.
    pub(crate) fn count_hellos(&mut self, step: &mut Step) {
        if self.settled {
            return;
        }
        let needed = usize::from(self.group.quorum().get()) - 1;
        let hellos = self.peers.values().filter_map(|peer| peer.hello.as_ref());
        if hellos.filter(|hello| self.counts(hello)).count() >= needed {
            self.settled = true;
            self.stir_all();
            self.ask_for_waiting_signatures(step);
            self.leave_due(step);
        }
    }

    /// Said after its sender heard of this start, and knowing of nothing newer under this signer's seal. One that
    /// claims more does not count before it is shown: claims alone move nobody.
    fn counts(&self, hello: &Hello) -> bool {
        let place = usize::from(self.me.0);
        let Some(seen) = hello.seen.get(place) else { return false };
        let own = self.own_heard();
        let since = |heard: &Heard| heard.epoch == own.epoch && heard.sequence <= own.sequence;
        // A member of version 1 does not say what it heard.
        let fresh =
            hello.standing == Standing::default() || hello.standing.heard.get(place).is_some_and(since);
        fresh && *seen <= self.promise
    }
}

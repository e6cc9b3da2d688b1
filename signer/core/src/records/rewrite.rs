//! Records as the rows that they were read from.

use super::{Records, Row};
use crate::gaps::Gaps;

impl Records {
    /// All rows, in the present version: what reads back as these records. For tests that hold both ways against each
    /// other; a signer writes each row once, when it is true.
    #[doc(hidden)]
    pub fn rows(&self) -> Vec<Row> {
        // Taken apart, so that nothing that is read is left out here.
        let Self {
            epoch,
            halt,
            quarantine,
            past,
            birth,
            interventions,
            events,
            approvals,
            proposals,
            gaps,
            gap_somewhere: _,
            doubted,
            statements,
            parents,
            certificates,
            partials,
            outbox,
            volumes,
            cursor,
            chain,
            dead,
            tombstones,
            objections,
            closed,
            equivocations,
            inheritance,
        } = self;
        let mut rows: Vec<Row> = (*epoch > 0).then(|| Row::epoch(*epoch)).into_iter().collect();
        rows.extend(halt.iter().map(Row::halt));
        rows.extend(quarantine.iter().map(Row::quarantine));
        rows.extend(past.iter().map(Row::past));
        rows.extend(birth.iter().map(|birth| Row::birth(*birth)));
        rows.extend((!interventions.is_empty()).then(|| Row::interventions(interventions)));
        rows.extend(events.iter().map(|(key, record)| Row::event(key, record, true)));
        rows.extend(approvals.values().map(Row::approval));
        rows.extend(proposals.iter().map(|(id, body)| Row::proposal(id, body)));
        rows.extend((*gaps != Gaps::default()).then(|| Row::gaps(gaps)));
        rows.extend(doubted.iter().map(|(event, by)| Row::doubted(event, by)));
        rows.extend(statements.iter().map(|((event, from), said)| Row::statement(event, *from, said)));
        rows.extend(parents.iter().map(|(id, record)| Row::parent(id, record)));
        rows.extend(certificates.iter().map(|(id, record)| Row::certificate(id, record)));
        rows.extend(partials.values().map(Row::partial));
        rows.extend(outbox.iter().map(|(id, record)| Row::outbox(id, record)));
        rows.extend(volumes.iter().map(|(key, entry)| Row::reservation(key, entry)));
        rows.extend(cursor.iter().map(Row::cursor));
        rows.extend(chain.iter().map(|(id, record)| Row::accepted(id, record)));
        rows.extend(dead.iter().map(|(id, by)| Row::dead(id, by)));
        rows.extend(tombstones.iter().map(|(key, record)| Row::tombstone(key, record)));
        rows.extend(objections.iter().map(|(key, record)| Row::objection(key, record)));
        rows.extend(closed.iter().map(|(key, note)| Row::closed(key, note)));
        rows.extend(equivocations.iter().map(|(member, proofs)| Row::equivocations(*member, proofs)));
        rows.extend(inheritance.iter().map(Row::inheritance));
        rows
    }
}

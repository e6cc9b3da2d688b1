//! Transactions: draft, check, sign, verify and combine, by number of inputs and size of the group.

use std::{collections::BTreeSet, hint::black_box};

use igra_tx::{Draft, Purpose, Terms};

use crate::{
    kit::{Keyed, LIMITS, payment},
    timing::bench,
};

const GROUPS: [(u8, u8); 3] = [(2, 3), (3, 5), (8, 15)];
const INPUTS: [usize; 4] = [1, 4, 16, 30];

pub fn benches() {
    bench("event key", || payment(black_box(7), 1));
    for (needed, members) in GROUPS {
        let keyed = Keyed::new(needed, members);
        for inputs in INPUTS {
            one_size(&keyed, &format!("{needed}-of-{members}, {inputs} inputs"), inputs);
        }
    }
}

fn one_size(keyed: &Keyed, name: &str, inputs: usize) {
    let view = keyed.view(inputs);
    let (payment, proposal) = keyed.proposal(&view);
    let (payments, group) = ([payment], &keyed.group);
    let (tags, avoid) = (BTreeSet::new(), BTreeSet::new());
    let purpose = Purpose::Pay(&payments);
    let draft = Draft { purpose, tags: &tags, limits: &LIMITS, avoid: &avoid, must_share: &[] };
    bench(&format!("draft, {name}"), || igra_tx::draft(group, &view, &draft));
    let terms = Terms { payments: &payments, successor: None, limits: &LIMITS };
    bench(&format!("check, {name}"), || igra_tx::check(group, &view, &proposal, &terms));
    bench(&format!("sighashes, {name}"), || igra_tx::sighashes(group, &proposal));
    bench(&format!("sign, {name}"), || keyed.sign(&proposal, 0));
    let partials = keyed.enough_partials(&proposal);
    bench(&format!("verify m partials, {name}"), || {
        partials.values().filter(|partial| igra_tx::verify_partial(group, &proposal, partial).is_ok()).count()
    });
    bench(&format!("combine, {name}"), || igra_tx::combine(group, &proposal, &partials));
}

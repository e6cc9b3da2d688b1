//! Transactions: draft, check, sign, verify and combine, by number of inputs and size of the group.

use std::{collections::BTreeSet, hint::black_box};

use criterion::{BenchmarkId, Criterion};
use igra_tx::{Draft, Purpose, Terms};

use crate::kit::{Keyed, LIMITS, payment};

const GROUPS: [(u8, u8); 3] = [(2, 3), (3, 5), (8, 15)];
const INPUTS: [usize; 4] = [1, 4, 16, 30];

pub fn benches(criterion: &mut Criterion) {
    identities(criterion);
    for (needed, members) in GROUPS {
        let keyed = Keyed::new(needed, members);
        for inputs in INPUTS {
            one_size(criterion, &keyed, &format!("{needed}-of-{members}"), inputs);
        }
    }
}

fn identities(criterion: &mut Criterion) {
    criterion.bench_function("event key", |bencher| bencher.iter(|| payment(black_box(7), 1)));
}

fn one_size(criterion: &mut Criterion, keyed: &Keyed, name: &str, inputs: usize) {
    let view = keyed.view(inputs);
    let (payment, proposal) = keyed.proposal(&view);
    let payments = [payment];
    let group = &keyed.group;
    let mut bench = |what: &str, run: &mut dyn FnMut()| {
        let id = BenchmarkId::new(what, format!("{name}, {inputs} inputs"));
        criterion.bench_with_input(id, &(), |bencher, ()| bencher.iter(&mut *run));
    };
    let (tags, avoid) = (BTreeSet::new(), BTreeSet::new());
    let purpose = Purpose::Pay(&payments);
    let draft = Draft { purpose, tags: &tags, limits: &LIMITS, avoid: &avoid, must_share: &[] };
    bench("draft", &mut || drop(black_box(igra_tx::draft(group, &view, &draft))));
    let terms = Terms { payments: &payments, successor: None, limits: &LIMITS };
    bench("check", &mut || drop(black_box(igra_tx::check(group, &view, &proposal, &terms))));
    bench("sign", &mut || drop(black_box(keyed.sign(&proposal, 0))));
    let partials = keyed.enough_partials(&proposal);
    let mut verify_all = || {
        for partial in partials.values() {
            let _ = black_box(igra_tx::verify_partial(group, &proposal, partial));
        }
    };
    bench("verify m partials", &mut verify_all);
    bench("combine", &mut || drop(black_box(igra_tx::combine(group, &proposal, &partials))));
}

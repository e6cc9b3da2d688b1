//! The table of cases: which bound, which rule left out, what is asked, and what must come out.
//!
//! A case that comes out otherwise fails the run. So a rule that no search misses shows here, as does one that is
//! broken.

use crate::{
    mask::Mask,
    model::{Model, Shape, World},
    rules::Bend,
    search::{Finding, Outcome, liveness, safety},
    story::story,
    universe::Universe,
    universes::{self, Lines},
};

/// What is asked of a case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Question {
    /// Can an event end twice?
    Twice,
    /// Is there a state from which one of these events cannot end, if these members go on?
    Stuck { live: Mask, events: Mask },
}

/// What must come out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expected {
    /// Nothing wrong anywhere.
    Nothing,
    /// A rule is missing, and the search finds what comes of it.
    Found,
    /// All rules hold and it is found nevertheless: a risk that the threat model names.
    Residual,
}

/// When a case runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Length {
    /// In the ordinary tests too.
    Quick,
    /// In the full run only.
    Full,
}

/// One search.
#[derive(Clone, Copy, Debug)]
pub struct Case {
    pub name: &'static str,
    pub about: &'static str,
    pub shape: Shape,
    pub lines: Lines,
    pub world: World,
    pub bend: Option<Bend>,
    pub question: Question,
    pub expected: Expected,
    pub length: Length,
}

/// What came out of a case.
#[derive(Clone, Debug)]
pub struct Verdict {
    pub outcome: Outcome,
    pub coins: usize,
    pub transactions: usize,
    pub story: Vec<String>,
    pub as_expected: bool,
}

impl Case {
    /// Runs the search, with a bound on the states that it keeps.
    pub fn run(&self, most_states: usize) -> Verdict {
        let universe = Universe::read(self.lines.0, self.lines.1);
        let live = match self.question {
            Question::Twice => None,
            Question::Stuck { live, .. } => Some(live),
        };
        let mut model = Model::new(&universe, self.shape, self.world, self.bend, live);
        let outcome = match self.question {
            Question::Twice => safety(&mut model, most_states),
            Question::Stuck { live, events } => liveness(&mut model, live, events, most_states),
        };
        let story = story(&model, &outcome.finding, live);
        let as_expected = self.fits(&outcome.finding);
        let coins = universe.coin_names.len();
        Verdict { outcome, coins, transactions: universe.len(), story, as_expected }
    }

    fn fits(&self, finding: &Finding) -> bool {
        match finding {
            Finding::Nothing => self.expected == Expected::Nothing,
            Finding::EndedTwice { .. } | Finding::Stuck { .. } => self.expected != Expected::Nothing,
            Finding::Unfinished => false,
        }
    }
}

const G322: Shape = Shape { n: 3, m: 2, q: 2, liars: 0 };
const G323: Shape = Shape { n: 3, m: 2, q: 3, liars: 1 };
const G423: Shape = Shape { n: 4, m: 2, q: 3, liars: 1 };
/// Nobody lies: what stopped members may do to the others.
const G323_HONEST: Shape = Shape { n: 3, m: 2, q: 3, liars: 0 };
const G433: Shape = Shape { n: 4, m: 3, q: 3, liars: 1 };
const G433_HONEST: Shape = Shape { n: 4, m: 3, q: 3, liars: 0 };

const A: Mask = Mask(1);
const B: Mask = Mask(2);
const FIRST_TWO: Mask = Mask(0b11);
const FIRST_THREE: Mask = Mask(0b111);
const ANY: Mask = Mask(0b111);

/// All cases, in the order in which they run.
pub fn cases() -> Vec<Case> {
    let mut all = promised_once();
    all.extend(moved_once());
    all.extend(ended_always());
    all.extend(rules_missing());
    all.extend(washing_rules_missing());
    all.extend(moving_rules_missing());
    all.extend(ways_out_missing());
    all
}

fn twice(name: &'static str, about: &'static str, shape: Shape, lines: Lines) -> Case {
    Case {
        name,
        about,
        shape,
        lines,
        world: World::CALM,
        bend: None,
        question: Question::Twice,
        expected: Expected::Nothing,
        length: Length::Quick,
    }
}

fn stuck(name: &'static str, about: &'static str, shape: Shape, lines: Lines, live: Mask) -> Case {
    Case { question: Question::Stuck { live, events: A }, ..twice(name, about, shape, lines) }
}

impl Case {
    fn full(self) -> Self {
        Self { length: Length::Full, ..self }
    }

    fn with(self, change: impl Fn(&mut World)) -> Self {
        let mut world = self.world;
        change(&mut world);
        Self { world, ..self }
    }

    fn rollbacks(self, rollbacks: u8) -> Self {
        self.with(|world| world.rollbacks = rollbacks)
    }

    fn stepwise(self) -> Self {
        self.with(|world| world.stepwise = true)
    }

    fn without(self, bend: Bend) -> Self {
        Self { bend: Some(bend), expected: Expected::Found, ..self }
    }

    fn found(self) -> Self {
        Self { expected: Expected::Found, ..self }
    }
}

/// All rules: no event ends twice.
fn promised_once() -> Vec<Case> {
    use universes::*;
    vec![
        twice("once-322", "two events, batches, voids, change", G322, EVENTS).full(),
        twice("once-323", "two events, batches, voids, change", G323, EVENTS).full(),
        twice("once-few-322", "two events, a batch, a void, change", G322, FEW_EVENTS),
        twice("once-few-423", "two events, a batch, a void, change", G423, FEW_EVENTS),
        twice("once-few-433", "two events, a batch, a void, change", G433, FEW_EVENTS),
        twice("once-steps-322", "the same, stepwise", G322, FEW_EVENTS).stepwise(),
        twice("steps-322", "acceptance and reorganisation one by one", G322, PARENTS).stepwise(),
        twice("steps-323", "acceptance and reorganisation one by one", G323, PARENTS).stepwise(),
        twice("wash-small-322", "one rollback", G322, ONE_TAG_SMALL).rollbacks(1),
        twice("wash-322", "one rollback, payments carry the tag or not", G322, ONE_TAG).rollbacks(1).full(),
        twice("wash-323", "one rollback, payments carry the tag or not", G323, ONE_TAG).rollbacks(1).full(),
        twice("wash-423", "one rollback, payments carry the tag or not", G423, ONE_TAG).rollbacks(1).full(),
        twice("wash-433", "one rollback, payments carry the tag or not", G433, ONE_TAG).rollbacks(1).full(),
        twice("wash-voids-322", "one rollback, voids and batches", G322, ONE_TAG_VOIDS).rollbacks(1).full(),
        twice("wash-voids-323", "one rollback, voids and batches", G323, ONE_TAG_VOIDS).rollbacks(1),
        twice("wash-steps-322", "two rollbacks, one tag that comes to be", G322, ONE_TAG_STEPS)
            .rollbacks(2)
            .stepwise()
            .full(),
        twice("wash-steps-323", "two rollbacks, one tag that comes to be", G323, ONE_TAG_STEPS)
            .rollbacks(2)
            .stepwise(),
        twice("two-tags-322", "two rollbacks, two tags", G322, TWO_TAGS).rollbacks(2).full(),
        twice("two-tags-323", "two rollbacks, two tags", G323, TWO_TAGS).rollbacks(2),
        twice("two-tags-423", "two rollbacks, two tags", G423, TWO_TAGS).rollbacks(2).full(),
        twice("wash-all-steps-322", "one rollback, stepwise", G322, ONE_TAG).rollbacks(1).stepwise().full(),
        twice("three-tags-322", "three rollbacks, three tags", G322, THREE_TAGS).rollbacks(3).full(),
        twice("three-tags-423", "three rollbacks, three tags", G423, THREE_TAGS).rollbacks(3).full(),
        twice("two-tags-steps-322", "two rollbacks, stepwise", G322, TWO_TAGS_SMALL)
            .rollbacks(2)
            .stepwise()
            .full(),
        twice("everybody-322", "everybody may be rolled back", G322, EVERYBODY).rollbacks(3),
        twice("everybody-423", "everybody may be rolled back", G423, EVERYBODY).rollbacks(3).full(),
        twice("deposit-322", "a deposit around a rollback", G322, DEPOSIT).rollbacks(1),
        twice("deposit-323", "a deposit around a rollback", G323, DEPOSIT).rollbacks(1),
        twice("deposit-steps-323", "a deposit around a rollback, stepwise", G323, DEPOSIT)
            .rollbacks(1)
            .stepwise(),
    ]
}

/// All rules: no event ends twice where a group moves to another one.
fn moved_once() -> Vec<Case> {
    use universes::*;
    vec![
        twice("move-322", "a group moves", G322, MOVE).full(),
        twice("move-323", "a group moves", G323, MOVE).full(),
        twice("move-small-423", "a group moves", G423, MOVE_SMALL),
        twice("move-steps-322", "a group moves, stepwise", G322, MOVE_SMALL).stepwise(),
        twice("move-steps-323", "a group moves, stepwise", G323, MOVE_SMALL).stepwise(),
        twice("move-wash-322", "a group moves, one rollback", G322, MOVE_AND_WASH).rollbacks(1),
        twice("move-wash-323", "a group moves, one rollback", G323, MOVE_AND_WASH).rollbacks(1),
        twice("move-wash-steps-322", "the same, stepwise", G322, MOVE_AND_WASH)
            .rollbacks(1)
            .stepwise()
            .full(),
        twice("move-deposit-322", "a group moves, a deposit", G322, MOVE_AND_DEPOSIT),
        twice("move-deposit-323", "a group moves, a deposit", G323, MOVE_AND_DEPOSIT),
        twice("move-deposit-steps-322", "the same, stepwise", G322, MOVE_AND_DEPOSIT).stepwise(),
    ]
}

/// All rules: every event can still end.
fn ended_always() -> Vec<Case> {
    use universes::*;
    let deadline = |case: Case| case.with(|world| world.deadline = true);
    let turning = |case: Case, who: Mask| case.with(|world| world.may_turn = who);
    let seen = |case: Case| case.stepwise().with(|world| world.sees_coins = true);
    let both = |case: Case| Case { question: Question::Stuck { live: FIRST_TWO, events: A | B }, ..case };
    let standing = |case: Case| case.with(|world| world.sees_coins = true);
    vec![
        deadline(stuck("ends-deadline-322", "a split, one member stopped", G322, VOIDS, FIRST_TWO)),
        turning(
            deadline(stuck("ends-against-322", "any member may turn against it", G322, VOIDS, FIRST_TWO)),
            ANY,
        ),
        turning(
            deadline(stuck("ends-against-323", "any member may turn", G323_HONEST, VOIDS, FIRST_THREE)),
            ANY,
        ),
        turning(deadline(stuck("ends-against-433", "one stopped", G433_HONEST, VOIDS, FIRST_THREE)), ANY)
            .full(),
        turning(
            stuck("ends-cancel-322", "no deadline, but a cancel that all see", G322, VOIDS, FIRST_TWO)
                .with(|world| world.cancel = true),
            ANY,
        ),
        stuck("ends-payloads-322", "two payloads under one key", G322, TWO_PAYLOADS, FIRST_TWO)
            .with(|world| world.two_payloads = true),
        standing(both(stuck("ends-contended-322", "two events want one coin", G322, CONTENDED, FIRST_TWO))),
        seen(stuck(
            "ends-parents-322",
            "the anchor is consolidated and comes back",
            G322,
            PARENTS,
            FIRST_TWO,
        )),
        deadline(seen(stuck("ends-parents-voids-322", "with voids", G322, PARENTS_AND_VOIDS, FIRST_TWO)))
            .full(),
        stuck("ends-wash-322", "one rollback, one member stopped", G322, WASH_AND_END, FIRST_TWO)
            .rollbacks(1),
        stuck("ends-wash-323", "one rollback", G323_HONEST, WASH_AND_END, FIRST_THREE).rollbacks(1),
        stuck("ends-wash-433", "one rollback, the liar is silent", G433, WASH_AND_END, FIRST_THREE)
            .rollbacks(1),
        seen(
            stuck("ends-wash-steps-322", "one rollback, stepwise", G322, WASH_AND_END, FIRST_TWO)
                .rollbacks(1),
        ),
        stuck("ends-wash-twice-322", "two rollbacks, two tags", G322, WASH_TWICE_AND_END, FIRST_TWO)
            .rollbacks(2),
        stuck("ends-everybody-322", "everybody may be rolled back", G322, EVERYBODY, FIRST_TWO).rollbacks(3),
        stuck("ends-everybody-323", "everybody may be rolled back", G323_HONEST, EVERYBODY, FIRST_THREE)
            .rollbacks(3),
        stuck("ends-wash-twice-323", "two rollbacks", G323_HONEST, WASH_TWICE_AND_END, FIRST_THREE)
            .rollbacks(2),
        stuck("ends-move-322", "a group moves, one member stopped", G322, MOVE_SMALL, FIRST_TWO),
        stuck("ends-move-323", "a group moves", G323_HONEST, MOVE_SMALL, FIRST_THREE),
        seen(stuck("ends-move-steps-322", "a group moves, stepwise", G322, MOVE_SMALL, FIRST_TWO)),
    ]
}

/// A rule of approving and signing is missing: an event ends twice.
fn rules_missing() -> Vec<Case> {
    use universes::*;
    let liar_more = Shape { liars: 1, ..G322 };
    let two_liars = Shape { liars: 2, ..G433 };
    vec![
        twice("no-anchor", "the anchor rule is not asked", G322, TWO_COINS).without(Bend::NoAnchor),
        twice("accepted-kills", "accepted is taken for dead", G322, TAKEN_COIN)
            .stepwise()
            .without(Bend::AcceptedKills),
        twice("liar-322", "one liar more than f", liar_more, TWO_COINS).found(),
        twice("liar-433", "one liar more than f", two_liars, TWO_COINS).found(),
        twice("void-unrecorded", "a void is not recorded under its event", G322, PAY_OR_VOID)
            .without(Bend::VoidUnrecorded),
        twice("parent-kills", "a parent kills its child", G322, CHILD).without(Bend::ParentKills),
        twice("parent-shares", "a child shares an input with its parent", G322, OWN_CHILD)
            .without(Bend::ParentShares),
        twice("short-certificate", "a certificate of q − 1", G323, TWO_COINS).without(Bend::ShortCertificate),
    ]
}

/// A rule about rollbacks is missing: an event ends twice.
fn washing_rules_missing() -> Vec<Case> {
    use universes::*;
    let small = |name, about, bend| twice(name, about, G322, ONE_TAG_SMALL).rollbacks(1).without(bend);
    vec![
        twice("unnoticed", "a rollback that nobody notices, beyond f", G322, TWO_COINS)
            .rollbacks(1)
            .without(Bend::Unnoticed),
        twice("heal-by-answers", "promises are healed by peers' answers", G322, TWO_COINS)
            .rollbacks(1)
            .without(Bend::HealByAnswers),
        small("sweep-without-tag", "a sweep needs no tag", Bend::SweepWithoutTag),
        small("one-coin-unwashed", "one coin may stay unwashed", Bend::OneCoinUnwashed),
        small("no-tombstones", "leaving without tombstones", Bend::NoTombstones),
        small("scan-first", "the scan is made before the sweep", Bend::ScanFirst),
        small("quarantined-pays", "quarantined members approve tagged payments", Bend::QuarantinedPays),
        twice("leave-at-accepted", "leaving is judged at accepted", G322, ONE_TAG_STEPS)
            .rollbacks(1)
            .stepwise()
            .without(Bend::LeaveAtAccepted),
        twice("tag-kept", "the tag is kept after a second rollback", G322, TWO_TAGS_SMALL)
            .rollbacks(2)
            .without(Bend::TagKept),
        twice("deposit-by-memory", "a deposit is new if the node thinks so", G322, DEPOSIT)
            .rollbacks(1)
            .without(Bend::DepositByMemory),
        Case {
            expected: Expected::Residual,
            ..twice("deposit-reorganised", "a deep deposit is taken back just then", G322, DEPOSIT)
                .rollbacks(1)
                .with(|world| world.deep_deposits_move = true)
        },
    ]
}

/// A rule about moving is missing: an event ends twice.
fn moving_rules_missing() -> Vec<Case> {
    use universes::*;
    let small = |name, about, bend| twice(name, about, G322, MOVE_SMALL).without(bend);
    vec![
        twice("moved-pays", "who approved a move goes on paying", G322, MOVE_AND_DEPOSIT)
            .without(Bend::MovedPays),
        small("begins-at-once", "the new group waits for nothing", Bend::BeginsAtOnce),
        small("begins-early", "the new group begins with the first coin", Bend::BeginsEarly),
        small("begins-untold", "the new group takes over no tombstones", Bend::BeginsUntold),
        small("begins-at-accepted", "the new group begins by what is accepted", Bend::BeginsAtAccepted)
            .stepwise(),
        twice("late-by-memory", "a deposit is late if the node thinks so", G322, MOVE_AND_DEPOSIT)
            .without(Bend::LateByMemory),
    ]
}

/// A rule is missing that lets events end: states that are stuck for ever.
fn ways_out_missing() -> Vec<Case> {
    use universes::*;
    let contended = stuck("reservation-veto", "reservations are a veto", G322, CONTENDED, FIRST_TWO);
    vec![
        stuck("dead-without-parents", "dead is looked for without parents", G322, PARENTS, FIRST_TWO)
            .stepwise()
            .with(|world| world.sees_coins = true)
            .without(Bend::NoParents),
        Case { question: Question::Stuck { live: FIRST_TWO, events: A | B }, ..contended }
            .with(|world| world.sees_coins = true)
            .without(Bend::ReservationVeto),
        stuck("no-deadline", "no deadline, and a live member denies for good", G322, VOIDS, FIRST_TWO)
            .with(|world| world.may_turn = Mask::one(0))
            .found(),
        stuck("payload-no-reason", "a second payload is no reason to void", G322, TWO_PAYLOADS, FIRST_TWO)
            .with(|world| world.two_payloads = true)
            .without(Bend::SecondPayloadNoReason),
    ]
}

//! The coins and transactions of the cases. Fewer would hide something; many more would take days.

/// Names of the coins that stand from the beginning, and a line for each transaction.
pub type Lines = (&'static str, &'static [&'static str]);

/// Two coins, one event: the least that can be paid twice.
pub const TWO_COINS: Lines = ("a b", &["pay A: a", "pay A: b"]);

/// A payment, a void that spends something else.
pub const PAY_OR_VOID: Lines = ("a b", &["pay A: a", "void A: b"]);

/// An internal transaction in the way of a payment.
pub const TAKEN_COIN: Lines = ("a b", &["pay A: a", "pay A: b", "move: a -> x"]);

/// A payment that builds on an internal transaction.
pub const CHILD: Lines = ("a b", &["move: a -> x", "pay A: x", "pay A: b"]);

/// A payment of A that builds on another payment of A.
pub const OWN_CHILD: Lines = ("a b", &["pay A: a -> x", "pay A: x", "pay A: b"]);

/// Two events, batches, voids, joint voids, merges, change and what builds on it.
pub const EVENTS: Lines = (
    "a b",
    &[
        "pay A: a -> x",
        "pay A: b",
        "pay A: a b",
        "pay B: a",
        "pay B: b -> y",
        "pay AB: a b",
        "pay AB: b -> z",
        "void A: a",
        "void A: b",
        "void AB: a b",
        "pay B: x",
        "pay A: y",
        "void B: x",
        "pay A: z",
    ],
);

/// The part of [`EVENTS`] that is small enough for members who approve and sign in two steps.
pub const FEW_EVENTS: Lines = (
    "a b",
    &["pay A: a -> x", "pay A: b", "pay B: b -> y", "pay AB: a b", "void A: b", "pay B: x", "pay A: y"],
);

/// Consolidations of one coin that exclude each other, and payments on all sides of them.
pub const PARENTS: Lines = (
    "a b",
    &[
        "pay A: a",
        "pay A: b",
        "pay A: a b",
        "move: a -> x",
        "move: a -> y",
        "pay A: x",
        "pay A: x b",
        "pay A: y",
        "pay A: y b",
    ],
);

/// As [`PARENTS`], with voids on all sides and fewer payments.
pub const PARENTS_AND_VOIDS: Lines = (
    "a b",
    &[
        "pay A: a",
        "pay A: b",
        "move: a -> x",
        "move: a -> y",
        "pay A: x",
        "void A: a",
        "void A: b",
        "void A: a b",
        "void A: x",
        "void A: x b",
        "void A: y",
        "void A: y b",
    ],
);

/// Payments and voids of one event over two coins.
pub const VOIDS: Lines =
    ("a b", &["pay A: a", "pay A: b", "pay A: a b", "void A: a", "void A: b", "void A: a b"]);

/// As [`VOIDS`], with a second payload of the same event.
pub const TWO_PAYLOADS: Lines = (
    "a b",
    &[
        "pay A: a",
        "pay A: b",
        "pay A: a b",
        "void A: a",
        "void A: b",
        "void A: a b",
        "pay A': a",
        "pay A': b",
        "pay A': a b",
    ],
);

/// Two events that want the same coin.
pub const CONTENDED: Lines = ("a", &["pay A: a -> x", "pay B: a -> y", "pay B: x", "pay A: y"]);

/// One tag: payments of B carry it or not, an old consolidation, payments of A out of every coin, merges.
pub const ONE_TAG: Lines = (
    "a b",
    &[
        "pay A: a",
        "pay A: b",
        "pay A: a b",
        "move: a -> x",
        "pay A: x",
        "pay B: b -> y0",
        "pay B: b -> y1 [1]",
        "pay A: y0",
        "pay A: y1",
        "pay B: a",
        "sweep: a -> a1 [1]",
        "sweep: x -> x1 [1]",
        "sweep: y0 -> z1 [1]",
        "sweep: b -> b1 [1]",
        "pay A: a1",
        "pay A: x1 y1",
        "pay B: a1",
        "pay A: a1 b",
        "pay A: b1",
    ],
);

/// One tag, with voids and batches that carry it.
pub const ONE_TAG_VOIDS: Lines = (
    "a b",
    &[
        "pay A: a",
        "pay A: b",
        "void A: a [1]",
        "void A: b",
        "pay B: b -> y1 [1]",
        "pay B: b -> y0",
        "pay AB: b -> y2 [1]",
        "sweep: a -> a1 [1]",
        "sweep: b -> b1 [1]",
        "sweep: y0 -> z1 [1]",
        "pay A: y1",
        "void A: y1",
        "pay A: a1",
        "void A: a1",
        "void A: b1",
        "pay B: a",
        "pay B: a1",
        "void AB: a b -> y3 [1]",
    ],
);

/// The least that shows how washing goes wrong with one tag.
pub const ONE_TAG_SMALL: Lines = (
    "a b",
    &[
        "pay A: a",
        "pay A: b",
        "pay B: b -> y0",
        "pay B: b -> y1 [1]",
        "pay A: y0",
        "pay A: y1",
        "pay B: a",
        "move: a -> x",
        "pay A: x",
        "sweep: a -> a1 [1]",
        "sweep: x -> x1 [1]",
        "sweep: y0 -> z1 [1]",
        "sweep: b -> b1 [1]",
        "pay A: a1",
        "pay A: b1",
    ],
);

/// One tag and no old consolidation: small enough for acceptance and reorganisation one by one.
pub const ONE_TAG_STEPS: Lines = (
    "a b",
    &[
        "pay A: a",
        "pay A: b",
        "pay B: b -> y1 [1]",
        "pay A: y1",
        "sweep: a -> a1 [1]",
        "sweep: b -> b1 [1]",
        "pay A: a1",
    ],
);

/// Two tags, drawn in any order by any members; payments and sweeps with either or both.
pub const TWO_TAGS: Lines = (
    "a b",
    &[
        "pay A: a",
        "pay A: b",
        "pay B: b -> y0",
        "pay B: b -> y1 [1]",
        "pay B: b -> y12 [12]",
        "pay B: b -> y2 [2]",
        "sweep: a -> a1 [1]",
        "sweep: a -> a12 [12]",
        "sweep: a -> a2 [2]",
        "sweep: a1 -> a1_2 [2]",
        "sweep: y1 -> y1_2 [2]",
        "sweep: y0 -> y0_1 [1]",
        "pay A: a1",
        "pay A: a12",
        "pay A: a2",
        "pay A: y1",
        "pay A: y12",
        "pay A: y1_2",
        "pay A: a1_2",
        "pay A: y0",
        "pay B: a1",
    ],
);

/// The part of [`TWO_TAGS`] that a kept tag is found with.
pub const TWO_TAGS_SMALL: Lines = (
    "a b",
    &[
        "pay A: a",
        "pay A: b",
        "pay B: b -> y1 [1]",
        "pay B: b -> y12 [12]",
        "pay B: b -> y2 [2]",
        "sweep: a -> a1 [1]",
        "sweep: a -> a12 [12]",
        "sweep: a1 -> a1_2 [2]",
        "sweep: y1 -> y1_2 [2]",
        "pay A: a1",
        "pay A: y1",
        "pay A: y1_2",
        "pay A: a1_2",
        "pay B: a1",
    ],
);

/// Three tags and the sweeps that carry them one after another, for three rollbacks.
pub const THREE_TAGS: Lines = (
    "a b",
    &[
        "pay A: a",
        "pay A: b",
        "pay B: b -> y1 [1]",
        "pay B: b -> y123 [123]",
        "sweep: a -> a1 [1]",
        "sweep: a1 -> a2 [2]",
        "sweep: a2 -> a3 [3]",
        "sweep: a -> a23 [23]",
        "sweep: y1 -> y2 [2]",
        "sweep: y2 -> y3 [3]",
        "sweep: y1 -> y23 [23]",
        "pay A: a1",
        "pay A: a2",
        "pay A: a3",
        "pay A: y1",
        "pay A: y2",
        "pay A: y123",
        "pay B: a1",
        "pay B: a3",
    ],
);

/// A deposit that comes at any time, before a tag or after it.
pub const DEPOSIT: Lines = (
    "a",
    &[
        "deposit -> d",
        "pay A: a",
        "pay A: d",
        "pay A: a d",
        "sweep: a -> a1 [1]",
        "sweep: d -> d1 [1]",
        "pay A: a1",
        "pay A: d1",
        "pay A: a1 d",
    ],
);

/// Sweeps take the coins of live approvals away while members wash.
pub const WASH_AND_END: Lines = (
    "a b",
    &[
        "pay A: a",
        "pay A: b",
        "pay A: a b",
        "sweep: a -> a1 [1]",
        "sweep: b -> b1 [1]",
        "pay A: a1",
        "pay A: b1",
        "pay A: a1 b1",
        "pay A: a1 b",
        "pay A: a b1",
    ],
);

/// The same with a second tag.
pub const WASH_TWICE_AND_END: Lines = (
    "a b",
    &[
        "pay A: a",
        "pay A: b",
        "pay A: a b",
        "sweep: a b -> a1 [1]",
        "sweep: a b -> a12 [12]",
        "sweep: a1 -> a1_2 [2]",
        "pay A: a1",
        "pay A: a12",
        "pay A: a1_2",
    ],
);

/// Three tags at once or one after another: everybody was restored.
pub const EVERYBODY: Lines = (
    "a b",
    &[
        "pay A: a",
        "pay A: b",
        "pay A: a b",
        "sweep: a b -> s1 [1]",
        "sweep: a b -> s12 [12]",
        "sweep: a b -> s123 [123]",
        "sweep: s1 -> s2 [2]",
        "sweep: s2 -> s4 [3]",
        "sweep: s1 -> s23 [23]",
        "sweep: s12 -> s3 [3]",
        "pay A: s1",
        "pay A: s12",
        "pay A: s123",
        "pay A: s2",
        "pay A: s4",
        "pay A: s23",
        "pay A: s3",
    ],
);

/// A group that moves: coins move one by one or together, behind payments and beside them.
pub const MOVE: Lines = (
    "a b | n",
    &[
        "pay A: a",
        "pay A: b",
        "pay B: b -> y",
        "pay A: y",
        "move: a -> x",
        "pay A: x",
        "migrate: a -> m",
        "migrate: b -> k",
        "migrate: a b -> l",
        "migrate: x -> o",
        "migrate: y -> v",
        "new pay A: n",
        "new pay A: m",
        "new pay A: l",
        "new pay B: n -> w",
        "new pay A: w",
    ],
);

/// The least that shows how a move goes wrong.
pub const MOVE_SMALL: Lines = (
    "a b | n",
    &["pay A: a", "pay A: b", "migrate: a -> m", "migrate: b -> k", "new pay A: n", "new pay A: m"],
);

/// A group that moves while a member washes.
pub const MOVE_AND_WASH: Lines = (
    "a b | n",
    &[
        "pay A: a",
        "pay A: b",
        "sweep: a -> a1 [1]",
        "sweep: b -> b1 [1]",
        "pay A: a1",
        "pay A: b1",
        "migrate: a -> m",
        "migrate: b -> k",
        "migrate: a1 -> m1",
        "migrate: b1 -> k1",
        "new pay A: n",
        "new pay A: m",
    ],
);

/// A deposit for a group that moves.
pub const MOVE_AND_DEPOSIT: Lines = (
    "a | n",
    &[
        "deposit -> d",
        "pay A: a",
        "pay A: d",
        "pay A: a d",
        "migrate: a -> m",
        "migrate: d -> e",
        "new pay A: n",
        "new pay A: m",
    ],
);

//! The coordinator under many live sessions: what one input costs, and what one session weighs.

use std::{fs, hint::black_box, time::Instant};

use igra_core::{
    BatchRules, BlockId, ChainUpdate, Coordinator, Input, InternalRules, Millis, Now, Policy, Records, Signs,
    SourceName, SourceRules, Timing, UnixSeconds, WalletUpdate,
};
use igra_group::{MemberIndex, Sompi};
use igra_tx::FeeRate;

use crate::{
    kit::{Keyed, LIMITS, event, recipient},
    timing::{bench, report},
};

const SESSIONS: u64 = 100_000;
const MEASURED: u64 = 2_000;

pub fn benches() {
    let keyed = Keyed::new(2, 3);
    let mut now = Now { monotonic: Millis(1), utc: UnixSeconds(1_000) };
    let mut empty = signer(&keyed, now);
    bench("handle a tick, no sessions", || {
        now.monotonic.0 += 1;
        empty.handle(now, Input::Tick)
    });
    many_sessions(&keyed);
}

/// Each input changes what the next one finds.
fn many_sessions(keyed: &Keyed) {
    let mut now = Now { monotonic: Millis(1), utc: UnixSeconds(1_000) };
    let mut mind = signer(keyed, now);
    let before = resident_kib();
    for number in 0..SESSIONS {
        mind.handle(now, Input::Event(event(number)));
    }
    let after = resident_kib();
    let each = (after.saturating_sub(before) * 1024) / SESSIONS;
    println!("{SESSIONS} live sessions: {each} bytes each, {after} KiB resident");
    // The chain moved: all that waits is looked at once more, some with each input.
    mind.handle(now, Input::Chain(moved(0)));
    let mut measure = |name: &str, input: &dyn Fn(u64) -> Input| {
        let mut times = Vec::new();
        for number in 0..MEASURED {
            now.monotonic.0 += 1;
            let input = input(number);
            let start = Instant::now();
            black_box(mind.handle(now, input));
            times.push(start.elapsed());
        }
        report(&format!("handle {name}, {SESSIONS} sessions"), times);
    };
    measure("a tick of a look over all", &|_| Input::Tick);
    measure("a new event", &|number| Input::Event(event(SESSIONS + number)));
    measure("a move of the chain", &|number| Input::Chain(moved(number)));
}

/// A block that concerns nobody here.
fn moved(number: u64) -> ChainUpdate {
    ChainUpdate {
        removed: Vec::new(),
        added: Vec::new(),
        cursor: BlockId::from_bytes([1; 32]),
        cursor_daa: 10_000_000 + number,
        virtual_daa: 10_000_000 + number,
        restarted: false,
        gapless: true,
    }
}

/// A signer whose turn it is not to propose, so that each input is handled by itself.
fn signer(keyed: &Keyed, now: Now) -> Coordinator {
    let timing = Timing {
        view_timeout: Millis(1_000_000_000),
        view_timeout_cap: Millis(1_000_000_000),
        rank_delay: Millis(200),
        catch_up: Millis(1_000_000_000),
    };
    let (group, me) = (keyed.group.clone(), MemberIndex(1));
    let (mut mind, _) =
        Coordinator::restore(group, me, policy(), timing, Records::default(), Signs::default(), now);
    // The group begins without coins, or its empty store would count as one that forgot something.
    let wallet = |coins| {
        let (virtual_daa, fee_rate) = (10_000_000, FeeRate::new(100));
        Input::Wallet(WalletUpdate { virtual_daa, coins, predecessor: Vec::new(), fee_rate, synced: true })
    };
    mind.handle(now, Input::Chain(moved(0)));
    mind.handle(now, wallet(Vec::new()));
    mind.handle(now, wallet(keyed.view(100).coins.into_values().collect()));
    mind
}

fn policy() -> Policy {
    Policy {
        amount_min: Sompi::ZERO,
        amount_max: None,
        volumes: Vec::new(),
        allow: [recipient()].into(),
        sources: [(SourceName("bench".to_owned()), SourceRules { deadline_seconds: 1_000_000 })].into(),
        fee: LIMITS,
        batch: BatchRules::default(),
        replace_after: Millis(60_000),
        internal: InternalRules::default(),
    }
}

/// What this process holds in memory; 0 where the system does not say.
fn resident_kib() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|rest| rest.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}

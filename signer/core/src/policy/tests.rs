use super::*;
use crate::{
    test_kit::{event_of, policy, recipient},
    volume::{VolumeEntry, VolumeState},
};
use proptest::prelude::*;

const NOW: UnixSeconds = UnixSeconds(1_000_000);

fn event(id: u64, sompi: u64) -> VerifiedEvent {
    event_of(id, sompi)
}

fn verdict(policy: &Policy, event: &VerifiedEvent, volumes: &Volumes) -> Verdict {
    policy.verdict(event, NOW, false, volumes, &[], NOW)
}

fn code(verdict: Verdict) -> Option<DenialCode> {
    match verdict {
        Verdict::Allow => None,
        Verdict::Hold { denial, .. } | Verdict::Deny { denial } => Some(denial.code),
    }
}

fn daily(limit: u64) -> Volume {
    Volume { window: VolumeWindow::UtcDay, limit: Sompi(limit), scope: VolumeScope::Group }
}

fn paid(events: impl IntoIterator<Item = (VerifiedEvent, VolumeState)>) -> Volumes {
    events.into_iter().map(|(event, state)| (event.payment.event, VolumeEntry::of(&event, state))).collect()
}

#[test]
fn a_payment_within_every_rule_is_allowed() {
    assert_eq!(verdict(&policy(), &event(1, 1_000), &Volumes::default()), Verdict::Allow);
}

#[test]
fn a_source_that_the_policy_does_not_name_is_denied() {
    let stranger = VerifiedEvent { source: SourceName("other".to_owned()), ..event(1, 1_000) };
    assert_eq!(code(verdict(&policy(), &stranger, &Volumes::default())), Some(DenialCode::SourceUnknown));
}

#[test]
fn a_payment_over_the_maximum_is_denied_with_what_is_and_what_may_be() {
    let policy = Policy { amount_max: Some(Sompi(500)), ..policy() };
    let Verdict::Deny { denial } = verdict(&policy, &event(1, 501), &Volumes::default()) else {
        panic!("not denied")
    };
    assert_eq!((denial.code, denial.rule.as_str()), (DenialCode::AmountAboveMax, "amount.max"));
    assert_eq!((denial.actual, denial.allowed), (Sompi(501).to_string(), Sompi(500).to_string()));
}

#[test]
fn a_payment_below_the_minimum_or_of_nothing_is_denied() {
    let policy = Policy { amount_min: Sompi(10), ..policy() };
    assert_eq!(code(verdict(&policy, &event(1, 9), &Volumes::default())), Some(DenialCode::AmountBelowMin));
    assert_eq!(code(verdict(&policy, &event(1, 0), &Volumes::default())), Some(DenialCode::AmountZero));
}

#[test]
fn a_destination_beside_the_list_is_denied() {
    let policy = Policy { allow: [recipient(9)].into(), ..policy() };
    assert_eq!(
        code(verdict(&policy, &event(1, 1_000), &Volumes::default())),
        Some(DenialCode::DestinationNotAllowed)
    );
}

#[test]
fn the_deadline_counts_until_the_first_approval_only() {
    let late = VerifiedEvent { deadline: Some(UnixSeconds(NOW.0 - 1)), ..event(1, 1_000) };
    let of = |approved| policy().verdict(&late, NOW, approved, &Volumes::default(), &[], NOW);
    assert_eq!(code(of(false)), Some(DenialCode::DeadlinePassed));
    assert_eq!(of(true), Verdict::Allow);
}

#[test]
fn without_room_in_the_volume_a_payment_is_held_and_alone_above_it_denied() {
    let policy = Policy { volumes: vec![daily(1_000)], ..policy() };
    let volumes = paid([(event(1, 600), VolumeState::Reserved)]);
    assert!(matches!(verdict(&policy, &event(2, 401), &volumes), Verdict::Hold { .. }));
    assert!(matches!(verdict(&policy, &event(2, 1_001), &volumes), Verdict::Deny { .. }));
    assert_eq!(verdict(&policy, &event(2, 400), &volumes), Verdict::Allow);
}

#[test]
fn an_event_does_not_stand_in_its_own_way() {
    let policy = Policy { volumes: vec![daily(1_000)], ..policy() };
    let volumes = paid([(event(1, 600), VolumeState::Reserved)]);
    assert_eq!(verdict(&policy, &event(1, 600), &volumes), Verdict::Allow);
}

#[test]
fn what_was_spent_leaves_a_rolling_window_with_time_and_what_is_reserved_does_not() {
    let rule = Volume {
        window: VolumeWindow::Rolling { seconds: 60 },
        limit: Sompi(1_000),
        scope: VolumeScope::Group,
    };
    let policy = Policy { volumes: vec![rule], ..policy() };
    let spent = paid([(event(1, 900), VolumeState::Spent { at: NOW })]);
    let at = |seconds: u64, volumes: &Volumes| {
        policy.verdict(&event(2, 500), NOW, false, volumes, &[], UnixSeconds(NOW.0 + seconds))
    };
    assert!(matches!(at(59, &spent), Verdict::Hold { .. }));
    assert_eq!(at(60, &spent), Verdict::Allow);
    assert!(matches!(at(60, &paid([(event(1, 900), VolumeState::Reserved)])), Verdict::Hold { .. }));
}

#[test]
fn a_clock_that_was_set_back_frees_no_volume() {
    let policy = Policy { volumes: vec![daily(1_000)], ..policy() };
    let spent = paid([(event(1, 900), VolumeState::Spent { at: UnixSeconds(NOW.0 + 200_000) })]);
    assert!(matches!(verdict(&policy, &event(2, 500), &spent), Verdict::Hold { .. }));
}

#[test]
fn a_volume_of_one_source_or_destination_counts_only_that() {
    let mut other = event(1, 900);
    other.source = SourceName("other".to_owned());
    other.payment.recipient = recipient(9);
    let volumes = paid([(other, VolumeState::Reserved)]);
    for scope in [VolumeScope::Source(SourceName("test".to_owned())), VolumeScope::Destination] {
        let rule = Volume { window: VolumeWindow::UtcDay, limit: Sompi(1_000), scope };
        let policy = Policy { volumes: vec![rule], ..policy() };
        assert_eq!(verdict(&policy, &event(2, 900), &volumes), Verdict::Allow);
    }
}

#[test]
fn codes_are_distinct_and_are_what_serde_writes() {
    let mut seen = BTreeSet::new();
    for code in DenialCode::ALL {
        assert!(seen.insert(code.as_str()));
    }
}

fn some_policy() -> impl Strategy<Value = Policy> {
    let volume = (0u64..3, 1u64..5_000).prop_map(|(kind, limit)| Volume {
        window: if kind == 0 {
            VolumeWindow::UtcDay
        } else {
            VolumeWindow::Rolling { seconds: kind * 50_000 }
        },
        limit: Sompi(limit),
        scope: if kind == 2 { VolumeScope::Destination } else { VolumeScope::Group },
    });
    (0u64..300, prop::option::of(200u64..3_000), prop::collection::vec(volume, 0..3)).prop_map(
        |(min, max, volumes)| Policy {
            amount_min: Sompi(min),
            amount_max: max.map(Sompi),
            volumes,
            ..policy()
        },
    )
}

fn some_volumes() -> impl Strategy<Value = Volumes> {
    prop::collection::vec((2u64..50, 0u64..2_000, prop::option::of(0u64..2_000_000)), 0..6).prop_map(
        |entries| {
            paid(entries.into_iter().map(|(id, amount, at)| {
                let state = at.map_or(VolumeState::Reserved, |at| VolumeState::Spent { at: UnixSeconds(at) });
                (event(id, amount), state)
            }))
        },
    )
}

proptest! {
    #[test]
    fn invariant_20_adding_a_restriction_never_allows_more(
        base in some_policy(), volumes in some_volumes(), amount in 0u64..4_000, limit in 1u64..4_000, which in 0u8..4,
    ) {
        let mut tighter = base.clone();
        match which {
            0 => tighter.volumes.push(daily(limit)),
            1 => tighter.amount_max = Some(Sompi(base.amount_max.map_or(limit, |max| max.0.min(limit)))),
            2 => tighter.amount_min = Sompi(base.amount_min.0.max(limit)),
            _ => tighter.allow = [recipient(9)].into(),
        }
        let event = event(1, amount);
        if verdict(&tighter, &event, &volumes) == Verdict::Allow {
            prop_assert_eq!(verdict(&base, &event, &volumes), Verdict::Allow);
        }
    }

    #[test]
    fn invariant_20_the_verdict_is_a_function_of_what_it_is_given(
        policy in some_policy(), volumes in some_volumes(), amount in 0u64..4_000,
    ) {
        let event = event(1, amount);
        prop_assert_eq!(verdict(&policy, &event, &volumes), verdict(&policy.clone(), &event.clone(), &volumes.clone()));
    }

    #[test]
    fn invariant_8_what_is_allowed_one_by_one_never_exceeds_a_window(
        amounts in prop::collection::vec((0u64..2_000, 0u64..40_000, any::<bool>()), 1..20), limit in 1u64..4_000,
    ) {
        let rules = [VolumeWindow::UtcDay, VolumeWindow::Rolling { seconds: 100_000 }];
        let rules = rules.map(|window| Volume { window, limit: Sompi(limit), scope: VolumeScope::Group });
        let policy = Policy { volumes: rules.to_vec(), amount_min: Sompi::ZERO, ..policy() };
        let (mut volumes, mut now) = (Volumes::default(), NOW);
        for (id, (amount, wait, spend)) in amounts.into_iter().enumerate() {
            now.0 += wait;
            let event = event(id as u64, amount);
            if policy.verdict(&event, now, false, &volumes, &[], now) == Verdict::Allow {
                volumes.insert(event.payment.event, VolumeEntry::of(&event, VolumeState::Reserved));
            }
            let reserved = volumes.iter().find(|(_, entry)| entry.state == VolumeState::Reserved);
            if let Some((event, entry)) = reserved.filter(|_| spend).map(|(event, entry)| (*event, entry.clone())) {
                volumes.insert(event, VolumeEntry { state: VolumeState::Spent { at: now }, ..entry });
            }
            let nobody = self::event(u64::MAX, 0);
            for rule in &policy.volumes {
                prop_assert!(volumes.used(rule, &nobody, &[], now) <= rule.limit);
            }
        }
    }

    #[test]
    fn invariant_8_no_sum_overflows(amounts in prop::collection::vec(any::<u64>(), 1..5)) {
        let policy = Policy { volumes: vec![daily(u64::MAX)], amount_max: None, ..policy() };
        let volumes = paid(amounts.iter().enumerate().map(|(id, amount)| (event(id as u64, *amount), VolumeState::Reserved)));
        let _: Verdict = verdict(&policy, &event(99, u64::MAX), &volumes);
    }
}

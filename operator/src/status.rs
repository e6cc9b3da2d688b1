//! From what is known about a group to its status. Pure.

use igra_crds::{
    ConditionStatus, ConditionType, GroupPolicy, GroupPolicySpec, GroupPolicyStatus, MemberStatus, Reason,
    SignerGroupSpec, SignerGroupStatus, Tolerates, condition,
};
use igra_group::Group;
use k8s_openapi::{
    apimachinery::pkg::apis::meta::v1::{Condition, Time},
    jiff::Timestamp,
};

use crate::{members::Line, validate::Problem};

/// Everything a status is made from.
pub struct Facts<'a> {
    pub spec: &'a SignerGroupSpec,
    /// None where there is no such policy.
    pub policy: Option<&'a GroupPolicySpec>,
    pub generation: Option<i64>,
    /// The wallet, where the specification makes one.
    pub group: Option<&'a Group>,
    /// What is wrong with the group; empty for a valid one.
    pub problems: &'a [Problem],
    pub sync: &'a Sync,
    /// One for each local member.
    pub lines: &'a [Line],
    pub old: Option<&'a SignerGroupStatus>,
    pub now: Timestamp,
}

/// How the objects in the cluster stand to those we want.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sync {
    UpToDate,
    /// The specification is paused, so nothing was compared.
    Paused,
    /// The group is invalid, so nothing was written.
    Nothing,
    /// Somebody else's fields are in an object of ours, where an apply does not reach.
    ForeignFields(String),
    ForeignOwner(String),
    Failed(String),
}

/// The whole status; times of conditions that did not change are kept.
pub fn status(facts: &Facts<'_>) -> SignerGroupStatus {
    let threshold = facts.group.map(Group::threshold);
    let quorum = facts.group.map(Group::quorum);
    let ready = facts.lines.iter().filter(|line| line.status.ready).count();
    let mut members: Vec<MemberStatus> = facts.lines.iter().map(|line| line.status.clone()).collect();
    members.sort_by(|a, b| a.name.cmp(&b.name));
    SignerGroupStatus {
        observed_generation: facts.generation,
        group_id: facts.group.map(|group| group.id().to_string()),
        address: facts.group.map(|group| group.wallet().address().to_string()),
        threshold: threshold.map(|threshold| format!("{}-of-{}", threshold.needed(), threshold.members())),
        quorum: quorum.map(|quorum| quorum.get()),
        tolerates: threshold.zip(quorum).map(|(threshold, quorum)| Tolerates {
            stopped: quorum.tolerates_stopped(threshold),
            lying: quorum.tolerates_lying(threshold),
        }),
        ready_members: Some(format!("{ready}/{}", facts.lines.len())),
        conditions: conditions(facts, ready),
        members,
    }
}

/// The status of a policy: whether its rules can be enforced.
pub fn policy_status(policy: &GroupPolicy, problems: &[Problem], now: Timestamp) -> GroupPolicyStatus {
    let (status, reason, message) = match problems.first() {
        None => (ConditionStatus::True, Reason::Accepted, "its rules can be enforced".to_owned()),
        Some(first) => (ConditionStatus::False, first.reason, words(problems)),
    };
    let generation = policy.metadata.generation;
    let now = Time(whole_seconds(now));
    let new = condition(ConditionType::Accepted, status, reason, message, generation, now);
    let old = policy.status.as_ref().map(|old| old.conditions.as_slice()).unwrap_or_default();
    GroupPolicyStatus { observed_generation: generation, conditions: vec![since_when(old, new)] }
}

/// Conditions of the new status that were not so, or not there, before: each is worth an Event.
pub fn transitions<'a>(old: Option<&SignerGroupStatus>, new: &'a SignerGroupStatus) -> Vec<&'a Condition> {
    let old = old.map(|old| old.conditions.as_slice()).unwrap_or_default();
    let same = |new: &Condition| {
        old.iter().any(|old| old.type_ == new.type_ && old.status == new.status && old.reason == new.reason)
    };
    // Of a new group only what there is to know is told, not that nothing is unusual.
    let usual = [Reason::NotPaused.as_str(), Reason::UpToDate.as_str()];
    let news = |new: &&Condition| !(same(new) || old.is_empty() && usual.contains(&new.reason.as_str()));
    new.conditions.iter().filter(news).collect()
}

fn conditions(facts: &Facts<'_>, ready: usize) -> Vec<Condition> {
    let old = facts.old.map(|old| old.conditions.as_slice()).unwrap_or_default();
    let all = [
        (ConditionType::Valid, valid(facts)),
        (ConditionType::Synced, synced(facts.sync)),
        (ConditionType::Available, available(facts, ready)),
        (ConditionType::Ready, members_ready(facts, ready)),
        (ConditionType::TrustDistributed, trust_distributed(facts)),
        (ConditionType::ApproversRequired, approvers_required(facts)),
        (ConditionType::Paused, paused(facts)),
    ];
    all.into_iter()
        .map(|(type_, (status, reason, message))| {
            let new =
                condition(type_, status, reason, message, facts.generation, Time(whole_seconds(facts.now)));
            since_when(old, new)
        })
        .collect()
}

type Said = (ConditionStatus, Reason, String);

fn valid(facts: &Facts<'_>) -> Said {
    match facts.problems.first() {
        None => (ConditionStatus::True, Reason::Valid, "the group can be run".to_owned()),
        Some(first) => (ConditionStatus::False, first.reason, words(facts.problems)),
    }
}

fn words(problems: &[Problem]) -> String {
    let each = problems.iter().map(|problem| format!("{}: {}", problem.field, problem.what));
    each.collect::<Vec<_>>().join("; ")
}

fn synced(sync: &Sync) -> Said {
    match sync {
        Sync::UpToDate => (ConditionStatus::True, Reason::UpToDate, "all objects are as wanted".to_owned()),
        Sync::Paused => {
            (ConditionStatus::Unknown, Reason::Paused, "nothing is changed while paused".to_owned())
        }
        Sync::Nothing => (
            ConditionStatus::Unknown,
            Reason::NothingDeployed,
            "nothing is written for an invalid group".to_owned(),
        ),
        Sync::ForeignFields(what) => (ConditionStatus::False, Reason::ForeignFields, what.clone()),
        Sync::ForeignOwner(what) => (ConditionStatus::False, Reason::ForeignOwner, what.clone()),
        Sync::Failed(what) => (ConditionStatus::False, Reason::ApplyFailed, what.clone()),
    }
}

fn available(facts: &Facts<'_>, ready: usize) -> Said {
    let Some(group) = facts.group else {
        return (
            ConditionStatus::False,
            Reason::NothingDeployed,
            "the specification makes no group".to_owned(),
        );
    };
    let quorum = usize::from(group.quorum().get());
    let remote = facts.spec.members.len() - facts.lines.len();
    let counted = format!(
        "{ready} of {} local members are ready, and approvals need {quorum} members",
        facts.lines.len()
    );
    if ready >= quorum {
        (ConditionStatus::True, Reason::QuorumReady, counted)
    } else if ready + remote >= quorum {
        (
            ConditionStatus::Unknown,
            Reason::RemoteMembersUnseen,
            format!("{counted}; {remote} members are run elsewhere"),
        )
    } else {
        (ConditionStatus::False, Reason::BelowQuorum, counted)
    }
}

fn members_ready(facts: &Facts<'_>, ready: usize) -> Said {
    if !facts.problems.is_empty() && ready == 0 {
        return (ConditionStatus::False, Reason::NothingDeployed, words(facts.problems));
    }
    if facts.lines.iter().all(|line| line.status.ready) {
        return (
            ConditionStatus::True,
            Reason::AllMembersReady,
            format!("{ready} of {} local members are ready", facts.lines.len()),
        );
    }
    let waiting = facts.lines.iter().filter(|line| !line.status.ready);
    let each = waiting.map(|line| {
        format!("{}: {}", line.status.name, line.status.message.as_deref().unwrap_or("not ready"))
    });
    let message = each.collect::<Vec<_>>().join("; ");
    let only_suspended = facts.lines.iter().all(|line| line.status.ready || line.suspended);
    let reason = if only_suspended { Reason::Suspended } else { Reason::MembersNotReady };
    (ConditionStatus::False, reason, message)
}

fn trust_distributed(facts: &Facts<'_>) -> Said {
    let (local, needed) = (facts.lines.len(), usize::from(facts.spec.threshold));
    let counted =
        format!("{local} of {} members are local and the threshold is {needed}", facts.spec.members.len());
    if local < needed {
        (ConditionStatus::True, Reason::LocalMembersBelowThreshold, counted)
    } else {
        let message = format!("{counted}: whoever controls this cluster can pay alone");
        (ConditionStatus::False, Reason::LocalMembersReachThreshold, message)
    }
}

fn approvers_required(facts: &Facts<'_>) -> Said {
    let Some(policy) = facts.policy else {
        return (ConditionStatus::Unknown, Reason::PolicyNotFound, "there is no policy yet".to_owned());
    };
    let trusting = policy.sources.iter().filter(|source| source.api.trust_ingress);
    let names: Vec<&str> = trusting.map(|source| source.name.as_str()).collect();
    if names.is_empty() {
        let message = "every source asks for its approvers' signatures".to_owned();
        return (ConditionStatus::True, Reason::EverySourceHasApprovers, message);
    }
    let message = format!(
        "source {}: whoever may submit to one member's API can pay, within the policy, without any approver",
        names.join(", ")
    );
    (ConditionStatus::False, Reason::TrustIngress, message)
}

fn paused(facts: &Facts<'_>) -> Said {
    if facts.spec.paused {
        (ConditionStatus::True, Reason::Paused, "nothing is changed but this status".to_owned())
    } else {
        (ConditionStatus::False, Reason::NotPaused, String::new())
    }
}

/// Keeps the time since when a condition is as it is.
fn since_when(old: &[Condition], new: Condition) -> Condition {
    match old.iter().find(|old| old.type_ == new.type_) {
        Some(before) if before.status == new.status => {
            Condition { last_transition_time: before.last_transition_time.clone(), ..new }
        }
        Some(_) | None => new,
    }
}

/// The API server keeps whole seconds: a finer time would differ from what comes back.
fn whole_seconds(now: Timestamp) -> Timestamp {
    Timestamp::from_second(now.as_second()).expect("a timestamp's seconds make a timestamp")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{samples, validate};
    use igra_crds::SignerGroup;
    use serde_json::json;

    const EARLIER: &str = "2026-01-01T00:00:00Z";
    const LATER: &str = "2026-01-01T00:05:00.5Z";

    fn line(name: &str, ready: bool) -> Line {
        let message = (!ready).then(|| "no pod yet".to_owned());
        let status = MemberStatus { name: name.to_owned(), ready, transport_id: None, message };
        Line { status, suspended: false, pending: false }
    }

    fn said(
        object: &SignerGroup,
        ready: &[bool],
        problems: &[Problem],
        old: Option<&SignerGroupStatus>,
        now: &str,
    ) -> SignerGroupStatus {
        let names = ["alpha", "beta", "gamma"];
        let lines: Vec<Line> = names.iter().zip(ready).map(|(name, ready)| line(name, *ready)).collect();
        let group = validate::group_of(&object.spec);
        let sync = if problems.is_empty() { Sync::UpToDate } else { Sync::Nothing };
        let now = now.parse().unwrap();
        status(&Facts {
            spec: &object.spec,
            policy: Some(&samples::policy(|_| {}).spec),
            generation: Some(7),
            group: group.as_ref(),
            problems,
            sync: &sync,
            lines: &lines,
            old,
            now,
        })
    }

    fn of<'a>(status: &'a SignerGroupStatus, type_: &str) -> (&'a str, &'a str, &'a str) {
        let condition = status.conditions.iter().find(|condition| condition.type_ == type_).unwrap();
        (&condition.status, &condition.reason, &condition.message)
    }

    #[test]
    fn readiness_is_counted_against_the_quorum() {
        let group = samples::group(|_| {});
        for (ready, available, all_ready, counted) in [
            ([true, true, true], "True", "True", "3/3"),
            ([true, false, true], "True", "False", "2/3"),
            ([true, false, false], "False", "False", "1/3"),
        ] {
            let status = said(&group, &ready, &[], None, EARLIER);
            assert_eq!(of(&status, "Available").0, available);
            assert_eq!(of(&status, "Ready").0, all_ready);
            assert_eq!(status.ready_members.as_deref(), Some(counted));
        }
    }

    #[test]
    fn a_member_that_is_not_ready_is_named() {
        let status = said(&samples::group(|_| {}), &[true, false, true], &[], None, EARLIER);
        assert_eq!(of(&status, "Ready"), ("False", "MembersNotReady", "beta: no pod yet"));
    }

    #[test]
    fn members_run_elsewhere_leave_availability_open() {
        let group = samples::group(|group| {
            let member = group["spec"]["members"][2].as_object_mut().unwrap();
            member.remove("local");
            member.insert("remote".into(), json!({"addresses": ["gamma.example.org:31120"]}));
        });
        assert_eq!(of(&said(&group, &[true, false], &[], None, EARLIER), "Available").0, "Unknown");
        assert_eq!(of(&said(&group, &[true, true], &[], None, EARLIER), "Available").0, "True");
    }

    #[test]
    fn an_invalid_group_says_which_field_and_why() {
        let problem = Problem {
            field: "spec.policyRef.name".into(),
            what: "is not there".into(),
            reason: Reason::PolicyNotFound,
        };
        let status = said(&samples::group(|_| {}), &[false, false, false], &[problem], None, EARLIER);
        assert_eq!(of(&status, "Valid"), ("False", "PolicyNotFound", "spec.policyRef.name: is not there"));
        assert_eq!(of(&status, "Ready").1, "NothingDeployed");
        assert!(status.address.is_some());
    }

    #[test]
    fn a_condition_that_stays_keeps_its_time() {
        let group = samples::group(|_| {});
        let first = said(&group, &[true, true, true], &[], None, EARLIER);
        assert_eq!(
            said(&group, &[true, true, true], &[], Some(&first), LATER),
            first,
            "nothing changed but the time"
        );

        let second = said(&group, &[true, false, true], &[], Some(&first), LATER);
        let time = |type_: &str| {
            let condition = second.conditions.iter().find(|condition| condition.type_ == type_).unwrap();
            condition.last_transition_time.0.to_string()
        };
        assert_eq!((time("Ready").as_str(), time("Valid").as_str()), ("2026-01-01T00:05:00Z", EARLIER));
        let news: Vec<&str> =
            transitions(Some(&first), &second).iter().map(|condition| condition.type_.as_str()).collect();
        assert_eq!(news, ["Ready"]);
    }

    #[test]
    fn a_policy_that_trusts_the_api_is_told() {
        let group = samples::group(|_| {});
        let told = said(&group, &[true; 3], &[], None, EARLIER);
        let (status, reason, message) = of(&told, "ApproversRequired");
        assert_eq!((status, reason), ("False", "TrustIngress"));
        assert!(message.starts_with("source treasury-api: "), "{message}");

        let asking = samples::policy(|policy| {
            policy["spec"]["sources"][0]["api"] = json!({"approvers": ["anna"], "approvals": 1});
        });
        let said = |policy: Option<&GroupPolicy>| {
            approvers_required(&Facts {
                spec: &group.spec,
                policy: policy.map(|policy| &policy.spec),
                generation: None,
                group: None,
                problems: &[],
                sync: &Sync::UpToDate,
                lines: &[],
                old: None,
                now: EARLIER.parse().unwrap(),
            })
        };
        assert_eq!(said(Some(&asking)).0, ConditionStatus::True);
        assert_eq!(said(None).0, ConditionStatus::Unknown);
    }

    #[test]
    fn a_cluster_that_can_pay_alone_is_told_so() {
        let group = samples::group(|_| {});
        assert_eq!(of(&said(&group, &[true; 3], &[], None, EARLIER), "TrustDistributed").0, "False");
        assert_eq!(of(&said(&group, &[true; 1], &[], None, EARLIER), "TrustDistributed").0, "True");
    }
}

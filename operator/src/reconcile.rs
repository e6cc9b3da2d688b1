//! The pipeline on one screen: fetch → validate → build → apply → report.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use igra_crds::{GroupPolicy, SignerGroup, SignerGroupStatus};
use k8s_openapi::{api::core::v1::Pod, jiff::Timestamp};
use kube::{
    Client, Resource, ResourceExt,
    runtime::{
        controller::Action,
        events::{Event, EventType, Recorder},
    },
};

use crate::{
    Error,
    apply::{Applier, request, write_status},
    build::{self, Intent, Kind},
    fetch::Cache,
    members::{self, Line, Wanted},
    metrics::Metrics,
    status::{self, Facts, Sync},
    validate::{self, Problem, ValidGroup},
};

/// How long until a pod is looked at again that waits for something which sends no event.
const LOOK_AGAIN: Duration = Duration::from_secs(5);
/// How long until an object is tried again that holds somebody else's fields.
const FOREIGN_AGAIN: Duration = Duration::from_secs(300);

pub(crate) struct Operator {
    pub client: Client,
    pub cache: Cache,
    pub recorder: Recorder,
    pub metrics: Arc<Metrics>,
    pub signer_image: String,
}

/// One look at one group.
pub(crate) async fn reconcile(object: Arc<SignerGroup>, operator: Arc<Operator>) -> Result<Action, Error> {
    let _timer = operator.metrics.duration.start_timer();
    operator.metrics.reconciles.inc();
    if object.metadata.deletion_timestamp.is_some() {
        return Ok(Action::await_change());
    }
    let namespace = object.namespace().unwrap_or_default();
    let policy = operator.cache.policy(&namespace, &object.spec.policy_ref.name);
    let valid = validate::validate(&object, policy.as_deref(), &operator.signer_image);
    let (sync, wanted, failure) = match &valid {
        Err(_) => (Sync::Nothing, BTreeMap::new(), None),
        Ok(_) if object.spec.paused => (Sync::Paused, BTreeMap::new(), None),
        Ok(group) => operator.bring_into_shape(group).await,
    };
    let pods = operator.cache.pods(&namespace, &object.name_any());
    let problems = valid.err().unwrap_or_default();
    let lines = operator.report(&object, policy.as_deref(), &problems, &sync, &wanted, &pods).await?;
    match failure {
        Some(error) => Err(error),
        None => Ok(next_look(&sync, &lines)),
    }
}

/// One look at one policy: says whether its rules can be enforced.
pub(crate) async fn accept(policy: Arc<GroupPolicy>, operator: Arc<Operator>) -> Result<Action, Error> {
    let problems = validate::policy_problems(&policy);
    let new = status::policy_status(&policy, &problems, Timestamp::now());
    if policy.status.as_ref() != Some(&new) && policy.metadata.deletion_timestamp.is_none() {
        write_status(&operator.client, &*policy, &new).await?;
        operator.metrics.status_writes.inc();
    }
    Ok(Action::await_change())
}

fn next_look(sync: &Sync, lines: &[Line]) -> Action {
    if lines.iter().any(|line| line.pending) {
        return Action::requeue(LOOK_AGAIN);
    }
    match sync {
        Sync::ForeignFields(_) => Action::requeue(FOREIGN_AGAIN),
        Sync::UpToDate | Sync::Paused | Sync::Nothing | Sync::ForeignOwner(_) | Sync::Failed(_) => {
            Action::await_change()
        }
    }
}

impl Operator {
    /// Build and apply. An error does not stop the report, which tells it.
    async fn bring_into_shape(&self, group: &ValidGroup) -> (Sync, BTreeMap<String, Wanted>, Option<Error>) {
        let applier = Applier { client: &self.client, cache: &self.cache, metrics: &self.metrics, group };
        match apply_all(&applier).await {
            Ok(Applied { intents, foreign, failure }) => {
                let sync = match (&failure, foreign) {
                    (Some(error), _) => sync_of(error),
                    (None, Some(where_)) => Sync::ForeignFields(where_),
                    (None, None) => Sync::UpToDate,
                };
                (sync, wanted_pods(group, &intents), failure)
            }
            Err(error) => (sync_of(&error), BTreeMap::new(), Some(error)),
        }
    }

    /// Writes the status where it differs, and an Event for each transition.
    async fn report(
        &self,
        object: &SignerGroup,
        policy: Option<&GroupPolicy>,
        problems: &[Problem],
        sync: &Sync,
        wanted: &BTreeMap<String, Wanted>,
        pods: &BTreeMap<String, Arc<Pod>>,
    ) -> Result<Vec<Line>, Error> {
        let now = Timestamp::now();
        let lines = member_lines(object, wanted, pods, now);
        let group = validate::group_of(&object.spec);
        let new = status::status(&Facts {
            spec: &object.spec,
            policy: policy.map(|policy| &policy.spec),
            generation: object.metadata.generation,
            group: group.as_ref(),
            problems,
            sync,
            lines: &lines,
            old: object.status.as_ref(),
            now,
        });
        if object.status.as_ref() != Some(&new) {
            write_status(&self.client, object, &new).await?;
            self.metrics.status_writes.inc();
            self.publish(object, &new).await;
        }
        Ok(lines)
    }

    async fn publish(&self, object: &SignerGroup, status: &SignerGroupStatus) {
        for condition in status::transitions(object.status.as_ref(), status) {
            let good = condition.status == if condition.type_ == "Paused" { "False" } else { "True" };
            let event = Event {
                type_: if good { EventType::Normal } else { EventType::Warning },
                reason: condition.reason.clone(),
                note: Some(format!("{} is {}: {}", condition.type_, condition.status, condition.message)),
                action: "Reconcile".to_owned(),
                secondary: None,
            };
            // An Event is news, not state: losing one must not fail the group.
            let reference = object.object_ref(&());
            let published = self.recorder.publish(&event, &reference);
            if let Err(error) = request("could not publish an Event".to_owned(), published).await {
                tracing::debug!(%error);
            }
        }
    }
}

fn sync_of(error: &Error) -> Sync {
    match error {
        Error::ForeignOwner { .. } => Sync::ForeignOwner(error.to_string()),
        Error::Request { .. } | Error::Timeout { .. } => Sync::Failed(error.to_string()),
    }
}

/// What came of writing all that a group is made of.
#[derive(Default)]
struct Applied {
    /// What stands in the cluster now, but for the claims.
    intents: Vec<Intent>,
    /// Where a foreign field stands, if any.
    foreign: Option<String>,
    /// What went wrong with a claim first.
    failure: Option<Error>,
}

impl Applied {
    fn note_foreign(&mut self, intent: &Intent, at: Option<String>) {
        let told = at.map(|at| format!("{} {}: {at}", intent.kind.as_str(), intent.name));
        self.foreign = self.foreign.take().or(told);
    }
}

/// Claims first: a member's configuration names the UID of its claim. A claim that cannot be written holds nothing else
/// up: what it asks for is about room, and the rules of a policy must reach the signers all the same.
async fn apply_all(applier: &Applier<'_>) -> Result<Applied, Error> {
    let mut all = Applied::default();
    let volumes = apply_claims(applier, &mut all).await;
    let wanted = build::objects(applier.group, &volumes);
    for intent in &wanted {
        if lacks_claim(applier.group, intent, &volumes) {
            continue;
        }
        let applied = applier.apply(intent).await?;
        all.note_foreign(intent, applied.foreign);
        all.intents.push(intent.clone());
    }
    applier.prune(&wanted).await?;
    Ok(all)
}

/// The UIDs of the members' claims; none for a member whose claim is not there, or is somebody else's.
async fn apply_claims(applier: &Applier<'_>, all: &mut Applied) -> BTreeMap<String, String> {
    let mut volumes = BTreeMap::new();
    let claims = build::claims(applier.group, &applier.claim_sizes());
    for ((member, _), claim) in applier.group.local_members().zip(claims) {
        let uid = match applier.apply(&claim).await {
            Ok(applied) => {
                all.note_foreign(&claim, applied.foreign);
                Some(applied.uid)
            }
            Err(error) => {
                all.failure.get_or_insert(error);
                applier.uid(&claim)
            }
        };
        volumes.extend(uid.map(|uid| (member.name.clone(), uid)));
    }
    volumes
}

/// A member without a claim gets nothing yet: its pod would mount what is not the group's, or start without knowing its
/// volume.
fn lacks_claim(group: &ValidGroup, intent: &Intent, volumes: &BTreeMap<String, String>) -> bool {
    let of = |member: &str| intent.name == build::set_name(&group.name, member);
    group.local_members().any(|(member, _)| of(&member.name) && !volumes.contains_key(&member.name))
}

/// What each member's pod should have been started from.
fn wanted_pods(group: &ValidGroup, intents: &[Intent]) -> BTreeMap<String, Wanted> {
    let of_member = |member: &str| {
        let name = build::set_name(&group.name, member);
        let set = intents.iter().find(|intent| intent.kind == Kind::StatefulSet && intent.name == name)?;
        let template = set.object.pointer("/spec/template")?;
        let hash = template.pointer("/metadata/annotations")?.get(build::CONFIG_HASH)?.as_str()?;
        Some((member.to_owned(), Wanted { config_hash: hash.to_owned(), image: group.image.clone() }))
    };
    group.local_members().filter_map(|(member, _)| of_member(&member.name)).collect()
}

fn member_lines(
    object: &SignerGroup,
    wanted: &BTreeMap<String, Wanted>,
    pods: &BTreeMap<String, Arc<Pod>>,
    now: Timestamp,
) -> Vec<Line> {
    let spec = &object.spec;
    let tokens = spec.api.tokens_secret_ref.as_ref().map(|secret| secret.name.as_str());
    let local = spec.members.iter().filter_map(|member| Some((member, member.local.as_ref()?)));
    local
        .map(|(member, local)| {
            let suspended = spec.suspend || local.suspend;
            let pod = pods.get(&member.name).map(|pod| &**pod);
            members::line(member, local, suspended, tokens, pod, wanted.get(&member.name), now)
        })
        .collect()
}

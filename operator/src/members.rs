//! A line for each local member: whether it is ready, and if not, why, in words for the person who must mend it. Pure.

use igra_crds::{LocalMember, MemberSpec, MemberStatus};
use k8s_openapi::{
    api::core::v1::{ContainerState, ContainerStatus, Pod, PodCondition},
    jiff::Timestamp,
};
use serde_json::Value;

use crate::build::{CONFIG_HASH, SIGNER_CONTAINER};

/// A pod whose volumes are still not mounted after this many seconds most likely waits for a Secret.
const CREATING_SECONDS: i64 = 8;
/// Longest message, in characters.
const MESSAGE_MAX: usize = 400;

/// What a member's pod should look like when it was started from what we want now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    pub config_hash: String,
    pub image: String,
}

/// The member's line, and whether it will change by time alone.
pub struct Line {
    pub status: MemberStatus,
    pub suspended: bool,
    /// Look again soon: what is waited for sends no event.
    pub pending: bool,
}

/// What is to be said about one local member.
pub fn line(
    member: &MemberSpec,
    local: &LocalMember,
    suspended: bool,
    tokens_secret: Option<&str>,
    pod: Option<&Pod>,
    wanted: Option<&Wanted>,
    now: Timestamp,
) -> Line {
    let ready = !suspended && pod.is_some_and(is_ready);
    let mut pending = false;
    let message = match pod {
        _ if suspended => Some("suspended".to_owned()),
        None => Some("no pod yet".to_owned()),
        Some(pod) if ready => wanted.and_then(|wanted| outdated(pod, wanted)),
        Some(pod) => {
            let secrets = [Some(local.key_secret_ref.name.as_str()), tokens_secret];
            pending = is_creating(pod);
            let older = wanted.and_then(|wanted| outdated(pod, wanted));
            let why = why_not_ready(pod, &secrets, now);
            Some(older.map_or(why.clone(), |older| format!("{why}; {older}")))
        }
    };
    let message = message.map(|text| text.chars().take(MESSAGE_MAX).collect());
    let transport_id = Some(member.transport_id.clone());
    Line {
        status: MemberStatus { name: member.name.clone(), ready, transport_id, message },
        suspended,
        pending,
    }
}

fn is_ready(pod: &Pod) -> bool {
    pod.metadata.deletion_timestamp.is_none()
        && condition(pod, "Ready").is_some_and(|ready| ready.status == "True")
}

fn condition<'a>(pod: &'a Pod, type_: &str) -> Option<&'a PodCondition> {
    pod.status.as_ref()?.conditions.as_ref()?.iter().find(|condition| condition.type_ == type_)
}

fn signer(pod: &Pod) -> Option<&ContainerStatus> {
    let containers = pod.status.as_ref()?.container_statuses.as_ref()?;
    containers.iter().find(|container| container.name == SIGNER_CONTAINER)
}

fn outdated(pod: &Pod, wanted: &Wanted) -> Option<String> {
    let hash = pod.metadata.annotations.as_ref().and_then(|annotations| annotations.get(CONFIG_HASH));
    let image = pod
        .spec
        .as_ref()
        .and_then(|spec| spec.containers.iter().find(|c| c.name == SIGNER_CONTAINER)?.image.as_ref());
    let changed = match (hash == Some(&wanted.config_hash), image == Some(&wanted.image)) {
        (true, true) => return None,
        (false, true) => "configuration",
        (true, false) => "image",
        (false, false) => "configuration and image",
    };
    Some(format!("runs with an older {changed}: delete its pod to take up the new one"))
}

fn is_creating(pod: &Pod) -> bool {
    signer(pod)
        .and_then(|signer| waiting(signer.state.as_ref()))
        .is_some_and(|(reason, _)| reason == "ContainerCreating")
}

fn why_not_ready(pod: &Pod, secrets: &[Option<&str>], now: Timestamp) -> String {
    if pod.metadata.deletion_timestamp.is_some() {
        return "its pod is being deleted".to_owned();
    }
    let Some(signer) = signer(pod) else {
        return not_scheduled(pod);
    };
    match (waiting(signer.state.as_ref()), ended(signer)) {
        (Some(("ContainerCreating", _)), _) => creating(pod, secrets, now),
        (Some((_, _)) | None, Some(ended)) => ended,
        (Some((reason, "")), None) => reason.to_owned(),
        (Some((reason, message)), None) => format!("{reason}: {message}"),
        (None, None) => "running, not ready yet: its log and /health tell more".to_owned(),
    }
}

fn not_scheduled(pod: &Pod) -> String {
    match condition(pod, "PodScheduled") {
        Some(scheduled) if scheduled.status != "True" => {
            format!("not scheduled: {}", scheduled.message.as_deref().unwrap_or("no node takes it"))
        }
        Some(_) | None => "its pod is being started".to_owned(),
    }
}

fn creating(pod: &Pod, secrets: &[Option<&str>], now: Timestamp) -> String {
    let started = pod.status.as_ref().and_then(|status| status.start_time.as_ref());
    let seconds = started.map_or(0, |started| now.as_second() - started.0.as_second());
    if seconds < CREATING_SECONDS {
        return "its container is being created".to_owned();
    }
    let names: Vec<String> = secrets.iter().flatten().map(|name| format!("Secret {name}")).collect();
    format!("waiting for {} or its volume: the pod's events tell which", names.join(", "))
}

fn waiting(state: Option<&ContainerState>) -> Option<(&str, &str)> {
    let waiting = state?.waiting.as_ref()?;
    Some((waiting.reason.as_deref().unwrap_or("waiting"), waiting.message.as_deref().unwrap_or_default()))
}

/// How the signer ended last, where it did, in its own words.
fn ended(signer: &ContainerStatus) -> Option<String> {
    let terminated = |state: Option<&ContainerState>| state.and_then(|state| state.terminated.clone());
    let ended = terminated(signer.state.as_ref()).or_else(|| terminated(signer.last_state.as_ref()))?;
    let said = ended.message.as_deref().and_then(last_words);
    let how = match (ended.exit_code, ended.reason.as_deref()) {
        (_, Some("OOMKilled")) => "was stopped for using too much memory".to_owned(),
        (137 | 143, _) => "was killed".to_owned(),
        (0, _) => "ended".to_owned(),
        (code, _) => format!("stopped with exit code {code}"),
    };
    Some(match said {
        Some(said) => format!("{how}: {said}"),
        None => how,
    })
}

/// The last line that says something; of a line of JSON its message and error.
fn last_words(text: &str) -> Option<String> {
    let line = text.lines().rev().map(str::trim).find(|line| !line.is_empty())?;
    let Ok(Value::Object(entry)) = serde_json::from_str(line) else {
        return Some(line.to_owned());
    };
    let fields = entry.get("fields").and_then(Value::as_object).unwrap_or(&entry);
    let words = ["message", "error"].map(|name| fields.get(name).and_then(Value::as_str));
    let words: Vec<&str> = words.into_iter().flatten().collect();
    Some(if words.is_empty() { line.to_owned() } else { words.join(": ") })
}

#[cfg(test)]
mod tests {
    use super::*;
    use igra_crds::LocalRef;
    use serde_json::json;

    const NOW: &str = "2026-01-01T00:01:00Z";

    fn told(pod: Option<Value>) -> MemberStatus {
        let member = MemberSpec {
            name: "beta".into(),
            public_key: String::new(),
            transport_id: "22".repeat(32),
            local: None,
            remote: None,
        };
        let local = LocalMember {
            key_secret_ref: LocalRef { name: "treasury-beta".into() },
            kaspa_node: None,
            resources: None,
            storage: None,
            suspend: false,
        };
        let pod: Option<Pod> = pod.map(|pod| serde_json::from_value(pod).unwrap());
        let wanted = Wanted { config_hash: "h".into(), image: "signer:1".into() };
        line(&member, &local, false, Some("tokens"), pod.as_ref(), Some(&wanted), NOW.parse().unwrap()).status
    }

    fn pod(container: Value) -> Value {
        json!({
            "metadata": {"annotations": {"igra.dev/config-hash": "h"}},
            "spec": {"containers": [{"name": "signer", "image": "signer:1"}]},
            "status": {
                "startTime": "2026-01-01T00:00:00Z",
                "containerStatuses": [container],
            }
        })
    }

    fn container(state: Value, last: Value) -> Value {
        json!({"name": "signer", "image": "", "imageID": "", "ready": false, "restartCount": 1, "state": state, "lastState": last})
    }

    #[test]
    fn each_state_of_a_pod_is_told_in_words() {
        let crash = json!({"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 10s"}});
        let ended = |code: i32, message: &str| json!({"terminated": {"exitCode": code, "message": message}});
        let wrong_key = "the key in signing.key is not the key of member beta\n";
        let as_json = r#"{"level":"INFO","fields":{"message":"starting"}}
{"level":"ERROR","fields":{"message":"could not start","error":"disk is full"}}"#;
        for (pod, words) in [
            (None, "no pod yet"),
            (
                Some(
                    json!({"status": {"conditions": [{"type": "PodScheduled", "status": "False", "message": "0/1 nodes"}]}}),
                ),
                "not scheduled: 0/1 nodes",
            ),
            (
                Some(pod(container(crash.clone(), ended(78, wrong_key)))),
                "stopped with exit code 78: the key in signing.key is not the key of member beta",
            ),
            (
                Some(pod(container(json!({"running": {}}), ended(78, wrong_key)))),
                "stopped with exit code 78: the key in signing.key",
            ),
            (
                Some(pod(container(ended(1, as_json), json!({})))),
                "stopped with exit code 1: could not start: disk is full",
            ),
            (Some(pod(container(crash, ended(137, "")))), "was killed"),
            (
                Some(pod(container(
                    json!({"waiting": {"reason": "ErrImagePull", "message": "not found"}}),
                    json!({}),
                ))),
                "ErrImagePull: not found",
            ),
            (
                Some(pod(container(json!({"waiting": {"reason": "ContainerCreating"}}), json!({})))),
                "waiting for Secret treasury-beta, Secret tokens",
            ),
            (Some(pod(container(json!({"running": {}}), json!({})))), "running, not ready yet"),
        ] {
            let line = told(pod);
            assert!(!line.ready);
            let message = line.message.unwrap();
            assert!(message.starts_with(words), "{message}");
        }
    }

    #[test]
    fn a_ready_member_needs_no_words_while_it_runs_what_we_want() {
        let mut pod = pod(container(json!({"running": {}}), json!({})));
        pod["status"]["conditions"] = json!([{"type": "Ready", "status": "True"}]);
        let line = told(Some(pod.clone()));
        assert!(line.ready && line.message.is_none());

        pod["metadata"]["annotations"]["igra.dev/config-hash"] = json!("older");
        assert!(told(Some(pod)).message.unwrap().contains("older configuration"));
    }

    #[test]
    fn a_member_that_does_not_get_ready_is_told_to_take_up_what_has_changed_since() {
        let mut pod = pod(container(json!({"running": {}}), json!({})));
        pod["spec"]["containers"][0]["image"] = json!("signer:0");
        let message = told(Some(pod)).message.unwrap();
        assert!(
            message.starts_with("running, not ready yet") && message.contains("older image"),
            "{message}"
        );
    }
}

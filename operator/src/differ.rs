//! Whether what the cluster holds is already what we want, judged from the cache alone: at rest no request is made.
//!
//! Three things must hold: the hash of the intent, kept in an annotation, is the same; the intent is part of the live
//! object by value, lists element by element and of equal length; and our own apply still stands in its managedFields.
//! None of them alone sees every drift: the hash misses foreign changes, the comparison misses fields that we dropped,
//! and neither sees that another writer took our fields over.

use serde_json::{Map, Value};

use crate::FIELD_MANAGER;

/// Annotation with the hash of the intent that was applied last.
pub const APPLIED: &str = "igra.dev/applied";

/// Maps that are compared as a whole: one key more selects other pods.
const ATOMIC: [&str; 4] = ["selector", "matchLabels", "nodeSelector", "data"];

/// Puts the hash of an object into its annotation.
pub fn sign(object: &mut Value) {
    let hash = hash_text(&object.to_string());
    let metadata = object["metadata"].as_object_mut().expect("every object that is built has metadata");
    let annotations = metadata.entry("annotations").or_insert_with(|| Value::Object(Map::new()));
    annotations[APPLIED] = Value::String(hash);
}

/// A short hash of a text.
pub fn hash_text(text: &str) -> String {
    blake3::hash(text.as_bytes()).to_hex()[..16].to_owned()
}

/// Whether the live object needs no request to be what the intent says.
pub fn is_applied(intent: &Value, live: &Value) -> bool {
    let managers = live["metadata"]["managedFields"].as_array();
    let ours = |entry: &Value| entry["manager"] == FIELD_MANAGER && entry["operation"] == "Apply";
    managers.is_some_and(|managers| managers.iter().any(ours)) && first_difference(intent, live).is_none()
}

/// Where the live object lacks what the intent says, as a dotted path.
pub fn first_difference(intent: &Value, live: &Value) -> Option<String> {
    difference(intent, live, "")
}

fn difference(intent: &Value, live: &Value, path: &str) -> Option<String> {
    match (intent, live) {
        (Value::Object(wanted), Value::Object(found)) => {
            let last = path.rsplit('.').next().unwrap_or_default();
            if ATOMIC.contains(&last) && wanted.len() != found.len() && !holds_other_fields(wanted) {
                return Some(path.trim_start_matches('.').to_owned());
            }
            wanted.iter().find_map(|(key, value)| {
                difference(value, found.get(key).unwrap_or(&Value::Null), &format!("{path}.{key}"))
            })
        }
        (Value::Array(wanted), Value::Array(found)) if wanted.len() == found.len() => {
            let pairs = wanted.iter().zip(found).enumerate();
            pairs
                .into_iter()
                .find_map(|(at, (wanted, found))| difference(wanted, found, &format!("{path}[{at}]")))
        }
        (wanted, found) if wanted == found => None,
        (_, _) => Some(path.trim_start_matches('.').to_owned()),
    }
}

/// A label selector is no map of labels itself: it holds one.
fn holds_other_fields(map: &Map<String, Value>) -> bool {
    map.contains_key("matchLabels") || map.contains_key("matchExpressions")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn live() -> Value {
        json!({
            "metadata": {
                "name": "a",
                "uid": "1",
                "managedFields": [{"manager": FIELD_MANAGER, "operation": "Apply"}, {"manager": "kubectl", "operation": "Update"}],
            },
            "spec": {"selector": {"a": "1"}, "replicas": 1, "containers": [{"name": "x", "image": "y", "terminationMessagePath": "/dev"}]},
        })
    }

    fn intent() -> Value {
        json!({
            "metadata": {"name": "a"},
            "spec": {"selector": {"a": "1"}, "replicas": 1, "containers": [{"name": "x", "image": "y"}]},
        })
    }

    #[test]
    fn defaults_of_the_api_server_are_no_difference() {
        assert!(is_applied(&intent(), &live()));
    }

    #[test]
    fn every_kind_of_drift_is_seen() {
        for (path, value) in [
            ("/spec/replicas", json!(2)),
            ("/spec/selector", json!({"a": "1", "b": "2"})),
            ("/spec/containers", json!([])),
            ("/spec/containers", json!([{"name": "x", "image": "y"}, {"name": "z"}])),
            ("/spec/containers/0/image", json!("other")),
            ("/metadata/managedFields", json!([{"manager": "kubectl", "operation": "Apply"}])),
        ] {
            let mut drifted = live();
            *drifted.pointer_mut(path).unwrap() = value;
            assert!(!is_applied(&intent(), &drifted), "{path}");
        }
    }

    #[test]
    fn another_intent_has_another_hash() {
        let hash = |replicas: u8| {
            let mut object = intent();
            object["spec"]["replicas"] = json!(replicas);
            sign(&mut object);
            object["metadata"]["annotations"][APPLIED].clone()
        };
        assert_eq!(hash(1), hash(1));
        assert_ne!(hash(1), hash(2));
    }
}

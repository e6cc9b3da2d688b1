//! Storage: folders of the run as local volumes, of which each serves one pod at a time.

use anyhow::Result;

use super::control_plane::kubectl;
use super::plan::Plan;
use crate::places;
use crate::programs::feed;
use crate::setup::Tools;

/// Enough for several groups at once; a volume that was used once is not used again.
const COUNT: u32 = 24;

/// Makes the default storage class and its volumes.
pub fn create(plan: &Plan, tools: &Tools) -> Result<()> {
    let mut objects = vec![class()];
    for number in 1..=COUNT {
        let folder = places::made(plan.at(&format!("volumes/{number}")))?;
        objects.push(volume(plan, number, &folder.display().to_string()));
    }
    let list = serde_json::json!({"apiVersion": "v1", "kind": "List", "items": objects});
    feed(&mut kubectl(plan, tools, &["create", "--filename", "-"]), &list.to_string()).map(drop)
}

fn class() -> serde_json::Value {
    serde_json::json!({
        "apiVersion": "storage.k8s.io/v1",
        "kind": "StorageClass",
        "metadata": {
            "name": "local",
            "annotations": {"storageclass.kubernetes.io/is-default-class": "true"},
        },
        "provisioner": "kubernetes.io/no-provisioner",
        "volumeBindingMode": "WaitForFirstConsumer",
    })
}

fn volume(plan: &Plan, number: u32, folder: &str) -> serde_json::Value {
    let here = serde_json::json!({
        "key": "kubernetes.io/hostname", "operator": "In", "values": [plan.namespace()],
    });
    serde_json::json!({
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": format!("local-{number}")},
        "spec": {
            "capacity": {"storage": "10Gi"},
            // Kubernetes allows this mode no other beside it.
            "accessModes": ["ReadWriteOncePod"],
            "persistentVolumeReclaimPolicy": "Retain",
            "storageClassName": "local",
            "local": {"path": folder},
            "nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions": [here]}]}},
        },
    })
}

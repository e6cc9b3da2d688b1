//! The claim of a member, made before its set and mounted by name. It has no owner, so that nothing ever deletes it.

use std::collections::BTreeMap;

use igra_crds::AccessMode;
use k8s_openapi::{
    api::core::v1::{PersistentVolumeClaim, PersistentVolumeClaimSpec, VolumeResourceRequirements},
    apimachinery::pkg::api::resource::Quantity,
};

use super::{names, unowned};
use crate::{
    quantity,
    validate::{Local, Storage, ValidGroup, ValidMember},
};

pub(super) fn claim(
    group: &ValidGroup,
    member: &ValidMember,
    local: &Local,
    sizes: &BTreeMap<String, String>,
) -> PersistentVolumeClaim {
    let Storage { size, class, access_mode } = &local.storage;
    let mode = match access_mode {
        AccessMode::ReadWriteOncePod => "ReadWriteOncePod",
        AccessMode::ReadWriteOnce => "ReadWriteOnce",
    };
    let name = names::claim_name(&group.name, &member.name);
    let size = match sizes.get(&name) {
        Some(live) if quantity::is_larger(live, size) => live,
        Some(_) | None => size,
    };
    PersistentVolumeClaim {
        metadata: unowned(group, name, names::member_labels(&group.name, &member.name)),
        spec: Some(PersistentVolumeClaimSpec {
            access_modes: Some(vec![mode.to_owned()]),
            storage_class_name: class.clone(),
            resources: Some(VolumeResourceRequirements {
                requests: Some(BTreeMap::from([("storage".to_owned(), Quantity(size.clone()))])),
                ..VolumeResourceRequirements::default()
            }),
            ..PersistentVolumeClaimSpec::default()
        }),
        status: None,
    }
}

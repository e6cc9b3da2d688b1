//! The definitions as they are given to the API server.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::CustomResourceExt;
use serde_json::{Value, json};

use crate::{GROUP_NAME_MAX, GroupPolicy, SignerGroup};

/// Both definitions, SignerGroup first.
pub fn definitions() -> Vec<CustomResourceDefinition> {
    // A Service's name may not begin with a digit nor hold a dot, and the group's name begins those of its Services.
    let group_name =
        json!({"type": "string", "maxLength": GROUP_NAME_MAX, "pattern": "^[a-z]([-a-z0-9]*[a-z0-9])?$"});
    let policy_name = json!({"type": "string", "maxLength": 63});
    vec![finished(SignerGroup::crd(), group_name), finished(GroupPolicy::crd(), policy_name)]
}

/// File name and YAML of each definition.
pub fn generated_files() -> Vec<(String, String)> {
    let file = |crd: CustomResourceDefinition| {
        let name = crd.metadata.name.clone().expect("kube names every definition");
        let yaml =
            serde_yaml::to_string(&sorted(&crd)).expect("a definition has only keys that YAML can write");
        (format!("{name}.yaml"), format!("# Written by `igra-operator crds`; do not edit.\n{yaml}"))
    };
    definitions().into_iter().map(file).collect()
}

fn finished(mut crd: CustomResourceDefinition, name: Value) -> CustomResourceDefinition {
    for version in &mut crd.spec.versions {
        let Some(schema) = version.schema.as_mut().and_then(|schema| schema.open_api_v3_schema.as_mut())
        else {
            continue;
        };
        let mut value = serde_json::to_value(&*schema).expect("a schema is JSON");
        simplify(&mut value);
        value["properties"]["metadata"] = json!({"type": "object", "properties": {"name": name}});
        *schema = serde_json::from_value(value).expect("a schema that was simplified is still one");
    }
    crd
}

/// Takes out what the API server would warn about or drop: Rust's integer formats, and `nullable`, with which a field
/// written as null would count as given.
fn simplify(schema: &mut Value) {
    match schema {
        Value::Object(fields) => {
            if fields.get("nullable").is_some_and(Value::is_boolean) {
                fields.remove("nullable");
                if let Some(Value::Array(values)) = fields.get_mut("enum") {
                    values.retain(|value| !value.is_null());
                }
            }
            let format = fields.get("format").and_then(Value::as_str).and_then(known_format);
            if let Some(format) = format {
                fields.insert("format".into(), format.into());
            }
            fields.values_mut().for_each(simplify);
        }
        Value::Array(items) => items.iter_mut().for_each(simplify),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn known_format(rust: &str) -> Option<&'static str> {
    match rust {
        "uint8" | "uint16" => Some("int32"),
        "uint32" | "uint64" => Some("int64"),
        _ => None,
    }
}

/// Through [`Value`], so that keys stand in one order; bounds as the integers they are.
fn sorted(crd: &CustomResourceDefinition) -> Value {
    let mut value = serde_json::to_value(crd).expect("a definition is JSON");
    whole_numbers(&mut value);
    value
}

fn whole_numbers(value: &mut Value) {
    match value {
        Value::Object(fields) => fields.values_mut().for_each(whole_numbers),
        Value::Array(items) => items.iter_mut().for_each(whole_numbers),
        Value::Number(number) => {
            if let Some(whole) =
                number.as_f64().filter(|float| float.fract() == 0.0 && number.is_f64() && float.abs() < 1e15)
            {
                *value = json!(whole as i64);
            }
        }
        Value::Null | Value::Bool(_) | Value::String(_) => {}
    }
}

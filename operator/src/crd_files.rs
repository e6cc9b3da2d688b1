//! The definitions as files: for people, and for the chart.

use std::{fs, path::Path};

use anyhow::Context as _;
use igra_crds::generated_files;

/// Uninstalling the chart must not take every group with it.
const KEEP: &str = "  annotations:\n    helm.sh/resource-policy: keep\n";

/// Writes to the folders that are given, or to standard output.
pub fn write(out: Option<&Path>, chart: Option<&Path>) -> anyhow::Result<()> {
    for (name, text) in generated_files() {
        if let Some(out) = out {
            write_file(out, &name, &text)?;
        }
        if let Some(chart) = chart {
            write_file(&chart.join("templates/crds"), &name, &for_chart(&text))?;
        }
        if out.is_none() && chart.is_none() {
            print!("---\n{text}");
        }
    }
    Ok(())
}

/// As a template: with the annotation by which helm keeps it.
pub fn for_chart(text: &str) -> String {
    text.replacen("metadata:\n", &format!("metadata:\n{KEEP}"), 1)
}

fn write_file(folder: &Path, name: &str, text: &str) -> anyhow::Result<()> {
    fs::create_dir_all(folder).with_context(|| format!("could not make {}", folder.display()))?;
    let path = folder.join(name);
    fs::write(&path, text).with_context(|| format!("could not write {}", path.display()))
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;
    use serde_json::Value;

    use super::*;

    fn committed(path: &str) -> String {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path);
        fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    #[test]
    fn the_definitions_in_the_tree_are_fresh() {
        for (name, text) in generated_files() {
            let hint = "stale: run `cargo xtask gen`";
            assert!(committed(&format!("crds/generated/{name}")) == text, "crds/generated/{name} is {hint}");
            let template = committed(&format!("charts/igra-operator/templates/crds/{name}"));
            assert!(template == for_chart(&text), "charts/igra-operator/templates/crds/{name} is {hint}");
        }
    }

    #[test]
    fn the_manifest_makes_the_namespace_that_it_uses_first() {
        let text = committed("manifests/install.yaml");
        let documents = serde_yaml::Deserializer::from_str(&text);
        let all: Vec<Value> = documents.map(|one| Value::deserialize(one).unwrap()).collect();
        assert_eq!(
            (&all[0]["kind"], &all[0]["metadata"]["name"]),
            (&"Namespace".into(), &"igra-system".into())
        );
        let mut used = all.iter().filter_map(|one| one["metadata"]["namespace"].as_str());
        assert!(used.all(|namespace| namespace == "igra-system") && all.len() > 5);
    }

    #[test]
    fn the_chart_keeps_definitions_and_reads_them_as_they_are() {
        for (name, text) in generated_files() {
            let template = for_chart(&text);
            assert!(template.contains("helm.sh/resource-policy: keep"), "{name}");
            assert!(!template.contains("{{"), "{name} would be taken for a template");
        }
    }
}

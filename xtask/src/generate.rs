//! `cargo xtask gen`: the files in the repository that are made from others.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::places::{self, Places};
use crate::programs::{command, output};
use crate::progress::say;
use crate::setup::Tools;
use crate::workspace;

/// The names that the plain manifests are rendered with.
const NAMESPACE: &str = "igra-system";
const RELEASE: [&str; 4] = ["template", "igra", "--namespace", NAMESPACE];

/// A generated file: where it belongs, and what it should hold.
struct Generated {
    file: PathBuf,
    text: String,
}

/// Writes all generated files. With `check` nothing is written, and one that differs is an error.
pub fn run(places: &Places, tools: &Tools, check: bool) -> Result<()> {
    let resources = custom_resources(places)?;
    let mut stale = settle(places, &resources, check)?;
    // The chart holds copies of the resources, so it is rendered after they are written.
    stale.extend(settle(places, &[install_manifest(places, tools)?], check)?);
    if check && !stale.is_empty() {
        bail!("not what they are generated from: {}. Run cargo xtask gen", stale.join(", "));
    }
    if stale.is_empty() {
        say("generated files: all fresh");
    } else {
        say(format!("generated files: wrote {}", stale.join(", ")));
    }
    Ok(())
}

/// The operator writes its custom resource definitions: for people beside their types, and as templates of the chart.
fn custom_resources(places: &Places) -> Result<Vec<Generated>> {
    let scratch = places.scratch("generated")?;
    let (plain, chart) = (scratch.join("plain"), scratch.join("chart"));
    let mut operator = command(workspace::built(places, "igra-operator")?, &["crds"]);
    output(operator.arg("--out").arg(&plain).arg("--chart").arg(&chart))?;
    let mut files = files_of(&plain, &places.root.join("crds/generated"))?;
    let templates = "templates/crds";
    files.extend(files_of(&chart.join(templates), &chart_folder(places).join(templates))?);
    places::remove(&scratch)?;
    Ok(files)
}

/// Each file of a scratch folder, as what belongs under the same name elsewhere.
fn files_of(scratch: &Path, kept: &Path) -> Result<Vec<Generated>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(scratch).with_context(|| format!("could not read {}", scratch.display()))? {
        let entry = entry?;
        files.push(Generated { file: kept.join(entry.file_name()), text: places::read(&entry.path())? });
    }
    files.sort_by(|one, other| one.file.cmp(&other.file));
    Ok(files)
}

fn chart_folder(places: &Places) -> PathBuf {
    places.root.join("charts/igra-operator")
}

fn install_manifest(places: &Places, tools: &Tools) -> Result<Generated> {
    let rendered = output(command(&tools.helm, &RELEASE).arg(chart_folder(places)))?;
    let head = "# Rendered from charts/igra-operator by `cargo xtask gen`; not to be edited.\n";
    // Helm makes the namespace by a flag of its own; kubectl needs it as an object, and first.
    let namespace = format!("---\napiVersion: v1\nkind: Namespace\nmetadata:\n  name: {NAMESPACE}\n");
    let text = format!("{head}{namespace}{rendered}");
    Ok(Generated { file: places.root.join("manifests/install.yaml"), text })
}

/// Writes the files that differ, unless only asked; returns their names.
fn settle(places: &Places, files: &[Generated], check: bool) -> Result<Vec<String>> {
    let mut stale = Vec::new();
    for one in files {
        if fs::read_to_string(&one.file).is_ok_and(|text| text == one.text) {
            continue;
        }
        stale.push(shown(places, &one.file));
        if !check {
            if let Some(folder) = one.file.parent() {
                places::made(folder.to_path_buf())?;
            }
            places::write(&one.file, &one.text)?;
        }
    }
    Ok(stale)
}

fn shown(places: &Places, file: &Path) -> String {
    file.strip_prefix(&places.root).unwrap_or(file).display().to_string()
}

//! Kubernetes and helm, built once from their Go modules and kept in the tool cache by version.

use std::path::{Path, PathBuf};
use std::time::Instant;
use std::{env, fs};

use anyhow::{Context, Result};

use super::{Scope, finish, go_toolchain};
use crate::places::{self, Places};
use crate::programs::logged;
use crate::progress::{say, shown};

const KUBERNETES: &str = "1.35.4";
const HELM: &str = "4.3.1";

/// What tests against an API server need; the first three are what the envtest convention promises.
const API_SERVER: [&str; 4] = ["etcd", "kube-apiserver", "kubectl", "kube-controller-manager"];
/// What a node needs besides.
const NODE: [&str; 4] = ["kube-scheduler", "kubelet", "kube-proxy", "coredns"];

/// The folder with the Kubernetes programs: `KUBEBUILDER_ASSETS` if it holds all that `scope` needs, else the cache.
pub fn provide_kubernetes(places: &Places, scope: Scope) -> Result<PathBuf> {
    if let Some(folder) = given_folder(scope) {
        return Ok(folder);
    }
    let module = places.root.join("xtask/kube");
    let folder = places.cache.join(format!("kube-{KUBERNETES}-{}", fingerprint(&module)?));
    if !folder.exists() {
        build_kubernetes(places, &module, &folder)?;
    }
    point(places, "kube", &folder)?;
    Ok(folder)
}

/// The helm program, from the cache.
pub fn provide_helm(places: &Places) -> Result<PathBuf> {
    let folder = places.cache.join(format!("helm-{HELM}"));
    if !folder.exists() {
        build_helm(places, &folder)?;
    }
    point(places, "helm", &folder)?;
    Ok(folder.join("helm"))
}

fn given_folder(scope: Scope) -> Option<PathBuf> {
    let folder = PathBuf::from(env::var_os("KUBEBUILDER_ASSETS")?);
    let needed = match scope {
        Scope::Build => API_SERVER.to_vec(),
        Scope::Cluster => [API_SERVER, NODE].concat(),
    };
    let lacking: Vec<_> = needed.into_iter().filter(|program| !folder.join(program).is_file()).collect();
    if lacking.is_empty() {
        return Some(folder);
    }
    say(format!("setup: KUBEBUILDER_ASSETS lacks {}; using the tool cache", lacking.join(", ")));
    None
}

fn build_kubernetes(places: &Places, module: &Path, folder: &Path) -> Result<()> {
    let started = Instant::now();
    let go = go_toolchain::provide(places)?;
    say(format!(
        "setup: building Kubernetes {KUBERNETES} from its Go modules, once (about 7 minutes on two cores)"
    ));
    let scratch = places.scratch("kube")?;
    let binary = scratch.join("kube");
    let mut build = go.command(&["build", "-trimpath", "-ldflags", &link_flags()]);
    build.arg("-o").arg(&binary).arg(".").current_dir(module);
    logged(&mut build, &places.logs()?.join("kube.log"), "building Kubernetes")?;
    for program in API_SERVER.iter().chain(&NODE) {
        std::os::unix::fs::symlink("kube", scratch.join(program))?;
    }
    finish(&scratch, folder)?;
    say(format!("setup: Kubernetes {KUBERNETES} built ({})", shown(started.elapsed())));
    Ok(())
}

/// Without these the kubelet calls itself v0.0.0 and version checks fail.
fn link_flags() -> String {
    let (major, rest) = KUBERNETES.split_once('.').unwrap_or((KUBERNETES, ""));
    let minor = rest.split('.').next().unwrap_or_default();
    let settings = [
        ("gitVersion", format!("v{KUBERNETES}")),
        ("gitMajor", major.to_string()),
        ("gitMinor", minor.to_string()),
        ("gitTreeState", "clean".to_string()),
        ("gitCommit", "unknown".to_string()),
        ("buildDate", "1970-01-01T00:00:00Z".to_string()),
    ];
    let set = settings.map(|(name, value)| format!("-X k8s.io/component-base/version.{name}={value}"));
    format!("-s -w {}", set.join(" "))
}

fn build_helm(places: &Places, folder: &Path) -> Result<()> {
    let started = Instant::now();
    let go = go_toolchain::provide(places)?;
    say(format!("setup: building helm {HELM}, once (about 4 minutes on two cores)"));
    let scratch = places.scratch("helm")?;
    let module = format!("helm.sh/helm/v4/cmd/helm@v{HELM}");
    let mut build = go.command(&["install", "-trimpath", "-ldflags", "-s -w", &module]);
    build.env("GOBIN", &scratch).current_dir(&scratch);
    logged(&mut build, &places.logs()?.join("helm.log"), "building helm")?;
    finish(&scratch, folder)?;
    say(format!("setup: helm {HELM} built ({})", shown(started.elapsed())));
    Ok(())
}

/// `current/NAME` in the cache leads to the current version, for people and for `KUBEBUILDER_ASSETS`.
fn point(places: &Places, name: &str, folder: &Path) -> Result<()> {
    let link = places::made(places.cache.join("current"))?.join(name);
    if fs::read_link(&link).is_ok_and(|target| target == folder) {
        return Ok(());
    }
    let fresh = link.with_extension("new");
    let _none_is_fine = fs::remove_file(&fresh);
    std::os::unix::fs::symlink(folder, &fresh)?;
    fs::rename(&fresh, &link).with_context(|| format!("could not write {}", link.display()))
}

/// Changes when any file of the module, or the way it is linked, changes.
fn fingerprint(module: &Path) -> Result<String> {
    let mut names: Vec<PathBuf> =
        fs::read_dir(module)?.map(|entry| Ok(entry?.path())).collect::<Result<_>>()?;
    names.sort();
    let mut bytes = link_flags().into_bytes();
    for name in names.iter().filter(|name| name.is_file()) {
        bytes.extend(fs::read(name).with_context(|| format!("could not read {}", name.display()))?);
    }
    Ok(fnv1a(&bytes))
}

/// FNV-1a, 64 bits: enough to tell versions of our own files apart.
pub fn fnv1a(bytes: &[u8]) -> String {
    let start = 0xcbf2_9ce4_8422_2325_u64;
    let hash = bytes.iter().fold(start, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3));
    format!("{hash:016x}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fnv1a_agrees_with_its_published_values() {
        assert_eq!(fnv1a(b""), "cbf29ce484222325");
        assert_eq!(fnv1a(b"foobar"), "85944171f73967e8");
    }

    #[test]
    fn the_link_flags_name_the_version_in_parts() {
        let flags = link_flags();
        assert!(flags.contains("gitVersion=v1.35.4") && flags.contains("gitMinor=35"), "{flags}");
    }
}

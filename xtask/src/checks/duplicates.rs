//! Crates that must be in the tree once: a second copy of these costs minutes of building, or two of them do not
//! understand each other's types. And crates that must not be there at all.

use std::collections::BTreeMap;

use anyhow::{Result, bail};

/// Names, or beginnings of names with a `*`.
const ONCE: [&str; 10] = [
    "iroh",
    "iroh-gossip",
    "k8s-openapi",
    "kaspa-*",
    "kube",
    "librocksdb-sys",
    "rocksdb",
    "rustls",
    "tokio",
    "tonic",
];
/// The tree has one TLS library and one set of cryptographic primitives for it: rustls with ring.
const NEVER: [&str; 3] = ["aws-lc-rs", "aws-lc-sys", "openssl-sys"];

/// # Errors
/// The lock file holds a crate twice that should be there once, or one that should not be there.
pub fn check(lock_file: &str) -> Result<()> {
    let mut versions: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (name, version) in packages(lock_file) {
        versions.entry(name).or_default().push(version);
    }
    if versions.is_empty() {
        bail!("no package found in Cargo.lock");
    }
    let mut complaints = Vec::new();
    for (name, found) in &versions {
        if found.len() > 1 && ONCE.iter().any(|pattern| matches(pattern, name)) {
            complaints.push(format!("{name} is there {} times: {}", found.len(), found.join(", ")));
        }
        if NEVER.contains(name) {
            complaints.push(format!("{name} should not be there"));
        }
    }
    if !complaints.is_empty() {
        bail!("Cargo.lock: {}", complaints.join("; "));
    }
    Ok(())
}

fn packages(lock_file: &str) -> impl Iterator<Item = (&str, &str)> {
    lock_file
        .split("[[package]]")
        .skip(1)
        .filter_map(|package| Some((field(package, "name")?, field(package, "version")?)))
}

fn field<'a>(package: &'a str, name: &str) -> Option<&'a str> {
    let value = package.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(" = \""))?;
    value.strip_suffix('"')
}

fn matches(pattern: &str, name: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(beginning) => name.starts_with(beginning),
        None => name == pattern,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lock_file(packages: &[(&str, &str)]) -> String {
        packages
            .iter()
            .map(|(name, version)| format!("[[package]]\nname = \"{name}\"\nversion = \"{version}\"\n\n"))
            .collect()
    }

    #[test]
    fn a_light_crate_may_be_there_twice() {
        assert!(check(&lock_file(&[("syn", "1.0.0"), ("syn", "2.0.0"), ("tokio", "1.0.0")])).is_ok());
    }

    #[test]
    fn a_second_copy_of_a_heavy_crate_is_named_with_both_versions() {
        let error = check(&lock_file(&[("kaspa-rpc-core", "1.0.0"), ("kaspa-rpc-core", "2.0.0")]));
        let text = error.expect_err("kaspa-rpc-core is there twice").to_string();
        assert!(text.contains("kaspa-rpc-core") && text.contains("1.0.0, 2.0.0"), "{text}");
    }

    #[test]
    fn a_second_tls_library_is_refused() {
        assert!(check(&lock_file(&[("openssl-sys", "0.9.0")])).is_err());
    }

    #[test]
    fn an_empty_lock_file_is_not_a_clean_one() {
        assert!(check("").is_err());
    }
}

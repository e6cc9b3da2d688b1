//! The cluster's certificates: an authority of its own, and a certificate for each program with the name and group
//! that Kubernetes gives it rights by. Made anew for each run, gone with it.

use std::path::Path;

use anyhow::Result;

use super::plan::Plan;
use crate::places;
use crate::programs::{command, output};

/// Who has a kubeconfig: file name, user, group.
const CLIENTS: [(&str, &str, &str); 4] = [
    ("admin", "igra-admin", "system:masters"),
    ("controller-manager", "system:kube-controller-manager", "system:kube-controller-manager"),
    ("scheduler", "system:kube-scheduler", "system:kube-scheduler"),
    ("proxy", "system:kube-proxy", "system:nodes-proxy"),
];

/// Makes all keys, certificates and kubeconfigs.
pub fn create(plan: &Plan) -> Result<()> {
    let folder = places::made(plan.at("keys"))?;
    make_authority(&folder)?;
    make_service_account_key(&folder)?;
    let node = plan.namespace();
    for (name, user, group) in CLIENTS {
        sign(&folder, name, &subject(user, group), "clientAuth", "")?;
    }
    sign(&folder, "node", &subject(&format!("system:node:{node}"), "system:nodes"), "clientAuth", "")?;
    let address = plan.node_address();
    let names = format!(
        "DNS:kubernetes,DNS:kubernetes.default,DNS:kubernetes.default.svc,DNS:kubernetes.default.svc.cluster.local,\
         DNS:localhost,IP:127.0.0.1,IP:{address},IP:{}",
        plan.api_service_address()
    );
    sign(&folder, "api-server", "/CN=kube-apiserver", "serverAuth", &names)?;
    sign(&folder, "kubelet", &format!("/CN={node}"), "serverAuth", &format!("DNS:{node},IP:{address}"))?;
    for (name, _, _) in CLIENTS {
        write_kubeconfig(plan, name)?;
    }
    write_kubeconfig(plan, "node")?;
    std::fs::copy(plan.at("keys/admin.kubeconfig"), plan.kubeconfig())?;
    Ok(())
}

fn subject(user: &str, group: &str) -> String {
    format!("/O={group}/CN={user}")
}

fn make_authority(folder: &Path) -> Result<()> {
    let words =
        ["req", "-x509", "-nodes", "-days", "365", "-subj", "/CN=igra test cluster", "-keyout", "ca.key"];
    let mut request = command("openssl", &words);
    request.args(["-out", "ca.crt", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]);
    request.args(["-addext", "keyUsage=critical,keyCertSign,digitalSignature"]);
    output(request.current_dir(folder)).map(drop)
}

fn make_service_account_key(folder: &Path) -> Result<()> {
    let curve = ["ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", "service-account.key"];
    output(command("openssl", &curve).current_dir(folder))?;
    let public = ["ec", "-in", "service-account.key", "-pubout", "-out", "service-account.pub"];
    output(command("openssl", &public).current_dir(folder)).map(drop)
}

/// A key and its certificate, signed by the authority.
fn sign(folder: &Path, name: &str, subject: &str, usage: &str, names: &str) -> Result<()> {
    let mut extensions = format!("extendedKeyUsage={usage}\nkeyUsage=critical,digitalSignature\n");
    if !names.is_empty() {
        extensions.push_str(&format!("subjectAltName={names}\n"));
    }
    places::write(&folder.join(format!("{name}.ext")), extensions)?;
    let (key, request) = (format!("{name}.key"), format!("{name}.csr"));
    let mut ask =
        command("openssl", &["req", "-new", "-nodes", "-subj", subject, "-keyout", &key, "-out", &request]);
    ask.args(["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]);
    output(ask.current_dir(folder))?;
    let certificate = format!("{name}.crt");
    let mut answer =
        command("openssl", &["x509", "-req", "-in", &request, "-out", &certificate, "-days", "365"]);
    answer.args(["-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial", "-extfile", &format!("{name}.ext")]);
    output(answer.current_dir(folder)).map(drop)
}

/// Certificates stand in the file itself, so that it can be copied elsewhere.
fn write_kubeconfig(plan: &Plan, name: &str) -> Result<()> {
    let data = |file: String| -> Result<String> {
        let encoded =
            output(command("openssl", &["base64", "-A", "-in", &file]).current_dir(plan.at("keys")))?;
        Ok(encoded.trim().to_string())
    };
    let context = plan.namespace();
    let text = format!(
        "apiVersion: v1
kind: Config
current-context: {context}
contexts:
- name: {context}
  context: {{cluster: {context}, user: {name}}}
clusters:
- name: {context}
  cluster:
    server: {server}
    certificate-authority-data: {authority}
users:
- name: {name}
  user:
    client-certificate-data: {certificate}
    client-key-data: {key}
",
        server = plan.server(),
        authority = data("ca.crt".into())?,
        certificate = data(format!("{name}.crt"))?,
        key = data(format!("{name}.key"))?,
    );
    let file = plan.at(&format!("keys/{name}.kubeconfig"));
    places::write(&file, text)?;
    private(&file)
}

fn private(file: &Path) -> Result<()> {
    use std::os::unix::fs::PermissionsExt;
    Ok(std::fs::set_permissions(file, std::fs::Permissions::from_mode(0o600))?)
}

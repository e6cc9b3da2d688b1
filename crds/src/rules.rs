//! What the API server checks by CEL, each with the words that the user reads. `validate` of the operator checks the
//! same; a test of the operator shows that both agree.

use kube::core::{Message, Reason, Rule};

use crate::DepthsSpec;

const MAX_OF_M_AND_MAJORITY: &str = "[self.threshold, size(self.members) / 2 + 1].max()";

pub(crate) fn immutable(field: &str) -> Rule {
    Rule::new("self == oldSelf")
        .message(format!("{field} is immutable").as_str())
        .reason(Reason::FieldValueForbidden)
}

pub(crate) fn threshold_at_most_members() -> Rule {
    at(
        ".threshold",
        Rule::new("self.threshold <= size(self.members)").message(expression(
            "'threshold %d is larger than the number of members, %d'.format([self.threshold, size(self.members)])",
        )),
    )
}

pub(crate) fn quorum_bounds() -> Rule {
    let rule = "!has(self.quorum) || self.quorum >= self.threshold && self.quorum <= size(self.members) \
                && 2 * self.quorum > size(self.members)";
    let message = format!(
        "'quorum must be from %d to %d: at least the threshold and more than half of the members'\
         .format([{MAX_OF_M_AND_MAJORITY}, size(self.members)])"
    );
    at(".quorum", Rule::new(rule).message(expression(&message)))
}

pub(crate) fn mainnet_threshold() -> Rule {
    at(
        ".threshold",
        Rule::new("self.network != 'mainnet' || self.threshold >= 2")
            .message("mainnet needs a threshold of at least 2"),
    )
}

pub(crate) fn key_length_of_scheme() -> Rule {
    let rule = "self.members.all(m, m.publicKey.size() == (self.signatureScheme == 'schnorr' ? 64 : 66))";
    at(
        ".members",
        Rule::new(rule).message(
            "publicKey must have 64 hex digits with schnorr, and 66 starting with 02 or 03 with ecdsa",
        ),
    )
}

pub(crate) fn keys_differ_beyond_sign() -> Rule {
    let rule = "self.signatureScheme != 'ecdsa' || self.members.all(m, m.publicKey.size() != 66 || \
                self.members.exists_one(o, o.publicKey.size() == 66 && o.publicKey.substring(2) == m.publicKey.substring(2)))";
    at(
        ".members",
        Rule::new(rule).message(
            "two members have keys that differ only in their first byte: one secret would count twice",
        ),
    )
}

/// Lets the default be written down later, and refuses every other change.
pub(crate) fn quorum_immutable() -> Rule {
    let default = MAX_OF_M_AND_MAJORITY.replace("self", "oldSelf");
    let rule = format!(
        "has(self.quorum) ? self.quorum == (has(oldSelf.quorum) ? oldSelf.quorum : {default}) \
         : !has(oldSelf.quorum) || oldSelf.quorum == {default}"
    );
    at(".quorum", Rule::new(rule).message("quorum is immutable")).reason(Reason::FieldValueForbidden)
}

pub(crate) fn node_for_every_local_member() -> Rule {
    at(
        ".kaspaNode",
        Rule::new("has(self.kaspaNode) || self.members.all(m, !has(m.local) || has(m.local.kaspaNode))")
            .message("every local member needs a Kaspa node: its own, or the group's"),
    )
}

/// A pod that mounted another member's key could sign for two.
pub(crate) fn key_secrets_differ() -> Rule {
    let name = |member: &str| format!("{member}.local.keySecretRef.name");
    let unique = format!("self.members.exists_one(o, has(o.local) && {} == {})", name("o"), name("m"));
    let message = format!(
        "'every local member needs a keySecretRef of its own; the same in %s'\
         .format([self.members.filter(m, has(m.local) && !{unique}).map(m, m.name)])"
    );
    let rule = format!("self.members.all(m, !has(m.local) || {unique})");
    at(".members", Rule::new(rule).message(expression(&message)))
}

/// All pods of the group mount the tokens.
pub(crate) fn tokens_apart_from_keys() -> Rule {
    let rule = "!has(self.api.tokensSecretRef) || self.members.all(m, !has(m.local) || \
                m.local.keySecretRef.name != self.api.tokensSecretRef.name)";
    at(
        ".api.tokensSecretRef",
        Rule::new(rule)
            .message("every pod mounts the tokens: they need a Secret that holds no member's keys"),
    )
}

/// Lets the default be written down later, and refuses every other change.
pub(crate) fn depths_immutable() -> Rule {
    let DepthsSpec { coin, deposit, settled, final_ } = DepthsSpec::DEFAULT;
    let default = |of: &str| {
        let of = format!("{of}.depths");
        format!(
            "{of}.coin == {coin} && {of}.deposit == {deposit} && {of}.settled == {settled} && {of}.final == {final_}"
        )
    };
    let rule = format!(
        "has(self.depths) ? (has(oldSelf.depths) ? self.depths == oldSelf.depths : {}) \
         : !has(oldSelf.depths) || {}",
        default("self"),
        default("oldSelf")
    );
    at(".depths", Rule::new(rule).message("depths are immutable")).reason(Reason::FieldValueForbidden)
}

pub(crate) fn predecessor_immutable() -> Rule {
    let rule = "has(self.predecessor) == has(oldSelf.predecessor) \
                && (!has(self.predecessor) || self.predecessor == oldSelf.predecessor)";
    at(".predecessor", Rule::new(rule).message("predecessor is immutable"))
        .reason(Reason::FieldValueForbidden)
}

pub(crate) fn public_keys() -> Rule {
    each(
        "^(0[23])?[0-9a-f]{64}$",
        "a public key is 64 digits of lower-case hex, or 66 starting with 02 or 03",
    )
}

pub(crate) fn unique_in_members(field: &str) -> Rule {
    let unique = format!("self.exists_one(o, o.{field} == m.{field})");
    let message = format!(
        "'{field} must differ between members; the same in %s'.format([self.filter(m, !{unique}).map(m, m.name)])"
    );
    // The reason FieldValueDuplicate would throw the message away.
    Rule::new(format!("self.all(m, {unique})"))
        .message(expression(&message))
        .reason(Reason::FieldValueInvalid)
}

pub(crate) fn members_fixed() -> Rule {
    Rule::new("size(self) == size(oldSelf) && self.all(m, oldSelf.exists(o, o.name == m.name))")
        .message(
            "members cannot be added, removed or renamed (the address depends on them); make a new group and migrate",
        )
        .reason(Reason::FieldValueForbidden)
}

pub(crate) fn local_or_remote() -> Rule {
    Rule::new("has(self.local) != has(self.remote)").message(expression(
        "'member ' + self.name + (has(self.local) ? ' has both local and remote' : ' has neither local nor remote') \
         + '; exactly one is needed'",
    ))
}

pub(crate) fn member_name() -> Rule {
    // A dash would let group a-b, member c and group a, member b-c share the name a-b-c.
    Rule::new("self.matches('^[a-z0-9]+$')").message("a member's name has lower-case letters and digits only")
}

pub(crate) fn member_name_free() -> Rule {
    Rule::new("!(self in ['api', 'gossip', 'node', 'policy'])")
        .message("this name is reserved (api, gossip, node, policy)")
}

pub(crate) fn public_key_hex() -> Rule {
    Rule::new("self.matches('^(0[23])?[0-9a-f]{64}$')").message(
        "publicKey must be lower-case hex: 64 digits (x-only, schnorr), or 66 starting with 02 or 03 (ecdsa)",
    )
}

pub(crate) fn hex64(field: &str) -> Rule {
    Rule::new("self.matches('^[0-9a-f]{64}$')")
        .message(format!("{field} must be 64 digits of lower-case hex").as_str())
}

pub(crate) fn host_ports() -> Rule {
    each(
        r"^(\\[[0-9a-fA-F:.]+\\]|[a-zA-Z0-9]([-a-zA-Z0-9.]*[a-zA-Z0-9])?):[1-9][0-9]{0,4}$",
        "an address is host:port, such as gamma.example.org:31120",
    )
}

pub(crate) fn endpoints() -> Rule {
    each(
        r"^grpc://(\\[[0-9a-fA-F:.]+\\]|[a-zA-Z0-9]([-a-zA-Z0-9.]*[a-zA-Z0-9])?):[1-9][0-9]{0,4}$",
        "an endpoint is grpc://host:port",
    )
}

pub(crate) fn object_name() -> Rule {
    Rule::new("self.matches('^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$')").message(
        "a name has lower-case letters, digits, dashes and dots, and begins and ends with a letter or digit",
    )
}

pub(crate) fn quantity(field: &str) -> Rule {
    Rule::new("self.matches('^[0-9]{1,15}([.][0-9]{1,3})?(m|k|M|G|T|P|Ki|Mi|Gi|Ti|Pi)?$') && quantity(self).isGreaterThan(quantity('0'))")
        .message(format!("{field} must be a positive quantity such as 10Gi or 500m").as_str())
}

pub(crate) fn size_grows() -> Rule {
    Rule::new("!isQuantity(self) || !isQuantity(oldSelf) || !quantity(self).isLessThan(quantity(oldSelf))")
        .message("size can only grow")
        .reason(Reason::FieldValueForbidden)
}

pub(crate) fn storage_class_immutable() -> Rule {
    let rule = "has(self.storageClassName) == has(oldSelf.storageClassName) \
                && (!has(self.storageClassName) || self.storageClassName == oldSelf.storageClassName)";
    at(".storageClassName", Rule::new(rule).message("storageClassName is immutable"))
        .reason(Reason::FieldValueForbidden)
}

pub(crate) fn tokens_or_none() -> Rule {
    Rule::new("has(self.tokensSecretRef) != has(self.auth)").message(
        "give tokensSecretRef, or write auth: none to let everyone call the API who reaches its port",
    )
}

pub(crate) fn not_the_admin_port() -> Rule {
    Rule::new("self != 9090").message("9090 is the port of health and metrics")
}

pub(crate) fn depths_rising() -> Rule {
    Rule::new("self.coin <= self.settled && self.settled <= self.final && self.deposit <= self.final")
        .message("depths must satisfy coin <= settled <= final and deposit <= final")
}

pub(crate) fn kas(field: &str) -> Rule {
    Rule::new("self.matches('^(0|[1-9][0-9]{0,10})([.][0-9]{1,8})?$')").message(
        format!("{field} is KAS in quotes with at most 8 decimals, such as \"1500\" or \"0.5\"").as_str(),
    )
}

pub(crate) fn min_at_most_max() -> Rule {
    let rule = "!has(self.min) || !has(self.max) || !isQuantity(self.min) || !isQuantity(self.max) \
                || quantity(self.min).compareTo(quantity(self.max)) <= 0";
    at(".min", Rule::new(rule).message("min is larger than max"))
}

pub(crate) fn one_window() -> Rule {
    Rule::new("has(self.seconds) != (has(self.utcDay) && self.utcDay)")
        .message("exactly one of seconds and utcDay: true is needed")
}

pub(crate) fn duration(field: &str) -> Rule {
    Rule::new("self.matches('^([0-9]{1,6}h)?([0-9]{1,6}m)?([0-9]{1,6}s)?$') && self != '' && duration(self) >= duration('1s')")
        .message(format!("{field} is a duration such as 30s, 90m, 24h or 1h30m").as_str())
}

pub(crate) fn approvals_at_most_approvers() -> Rule {
    at(
        ".approvals",
        Rule::new("self.approvals <= size(self.approvers)")
            .message("approvals is larger than the number of approvers"),
    )
}

pub(crate) fn approvals_or_trust() -> Rule {
    at(
        ".approvals",
        Rule::new("self.approvals >= 1 || self.trustIngress")
            .message("at least 1 approval is needed, or trustIngress: true for development"),
    )
}

pub(crate) fn trust_or_approvals() -> Rule {
    at(
        ".trustIngress",
        Rule::new("!self.trustIngress || self.approvals == 0")
            .message("trustIngress stands for approvals: with it, none would be asked for"),
    )
}

pub(crate) fn source_approvers_exist() -> Rule {
    at(
        ".sources",
        Rule::new(
            "!has(self.sources) || self.sources.all(s, s.api.approvers.all(a, \
             has(self.approvers) && self.approvers.exists(p, p.name == a)))",
        )
        .message("a source names an approver that is not among the approvers"),
    )
}

pub(crate) fn unique_approver_keys() -> Rule {
    Rule::new("self.all(a, self.exists_one(o, o.publicKey == a.publicKey))")
        .message("publicKey must differ between approvers")
}

pub(crate) fn addresses() -> Rule {
    each("^(kaspa|kaspatest|kaspadev|kaspasim):[a-z0-9]{60,70}$", "not a Kaspa address")
}

fn at(field: &str, rule: Rule) -> Rule {
    rule.field_path(field).reason(Reason::FieldValueInvalid)
}

/// Each text of a list matches; the message names those that do not.
fn each(pattern: &str, words: &str) -> Rule {
    let message = format!("'{words}; wrong: %s'.format([self.filter(e, !e.matches('{pattern}'))])");
    Rule::new(format!("self.all(e, e.matches('{pattern}'))")).message(expression(&message))
}

fn expression(text: &str) -> Message {
    Message::Expression(text.to_owned())
}

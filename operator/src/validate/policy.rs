//! From a GroupPolicy (KAS in quotes, durations as text) to the policy file of a signer (sompi, seconds).

use igra_config::{
    AmountRule, ApiSource, Approver, ApproverScheme, DestinationRule, FeeRule, PolicyFile, Scope, SourceRule,
    VolumeRule, Window,
};
use igra_crds::{
    AmountSpec, ApiSourceSpec, ApproverSchemeName, ApproverSpec, DestinationsSpec, FeeSpec, GroupPolicySpec,
    ScopeName, SourceSpec, VolumeSpec, WindowSpec,
};
use igra_group::{Network, Sompi};
use kaspa_addresses::Address;

use super::Problems;

/// The policy file, or none where something is wrong. Without a network its addresses may be of any.
pub(super) fn rules(
    spec: &GroupPolicySpec,
    network: Option<Network>,
    problems: &mut Problems,
) -> Option<PolicyFile> {
    let GroupPolicySpec { amount, volumes, destinations, sources, approvers, fee } = spec;
    let before = problems.0.len();
    let file = PolicyFile {
        amount: self::amount(amount.clone().unwrap_or_default(), problems),
        volumes: volumes.iter().enumerate().filter_map(|(at, rule)| volume(at, rule, problems)).collect(),
        destinations: self::destinations(destinations.clone().unwrap_or_default(), network, problems),
        sources: sources
            .iter()
            .enumerate()
            .filter_map(|(at, source)| self::source(at, source, problems))
            .collect(),
        approvers: approvers.iter().map(approver).collect(),
        fee: self::fee(fee.clone().unwrap_or_default(), problems),
    };
    if problems.0.len() > before {
        return None;
    }
    if let Err(problem) = file.check() {
        problems.policy(field_of(&problem.key), problem.what);
        return None;
    }
    Some(file)
}

fn amount(spec: AmountSpec, problems: &mut Problems) -> AmountRule {
    let AmountSpec { min, max } = spec;
    AmountRule {
        min_sompi: min.and_then(|text| kas(&text, "policy.spec.amount.min", problems)),
        max_sompi: max.and_then(|text| kas(&text, "policy.spec.amount.max", problems)),
    }
}

fn volume(at: usize, spec: &VolumeSpec, problems: &mut Problems) -> Option<VolumeRule> {
    let VolumeSpec { name, window, limit, scope } = spec;
    let window = match window {
        WindowSpec { seconds: Some(seconds), utc_day: None | Some(false) } => {
            Some(Window::Rolling { seconds: u64::from(*seconds) })
        }
        WindowSpec { seconds: None, utc_day: Some(true) } => Some(Window::UtcDay),
        WindowSpec { seconds: _, utc_day: _ } => {
            let what = "exactly one of seconds and utcDay: true is needed";
            problems.policy(format!("policy.spec.volumes[{at}].window"), what);
            None
        }
    };
    let limit_sompi = kas(limit, &format!("policy.spec.volumes[{at}].limit"), problems);
    let scope = match scope {
        ScopeName::Group => Scope::Group,
        ScopeName::Source => Scope::Source,
        ScopeName::Destination => Scope::Destination,
    };
    Some(VolumeRule { name: name.clone(), window: window?, limit_sompi: limit_sompi?, scope })
}

fn destinations(
    spec: DestinationsSpec,
    network: Option<Network>,
    problems: &mut Problems,
) -> DestinationRule {
    let DestinationsSpec { allow } = spec;
    for text in &allow {
        let prefix = network.map(Network::address_prefix);
        let ours = Address::try_from(text.as_str())
            .is_ok_and(|address| prefix.is_none_or(|prefix| prefix == address.prefix));
        if !ours {
            let where_ = network.map_or("Kaspa", Network::as_str);
            let what = format!("\"{text}\" is not an address of {where_}");
            problems.policy("policy.spec.destinations.allow", what);
        }
    }
    DestinationRule { allow }
}

fn source(at: usize, spec: &SourceSpec, problems: &mut Problems) -> Option<SourceRule> {
    let SourceSpec { name, deadline, api } = spec;
    let ApiSourceSpec { approvers, approvals, trust_ingress } = api.clone();
    let Some(deadline_seconds) = seconds(deadline) else {
        let what = "deadline is a duration such as 30s, 90m, 24h or 1h30m";
        problems.policy(format!("policy.spec.sources[{at}].deadline"), what);
        return None;
    };
    let api = ApiSource { approvers, approvals, trust_ingress };
    Some(SourceRule { name: name.clone(), deadline_seconds, api })
}

fn approver(spec: &ApproverSpec) -> Approver {
    let ApproverSpec { name, scheme, public_key } = spec;
    let scheme = match scheme {
        ApproverSchemeName::Schnorr => ApproverScheme::Schnorr,
        ApproverSchemeName::Ed25519 => ApproverScheme::Ed25519,
    };
    Approver { name: name.clone(), scheme, public_key: public_key.clone() }
}

fn fee(spec: FeeSpec, problems: &mut Problems) -> FeeRule {
    let FeeSpec { max_sompi_per_gram, max } = spec;
    FeeRule {
        max_sompi_per_gram: max_sompi_per_gram.map(u64::from),
        max_sompi: max.and_then(|text| kas(&text, "policy.spec.fee.max", problems)),
    }
}

fn kas(text: &str, field: &str, problems: &mut Problems) -> Option<Sompi> {
    Sompi::from_kas(text).map_err(|error| problems.policy(field, error.to_string())).ok()
}

/// `1h30m` and the like in seconds; none for any other text, and for nothing at all.
fn seconds(text: &str) -> Option<u64> {
    let mut rest = text;
    let mut total = 0u64;
    for (unit, length) in [('h', 3_600), ('m', 60), ('s', 1)] {
        let Some((number, after)) = rest.split_once(unit) else { continue };
        let number: u64 = number.parse().ok().filter(|_| number.bytes().all(|b| b.is_ascii_digit()))?;
        total = total.checked_add(number.checked_mul(length)?)?;
        rest = after;
    }
    (rest.is_empty() && total > 0).then_some(total)
}

/// Where a key of the policy file stands in the resource.
fn field_of(key: &str) -> String {
    let key = key.replace("minSompi", "min").replace("deadlineSeconds", "deadline");
    let mut field = "policy.spec".to_owned();
    for part in key.split('.') {
        match part.parse::<usize>() {
            Ok(at) => field.push_str(&format!("[{at}]")),
            Err(_) => field.push_str(&format!(".{part}")),
        }
    }
    field
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_as_kubernetes_writes_them() {
        for (text, expected) in [
            ("30s", Some(30)),
            ("90m", Some(5_400)),
            ("24h", Some(86_400)),
            ("1h30m", Some(5_400)),
            ("1h1s", Some(3_601)),
        ] {
            assert_eq!(seconds(text), expected, "{text}");
        }
        for text in ["", "0s", "1", "1d", "m", "30m1h", "-1s", "+1s", "1h ", "1.5h", "99999999999999999999h"]
        {
            assert_eq!(seconds(text), None, "{text}");
        }
    }
}

//! From a GroupPolicy (KAS in quotes, durations as text) to the policy file of a signer (sompi, seconds).

use std::ops::RangeInclusive;

use igra_config::{
    AmountRule, ApiSource, Approver, ApproverScheme, BatchRule, ConsolidateRule, DestinationRule, FeeRule,
    InternalFees, PolicyFile, Scope, SourceRule, VolumeRule, Window,
};
use igra_crds::{
    AmountSpec, ApiSourceSpec, ApproverSchemeName, ApproverSpec, BatchSpec, ConsolidateSpec,
    DestinationsSpec, FeeSpec, GroupPolicySpec, InternalFeesSpec, ScopeName, SourceSpec, VolumeSpec,
    WindowSpec,
};
use igra_group::{Network, Sompi};
use kaspa_addresses::Address;

use super::Problems;

/// What the definitions allow as well.
const WINDOW: RangeInclusive<u32> = 60..=31_536_000;
const FEE_RATE: RangeInclusive<u32> = 1..=1_000_000;
const NAME_MAX: usize = 40;
const MOST_CONSOLIDATED: u32 = 1_000_000;

/// The policy file, or none where something is wrong. Without a network its addresses may be of any.
pub(super) fn rules(
    spec: &GroupPolicySpec,
    network: Option<Network>,
    problems: &mut Problems,
) -> Option<PolicyFile> {
    let GroupPolicySpec {
        amount,
        volumes,
        destinations,
        sources,
        approvers,
        fee,
        batch,
        consolidate,
        successor,
        internal_fees,
    } = spec;
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
        approvers: approvers.iter().enumerate().map(|(at, one)| approver(at, one, problems)).collect(),
        fee: self::fee(fee.clone().unwrap_or_default(), problems),
        batch: self::batch(batch.clone().unwrap_or_default()),
        consolidate: consolidate.clone().map(|spec| self::consolidate(spec, problems)),
        successor: successor.clone().inspect(|text| {
            check_address(text, "policy.spec.successor", network, problems);
        }),
        internal_fees: internal_fees.as_ref().and_then(|spec| self::internal_fees(spec, problems)),
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
    check_name(name, &format!("policy.spec.volumes[{at}].name"), problems);
    let window = match window {
        WindowSpec { seconds: Some(seconds), utc_day: None | Some(false) } if WINDOW.contains(seconds) => {
            Some(Window::Rolling { seconds: u64::from(*seconds) })
        }
        WindowSpec { seconds: Some(_), utc_day: None | Some(false) } => {
            let what = format!("a window has from {} to {} seconds", WINDOW.start(), WINDOW.end());
            problems.policy(format!("policy.spec.volumes[{at}].window.seconds"), what);
            None
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
        check_address(text, "policy.spec.destinations.allow", network, problems);
    }
    DestinationRule { allow }
}

fn check_address(text: &str, field: &str, network: Option<Network>, problems: &mut Problems) {
    let prefix = network.map(Network::address_prefix);
    let ours =
        Address::try_from(text).is_ok_and(|address| prefix.is_none_or(|prefix| prefix == address.prefix));
    if !ours {
        let where_ = network.map_or("Kaspa", Network::as_str);
        problems.policy(field, format!("\"{text}\" is not an address of {where_}"));
    }
}

fn source(at: usize, spec: &SourceSpec, problems: &mut Problems) -> Option<SourceRule> {
    let SourceSpec { name, deadline, api } = spec;
    let ApiSourceSpec { approvers, approvals, trust_ingress } = api.clone();
    check_name(name, &format!("policy.spec.sources[{at}].name"), problems);
    let Some(deadline_seconds) = seconds(deadline) else {
        let what = "deadline is a duration such as 30s, 90m, 24h or 1h30m";
        problems.policy(format!("policy.spec.sources[{at}].deadline"), what);
        return None;
    };
    let api = ApiSource { approvers, approvals, trust_ingress };
    Some(SourceRule { name: name.clone(), deadline_seconds, api })
}

fn approver(at: usize, spec: &ApproverSpec, problems: &mut Problems) -> Approver {
    let ApproverSpec { name, scheme, public_key } = spec;
    check_name(name, &format!("policy.spec.approvers[{at}].name"), problems);
    let scheme = match scheme {
        ApproverSchemeName::Schnorr => ApproverScheme::Schnorr,
        ApproverSchemeName::Ed25519 => ApproverScheme::Ed25519,
    };
    Approver { name: name.clone(), scheme, public_key: public_key.clone() }
}

fn fee(spec: FeeSpec, problems: &mut Problems) -> FeeRule {
    let FeeSpec { max_sompi_per_gram, max, replace_after } = spec;
    if max_sompi_per_gram.is_some_and(|rate| !FEE_RATE.contains(&rate)) {
        let what = format!("a fee rate is from {} to {} sompi per gram", FEE_RATE.start(), FEE_RATE.end());
        problems.policy("policy.spec.fee.maxSompiPerGram", what);
    }
    FeeRule {
        max_sompi_per_gram: max_sompi_per_gram.map(u64::from),
        max_sompi: max.and_then(|text| kas(&text, "policy.spec.fee.max", problems)),
        replace_after_ms: replace_after.and_then(|text| milliseconds(&text, problems)),
    }
}

fn milliseconds(text: &str, problems: &mut Problems) -> Option<u64> {
    let seconds = seconds(text);
    if seconds.is_none() {
        let what = "replaceAfter is a duration such as 30s, 90m, 24h or 1h30m";
        problems.policy("policy.spec.fee.replaceAfter", what);
    }
    seconds?.checked_mul(1_000)
}

fn consolidate(spec: ConsolidateSpec, problems: &mut Problems) -> ConsolidateRule {
    let ConsolidateSpec { coins, max_sompi_per_gram } = spec;
    if !FEE_RATE.contains(&max_sompi_per_gram) {
        let what = format!("a fee rate is from {} to {} sompi per gram", FEE_RATE.start(), FEE_RATE.end());
        problems.policy("policy.spec.consolidate.maxSompiPerGram", what);
    }
    if coins > MOST_CONSOLIDATED {
        problems.policy("policy.spec.consolidate.coins", format!("at most {MOST_CONSOLIDATED}"));
    }
    ConsolidateRule { coins, max_sompi_per_gram: u64::from(max_sompi_per_gram) }
}

fn internal_fees(spec: &InternalFeesSpec, problems: &mut Problems) -> Option<InternalFees> {
    let InternalFeesSpec { max, window } = spec;
    let max_sompi = kas(max, "policy.spec.internalFees.max", problems);
    let seconds = seconds(window);
    if seconds.is_none() {
        let what = "window is a duration such as 30s, 90m, 24h or 1h30m";
        problems.policy("policy.spec.internalFees.window", what);
    }
    Some(InternalFees { max_sompi: max_sompi?, seconds: seconds? })
}

/// Its bounds are checked in the file.
fn batch(spec: BatchSpec) -> BatchRule {
    let BatchSpec { most, wait_ms } = spec;
    BatchRule { most, wait_ms: wait_ms.map(u64::from) }
}

fn kas(text: &str, field: &str, problems: &mut Problems) -> Option<Sompi> {
    // A leading zero may be meant as something else, and the API server refuses it too.
    let plain = text == "0" || text.starts_with("0.") || !text.starts_with('0');
    match Sompi::from_kas(text) {
        Ok(amount) if plain => Some(amount),
        Ok(_) => {
            problems.policy(field, format!("\"{text}\" begins with a zero too many"));
            None
        }
        Err(error) => {
            problems.policy(field, error.to_string());
            None
        }
    }
}

fn check_name(name: &str, field: &str, problems: &mut Problems) {
    let edge = |b: Option<u8>| b.is_some_and(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    let inner = |b: u8| edge(Some(b)) || b == b'-' || b == b'.';
    let good = edge(name.bytes().next()) && edge(name.bytes().last()) && name.bytes().all(inner);
    if !good || name.len() > NAME_MAX {
        let what = format!("a name has at most {NAME_MAX} lower-case letters, digits, dashes and dots");
        problems.policy(field, what);
    }
}

/// `1h30m` and the like in seconds; none for any other text, and for nothing at all.
fn seconds(text: &str) -> Option<u64> {
    let digits = |number: &str| number.len() <= 6 && number.bytes().all(|b| b.is_ascii_digit());
    let mut rest = text;
    let mut total = 0u64;
    for (unit, length) in [('h', 3_600), ('m', 60), ('s', 1)] {
        let Some((number, after)) = rest.split_once(unit) else { continue };
        let number: u64 = number.parse().ok().filter(|_| digits(number))?;
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

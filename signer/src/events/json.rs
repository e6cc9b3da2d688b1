//! The JSON form of a signed request: what clients send, and what `igra-signer approve` reads and writes.

use igra_group::{GroupId, Network, Sompi};
use serde::{Deserialize, Serialize};
use serde_json::{Value, error::Category};

use crate::events::{Approval, Request, SignedRequest, VerifyCode, VerifyError, limits};

/// A request as clients write it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RequestJson {
    /// Needed by approvers, who sign for one network and group; checked wherever it stands.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network: Option<String>,
    /// The group id in hex; as `network`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    pub source: String,
    pub id: String,
    pub recipient: String,
    /// An integer, or the same in quotes for programs whose numbers have only 53 bits.
    pub amount_sompi: Value,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadline: Option<u64>,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub memo: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub approvals: Vec<ApprovalJson>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ApprovalJson {
    pub approver: String,
    /// 128 digits of hex.
    pub signature: String,
}

impl RequestJson {
    /// Reads a body. Errors tell the field; unknown and doubled ones are refused.
    pub fn parse(body: &[u8]) -> Result<Self, VerifyError> {
        if body.len() > limits::EVIDENCE_BYTES {
            return Err(super::request::too_large(body.len()));
        }
        // A list of the fields' values would be read as well.
        if body.trim_ascii_start().starts_with(b"[") {
            return Err(VerifyError::new(VerifyCode::MalformedRequest, "a request is an object, not a list"));
        }
        let mut reader = serde_json::Deserializer::from_slice(body);
        let request = serde_path_to_error::deserialize(&mut reader).map_err(|error| {
            let path = error.path().to_string();
            refusal(&path, &error.into_inner())
        })?;
        reader.end().map_err(|error| refusal(".", &error))?;
        Ok(request)
    }

    /// The network and group that the text names, both needed to sign it.
    pub fn signed_for(&self) -> Result<(Network, GroupId), VerifyError> {
        let missing = |field: &str| {
            VerifyError::at(
                VerifyCode::MalformedRequest,
                field,
                format!("missing field `{field}`, which is signed as well"),
            )
        };
        let network = self.network.as_deref().ok_or_else(|| missing("network"))?;
        let network = network
            .parse::<Network>()
            .map_err(|error| VerifyError::at(VerifyCode::WrongNetwork, "network", error.to_string()))?;
        let group = self.group.as_deref().ok_or_else(|| missing("group"))?;
        let group = group.parse::<GroupId>().map_err(|_| {
            VerifyError::at(VerifyCode::WrongGroup, "group", "a group id has 64 digits of hex")
        })?;
        Ok((network, group))
    }

    /// Turns the text into a signed request of this network and group; approvals may stand in any order.
    pub fn into_signed(self, network: Network, group: GroupId) -> Result<SignedRequest, VerifyError> {
        self.check_addressee(network, group)?;
        let request = self.request()?;
        if self.approvals.len() > limits::APPROVALS {
            let message = format!("at most {} approvals are taken", limits::APPROVALS);
            return Err(VerifyError::at(VerifyCode::MalformedRequest, "approvals", message));
        }
        let approvals = self.approvals.iter().enumerate().map(|(at, approval)| approval.read(at));
        let mut approvals = approvals.collect::<Result<Vec<_>, _>>()?;
        approvals.sort_by(|a, b| a.approver.cmp(&b.approver));
        if let Some(double) = approvals.windows(2).find(|pair| pair[0].approver == pair[1].approver) {
            let message = format!("approver {:?} stands there twice", double[0].approver);
            return Err(VerifyError::at(VerifyCode::DuplicateApprover, "approvals", message));
        }
        Ok(SignedRequest { request, approvals })
    }

    /// What is asked for, without who approved it.
    pub fn request(&self) -> Result<Request, VerifyError> {
        Ok(Request {
            source: self.source.clone(),
            id: self.id.clone(),
            recipient: self.recipient.clone(),
            amount: amount(&self.amount_sompi)?,
            deadline: self.deadline,
            memo: self.memo.clone(),
        })
    }

    fn check_addressee(&self, network: Network, group: GroupId) -> Result<(), VerifyError> {
        if self.network.as_deref().is_some_and(|name| name != network.as_str()) {
            let message = format!("the request is for another network; this group is on {network}");
            return Err(VerifyError::at(VerifyCode::WrongNetwork, "network", message));
        }
        if self.group.as_deref().is_some_and(|id| id != group.to_string()) {
            let message = format!("the request is for another group; this one is {group}");
            return Err(VerifyError::at(VerifyCode::WrongGroup, "group", message));
        }
        Ok(())
    }
}

impl ApprovalJson {
    fn read(&self, at: usize) -> Result<Approval, VerifyError> {
        let mut signature = [0; 64];
        hex::decode_to_slice(&self.signature, &mut signature).map_err(|_| {
            let field = format!("approvals.{at}.signature");
            VerifyError::at(VerifyCode::InvalidSignature, field, "a signature has 128 digits of hex")
        })?;
        Ok(Approval { approver: self.approver.clone(), signature })
    }
}

fn amount(value: &Value) -> Result<Sompi, VerifyError> {
    let sompi = match value {
        Value::Number(number) => number.as_u64(),
        // Only the shortest form: "007" and "+7" are somebody's mistake.
        Value::String(text) => text.parse().ok().filter(|sompi: &u64| sompi.to_string() == *text),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    };
    let invalid = || {
        let message = "not an integer of sompi from 1 to 18446744073709551615, plain or in quotes";
        VerifyError::at(VerifyCode::AmountInvalid, "amountSompi", message)
    };
    sompi.map(Sompi).ok_or_else(invalid)
}

/// The text of serde_json without the place, which is told for malformed JSON only: it helps nobody elsewhere.
fn refusal(path: &str, error: &serde_json::Error) -> VerifyError {
    let text = error.to_string();
    match error.classify() {
        Category::Syntax | Category::Eof | Category::Io => VerifyError::new(VerifyCode::MalformedJson, text),
        Category::Data => {
            let what = text.split(" at line ").next().unwrap_or_default();
            let path = path.replace('[', ".").replace(']', "");
            let field = named_field(what).map(str::to_owned).filter(|name| !path.ends_with(name.as_str()));
            let field = match (path.as_str(), field) {
                ("." | "?", field) => field,
                (path, None) => Some(path.to_owned()),
                (path, Some(field)) => Some(format!("{path}.{field}")),
            };
            VerifyError { code: VerifyCode::MalformedRequest, field, message: what.to_owned() }
        }
    }
}

/// The field that serde's "unknown", "missing" and "duplicate field" are about stands in the first pair of backticks.
fn named_field(what: &str) -> Option<&str> {
    let named =
        ["unknown field", "missing field", "duplicate field"].iter().any(|start| what.starts_with(start));
    named.then(|| what.split('`').nth(1)).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::events::request::tests::{GROUP, address, request};
    use serde_json::json;

    fn body() -> Value {
        json!({
            "source": "desk",
            "id": "invoice-42",
            "recipient": address(Network::Simnet, 3),
            "amountSompi": "150000000",
            "deadline": 1_790_000_000u64,
            "memo": "rent",
        })
    }

    fn with(field: &str, value: Value) -> Value {
        let mut body = body();
        body[field] = value;
        body
    }

    fn read(body: &Value) -> Result<SignedRequest, VerifyError> {
        RequestJson::parse(body.to_string().as_bytes())?.into_signed(Network::Simnet, GROUP)
    }

    fn refused(body: &Value) -> (VerifyCode, Option<String>) {
        let error = read(body).unwrap_err();
        (error.code, error.field)
    }

    #[test]
    fn the_json_form_reads_as_the_request_it_says() {
        assert_eq!(read(&body()).unwrap(), SignedRequest { request: request(), approvals: vec![] });
        assert_eq!(read(&with("amountSompi", json!(150_000_000u64))), read(&body()));
    }

    #[test]
    fn amounts_that_are_no_64_bit_integer_are_refused() {
        let over: Value = serde_json::from_str("18446744073709551616").unwrap();
        for amount in [
            over,
            json!("18446744073709551616"),
            json!(-1),
            json!(1.5),
            json!("1.5"),
            json!("007"),
            json!(""),
            json!(null),
        ] {
            let refused = refused(&with("amountSompi", amount));
            assert_eq!(refused, (VerifyCode::AmountInvalid, Some("amountSompi".to_owned())));
        }
        assert_eq!(read(&with("amountSompi", json!(u64::MAX))).unwrap().request.amount, Sompi(u64::MAX));
    }

    #[test]
    fn unknown_missing_doubled_and_mistyped_fields_are_told_by_name() {
        let malformed = |field: &str| (VerifyCode::MalformedRequest, Some(field.to_owned()));
        assert_eq!(refused(&with("amount", json!(1))), malformed("amount"));
        assert_eq!(refused(&with("deadline", json!("soon"))), malformed("deadline"));
        assert_eq!(
            refused(&with("approvals", json!([{"approver": "anna", "sig": ""}]))),
            malformed("approvals.0.sig")
        );
        let mut lacking = body();
        lacking.as_object_mut().unwrap().remove("recipient");
        assert_eq!(refused(&lacking), malformed("recipient"));
        let doubled = body().to_string().replacen('{', "{\"id\":\"other\",", 1);
        let error = RequestJson::parse(doubled.as_bytes()).unwrap_err();
        assert_eq!((error.code, error.field), malformed("id"));
    }

    #[test]
    fn what_is_no_json_is_told_with_its_place() {
        for body in [&b"{"[..], b"", b"nonsense", b"{} {}", b"\xff\xfe"] {
            let error = RequestJson::parse(body).unwrap_err();
            assert!(
                matches!(error.code, VerifyCode::MalformedJson | VerifyCode::MalformedRequest),
                "{error}"
            );
        }
        assert!(RequestJson::parse(b"{\"id\":}").unwrap_err().message.contains("line 1 column 7"));
    }

    #[test]
    fn another_network_or_group_is_refused() {
        assert_eq!(
            refused(&with("network", json!("mainnet"))),
            (VerifyCode::WrongNetwork, Some("network".to_owned()))
        );
        assert_eq!(refused(&with("group", json!("00"))), (VerifyCode::WrongGroup, Some("group".to_owned())));
        assert!(read(&with("group", json!(GROUP.to_string()))).is_ok());
    }

    #[test]
    fn approvals_come_in_any_order_but_once_each() {
        let approval = |name: &str| json!({"approver": name, "signature": "05".repeat(64)});
        let signed = read(&with("approvals", json!([approval("bo"), approval("anna")]))).unwrap();
        assert_eq!(SignedRequest::decode(&signed.encode()), Ok(signed.clone()));
        assert_eq!(signed.approvals[0].approver, "anna");
        let twice = refused(&with("approvals", json!([approval("bo"), approval("bo")])));
        assert_eq!(twice, (VerifyCode::DuplicateApprover, Some("approvals".to_owned())));
    }
}

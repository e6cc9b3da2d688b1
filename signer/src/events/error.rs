//! Why a request or its evidence is refused before any policy looks at it.

/// What is wrong, with which field, in words.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct VerifyError {
    pub code: VerifyCode,
    /// The field of the JSON form, such as `amountSompi` or `approvals.1.signature`.
    pub field: Option<String>,
    pub message: String,
}

/// Stable names of what can be wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum VerifyCode {
    /// The body is no JSON.
    MalformedJson,
    /// JSON, but not a request: a field is unknown, missing, twice there or of another type.
    MalformedRequest,
    /// The bytes from a peer are no evidence in its one encoding.
    MalformedEvidence,
    EvidenceTooLarge,
    WrongNetwork,
    WrongGroup,
    UnknownSource,
    InvalidId,
    InvalidMemo,
    AmountZero,
    /// Negative, over 64 bits, or no integer.
    AmountInvalid,
    InvalidRecipient,
    UnknownApprover,
    /// One approver signed twice.
    DuplicateApprover,
    InvalidSignature,
    TooFewApprovals,
}

impl VerifyCode {
    pub const ALL: [Self; 16] = [
        Self::MalformedJson,
        Self::MalformedRequest,
        Self::MalformedEvidence,
        Self::EvidenceTooLarge,
        Self::WrongNetwork,
        Self::WrongGroup,
        Self::UnknownSource,
        Self::InvalidId,
        Self::InvalidMemo,
        Self::AmountZero,
        Self::AmountInvalid,
        Self::InvalidRecipient,
        Self::UnknownApprover,
        Self::DuplicateApprover,
        Self::InvalidSignature,
        Self::TooFewApprovals,
    ];

    /// The name in answers, logs and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::MalformedJson => "malformed_json",
            Self::MalformedRequest => "malformed_request",
            Self::MalformedEvidence => "malformed_evidence",
            Self::EvidenceTooLarge => "evidence_too_large",
            Self::WrongNetwork => "wrong_network",
            Self::WrongGroup => "wrong_group",
            Self::UnknownSource => "unknown_source",
            Self::InvalidId => "invalid_id",
            Self::InvalidMemo => "invalid_memo",
            Self::AmountZero => "amount_zero",
            Self::AmountInvalid => "amount_invalid",
            Self::InvalidRecipient => "invalid_recipient",
            Self::UnknownApprover => "unknown_approver",
            Self::DuplicateApprover => "duplicate_approver",
            Self::InvalidSignature => "invalid_signature",
            Self::TooFewApprovals => "too_few_approvals",
        }
    }

    /// Whether the same evidence is refused for ever. What depends on this member's policy may pass after a reload.
    pub fn permanent(self) -> bool {
        match self {
            Self::UnknownSource | Self::UnknownApprover | Self::InvalidSignature | Self::TooFewApprovals => {
                false
            }
            Self::MalformedJson
            | Self::MalformedRequest
            | Self::MalformedEvidence
            | Self::EvidenceTooLarge
            | Self::WrongNetwork
            | Self::WrongGroup
            | Self::InvalidId
            | Self::InvalidMemo
            | Self::AmountZero
            | Self::AmountInvalid
            | Self::InvalidRecipient
            | Self::DuplicateApprover => true,
        }
    }
}

impl VerifyError {
    pub(super) fn new(code: VerifyCode, message: impl Into<String>) -> Self {
        Self { code, field: None, message: message.into() }
    }

    pub(super) fn at(code: VerifyCode, field: impl Into<String>, message: impl Into<String>) -> Self {
        Self { code, field: Some(field.into()), message: message.into() }
    }

    /// See [`VerifyCode::permanent`].
    pub fn permanent(&self) -> bool {
        self.code.permanent()
    }
}

//! Every error a client can see: one enum, one table.

/// A stable error code. `docs/errors.md` is generated from this table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Code {
    /// No or no valid credentials.
    Unauthenticated,
    /// Known, but not allowed (wrong role).
    Forbidden,
    /// No such object, or another person's.
    NotFound,
    /// The path exists, the method does not.
    MethodNotAllowed,
    /// Clashes with the present state of the object.
    Conflict,
    /// The body or query breaks the contract; `errors` says where.
    Validation,
    /// A recorded consent is missing; `purpose` says which.
    ConsentRequired,
    /// The same idempotency key came with another body.
    IdempotencyMismatch,
    /// The first request with this key has not finished.
    IdempotencyInProgress,
    /// The call needs an `Idempotency-Key` header.
    IdempotencyKeyRequired,
    /// Too many calls; see `Retry-After`.
    RateLimited,
    /// The slot went to somebody else.
    SlotTaken,
    /// The object's state does not allow this step.
    InvalidState,
    /// The rule set may not be published; see `findings`.
    RuleRejected,
    /// The code belongs to the caller himself.
    SelfInvite,
    /// The caller already has an inviter.
    AlreadyInvited,
    /// The caller was a customer before.
    ExistingCustomer,
    /// The invitation has expired or was recalled.
    InvitationInvalid,
    /// The WeChat login or phone code is spent or wrong.
    WechatCodeInvalid,
    /// The signature of a WeChat callback does not hold.
    SignatureInvalid,
    /// The payment notification does not match the order.
    PaymentMismatch,
    /// The file is not an image we take.
    UnsupportedMedia,
    /// The body is larger than the limit.
    PayloadTooLarge,
    /// The request took too long to arrive or to answer.
    Timeout,
    /// A dependency is away; try again.
    Unavailable,
    /// Our fault; the cause is in the log under the request id.
    Internal,
}

impl Code {
    /// All codes, in the order of the documentation.
    pub const ALL: [Self; 26] = [
        Self::Unauthenticated,
        Self::Forbidden,
        Self::NotFound,
        Self::MethodNotAllowed,
        Self::Conflict,
        Self::Validation,
        Self::ConsentRequired,
        Self::IdempotencyMismatch,
        Self::IdempotencyInProgress,
        Self::IdempotencyKeyRequired,
        Self::RateLimited,
        Self::SlotTaken,
        Self::InvalidState,
        Self::RuleRejected,
        Self::SelfInvite,
        Self::AlreadyInvited,
        Self::ExistingCustomer,
        Self::InvitationInvalid,
        Self::WechatCodeInvalid,
        Self::SignatureInvalid,
        Self::PaymentMismatch,
        Self::UnsupportedMedia,
        Self::PayloadTooLarge,
        Self::Timeout,
        Self::Unavailable,
        Self::Internal,
    ];

    const fn row(self) -> (&'static str, u16, &'static str) {
        match self {
            Self::Unauthenticated => ("unauthenticated", 401, "请先登录"),
            Self::Forbidden => ("forbidden", 403, "没有权限"),
            Self::NotFound => ("not_found", 404, "没有找到"),
            Self::MethodNotAllowed => ("method_not_allowed", 405, "不支持这种请求方法"),
            Self::Conflict => ("conflict", 409, "与现有内容冲突"),
            Self::Validation => ("validation", 422, "提交的内容有误"),
            Self::ConsentRequired => ("consent_required", 403, "需要先取得单独同意"),
            Self::IdempotencyMismatch => (
                "idempotency_mismatch",
                422,
                "同一幂等键对应了不同的请求内容",
            ),
            Self::IdempotencyInProgress => ("idempotency_in_progress", 409, "相同的请求正在处理"),
            Self::IdempotencyKeyRequired => (
                "idempotency_key_required",
                422,
                "缺少 Idempotency-Key 请求头",
            ),
            Self::RateLimited => ("rate_limited", 429, "请求过于频繁"),
            Self::SlotTaken => ("slot_taken", 409, "该时段已被预约"),
            Self::InvalidState => ("invalid_state", 409, "当前状态不允许此操作"),
            Self::RuleRejected => ("rule_rejected", 422, "规则集未通过检查"),
            Self::SelfInvite => ("self_invite", 409, "不能使用自己的邀请码"),
            Self::AlreadyInvited => ("already_invited", 409, "已经绑定过邀请人"),
            Self::ExistingCustomer => ("existing_customer", 409, "老客户不能再作为受邀人"),
            Self::InvitationInvalid => ("invitation_invalid", 409, "邀请已失效"),
            Self::WechatCodeInvalid => ("wechat_code_invalid", 401, "微信凭证无效或已使用"),
            Self::SignatureInvalid => ("signature_invalid", 401, "签名验证失败"),
            Self::PaymentMismatch => ("payment_mismatch", 409, "支付通知与订单不符"),
            Self::UnsupportedMedia => ("unsupported_media", 415, "不支持的文件类型"),
            Self::PayloadTooLarge => ("payload_too_large", 413, "内容过大"),
            Self::Timeout => ("timeout", 408, "请求超时"),
            Self::Unavailable => ("unavailable", 503, "服务暂时不可用"),
            Self::Internal => ("internal", 500, "服务器内部错误"),
        }
    }

    /// The stable name a client switches on.
    pub const fn slug(self) -> &'static str {
        self.row().0
    }

    /// The HTTP status.
    pub const fn status(self) -> u16 {
        self.row().1
    }

    /// The title a person reads, zh-CN.
    pub const fn title(self) -> &'static str {
        self.row().2
    }
}

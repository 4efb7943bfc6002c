//! Every fact the house knows, in the order the console shows them.

use super::{E, FactDef, Kind, Nature, PROFILING, fact};

const fn dimension(name: &'static str, label: &'static str) -> FactDef {
    rating(name, label).unit("分")
}

const fn rating(name: &'static str, label: &'static str) -> FactDef {
    fact(name, label, Kind::Score, "rating")
        .on(&[E::RatingSubmitted])
        .nature(Nature::Rating)
        .consent(PROFILING)
        .history()
}

/// Every fact. 种子文档: 预存达 50% 且评分不低于 4.8、工单超时清零、连续两次转介绍、代际。
pub(super) const FACTS: &[FactDef] = &[
    fact("booking.prepaid_ratio", "预存比例", Kind::Ratio, "payment")
        .on(&[E::PaymentSucceeded])
        .nature(Nature::Payment)
        .history(),
    fact(
        "booking.prepaid_at_booking_ratio",
        "下单时预存比例",
        Kind::Ratio,
        "payment",
    )
    .on(&[E::PaymentSucceeded])
    .nature(Nature::Payment),
    fact("booking.total_fen", "订单总价", Kind::Money, "booking")
        .on(&[E::BookingCompleted])
        .nature(Nature::Payment)
        .history(),
    fact("booking.prepaid_fen", "已付金额", Kind::Money, "payment")
        .on(&[E::PaymentSucceeded])
        .nature(Nature::Payment)
        .history(),
    fact("booking.sla_breached", "工单超时", Kind::Bool, "workorder")
        .on(&[E::BookingCompleted])
        .history(),
    fact("booking.late_minutes", "迟到时间", Kind::Count, "workorder")
        .on(&[E::BookingCompleted])
        .unit("分钟")
        .history(),
    fact("booking.service", "服务项目", Kind::Text, "booking").on(&[E::BookingCompleted]),
    fact("booking.is_rework", "返工单", Kind::Bool, "booking")
        .on(&[E::BookingCompleted])
        .history(),
    fact("booking.reworks", "本单返工次数", Kind::Count, "booking").on(&[E::BookingCompleted]),
    // 种子文档: 季节波动、最佳沟通时段。
    fact("booking.weekday", "服务星期", Kind::Int, "booking")
        .on(&[])
        .range(1, 7),
    fact("booking.hour", "服务开始时刻", Kind::Int, "booking")
        .on(&[])
        .unit("点")
        .range(0, 23),
    fact("booking.month", "服务月份", Kind::Int, "booking")
        .on(&[])
        .unit("月")
        .range(1, 12),
    // 种子文档: 预设问卷了解清洁痛点、宠物情况。 What the questionnaire says of a home is asked for the visit; looking at it
    // in order to market is another purpose (PIPL 14). Who lives there is no fact at all (REF-L24).
    fact("booking.size_sqm", "服务面积", Kind::Count, "booking")
        .on(&[])
        .unit("㎡")
        .consent(PROFILING),
    fact("booking.has_pets", "家有宠物", Kind::Bool, "booking")
        .on(&[])
        .consent(PROFILING),
    // 种子文档: 前后对比图片。 Only whether they are there; the pictures themselves are looked at by nobody (REF-L22).
    fact(
        "booking.has_photos",
        "服务前后照片齐全",
        Kind::Bool,
        "photo",
    )
    .on(&[E::BookingCompleted])
    .consent(PROFILING),
    fact(
        "booking.same_worker_visits",
        "同一师傅服务次数",
        Kind::Count,
        "booking",
    )
    .on(&[E::BookingCompleted])
    .nature(Nature::Purchase)
    .consent(PROFILING),
    rating("rating.score", "评分"),
    dimension("rating.quality", "质量分"),
    dimension("rating.punctuality", "准时分"),
    dimension("rating.attitude", "态度分"),
    dimension("rating.communication", "沟通分"),
    dimension("rating.value", "性价比分"),
    fact("rating.has_comment", "写了评语", Kind::Bool, "rating")
        .on(&[E::RatingSubmitted])
        .nature(Nature::Rating)
        .consent(PROFILING)
        .history(),
    fact("complaint.kind", "投诉类别", Kind::Text, "complaint")
        .on(&[E::ComplaintOpened])
        .options(&[
            "quality", "lateness", "damage", "attitude", "price", "other",
        ]),
    fact(
        "customer.open_complaints",
        "未结投诉",
        Kind::Count,
        "complaint",
    )
    .on(&[E::ComplaintOpened, E::ComplaintResolved])
    .unit("件"),
    fact(
        "customer.completed_bookings",
        "已完成服务",
        Kind::Count,
        "booking",
    )
    .on(&[E::BookingCompleted])
    .nature(Nature::Purchase)
    .consent(PROFILING),
    fact(
        "customer.open_bookings",
        "进行中的预约",
        Kind::Count,
        "booking",
    )
    .on(&[E::PaymentSucceeded, E::BookingCompleted])
    .unit("单")
    .nature(Nature::Purchase)
    .consent(PROFILING),
    fact(
        "customer.complaint_count",
        "历史投诉",
        Kind::Count,
        "complaint",
    )
    .on(&[E::ComplaintOpened])
    .unit("件")
    .consent(PROFILING),
    fact(
        "customer.days_since_registration",
        "注册至今",
        Kind::Count,
        "identity",
    )
    .unit("天")
    .consent(PROFILING),
    fact(
        "customer.days_since_last_visit",
        "距上次服务",
        Kind::Count,
        "booking",
    )
    .on(&[E::BookingCompleted])
    .unit("天")
    .nature(Nature::Purchase)
    .consent(PROFILING),
    fact("customer.generation", "客户代际", Kind::Count, "referral")
        .on(&[E::ReferralRedeemed])
        .unit("代")
        .range(0, 3),
    // What is stored is the service area of the customer's last visit; where areas are cities, it is the city.
    fact("customer.city", "所在城市", Kind::Text, "booking").on(&[]),
    fact("customer.area", "所在区域", Kind::Text, "booking").on(&[]),
    fact(
        "customer.days_since_last_invite",
        "距上次邀约",
        Kind::Count,
        "referral",
    )
    .unit("天")
    .consent(PROFILING),
    // 种子文档: 推荐意愿是否会随接触频率增加而递减。
    fact(
        "customer.recent_invites",
        "30 天内的邀约",
        Kind::Count,
        "benefit",
    )
    .consent(PROFILING),
    fact(
        "customer.open_rewards",
        "未使用的权益",
        Kind::Count,
        "benefit",
    )
    .on(&[E::ReferralQualified, E::ReferralReversed])
    .unit("项")
    .consent(PROFILING),
    fact("customer.tags", "客户标签", Kind::List, "benefit")
        .nature(Nature::Profile)
        .consent(PROFILING),
    fact(
        "inviter.consecutive_qualified",
        "连续达标的转介绍",
        Kind::Count,
        "referral",
    )
    .on(&[E::ReferralQualified, E::ReferralReversed])
    .nature(Nature::Qualified),
    fact(
        "inviter.qualified_count",
        "达标的转介绍",
        Kind::Count,
        "referral",
    )
    .on(&[E::ReferralQualified, E::ReferralReversed])
    .nature(Nature::Qualified),
    fact("referral.generation", "好友代际", Kind::Count, "referral")
        .on(&[E::ReferralRedeemed])
        .unit("代")
        .range(1, 3)
        .of_invitee(),
    // Ages are not kept (accounts are for adults), so the console offers no such fact.
    fact("customer.is_minor", "未成年人", Kind::Bool, "customer").forbidden(Nature::Minor),
    fact("referral.share_count", "转发次数", Kind::Count, "referral").forbidden(Nature::Share),
    fact("referral.share_rate", "转发率", Kind::Ratio, "referral").forbidden(Nature::Share),
    fact(
        "referral.click_count",
        "好友点击次数",
        Kind::Count,
        "referral",
    )
    .forbidden(Nature::Visit),
    fact(
        "referral.visit_count",
        "好友访问次数",
        Kind::Count,
        "referral",
    )
    .forbidden(Nature::Visit),
    fact(
        "referral.registered_count",
        "好友注册人数",
        Kind::Count,
        "referral",
    )
    .forbidden(Nature::Visit),
    fact("inviter.invited_count", "邀请人数", Kind::Count, "referral")
        .unit("人")
        .forbidden(Nature::Headcount),
    fact("inviter.team_size", "团队人数", Kind::Count, "referral")
        .unit("人")
        .forbidden(Nature::Team),
    fact("inviter.team_fen", "团队业绩", Kind::Money, "referral").forbidden(Nature::Team),
    fact("inviter.rank", "邀请排名", Kind::Count, "referral")
        .unit("名")
        .forbidden(Nature::Ranking),
    fact("customer.topup_fen", "充值金额", Kind::Money, "wallet").forbidden(Nature::Payment),
    fact("customer.is_member", "付费会员", Kind::Bool, "wallet").forbidden(Nature::Payment),
    fact("customer.home_photos", "家中照片", Kind::Count, "photo")
        .unit("张")
        .forbidden(Nature::Ungated),
    fact("customer.location", "实时位置", Kind::Text, "customer").forbidden(Nature::Ungated),
    fact("customer.relations", "关系图谱", Kind::Count, "referral")
        .unit("人")
        .forbidden(Nature::Ungated),
    fact("customer.voiceprint", "声纹", Kind::Text, "customer").forbidden(Nature::Biometric),
    fact("customer.health", "健康状况", Kind::Text, "customer").forbidden(Nature::Sensitive),
    fact("customer.has_child", "家有儿童", Kind::Bool, "customer").forbidden(Nature::Sensitive),
    fact("customer.has_ill_elder", "老人患病", Kind::Bool, "customer").forbidden(Nature::Sensitive),
    fact("customer.religion", "宗教信仰", Kind::Text, "customer").forbidden(Nature::Sensitive),
    fact("customer.finance", "财务状况", Kind::Text, "customer").forbidden(Nature::Sensitive),
    fact("customer.disability", "残障情况", Kind::Text, "customer").forbidden(Nature::Sensitive),
];

//! The numbers we give to orders, refunds and transfers, as WeChat Pay takes them (spec 2.3, 2.6, 2.7). Checked before
//! anything is sent: WeChat's own refusal would come as the general `PARAM_ERROR`.

use crate::kernel::{AppError, Result};

/// 6 to 32 of `0-9A-Za-z_-|*`.
pub(super) fn is_out_trade_no(number: &str) -> bool {
    (6..=32).contains(&number.len())
        && number
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"_-|*".contains(&byte))
}

/// 1 to 64 of `0-9A-Za-z_-|*@`.
pub(super) fn is_out_refund_no(number: &str) -> bool {
    (1..=64).contains(&number.len())
        && number
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"_-|*@".contains(&byte))
}

/// 1 to 32 digits and letters.
pub(super) fn is_out_bill_no(number: &str) -> bool {
    (1..=32).contains(&number.len()) && number.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

/// Our own numbers are made to fit; one that does not is a fault of ours.
pub(super) fn fits(holds: bool) -> Result<()> {
    if holds {
        Ok(())
    } else {
        Err(AppError::internal("a number WeChat Pay would not take"))
    }
}

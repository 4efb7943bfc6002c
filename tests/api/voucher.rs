//! Price benefits and coupons at the till.
